"""A cancel at any moment leaves nothing behind, and the next hundred requests work."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import httpx
import pytest
import tornado.ioloop

from backend.core.http import GateError
from tests.fixtures.hostile_peer import PAGE
from tests.fixtures.hostile_server import Field, HostileServer, open_field, until


@pytest.fixture
def field(io_loop: tornado.ioloop.IOLoop) -> Iterator[Field]:
    yield from open_field(io_loop, collects=True)


async def cancelled(call: Coroutine[Any, Any, httpx.Response], *, after_ticks: int) -> None:
    task = asyncio.create_task(call)
    for _ in range(after_ticks):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


async def probe(field: Field) -> int:
    """How many of a hundred requests at once come back whole."""
    url, echo = field.server.url("page"), field.server.url("echo")
    gets = [field.client.get(url) for _ in range(50)]
    posts = [field.client.post(echo, content=PAGE) for _ in range(50)]
    return sum(response.content == PAGE for response in await asyncio.gather(*gets, *posts))


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("path", ["page", "slow-body/0.01"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_cancel_at_every_loop_tick_leaves_no_socket_and_no_request(field: Field, method: str, path: str) -> None:
    for ticks in range(30):
        await cancelled(field.client.request(method, field.server.url(path)), after_ticks=ticks)
        await turns(3)
        live = field.gate.live()
        assert live.requests == 0, f"after {ticks} ticks"
        assert live.sockets == field.server.client_sockets() <= 1, f"after {ticks} ticks"

    assert await probe(field) == 100


UPLOAD = bytes(5_000_000)
PHASES: dict[str, Callable[[Field], Coroutine[Any, Any, httpx.Response]]] = {
    "waiting for the head": lambda field: field.client.get(field.server.url("hang")),
    "in a dripping head": lambda field: field.client.get(field.server.url("drip-head")),
    "in the body": lambda field: field.client.get(field.server.url("drip-body")),
    "in a fast body": lambda field: field.client.get(
        field.server.url("stream-for-ever"), extensions={"max_body_bytes": 1 << 40}
    ),
    "in an upload nobody reads": lambda field: field.client.post(field.server.url("unread"), content=UPLOAD),
    "in a streamed upload nobody reads": lambda field: field.client.post(
        field.server.url("unread"), content=endless_parts()
    ),
    "in a redirect's second hop": lambda field: field.client.get(
        field.server.url(f"redirect/302/{field.server.url('hang')}")
    ),
}


async def endless_parts() -> AsyncIterator[bytes]:
    while True:
        yield bytes(100_000)


@pytest.mark.parametrize("phase", PHASES)
async def test_cancel_in_any_phase_leaves_no_socket_and_no_request(field: Field, phase: str) -> None:
    calls = [asyncio.create_task(PHASES[phase](field)) for _ in range(10)]
    await until(lambda: len(field.server.heads) >= 10)
    await asyncio.sleep(0.02)

    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    await turns(5)

    live = field.gate.live()
    assert all(call.cancelled() for call in calls)
    assert (live.requests, live.sockets, field.server.client_sockets()) == (0, 0, 0)
    assert await probe(field) == 100


async def test_cancels_at_random_moments_leave_the_client_whole(field: Field) -> None:
    dice = random.Random(1)
    paths = ["page", "slow/0.02", "slow-body/0.02", "coded/gzip", "half", "close", "echo"]

    async def one(path: str, delay_s: float) -> None:
        method = "POST" if path == "echo" else "GET"
        call = asyncio.create_task(field.client.request(method, field.server.url(path), content=UPLOAD[:300_000]))
        await asyncio.wait([call], timeout=delay_s)
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled() or call.exception() is None or isinstance(call.exception(), GateError)

    await asyncio.gather(*(one(dice.choice(paths), dice.random() * 0.08) for _ in range(400)))
    await turns(5)

    assert field.gate.live().requests == 0
    assert [await probe(field), await probe(field)] == [100, 100]


async def test_cancel_while_queued_gives_the_place_to_the_next(field: Field) -> None:
    first = [asyncio.create_task(field.client.get(field.server.url("slow/0.1"))) for _ in range(200)]
    await turns(3)
    queued = [asyncio.create_task(field.client.get(field.server.url("hang"))) for _ in range(50)]
    await turns(3)

    for call in queued:
        call.cancel()
    await asyncio.wait(queued)
    last = await field.client.get(field.server.url("ok"))

    assert (last.content, len(await asyncio.gather(*first))) == (b"ok", 200)
    assert not any(b"/hang" in head for head in field.server.heads)


async def test_cancel_while_connecting_leaves_no_socket(field: Field) -> None:
    # A TLS handshake with a server that says nothing: connected, but not yet a connection.
    calls = [asyncio.create_task(field.client.get(f"https://127.0.0.1:{field.server.port}/")) for _ in range(10)]
    await until(lambda: field.server.accepted == 10)
    before = field.gate.live()

    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    await turns(5)

    live = field.gate.live()
    assert (before.requests, before.sockets) == (10, 10)
    assert (live.requests, live.sockets, field.server.client_sockets()) == (0, 0, 0)


async def test_a_response_left_unread_gives_its_socket_back_when_closed(field: Field) -> None:
    async with field.client.stream("GET", field.server.url("drip-body")) as response:
        assert response.status_code == 200
        assert field.gate.live().requests == 1
    await turns(3)

    live = field.gate.live()
    assert (live.requests, live.sockets) == (0, 0)


async def test_a_response_forgotten_by_everybody_ends_at_its_deadline(field: Field) -> None:
    request = field.client.build_request(
        "GET", field.server.url("announce-2gb"), extensions={"total_s": 0.2, "max_body_bytes": 1 << 40}
    )
    await field.client.send(request, stream=True)

    await until(lambda: field.gate.live().requests == 0)
    await turns(3)

    assert field.gate.live().sockets == 0


async def test_the_hostile_server_is_seen_by_the_kernel_count(field: Field) -> None:
    server = HostileServer()
    await server.start()
    call = asyncio.create_task(field.client.get(server.url("hang")))
    await until(lambda: server.accepted == 1)

    assert (server.client_sockets(), field.gate.live().sockets) == (1, 1)

    await cancelled(asyncio.wait_for(call, None), after_ticks=1)
    await server.stop()
