"""Real servers on one MongoDB and Redis: the parts of `python -m bench servers` in small, without their times."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from bench.harness.lab import LabOptions
from bench.harness.server import Server
from bench.harness.verification import complaints
from bench.several.cancels import measure_stage
from bench.several.fleet import CAP, CRAWLS_EACH, LEASE_S, Fleet
from bench.several.leaving import measure_second_signal, measure_sigterm
from bench.several.spread import measure_bell, measure_caps, measure_spread

pytestmark = pytest.mark.slow
SETTINGS = {
    "LEASE_S": f"{LEASE_S:g}",
    "MAX_RUNNING_CRAWLS": str(CRAWLS_EACH),
    "COGVIDEOX_MAX_RUNNING": str(CAP),
}


def with_two_servers(check: Callable[[Fleet, Sequence[Server]], Awaitable[None]]) -> None:
    """Run the check on two servers that share their stores; their logs must hold no complaint."""

    async def main() -> None:
        async with Fleet(LabOptions()) as fleet:
            await check(fleet, await fleet.servers("pair", 2, SETTINGS))
            await fleet.stop_servers()
            assert list(complaints(fleet.logs)) == []

    asyncio.run(main())


def test_two_servers_share_the_work_the_caps_and_the_cancels() -> None:
    async def check(fleet: Fleet, servers: Sequence[Server]) -> None:
        shared = await measure_spread(fleet, servers, 4 * CRAWLS_EACH)
        assert (len(shared.ran), shared.run_twice, shared.not_succeeded) == (2, 0, 0)

        assert len(await measure_bell(fleet, servers, 3)) == 3

        caps = await measure_caps(fleet, servers, 3 * CAP)
        assert (caps.most_open, caps.not_succeeded, caps.submits_too_many) == (CAP, 0, 0)

        afar = await measure_stage(fleet, servers, "mid_body", count=3, told=2)
        assert (len(afar.read_ms), len(afar.told_ms), afar.problems, afar.requests_after) == (3, 2, [], 0)

    with_two_servers(check)


def test_server_that_leaves_hands_its_tasks_and_their_paid_jobs_to_the_other() -> None:
    async def check(fleet: Fleet, servers: Sequence[Server]) -> None:
        orderly = await measure_sigterm(fleet, servers, 1)
        assert orderly.problems == []
        assert orderly.given_back > 0

        at_once = await measure_second_signal(fleet, servers)
        assert at_once.problems == []

    with_two_servers(check)
