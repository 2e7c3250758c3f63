"""The proxies of docs/deploy.md, each in front of the real server: what must pass through them does."""

import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backend.core.settings import Settings
from tests.fixtures.live_app import LiveApp, live_app
from tests.fixtures.server import wait_until

GUIDES = [Path(__file__).resolve().parents[1] / "docs" / name for name in ("deploy.md", "deploy.zh-CN.md")]
NAME = "media.example.com"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
CADDY = shutil.which("caddy")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("trusted_proxies" not in Settings.model_fields, reason="this version trusts no proxy"),
]


def block(guide: Path, language: str) -> str:
    """Return the one code block of this language in a guide."""
    found = re.findall(rf"^```{language}\n(.*?)^```", guide.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def make_certificate(folder: Path) -> None:
    """Write cert.pem and key.pem for NAME."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def of_this_machine(site: str, folder: Path, *, plain: int, tls: int, upstream: str) -> str:
    """Return the guide's site with this machine's ports and certificate, in the frame nginx wants around it."""
    changes = {
        "127.0.0.1:8888": upstream,
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl;": f"listen 127.0.0.1:{tls} ssl;",
        f"/etc/letsencrypt/live/{NAME}/fullchain.pem": f"{folder}/cert.pem",
        f"/etc/letsencrypt/live/{NAME}/privkey.pem": f"{folder}/key.pem",
    }
    for old, new in changes.items():
        assert site.count(old) == 1, old
        site = site.replace(old, new)
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"pid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{site}}}\n"


@contextlib.contextmanager
def nginx(folder: Path, app: LiveApp) -> Iterator[dict[str, int]]:
    """Run nginx in front of `app`, as the guide has it; yield its ports, "plain" and "tls"."""
    assert NGINX is not None
    make_certificate(folder)
    with socket.create_server(("127.0.0.1", 0)) as plain, socket.create_server(("127.0.0.1", 0)) as tls:
        ports = {"plain": plain.getsockname()[1], "tls": tls.getsockname()[1]}
        config = of_this_machine(block(GUIDES[0], "nginx"), folder, upstream=app.url.partition("://")[2], **ports)
        (folder / "nginx.conf").write_text(config, encoding="utf-8")
        process = subprocess.Popen(
            [
                NGINX,
                "-p",
                str(folder),
                "-c",
                str(folder / "nginx.conf"),
                "-e",
                str(folder / "error.log"),
                "-g",
                "daemon off;",
            ],
            # nginx takes over sockets that listen already, as at its own upgrade: no port can be lost to another.
            env={"NGINX": f"{plain.fileno()};{tls.fileno()};"},
            pass_fds=(plain.fileno(), tls.fileno()),
            stdin=subprocess.DEVNULL,
        )
    try:
        yield ports
    finally:
        process.terminate()
        process.wait()


def caddyfile_here(site: str, folder: Path, *, plain: int, tls: int, upstream: str) -> str:
    """Return the guide's site with this machine's ports and certificate."""
    for old in ("127.0.0.1:8888", f"{NAME} {{\n"):
        assert site.count(old) == 1, old
    own = f"{NAME} {{\n    bind 127.0.0.1\n    tls {folder}/cert.pem {folder}/key.pem\n"
    site = site.replace("127.0.0.1:8888", upstream).replace(f"{NAME} {{\n", own)
    return f"{{\n    admin off\n    default_sni {NAME}\n    http_port {plain}\n    https_port {tls}\n}}\n{site}"


@contextlib.contextmanager
def kept_port() -> Iterator[int]:
    """Yield a port that only who asks for it with SO_REUSEPORT, as Caddy does, can listen on meanwhile."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@contextlib.contextmanager
def caddy(folder: Path, app: LiveApp) -> Iterator[dict[str, int]]:
    """Run Caddy in front of `app`, as the guide has it; yield its ports, "plain" and "tls"."""
    assert CADDY is not None
    make_certificate(folder)
    with kept_port() as plain, kept_port() as tls, (folder / "caddy.log").open("wb") as log:
        ports = {"plain": plain, "tls": tls}
        config = caddyfile_here(block(GUIDES[0], "caddyfile"), folder, upstream=app.url.partition("://")[2], **ports)
        (folder / "Caddyfile").write_text(config, encoding="utf-8")
        process = subprocess.Popen(
            [CADDY, "run", "--config", str(folder / "Caddyfile")],
            env={"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until(lambda: all(answers(port) for port in ports.values()))
            yield ports
        finally:
            process.terminate()
            process.wait()


def answers(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as there:
        return there.connect_ex(("127.0.0.1", port)) == 0


PROXIES: dict[str, Callable[[Path, LiveApp], contextlib.AbstractContextManager[dict[str, int]]]] = {
    "nginx": nginx,
    "caddy": caddy,
}


@dataclass(frozen=True)
class Site:
    """What a person outside has: the name, and the certificate it can be checked against."""

    app: LiveApp
    base: str
    plain: str
    trust: ssl.SSLContext

    def client(self, **headers: str) -> httpx.Client:
        """Return a client that speaks to the proxy by its public name, with the token."""
        return httpx.Client(
            base_url=self.base,
            verify=self.trust,
            trust_env=False,
            timeout=100,
            headers={"Host": NAME, "Authorization": "Bearer token-of-this-test", **headers},
        )


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("nginx", marks=pytest.mark.skipif(NGINX is None, reason="nginx is not installed")),
        pytest.param("caddy", marks=pytest.mark.skipif(CADDY is None, reason="Caddy is not installed")),
    ],
)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The server behind the guide's proxy, with the guide's two settings."""
    folder = tmp_path_factory.mktemp(request.param)
    environ = {
        "STORES": "memory",
        "AUTH_TOKEN": "token-of-this-test",
        "PUBLIC_URL": f"https://{NAME}",
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    with live_app(folder, f"behind-{request.param}", **environ) as app, PROXIES[request.param](folder, app) as ports:
        trust = ssl.create_default_context(cafile=str(folder / "cert.pem"))
        trust.check_hostname = False
        yield Site(app, f"https://127.0.0.1:{ports['tls']}", f"http://127.0.0.1:{ports['plain']}", trust)


def task_through(client: httpx.Client) -> str:
    """Create a task that waits for a start, and return its id."""
    body = {"platform": "web", "params": {"start_urls": ["https://example.com/"]}, "start": "manual"}
    answer = client.post("/api/v1/tasks", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"]["task_id"])


def test_event_reaches_an_open_stream_at_once(site: Site) -> None:
    with site.client() as client, client.stream("GET", "/api/v1/stream?topics=tasks") as stream:
        lines = stream.iter_lines()
        # The first bytes are there: the stream is open on both sides of the proxy.
        next(lines)
        task_id = task_through(client)

        # A proxy that kept the event back until its buffer is full would keep it for good: nothing more comes.
        found = next(line for line in lines if line.startswith("data:") and task_id in line)

    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert found


def test_range_of_a_video_passes(site: Site) -> None:
    with site.client() as client:
        body = {"platform": "storyboard", "params": {"script": "清晨的营地"}}
        task_id = client.post("/api/v1/tasks", json=body).json()["data"]["task_id"]
        task: dict[str, Any] = {"is_final": False}
        while not task["is_final"]:
            # Each answer comes at the end of the task, or after 20 s.
            task = client.get(f"/api/v1/tasks/{task_id}?wait=20&until=final").json()["data"]
        video = next(one for one in task["artifacts"] if one["role"] == "output")
        part = client.get(video["url"], headers={"Range": "bytes=4-7"})

    assert part.status_code == 206
    assert part.headers["Content-Range"] == f"bytes 4-7/{video['size_bytes']}"
    assert part.content == b"ftyp"


def test_page_of_the_public_name_may_call(site: Site) -> None:
    with site.client(Origin=f"https://{NAME}") as client:
        answer = client.get("/api/v1/tasks")

    assert answer.status_code == 200, answer.text


def test_caller_is_known_by_the_address_the_proxy_saw_and_not_by_one_he_invents(site: Site) -> None:
    # Another address of this machine, so that it is not the proxy's own.
    transport = httpx.HTTPTransport(verify=site.trust, local_address="127.0.0.2")
    with httpx.Client(
        transport=transport, headers={"Host": NAME, "X-Forwarded-For": "203.0.113.7"}, timeout=100
    ) as client:
        client.get(f"{site.base}/health")

    # The line is written when the answer has gone out.
    until = time.monotonic() + 20
    while "(127.0.0.2)" not in (log := site.app.log.read_text(encoding="utf-8")) and time.monotonic() < until:
        time.sleep(0.02)
    (line,) = (line for line in log.splitlines() if "(127.0.0.2)" in line)
    assert "200 GET /health" in line
    assert "203.0.113.7" not in log


def test_server_is_not_shut_down_by_a_stranger(site: Site) -> None:
    with site.client(Authorization="Bearer guessed") as client:
        answer = client.post("/api/v1/system/shutdown")

    assert answer.status_code == 401, answer.text
    assert httpx.get(f"{site.app.url}/health", trust_env=False, timeout=100).status_code == 200


def test_plain_address_leads_to_the_secure_one(site: Site) -> None:
    answer = httpx.get(f"{site.plain}/login?next=1", headers={"Host": NAME}, trust_env=False, timeout=100)

    assert answer.status_code in {301, 308}
    assert re.fullmatch(rf"https://{NAME}(:\d+)?/login\?next=1", answer.headers["Location"])


def test_both_languages_show_the_same_configurations() -> None:
    english, chinese = GUIDES

    for language in ("nginx", "caddyfile", "systemd"):
        assert without_comments(block(chinese, language)) == without_comments(block(english, language))


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    # The paths of the guide are not on this machine.
    unit = re.sub("(?<==)/opt/mediacrawer/.venv/bin/python", "/bin/sh", block(GUIDES[0], "systemd"))
    unit = re.sub("WorkingDirectory=.*", "WorkingDirectory=/", unit)
    (tmp_path / "mediacrawer.service").write_text(unit, encoding="utf-8")

    read = subprocess.run(
        [program, "verify", "--man=no", str(tmp_path / "mediacrawer.service")],
        check=False,
        capture_output=True,
        encoding="utf-8",
    )

    assert "mediacrawer.service" not in read.stderr, read.stderr


def without_comments(text: str) -> str:
    """Return the text without its comment lines, which are translated."""
    return re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
