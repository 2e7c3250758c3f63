"""A GET that is sent again and again is the gate's own: what holds for `trusted` holds for it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest
import tornado.ioloop

from backend.core.http import (
    ANY_LOCAL,
    Deadline,
    DecompressionLimit,
    Forbidden,
    GateError,
    HttpGate,
    NetworkPolicy,
    RepeatedGet,
    TooLarge,
    error_name,
)
from tests.fixtures.hostile_peer import PAGE
from tests.fixtures.hostile_server import LOOPBACK, NO_CA, Field, HostileServer, open_field, until

FAULTS = [
    *("close", "reset", "half-head", "half", "half-reset", "half-chunked", "no-length-reset", "bad-chunk"),
    *("bad-head", "not-http", "two-lengths", "many-headers", "upgrade", "bad-coded", "twice-coded", "cut-coded/gzip"),
    *("hang", "drip-head", "drip-body", "endless-102", "announce-2gb", "stream-for-ever"),
]


@pytest.fixture
def field(io_loop: tornado.ioloop.IOLoop) -> Iterator[Field]:
    yield from open_field(io_loop)


@pytest.fixture
def swept_field(io_loop: tornado.ioloop.IOLoop) -> Iterator[Field]:
    """Complains, too, about what says so only when it is thrown away."""
    yield from open_field(io_loop, collects=True)


def repeated(field: Field, path: str, *, total_s: float = 5.0, max_body_bytes: int = 1 << 20) -> RepeatedGet:
    return field.gate.repeated(
        field.server.url(path),
        origin=field.server.origin(),
        headers={"Authorization": "Bearer secret"},
        total_s=total_s,
        max_body_bytes=max_body_bytes,
    )


async def end_of(send: Callable[[], Awaitable[object]]) -> tuple[object, ...]:
    with pytest.raises(GateError) as caught:
        await send()
    error = caught.value
    return type(error), error.phase, error.sent, error_name(error), str(error.request.url)


@pytest.mark.parametrize("path", FAULTS)
async def test_every_fault_ends_it_as_it_ends_any_request(field: Field, path: str) -> None:
    limits = {"total_s": 0.15, "max_body_bytes": 100_000}
    client = field.gate.trusted(field.server.origin())

    plain = await end_of(lambda: client.get(field.server.url(path), extensions=limits))
    again = await end_of(repeated(field, path, total_s=0.15, max_body_bytes=100_000).send)

    assert again == plain
    assert len(field.server.heads) == 2


async def test_each_sending_is_the_same_request_on_the_waiting_connection(field: Field) -> None:
    asking = repeated(field, "head")

    answers = [await asking.send() for _ in range(3)]

    plain = await field.gate.trusted(field.server.origin()).get(
        field.server.url("head"), headers={"Authorization": "Bearer secret"}
    )
    seen = [set(answer.content.split(b"\r\n")) for answer in answers]
    assert seen == [set(plain.content.split(b"\r\n"))] * 3
    assert field.server.accepted == 1


async def test_each_sending_has_all_its_time(field: Field) -> None:
    asking = repeated(field, "slow/0.1", total_s=0.25)

    for _ in range(4):
        answer = await asking.send()

    assert answer.status == 200


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_the_body_comes_decoded(field: Field, coding: str) -> None:
    answer = await repeated(field, f"coded/{coding}").send()

    assert (answer.content, answer.header("Content-Encoding")) == (PAGE, "")


async def test_a_bomb_ends_at_the_limit(field: Field) -> None:
    with pytest.raises(DecompressionLimit):
        await repeated(field, "bomb/gzip/10", max_body_bytes=1 << 20).send()


async def test_a_body_over_its_limit_is_too_large(field: Field) -> None:
    with pytest.raises(TooLarge):
        await repeated(field, "page", max_body_bytes=len(PAGE) - 1).send()


async def test_a_body_without_a_length_is_counted_when_it_comes_in_one_piece(field: Field) -> None:
    with pytest.raises(TooLarge):
        await repeated(field, "no-length", max_body_bytes=499).send()


async def test_a_body_without_a_length_is_whole_when_the_connection_ends(field: Field) -> None:
    plain = await field.gate.trusted(field.server.origin()).get(field.server.url("no-length"))

    answer = await repeated(field, "no-length").send()

    assert answer.content == plain.content != b""


async def test_a_redirect_is_an_answer(field: Field) -> None:
    answer = await repeated(field, f"redirect/302/{field.server.url('ok')}").send()

    assert (answer.status, answer.header("location")) == (302, field.server.url("ok"))


async def test_another_origin_is_forbidden(field: Field) -> None:
    other = HostileServer()
    await other.start()
    asking = field.gate.repeated(other.url("ok"), origin=field.server.origin(), headers={}, total_s=1.0)

    with pytest.raises(Forbidden):
        await asking.send()

    assert other.accepted == 0
    await other.stop()


@pytest.mark.parametrize("is_denied", [True, False], ids=["denied", "private"])
async def test_an_address_that_may_not_be_spoken_to_is_forbidden(field: Field, is_denied: bool) -> None:
    denied = frozenset({(ANY_LOCAL, field.server.port)}) if is_denied else frozenset()
    allowed = (LOOPBACK,) if is_denied else ()
    gate = HttpGate(policy=NetworkPolicy(allow_private=allowed, denied=denied), user_agent="t", verify=NO_CA)
    await gate.start()

    for host in ("127.0.0.1", "2130706433", "[::ffff:127.0.0.1]"):
        url = field.server.url("ok", host)
        with pytest.raises(Forbidden):
            await gate.repeated(url, origin=url, headers={}, total_s=1.0).send()

    assert field.server.accepted == 0
    await gate.stop()


async def test_a_control_character_in_a_header_is_refused(field: Field) -> None:
    asking = field.gate.repeated(
        field.server.url("ok"), origin=field.server.origin(), headers={"A": "b\r\nC: d"}, total_s=1.0
    )

    with pytest.raises(httpx.LocalProtocolError):
        await asking.send()


@pytest.mark.parametrize("path", ["page", "slow-body/0.01"])
async def test_cancel_at_every_loop_tick_leaves_no_socket_and_no_request(swept_field: Field, path: str) -> None:
    asking = repeated(swept_field, path)

    for ticks in range(30):
        sending = asyncio.create_task(asking.send())
        for _ in range(ticks):
            await asyncio.sleep(0)
        sending.cancel()
        await asyncio.wait({sending})
        for _ in range(3):
            await asyncio.sleep(0)
        live = swept_field.gate.live()
        assert live.requests == 0, f"after {ticks} ticks"
        assert live.sockets == swept_field.server.client_sockets() <= 1, f"after {ticks} ticks"

    assert len(await asyncio.gather(*(repeated(swept_field, "page").send() for _ in range(100)))) == 100


async def test_waiting_for_a_slot_counts_into_the_deadline(field: Field) -> None:
    gate = HttpGate(policy=NetworkPolicy(allow_private=(LOOPBACK,)), user_agent="t", verify=NO_CA, trusted_limit=1)
    await gate.start()
    origin = field.server.origin()
    hanging = asyncio.create_task(
        gate.repeated(field.server.url("hang"), origin=origin, headers={}, total_s=5.0).send()
    )
    await until(lambda: bool(field.server.heads))

    with pytest.raises(Deadline) as caught:
        await gate.repeated(field.server.url("ok"), origin=origin, headers={}, total_s=0.1).send()

    assert (caught.value.phase, caught.value.sent) == ("connect", False)
    hanging.cancel()
    await asyncio.wait({hanging})
    await gate.stop()


async def test_cancel_while_a_queued_request_goes_first_gives_its_connection_back(field: Field) -> None:
    policy = NetworkPolicy(allow_private=(LOOPBACK,))
    gate = HttpGate(policy=policy, user_agent="t", verify=NO_CA, trusted_limit=2)
    await gate.start()
    origin, fresh = field.server.origin(), {"fresh": True}
    client = gate.trusted(origin)
    asking = gate.repeated(field.server.url("ok"), origin=origin, headers={}, total_s=5.0)
    await asking.send()
    hanging = [asyncio.create_task(client.get(field.server.url("hang"), extensions=fresh)) for _ in range(2)]
    await until(lambda: len(field.server.heads) == 1 + len(hanging))
    queued = asyncio.create_task(asking.send())
    await until(lambda: gate.live().requests == 1 + len(hanging))

    for one in hanging:
        one.cancel()
    cancelled = asyncio.create_task(asking.send())
    asyncio.get_running_loop().call_soon(cancelled.cancel)

    await asyncio.wait({queued, cancelled, *hanging})
    assert (cancelled.cancelled(), gate.live().requests, gate.live().sockets) == (True, 0, 2)
    await gate.stop()


async def test_a_stopped_gate_raises_runtime_error(field: Field) -> None:
    gate = HttpGate(policy=NetworkPolicy(allow_private=(LOOPBACK,)), user_agent="t", verify=NO_CA)
    await gate.start()
    asking = gate.repeated(field.server.url("ok"), origin=field.server.origin(), headers={}, total_s=1.0)
    await asking.send()
    await gate.stop()

    with pytest.raises(RuntimeError, match="client has been closed"):
        await asking.send()
