"""Kept connections: used again when clean, never when something unasked came over them."""

import asyncio
import contextlib
from collections.abc import Iterator

import pytest
import tornado.ioloop

from backend.core.http import BrokenAnswer, HttpGate, NetworkPolicy, NoAnswer
from tests.fixtures.hostile_server import LOOPBACK, NO_CA, Field, HostileServer, open_field


@pytest.fixture
def field(io_loop: tornado.ioloop.IOLoop) -> Iterator[Field]:
    yield from open_field(io_loop)


async def test_a_get_uses_the_connection_of_the_last_one(field: Field) -> None:
    first = await field.client.get(field.server.url("page"))
    second = await field.client.get(field.server.url("page"))

    assert (first.extensions["reused"], second.extensions["reused"]) == (False, True)
    assert field.server.accepted == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_call_that_changes_something_has_a_connection_of_its_own(field: Field, method: str) -> None:
    await field.client.get(field.server.url("ok"))
    response = await field.client.request(method, field.server.url("head"))

    assert response.extensions["reused"] is False
    assert b"connection: close" in response.content.lower()


async def test_a_get_asked_to_be_fresh_has_a_connection_of_its_own(field: Field) -> None:
    await field.client.get(field.server.url("ok"))
    response = await field.client.get(field.server.url("ok"), extensions={"fresh": True})

    assert (response.extensions["reused"], field.server.accepted) == (False, 2)


async def unasked_bytes_are_here() -> None:
    """Wait until what the server says 20 ms later has been said, and a busy loop has come round to read it."""
    await asyncio.sleep(0.05)
    for _ in range(5):
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("path", ["evil-at-once", "evil-later", "evil-in-part", "evil-later-in-part"])
async def test_bytes_nobody_asked_for_are_never_an_answer(field: Field, path: str) -> None:
    first = await field.client.get(field.server.url(path))
    await unasked_bytes_are_here()
    others = [await field.client.get(field.server.url("ok")) for _ in range(3)]

    assert [first.content, *(other.content for other in others)] == [b"good", b"ok", b"ok", b"ok"]


@pytest.mark.parametrize("path", ["evil-at-once", "evil-later", "evil-later-in-part"])
async def test_a_connection_that_spoke_unasked_is_not_used_again(field: Field, path: str) -> None:
    await field.client.get(field.server.url(path))
    await unasked_bytes_are_here()
    second = await field.client.get(field.server.url("ok"))

    assert second.extensions["reused"] is False


async def test_a_connection_with_an_upload_still_unsent_is_not_used_again(field: Field) -> None:
    first = await field.client.request("GET", field.server.url("unread-ok"), content=bytes(20_000_000))
    second = await field.client.get(field.server.url("ok"))

    assert (first.content, second.content, second.extensions["reused"]) == (b"ok", b"ok", False)


async def test_junk_in_the_packet_of_an_answer_breaks_that_answer_and_no_other(field: Field) -> None:
    with pytest.raises(BrokenAnswer):
        await field.client.get(field.server.url("evil-junk"))

    assert (await field.client.get(field.server.url("ok"))).content == b"ok"


async def test_a_connection_the_server_closed_is_not_used_again(field: Field) -> None:
    await field.client.get(field.server.url("close-soon"))
    await unasked_bytes_are_here()
    response = await field.client.get(field.server.url("ok"))

    assert (response.content, response.extensions["reused"]) == (b"ok", False)


async def test_a_get_on_a_connection_just_closed_fails_once_and_says_so(field: Field) -> None:
    await field.client.get(field.server.url("close-second"))

    with pytest.raises(NoAnswer) as caught:
        await field.client.get(field.server.url("close-second"))

    assert (caught.value.reused, caught.value.sent, len(field.server.heads)) == (True, True, 2)


async def test_a_post_never_meets_a_stale_connection(field: Field) -> None:
    await field.client.get(field.server.url("close-second"))
    response = await field.client.post(field.server.url("close-second"), content=b"x")

    assert (response.content, field.server.posts) == (b"ok", 1)


async def test_the_gate_counts_what_the_kernel_counts(field: Field) -> None:
    await asyncio.gather(*(field.client.get(field.server.url("slow/0.02")) for _ in range(50)))

    live = field.gate.live()
    assert (live.requests, live.sockets) == (0, field.server.client_sockets())
    assert 0 < live.sockets <= 50


async def test_idle_connections_are_few_however_many_servers_there_were() -> None:
    gate = HttpGate(policy=NetworkPolicy(allow_private=(LOOPBACK,)), user_agent="t", verify=NO_CA, limit=3)
    everywhere = HostileServer("0.0.0.0")
    await everywhere.start()
    await gate.start()

    for number in range(1, 30):
        await gate.outside.get(everywhere.url("ok", f"127.0.0.{number}"))

    assert 3 <= gate.live().sockets <= 7
    await gate.stop()
    await everywhere.stop()


async def _tell_the_port(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request with the port its connection comes from, after a moment in which others may come."""
    port = str(writer.get_extra_info("peername")[1]).encode()
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(0.01)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(port), port))
    writer.close()


async def test_after_a_burst_the_connection_used_last_is_used_again(field: Field) -> None:
    server = await asyncio.start_server(_tell_the_port, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    burst = {(await one).content for one in asyncio.as_completed([field.client.get(url) for _ in range(5)])}

    later = {(await field.client.get(url)).content for _ in range(5)}

    assert (len(burst), len(later)) == (5, 1)
    server.close()
    await field.gate.stop()
    await server.wait_closed()
