"""What a storm of cancels leaves of an HTTP client: httpx's own pool beside our gate.

N requests, 200 at once on a pool of 100, each cancelled at a random moment (connecting, sending,
waiting, reading); then an audit of what is left, and two probes of 100 requests each. And the fault
in small: a pool of one, cancelled at the loop's ticks 0 to 29, then asked for ten pages.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import psutil

from backend.core.http import HttpGate, NetworkPolicy
from bench._stand_in import PAGE, stand_in
from bench.report import Report, judge, percentile, spread

AT_ONCE = 200
POOL = 100
PROBES = 2
PROBE_SIZE = 100
SMALL_PROBE_SIZE = 10
# Long enough for every honest answer, short enough to wait for a dead pool.
HTTPX_TIMEOUT_S = 3.0
MAX_DELAY_S = 0.12
TICKS = 30
LAG_STEP_S = 0.005
UPLOAD = bytes(300_000)
TARGETS = {
    "gate_probes_ok": f"== {PROBES * PROBE_SIZE}",
    "gate_small_pool_ok": f"== {SMALL_PROBE_SIZE}",
    "gate_requests_left": "== 0",
    "gate_sockets_left": "== 0",
    # The loop's own lag is the floor, it rises with the machine's other work.
    "gate_cancel_p99_over_lag_p99": "<= 3",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Contestant:
    """One client under test; `requests_left` tells what it still holds, if it can tell."""

    client: httpx.AsyncClient
    requests_left: Callable[[], int] | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--requests", type=int, default=500, help="requests to cancel per client (500)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments (1)")


def run(args: argparse.Namespace) -> Report:
    """Measure both clients, one after the other, against the same kind of server."""
    figures: dict[str, float] = {}
    for name, opened in (("gate", _gate), ("httpx", _httpx)):
        with stand_in() as origin:
            measured = asyncio.run(_measure(opened, origin, args.requests, random.Random(args.seed)))
        figures |= {f"{name}_{metric}": value for metric, value in measured.items()}
    return Report("client", figures, judge(figures, TARGETS))


@contextlib.asynccontextmanager
async def _gate(pool: int) -> AsyncIterator[Contestant]:
    gate = HttpGate(policy=NetworkPolicy(allow_private=("127.0.0.0/8",)), user_agent="bench", limit=pool)
    await gate.start()
    try:
        yield Contestant(gate.outside, lambda: gate.live().requests)
    finally:
        await gate.stop()


@contextlib.asynccontextmanager
async def _httpx(pool: int) -> AsyncIterator[Contestant]:
    transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=pool))
    async with httpx.AsyncClient(transport=transport, timeout=HTTPX_TIMEOUT_S) as client:
        yield Contestant(client)


Opened = Callable[[int], contextlib.AbstractAsyncContextManager[Contestant]]


async def _measure(opened: Opened, origin: str, count: int, dice: random.Random) -> dict[str, float]:
    lags: list[float] = []
    async with opened(POOL) as contestant:
        clock = asyncio.create_task(_watch_lag(lags), name="lag")
        cancels = await _storm(contestant.client, origin, count, dice)
        clock.cancel()
        await asyncio.wait([clock])
        await asyncio.sleep(0.5)
        left = {"requests_left": contestant.requests_left()} if contestant.requests_left else {}
        probes_ok = sum([await _probe(contestant.client, origin, PROBE_SIZE) for _ in range(PROBES)])
    async with opened(1) as contestant:
        await _cancel_at_ticks(contestant.client, origin)
        small_pool_ok = await _probe(contestant.client, origin, SMALL_PROBE_SIZE)
    await asyncio.sleep(0.1)
    return {
        **spread("cancel_ms", cancels),
        "lag_ms_p99": percentile(lags, 99),
        "cancel_p99_over_lag_p99": percentile(cancels, 99) / percentile(lags, 99),
        "cancelled": len(cancels),
        **left,
        "probes_ok": probes_ok,
        "small_pool_ok": small_pool_ok,
        "sockets_left": _sockets_to(origin),
    }


async def _watch_lag(lags: list[float]) -> None:
    """Note, in ms, how late the loop wakes a sleeper."""
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(LAG_STEP_S)
        lags.append((time.perf_counter() - begun - LAG_STEP_S) * 1000)


async def _storm(client: httpx.AsyncClient, origin: str, count: int, dice: random.Random) -> list[float]:
    """Cancel `count` requests at random moments; return the ms from cancel() to the task's end."""
    at_once = asyncio.Semaphore(AT_ONCE)
    took_ms: list[float] = []

    async def one(send: Callable[[], Awaitable[httpx.Response]], delay_s: float) -> None:
        async with at_once:
            task = asyncio.ensure_future(send())
            await asyncio.wait([task], timeout=delay_s)
            if not task.done():
                begun = time.perf_counter()
                task.cancel()
                await asyncio.wait([task])
                took_ms.append((time.perf_counter() - begun) * 1000)
            if not task.cancelled():
                task.exception()  # a dead pool fails the rest; the probes count that

    kinds: list[Callable[[], Awaitable[httpx.Response]]] = [
        lambda: client.get(f"{origin}/page"),
        lambda: client.get(f"{origin}/slow/0.05"),
        lambda: client.get(f"{origin}/slow-body/0.05"),
        lambda: client.post(f"{origin}/echo", content=b"x" * 3000),
        lambda: client.post(f"{origin}/echo", content=UPLOAD),
    ]
    await asyncio.gather(*(one(dice.choice(kinds), dice.random() * MAX_DELAY_S) for _ in range(count)))
    return took_ms


async def _cancel_at_ticks(client: httpx.AsyncClient, origin: str) -> None:
    """Cancel one request after each number of loop ticks, on a quiet client: every phase in order."""
    for path in ("page", "slow-body/0.01"):
        for ticks in range(TICKS):
            task = asyncio.ensure_future(client.get(f"{origin}/{path}"))
            for _ in range(ticks):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # as in the storm


async def _probe(client: httpx.AsyncClient, origin: str, size: int) -> int:
    """Return how many of `size` requests at once come back whole."""

    async def is_whole(number: int) -> bool:
        try:
            if number % 2:
                return (await client.get(f"{origin}/page")).content == PAGE
            return (await client.post(f"{origin}/echo", content=b"q" * 100)).content == b"q" * 100
        except httpx.HTTPError:
            return False

    return sum(await asyncio.gather(*(is_whole(number) for number in range(size))))


def _sockets_to(origin: str) -> int:
    """Return how many sockets of this process lead to `origin`, by the kernel's count."""
    port = httpx.URL(origin).port
    connections = psutil.Process(os.getpid()).net_connections("tcp")
    return sum(1 for made in connections if made.raddr and made.raddr.port == port)
