"""The gate as a whole: what it lets through, what a redirect may carry, and its life."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import tornado.ioloop

from backend.core.http import (
    ANY_LOCAL,
    BrokenAnswer,
    Deadline,
    DnsFailed,
    Forbidden,
    GateError,
    HttpGate,
    LiveConnections,
    NetworkPolicy,
    SchemeRefused,
    error_name,
    refusal_of,
)
from backend.core.network.connector import AddressRefusedError, GuardedConnector, GuardedResolver
from backend.core.network.policy import Guard
from tests.fixtures.hostile_server import LOOPBACK, NO_CA, Field, HostileServer, open_field, until

# Loopback has many addresses on Linux; this one is open here and 127.0.0.1 is not.
OPEN = "127.0.0.7"
NAMES = {
    "localhost": ["127.0.0.1"],
    "good.test": [OPEN],
    "bad.test": ["127.0.0.1"],
    "mixed.test": [OPEN, "127.0.0.1"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "metadata.test": ["169.254.169.254"],
    "empty.test": [],
}


def lookup(host: str, port: int, family: int) -> Sequence[str]:
    host = host.rstrip(".")
    if host not in NAMES:
        raise socket.gaierror(socket.EAI_NONAME, f"unknown: {host} {port} {family}")
    return NAMES[host]


class Town:
    """A gate that may speak to OPEN only, a server there, and one where it may not go."""

    def __init__(self) -> None:
        self.gate = HttpGate(
            policy=NetworkPolicy(allow_private=(f"{OPEN}/32",)), user_agent="t", verify=NO_CA, lookup=lookup
        )
        self.open, self.closed = HostileServer(OPEN), HostileServer()

    async def start(self) -> None:
        await self.open.start()
        await self.closed.start()
        await self.gate.start()

    async def stop(self) -> None:
        await self.gate.stop()
        await self.open.stop()
        await self.closed.stop()


@pytest.fixture
def town(io_loop: tornado.ioloop.IOLoop) -> Iterator[Town]:
    town = Town()
    io_loop.run_sync(town.start)
    yield town
    io_loop.run_sync(town.stop)


@pytest.fixture
def field(io_loop: tornado.ioloop.IOLoop) -> Iterator[Field]:
    yield from open_field(io_loop)


INWARD_HOSTS = [
    "127.0.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "127.1",
    "127.0.0.1.",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[::127.0.0.1]",
    "[fe80::1%25lo]",
    "0",
    "0.0.0.0",
    "[::]",
    "169.254.169.254",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "1.2.3.4.5",
    "localhost",
    "localhost.",
    "bad.test",
    "mixed.test",
    "mapped.test",
    "metadata.test",
]


@pytest.mark.parametrize("host", INWARD_HOSTS)
async def test_a_host_inside_is_forbidden_and_not_one_connection_is_made(town: Town, host: str) -> None:
    with pytest.raises(Forbidden) as caught:
        await town.gate.outside.get(f"http://{host}:{town.closed.port}/page")

    error = caught.value
    assert (error.sent, error_name(error)) == (False, "PRIVATE_ADDRESS")
    assert (town.closed.accepted, town.gate.live().sockets) == (0, 0)


@pytest.mark.parametrize("host", INWARD_HOSTS)
async def test_a_redirect_inside_is_refused_and_not_one_connection_is_made(town: Town, host: str) -> None:
    ascii_host = host.encode("ascii", "ignore").decode()
    target = f"http://{ascii_host}:{town.closed.port}/page".replace("[", "%5B").replace("]", "%5D")

    with pytest.raises(GateError) as caught:
        await town.gate.outside.get(town.open.url(f"redirect/302/{target}"))

    assert isinstance(caught.value, Forbidden | BrokenAnswer | DnsFailed)
    assert (town.closed.accepted, len(town.open.heads)) == (0, 1)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.7/", "gopher://127.0.0.7/x"])
async def test_a_redirect_to_another_scheme_is_refused(town: Town, target: str) -> None:
    with pytest.raises(SchemeRefused):
        await town.gate.outside.get(town.open.url(f"redirect/302/{target}"))


async def test_a_name_whose_addresses_are_all_good_is_reached(town: Town) -> None:
    response = await town.gate.outside.get(f"http://good.test:{town.open.port}/head")

    assert f"Host: good.test:{town.open.port}".encode() in response.content


async def test_a_name_without_addresses_is_a_dns_failure(town: Town) -> None:
    with pytest.raises(DnsFailed):
        await town.gate.outside.get("http://empty.test/")


async def test_a_name_moved_inside_after_the_check_is_checked_again(town: Town) -> None:
    await town.gate.outside.get(f"http://good.test:{town.open.port}/page", extensions={"fresh": True})
    other_port = town.closed.port

    NAMES["good.test"], before = ["127.0.0.1"], NAMES["good.test"]
    try:
        with pytest.raises(Forbidden):
            await town.gate.outside.get(f"http://good.test:{other_port}/page")
    finally:
        NAMES["good.test"] = before

    assert town.closed.accepted == 0


async def test_the_resolver_alone_refuses_a_name_with_one_bad_address(io_loop: tornado.ioloop.IOLoop) -> None:
    with ThreadPoolExecutor(1) as executor:
        resolver = GuardedResolver(Guard(NetworkPolicy()), executor, lambda *_: ["8.8.8.8", "10.0.0.1"])
        with pytest.raises(AddressRefusedError):
            await resolver.resolve("mixed.test", 80)


async def test_the_socket_factory_alone_refuses_a_bad_address(io_loop: tornado.ioloop.IOLoop) -> None:
    with ThreadPoolExecutor(1) as executor:
        guard = Guard(NetworkPolicy())
        connector = GuardedConnector(
            guard=guard,
            resolver=GuardedResolver(guard, executor, lambda *_: []),
            tls=NO_CA,
            is_reusing=True,
            loop=asyncio.get_running_loop(),
        )
        with pytest.raises(AddressRefusedError):
            connector._guarded_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)))
        await connector.close()


SECRETS = {
    "Authorization": "Bearer s3cret",
    "Cookie": "a=s3cret",
    "X-Api-Key": "s3cret",
    "Api-Token": "s3cret",
    "Proxy-Authorization": "s3cret",
    "Referer": "http://127.0.0.7/s3cret",
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_credential_follows_to_another_origin(field: Field, status: int) -> None:
    other = HostileServer(OPEN)
    await other.start()
    headers = {**SECRETS, "Accept-Language": "zh-CN"}

    url = field.server.url(f"redirect/{status}/{other.url('head')}")
    response = await field.client.get(url, headers=headers)

    assert b"s3cret" not in response.content
    assert b"Accept-Language: zh-CN" in response.content
    assert b"s3cret" in field.server.heads[0]
    await other.stop()


async def test_no_credential_comes_back_with_a_redirect_home(field: Field) -> None:
    other = HostileServer(OPEN)
    await other.start()
    home = other.url(f"redirect/302/{field.server.url('head')}")

    response = await field.client.get(field.server.url(f"redirect/302/{home}"), headers=SECRETS)

    assert b"s3cret" not in response.content
    await other.stop()


async def test_a_redirect_within_the_origin_keeps_the_key(field: Field) -> None:
    url = field.server.url(f"redirect/302/{field.server.url('head')}")

    response = await field.client.get(url, headers={"X-Api-Key": "s3cret"})

    assert b"s3cret" in response.content


async def test_no_cookie_is_kept(field: Field) -> None:
    await field.client.get(field.server.url("head"))
    second = await field.client.get(field.server.url(f"redirect/302/{field.server.url('head')}"))

    assert b"cookie" not in second.content.lower()
    assert len(field.client.cookies.jar) == 0


async def test_ten_redirects_are_followed_and_an_eleventh_is_not(field: Field) -> None:
    target = field.server.url("ok")
    for _ in range(10):
        target = field.server.url(f"redirect/302/{target}")

    response = await field.client.get(target)
    with pytest.raises(httpx.TooManyRedirects) as caught:
        await field.client.get(field.server.url(f"redirect/302/{target}"))

    assert (response.content, len(response.history)) == (b"ok", 10)
    assert error_name(caught.value) == "TOO_MANY_REDIRECTS"


async def test_one_deadline_covers_all_the_hops(field: Field) -> None:
    url = field.server.url(f"redirect/302/{field.server.url('slow/5')}")
    clock = asyncio.get_running_loop().time
    begun = clock()

    with pytest.raises(Deadline):
        await field.client.get(url, extensions={"total_s": 0.3})

    assert 0.3 <= clock() - begun < 2
    assert len(field.server.heads) == 2


async def test_a_request_sent_twice_by_its_owner_has_all_its_time_again(field: Field) -> None:
    request = field.client.build_request("GET", field.server.url("slow/0.15"), extensions={"total_s": 0.25})

    answers = [await field.client.send(request) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]


async def test_queueing_counts_into_the_deadline_and_nothing_is_sent(io_loop: tornado.ioloop.IOLoop) -> None:
    gate = HttpGate(policy=NetworkPolicy(allow_private=(LOOPBACK,)), user_agent="t", verify=NO_CA, limit=1)
    server = HostileServer()
    await server.start()
    await gate.start()
    first = asyncio.create_task(gate.outside.get(server.url("slow/0.4")))
    await until(lambda: len(server.heads) == 1)

    with pytest.raises(Deadline) as caught:
        await gate.outside.post(server.url("echo"), content=b"x", extensions={"total_s": 0.1})

    assert (caught.value.sent, caught.value.phase, server.posts) == (False, "connect", 0)
    assert (await first).status_code == 200
    await gate.stop()
    await server.stop()


async def test_the_limit_is_how_many_run_at_once(io_loop: tornado.ioloop.IOLoop) -> None:
    gate = HttpGate(policy=NetworkPolicy(allow_private=(LOOPBACK,)), user_agent="t", verify=NO_CA, limit=3)
    server = HostileServer()
    await server.start()
    await gate.start()

    calls = [gate.outside.request(m, server.url("slow/0.02")) for m in ("GET", "POST") for _ in range(6)]
    gathered = asyncio.gather(*calls)
    most = 0
    while not gathered.done():
        most = max(most, gate.live().sockets)
        await asyncio.sleep(0.002)

    assert len(await gathered) == 12
    assert most <= 6  # three at work, and idle ones never more than that again
    await gate.stop()
    await server.stop()


async def test_a_trusted_origin_may_be_private_and_nothing_else_goes_through_its_client(
    io_loop: tornado.ioloop.IOLoop,
) -> None:
    server, other = HostileServer(), HostileServer()
    await server.start()
    await other.start()
    policy = NetworkPolicy(trusted_origins=frozenset({server.origin() + "/v1"}))
    gate = HttpGate(policy=policy, user_agent="t", verify=NO_CA)
    await gate.start()
    client = gate.trusted(server.url("api/v4"))

    answer = await client.post(server.url("echo"), content=b"x")
    redirect = await client.get(server.url(f"redirect/302/{other.url('ok')}"))
    with pytest.raises(Forbidden):
        await client.get(other.url("ok"))
    with pytest.raises(Forbidden):
        await client.get(server.url(f"redirect/302/{other.url('ok')}"), follow_redirects=True)
    with pytest.raises(Forbidden):
        await gate.outside.get(server.url("ok"))

    assert (answer.content, redirect.status_code, other.accepted) == (b"x", 302, 0)
    assert gate.trusted(server.origin()) is client
    await gate.stop()
    await server.stop()
    await other.stop()


async def test_an_origin_the_policy_does_not_trust_has_to_be_public(town: Town) -> None:
    client = town.gate.trusted(town.closed.origin())

    with pytest.raises(Forbidden):
        await client.get(town.closed.url("ok"))

    assert town.closed.accepted == 0


async def test_our_own_port_is_refused_even_to_a_trusted_client(io_loop: tornado.ioloop.IOLoop) -> None:
    ours = HostileServer()
    await ours.start()
    policy = NetworkPolicy(
        allow_private=(LOOPBACK,),
        trusted_origins=frozenset({ours.origin()}),
        denied=frozenset({(ANY_LOCAL, ours.port)}),
    )
    gate = HttpGate(policy=policy, user_agent="t", verify=NO_CA, lookup=lambda *_: ["127.0.0.1"])
    await gate.start()

    urls = [ours.url("ok"), ours.url("ok", "localhost"), ours.url("ok", "[::ffff:127.0.0.1]")]
    for client, url in [(gate.outside, url) for url in urls] + [(gate.trusted(ours.origin()), urls[0])]:
        with pytest.raises(Forbidden):
            await client.get(url)

    assert (ours.accepted, refusal_of(urls[0], policy)) == (0, "PRIVATE_ADDRESS")
    await gate.stop()
    await ours.stop()


async def test_slow_names_leave_the_default_executor_free(io_loop: tornado.ioloop.IOLoop) -> None:
    answered = threading.Event()

    def slow(*_: object) -> Sequence[str]:
        answered.wait(10)
        return []

    gate = HttpGate(policy=NetworkPolicy(), user_agent="t", verify=NO_CA, lookup=slow)
    await gate.start()
    calls = [
        asyncio.create_task(gate.outside.get(f"http://n{number}.test/", extensions={"total_s": 0.2}))
        for number in range(40)
    ]
    await asyncio.sleep(0.05)

    async with asyncio.timeout(5):
        assert await asyncio.to_thread(lambda: "free") == "free"
        ends = await asyncio.gather(*calls, return_exceptions=True)

    assert {type(end) for end in ends} == {Deadline}
    answered.set()
    await gate.stop()


async def test_a_proxy_in_the_environment_is_not_used(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    gate = HttpGate(policy=NetworkPolicy(allow_private=(LOOPBACK,)), user_agent="t", verify=NO_CA)
    await gate.start()

    response = await gate.outside.get(field.server.url("ok"))

    assert response.content == b"ok"
    await gate.stop()


async def test_the_user_agent_is_ours(field: Field) -> None:
    response = await field.client.get(field.server.url("head"))

    assert b"User-Agent: test/1\r\n" in response.content


def test_a_gate_that_was_not_started_has_no_clients() -> None:
    gate = HttpGate(policy=NetworkPolicy(), user_agent="t", verify=NO_CA)

    with pytest.raises(RuntimeError):
        _ = gate.outside
    with pytest.raises(RuntimeError):
        gate.trusted("http://a.test")
    assert gate.live() == LiveConnections(requests=0, sockets=0)


async def test_a_stopped_gate_raises_runtime_error_and_never_a_network_error(field: Field) -> None:
    gate = HttpGate(policy=NetworkPolicy(allow_private=(LOOPBACK,)), user_agent="t", verify=NO_CA)
    await gate.start()
    client = gate.outside
    await gate.stop()

    with pytest.raises(RuntimeError, match="client has been closed"):
        await client.get(field.server.url("ok"))
    with pytest.raises(RuntimeError):
        gate.trusted("http://a.test")


@pytest.mark.parametrize("path", ["hang", "drip-body", "unread"])
async def test_stop_cuts_what_is_in_flight_with_runtime_error(field: Field, path: str) -> None:
    gate = HttpGate(policy=NetworkPolicy(allow_private=(LOOPBACK,)), user_agent="t", verify=NO_CA)
    await gate.start()
    calls = [asyncio.create_task(gate.outside.post(field.server.url(path), content=bytes(3_000_000))) for _ in range(3)]
    await until(lambda: len(field.server.heads) == 3)

    await gate.stop()
    ends = await asyncio.gather(*calls, return_exceptions=True)

    assert [(type(end), "has been closed" in str(end)) for end in ends] == [(RuntimeError, True)] * 3
    assert gate.live() == LiveConnections(requests=0, sockets=0)


def test_a_client_of_a_closed_loop_raises_runtime_error_and_never_a_network_error() -> None:
    gate = HttpGate(policy=NetworkPolicy(allow_private=(LOOPBACK,)), user_agent="t", verify=NO_CA)

    async def start_and_stop_nothing() -> httpx.AsyncClient:
        await gate.start()
        return gate.outside

    client = asyncio.run(start_and_stop_nothing())

    with pytest.raises(RuntimeError, match="Event loop is closed"):
        asyncio.run(client.get("http://127.0.0.1:1/"))


async def test_start_and_stop_leave_no_thread(io_loop: tornado.ioloop.IOLoop) -> None:
    before = set(threading.enumerate())
    gate = HttpGate(policy=NetworkPolicy(), user_agent="t", verify=NO_CA, lookup=lambda *_: ["127.0.0.1"])
    await gate.start()
    with pytest.raises(Forbidden):
        await gate.outside.get("http://a.test/")

    await gate.stop()

    await until(lambda: set(threading.enumerate()) <= before)
