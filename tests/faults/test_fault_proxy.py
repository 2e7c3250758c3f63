"""The proxy that the outage tests trust: each of its faults, seen from a client's side."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.fixtures.fault_proxy import FaultProxy

_SOON_S = 5.0
_A_WHILE_S = 0.1


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        try:
            while data := self.request.recv(65_536):
                self.request.sendall(data)
        except OSError:
            return


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with _Server(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with FaultProxy(("127.0.0.1", server.server_address[1])) as made:
            yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[socket.socket]:
    with _connected(proxy) as made:
        yield made


def _connected(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=_SOON_S)


def _echo(client: socket.socket, data: bytes = b"ping") -> bytes:
    client.sendall(data)
    return client.recv(65_536)


def _hears_nothing(client: socket.socket) -> bool:
    client.settimeout(_A_WHILE_S)
    try:
        client.sendall(b"ping")
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(_SOON_S)
    return False


def test_proxy_passes_bytes_and_counts_them(proxy: FaultProxy, client: socket.socket) -> None:
    answer = _echo(client)

    assert answer == b"ping"
    assert (proxy.connections, proxy.bytes_up, proxy.bytes_down) == (1, 4, 4)


def test_delay_holds_each_way(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.behave(latency_s=0.05)
    begun = time.monotonic()

    answer = _echo(client)

    assert answer == b"ping"
    assert time.monotonic() - begun >= 0.1


def test_cut_resets_what_is_open_and_takes_new_connections(proxy: FaultProxy, client: socket.socket) -> None:
    _echo(client)

    found = proxy.cut()

    assert found == 1
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with _connected(proxy) as another:
        assert _echo(another) == b"ping"


def test_silent_connection_stays_dead_without_a_word_when_the_network_is_back(
    proxy: FaultProxy, client: socket.socket
) -> None:
    _echo(client)
    proxy.behave(is_silent=True)
    was_silent = _hears_nothing(client)

    proxy.behave()

    assert was_silent
    assert _hears_nothing(client)
    with _connected(proxy) as another:
        assert _echo(another) == b"ping"


def test_silent_network_swallows_new_connections_too(proxy: FaultProxy) -> None:
    proxy.behave(is_silent=True)

    with _connected(proxy) as client:
        assert _hears_nothing(client)


def test_refused_port_listens_again_at_the_same_number(proxy: FaultProxy, client: socket.socket) -> None:
    _echo(client)
    port = proxy.port

    proxy.refuse()

    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        _connected(proxy)
    proxy.behave()
    with _connected(proxy) as another:
        assert _echo(another) == b"ping"
    assert proxy.port == port


def test_frozen_way_delivers_everything_when_thawed(proxy: FaultProxy, client: socket.socket) -> None:
    _echo(client)
    proxy.behave(frozen=frozenset({"down"}))
    was_silent = _hears_nothing(client)

    proxy.behave()

    assert was_silent
    assert client.recv(65_536) == b"ping"


def test_way_up_freezes_with_the_message_that_is_waited_for(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.behave(frozen_from=b"the end")

    assert _echo(client, b"one more") == b"one more"
    client.sendall(b"this is the end of it")
    assert _hears_nothing(client)
    assert proxy.caught == b"this is the end of it"

    proxy.behave()
    client.settimeout(_SOON_S)
    assert client.recv(65_536).startswith(b"this is the end of it")


def test_connection_is_reset_after_so_many_bytes(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.behave(cut_after_bytes=6)

    answer = _echo(client) + _echo(client)

    assert answer == b"pingpi"
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_proxy_leaves_no_thread(proxy: FaultProxy, client: socket.socket) -> None:
    _echo(client)

    proxy.stop()

    assert "fault-proxy" not in {thread.name for thread in threading.enumerate()}
