"""TLS through the gate: the name stays for SNI and certificate although an address is connected."""

import asyncio
import dataclasses
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import tornado.ioloop

from backend.core.http import (
    BrokenAnswer,
    Deadline,
    HttpGate,
    NetworkPolicy,
    NoAnswer,
    TlsFailed,
    error_name,
)
from tests.fixtures.hostile_peer import PAGE
from tests.fixtures.hostile_server import LOOPBACK, HostileServer, until

if TYPE_CHECKING:
    from pathlib import Path

NAME = "tls.test"


@dataclasses.dataclass(frozen=True)
class Certificates:
    """Contexts of a server named NAME, and of a client that knows its CA."""

    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl program to make a certificate with")
    folder: Path = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
    names = ["-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1"]
    subprocess.run([*command, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return Certificates(server, ssl.create_default_context(cafile=str(certificate)))


class SecureField:
    def __init__(self, certificates: Certificates) -> None:
        self.names_asked: list[str | None] = []
        certificates.server.sni_callback = lambda _, name, __: self.names_asked.append(name)
        self.server = HostileServer(tls=certificates.server)
        self.gate = HttpGate(
            policy=NetworkPolicy(allow_private=(LOOPBACK,)),
            user_agent="t",
            total_s=10,
            verify=certificates.client,
            lookup=lambda *_: ["127.0.0.1"],
        )

    async def start(self) -> None:
        await self.server.start()
        await self.gate.start()

    async def stop(self) -> None:
        await self.gate.stop()
        await self.server.stop()

    def url(self, path: str, host: str = NAME) -> str:
        return self.server.url(path, host)


@pytest.fixture
def secure(io_loop: tornado.ioloop.IOLoop, certificates: Certificates) -> Iterator[SecureField]:
    field = SecureField(certificates)
    io_loop.run_sync(field.start)
    yield field
    io_loop.run_sync(field.gate.stop)
    left = field.server.client_sockets()
    io_loop.run_sync(field.stop)
    assert (left, field.gate.live().sockets) == (0, 0)


async def test_the_name_is_asked_for_and_the_connection_is_kept(secure: SecureField) -> None:
    first = await secure.gate.outside.get(secure.url("page"))
    second = await secure.gate.outside.get(secure.url("page"))

    assert (first.content, second.extensions["reused"]) == (PAGE, True)
    assert secure.names_asked == [NAME]


async def test_a_trailing_dot_is_not_part_of_the_name(secure: SecureField) -> None:
    response = await secure.gate.outside.get(secure.url("ok", NAME + "."))

    assert (response.content, secure.names_asked) == (b"ok", [NAME])


async def test_an_address_is_checked_against_the_certificate(secure: SecureField) -> None:
    response = await secure.gate.outside.get(secure.url("ok", "127.0.0.1"))

    assert response.content == b"ok"


@pytest.mark.parametrize("host", ["other.test", "tls.test.other.test"])
async def test_a_certificate_for_another_name_is_refused_and_nothing_sent(secure: SecureField, host: str) -> None:
    with pytest.raises(TlsFailed) as caught:
        await secure.gate.outside.post(secure.url("ok", host), content=b"x")

    error = caught.value
    assert (error.sent, error_name(error), secure.server.heads) == (False, "TLS_FAILED", [])


async def test_an_unknown_ca_is_refused(secure: SecureField) -> None:
    gate = HttpGate(policy=NetworkPolicy(allow_private=(LOOPBACK,)), user_agent="t", lookup=lambda *_: ["127.0.0.1"])
    await gate.start()

    with pytest.raises(TlsFailed):
        await gate.outside.get(secure.url("ok"))

    await gate.stop()


async def test_a_server_that_speaks_no_tls_is_a_tls_failure(secure: SecureField) -> None:
    plain = HostileServer(greeting="not-http")
    await plain.start()

    with pytest.raises(TlsFailed):
        await secure.gate.outside.get(f"https://127.0.0.1:{plain.port}/")

    await plain.stop()


async def test_a_silent_handshake_ends_at_the_deadline_and_nothing_is_sent(secure: SecureField) -> None:
    silent = HostileServer(greeting="hang")
    await silent.start()

    with pytest.raises(Deadline) as caught:
        await secure.gate.outside.get(f"https://127.0.0.1:{silent.port}/", extensions={"total_s": 0.2})

    assert (caught.value.sent, caught.value.phase) == (False, "connect")
    await silent.stop()


@pytest.mark.parametrize(("path", "kind"), [("close", NoAnswer), ("half", BrokenAnswer), ("half-reset", BrokenAnswer)])
async def test_failures_are_told_apart_as_without_tls(secure: SecureField, path: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await secure.gate.outside.get(secure.url(path))


@pytest.mark.parametrize("path", ["page", "slow-body/0.01"])
async def test_cancel_at_every_loop_tick_leaves_no_socket(secure: SecureField, path: str) -> None:
    for ticks in range(40):
        call = asyncio.create_task(secure.gate.outside.get(secure.url(path), extensions={"fresh": True}))
        for _ in range(ticks):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        for _ in range(5):
            await asyncio.sleep(0)
        assert secure.gate.live().sockets == secure.server.client_sockets() == 0, f"after {ticks} ticks"

    answers = await asyncio.gather(*(secure.gate.outside.get(secure.url("page")) for _ in range(50)))
    assert all(answer.content == PAGE for answer in answers)


async def test_a_peer_that_does_not_say_goodbye_holds_no_socket(secure: SecureField) -> None:
    response = await secure.gate.outside.post(secure.url("echo"), content=b"x")

    await until(lambda: secure.gate.live().sockets == 0)

    assert response.content == b"x"
