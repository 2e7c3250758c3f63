"""Real servers on one MongoDB and Redis: the parts of `python -m bench servers` in small, without their times."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, TypeVar

import pytest

from bench.harness.lab import LabOptions
from bench.harness.server import Server
from bench.harness.verification import complaints
from bench.several.cancels import measure_stage
from bench.several.fleet import CAP, CRAWLS_EACH, LEASE_S, Fleet
from bench.several.leaving import measure_sigterm
from bench.several.spread import measure_bell, measure_caps, measure_spread

pytestmark = pytest.mark.slow
T = TypeVar("T")


class Company:
    """A fleet on a loop of its own, which stands still between the calls; the stores are started once."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.fleet = Fleet(LabOptions())
        self.run(self.fleet.__aenter__())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def pair(self, name: str, **settings: str) -> Sequence[Server]:
        return self.run(self.fleet.servers(name, 2, settings))

    def close(self) -> None:
        try:
            self.run(self.fleet.stop_servers())
            assert list(complaints(self.fleet.logs)) == []
        finally:
            self.run(self.fleet.__aexit__(None, None, None))
            self._runner.close()


@pytest.fixture(scope="module")
def company() -> Iterator[Company]:
    made = Company()
    yield made
    made.close()


@pytest.fixture(scope="module")
def pair(company: Company) -> Sequence[Server]:
    return company.pair("pair", MAX_RUNNING_CRAWLS=str(CRAWLS_EACH), COGVIDEOX_MAX_RUNNING=str(CAP))


def test_tasks_made_at_one_server_are_run_by_both(company: Company, pair: Sequence[Server]) -> None:
    shared = company.run(measure_spread(company.fleet, pair, 3 * CRAWLS_EACH))

    assert (len(shared.ran), shared.run_twice, shared.not_succeeded) == (2, 0, 0)


def test_task_that_finds_its_server_full_is_run_by_the_other(company: Company, pair: Sequence[Server]) -> None:
    waits_ms = company.run(measure_bell(company.fleet, pair, 3))

    assert len(waits_ms) == 3


def test_no_more_videos_are_made_at_once_than_the_account_allows(company: Company, pair: Sequence[Server]) -> None:
    caps = company.run(measure_caps(company.fleet, pair, 2 * CAP))

    assert (caps.most_open, caps.not_succeeded, caps.submits_too_many) == (CAP, 0, 0)


def test_cancel_at_the_other_server_ends_a_crawl(company: Company, pair: Sequence[Server]) -> None:
    afar = company.run(measure_stage(company.fleet, pair, "mid_body", count=3, told=2))

    assert (len(afar.read_ms), len(afar.told_ms), afar.problems, afar.requests_after) == (3, 2, [], 0)


def test_server_that_leaves_hands_its_tasks_and_their_paid_jobs_to_the_other(company: Company) -> None:
    servers = company.pair("leaving", LEASE_S=f"{LEASE_S:g}")

    found = company.run(measure_sigterm(company.fleet, servers, 1))

    assert found.given_back > 0
    assert found.problems == []
