"""Every way a server can fail us, over real sockets: the class, what was sent, and the stable word."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import tornado.ioloop

from backend.core.http import (
    BrokenAnswer,
    Deadline,
    DnsFailed,
    Forbidden,
    GateError,
    NoAnswer,
    NotConnected,
    SchemeRefused,
    TooLarge,
    error_name,
)
from tests.fixtures.hostile_peer import PAGE
from tests.fixtures.hostile_server import Field, HostileServer, open_field


@pytest.fixture
def field(io_loop: tornado.ioloop.IOLoop) -> Iterator[Field]:
    yield from open_field(io_loop)


NO_ANSWER = ["close", "reset", "half-head"]
BROKEN = [
    "half",
    "half-reset",
    "half-chunked",
    "no-length-reset",
    "bad-chunk",
    "bad-chunk-with-head",
    "bad-head",
    "not-http",
    "two-lengths",
    "length-and-chunked",
    "many-headers",
    "long-header",
    "upgrade",
    "bad-coded",
    "twice-coded",
    "cut-coded/gzip",
    "cut-coded/deflate",
    "cut-coded/raw-deflate",
    "cut-coded/br",
    "cut-coded/zstd",
]
UNENDING = ["hang", "drip-head", "drip-body", "endless-102"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", NO_ANSWER)
async def test_a_request_without_a_whole_head_is_no_answer(field: Field, path: str, method: str) -> None:
    with pytest.raises(NoAnswer) as caught:
        await field.client.request(method, field.server.url(path), content=b"x" * 100)

    error = caught.value
    assert (error.sent, error.reused, error.phase) == (True, False, "answer")
    assert (error_name(error), len(field.server.heads)) == ("NO_ANSWER", 1)


@pytest.mark.parametrize("path", BROKEN)
async def test_an_answer_that_breaks_off_or_breaks_the_rules_is_broken(field: Field, path: str) -> None:
    with pytest.raises(BrokenAnswer) as caught:
        await field.client.get(field.server.url(path))

    assert (caught.value.sent, error_name(caught.value)) == (True, "BROKEN_ANSWER")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_no_method_is_ever_sent_again(field: Field, method: str) -> None:
    with pytest.raises(NoAnswer):
        await field.client.request(method, field.server.url("close"))

    assert len(field.server.heads) == 1


@pytest.mark.parametrize("path", UNENDING)
async def test_the_deadline_ends_what_never_ends(field: Field, path: str) -> None:
    with pytest.raises(Deadline) as caught:
        await field.client.get(field.server.url(path), extensions={"total_s": 0.2})

    error = caught.value
    assert (error.sent, error_name(error)) == (True, "DEADLINE")
    assert error.phase == ("body" if path == "drip-body" else "answer")


async def test_an_upload_that_nobody_reads_ends_at_the_deadline(field: Field) -> None:
    with pytest.raises(Deadline) as caught:
        await field.client.post(field.server.url("unread"), content=bytes(20_000_000), extensions={"total_s": 0.2})

    assert caught.value.phase == "answer"


async def test_an_httpx_timeout_counts_as_the_deadline(field: Field) -> None:
    with pytest.raises(Deadline):
        await field.client.get(field.server.url("drip-body"), timeout=0.2)


@pytest.mark.parametrize("greeting", ["close", "reset"])
async def test_a_server_that_hangs_up_on_everybody_is_never_a_refused_connection_that_was_sent(
    field: Field, greeting: str
) -> None:
    server = HostileServer(greeting=greeting)
    await server.start()

    with pytest.raises(GateError) as caught:
        await field.client.post(server.url("ok"), content=b"x")

    # Whether the close came before or after our write is the network's choice; the label must be true.
    error = caught.value
    assert isinstance(error, NoAnswer if error.sent else NotConnected)
    await server.stop()


async def test_a_refused_connection_is_not_sent(field: Field) -> None:
    closed = HostileServer()
    await closed.start()
    url = closed.url("ok")
    await closed.stop()

    with pytest.raises(NotConnected) as caught:
        await field.client.post(url, content=b"x")

    error = caught.value
    assert (error.sent, error.phase, error_name(error)) == (False, "connect", "CONNECT_FAILED")


async def test_a_clean_end_without_a_length_is_a_whole_body(field: Field) -> None:
    response = await field.client.get(field.server.url("no-length"))

    assert response.content == b"x" * 500


async def test_an_early_refusal_is_read_although_the_upload_is_not_done(field: Field) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    response = await field.client.post(field.server.url("early-413"), content=parts(), headers={"Content-Length": "1"})

    assert response.status_code == 413


async def test_an_error_of_the_callers_own_stream_reaches_the_caller(field: Field) -> None:
    mine = OSError("the file is gone")

    async def parts() -> AsyncIterator[bytes]:
        yield b"x"
        raise mine

    with pytest.raises(OSError, match="the file is gone") as caught:
        await field.client.post(field.server.url("echo"), content=parts())

    assert caught.value is mine


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
async def test_uploads_arrive_whole_streamed_or_not(field: Field, size: int) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, size, 100_000):
            yield bytes(min(100_000, size - start))

    whole = await field.client.post(field.server.url("echo"), content=bytes(size))
    streamed = await field.client.post(field.server.url("echo"), content=parts())

    assert (whole.content, streamed.content) == (bytes(size), bytes(size))


@pytest.mark.parametrize(
    ("method", "path"),
    [("HEAD", "page"), ("GET", "status/204"), ("GET", "status/304"), ("HEAD", "coded/gzip")],
)
async def test_answers_without_a_body_keep_the_connection(field: Field, method: str, path: str) -> None:
    first = await field.client.request(method, field.server.url(path))
    second = await field.client.get(field.server.url("ok"))

    assert (first.content, second.content) == (b"", b"ok")
    assert second.extensions["reused"] is True


@pytest.mark.parametrize("headers", [{"x": "a\r\nEvil: 1"}, {"x": "a\nb"}, {"x": "a\x00b"}, {"x\r\ny": "a"}])
async def test_a_control_character_in_a_header_is_refused_before_a_connection(
    field: Field, headers: dict[str, str]
) -> None:
    with pytest.raises(httpx.LocalProtocolError) as caught:
        await field.client.get(field.server.url("ok"), headers=headers)

    assert (field.server.accepted, error_name(caught.value)) == (0, "INTERNAL")


async def test_a_control_character_in_the_method_is_refused(field: Field) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        await field.client.request("GET / HTTP/1.1\r\nx: y\r\n", field.server.url("ok"))

    assert field.server.accepted == 0


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "file:///etc/passwd", "gopher://a/", "http:///x", "a/b"])
async def test_another_scheme_or_no_host_is_refused(field: Field, url: str) -> None:
    with pytest.raises(SchemeRefused) as caught:
        await field.client.get(url)

    assert (caught.value.sent, error_name(caught.value)) == (False, "SCHEME_REFUSED")


async def test_a_url_that_cannot_be_read_is_a_gate_error(field: Field) -> None:
    with pytest.raises(Forbidden):
        await field.client.get("http://0177.0.0.1/")
    with pytest.raises(SchemeRefused):
        await field.client.get("http://[::1/")


async def test_a_name_without_an_address_is_a_dns_failure(field: Field) -> None:
    with pytest.raises(DnsFailed) as caught:
        await field.client.get("http://no-such-name.invalid/")

    assert (caught.value.sent, error_name(caught.value)) == (False, "DNS_FAILED")


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".test"])
async def test_a_name_no_resolver_can_be_asked_for_is_a_dns_failure(field: Field, host: str) -> None:
    with pytest.raises(DnsFailed):
        await field.client.get(f"http://{host}/")


async def test_a_body_announced_too_large_is_not_begun(field: Field) -> None:
    with pytest.raises(TooLarge) as caught:
        await field.client.get(field.server.url("announce-2gb"))

    assert error_name(caught.value) == "TOO_LARGE"


async def test_the_limit_of_one_request_replaces_the_default(field: Field) -> None:
    small = {"max_body_bytes": len(PAGE) - 1}

    with pytest.raises(TooLarge):
        await field.client.get(field.server.url("page"), extensions=small)

    whole = await field.client.get(field.server.url("page"), extensions={"max_body_bytes": len(PAGE)})
    assert whole.content == PAGE


async def test_every_gate_error_is_one_of_httpx(field: Field) -> None:
    expected = [
        (NotConnected, httpx.ConnectError),
        (Forbidden, httpx.ConnectError),
        (NoAnswer, httpx.ReadError),
        (BrokenAnswer, httpx.RemoteProtocolError),
        (Deadline, httpx.TimeoutException),
        (TooLarge, httpx.RequestError),
        (SchemeRefused, httpx.UnsupportedProtocol),
    ]

    assert all(issubclass(ours, theirs) and issubclass(ours, GateError) for ours, theirs in expected)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (httpx.ConnectError("x"), "CONNECT_FAILED"),
        (httpx.ReadTimeout("x"), "DEADLINE"),
        (httpx.WriteError("x"), "NO_ANSWER"),
        (httpx.RemoteProtocolError("x"), "BROKEN_ANSWER"),
        (httpx.DecodingError("x"), "BROKEN_ANSWER"),
        (httpx.InvalidURL("x"), "SCHEME_REFUSED"),
        (httpx.LocalProtocolError("x"), "INTERNAL"),
    ],
)
def test_an_error_of_httpx_itself_has_a_name_too(error: httpx.HTTPError | httpx.InvalidURL, name: str) -> None:
    assert error_name(error) == name
