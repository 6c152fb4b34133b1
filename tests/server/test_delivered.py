"""What the kernel says has reached a peer, on real sockets, and what an observer is told of a peer that left."""

import contextlib
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from monoceros.config import Config
from monoceros.protocol.exchange import Exchange
from monoceros.server.delivered import delivered
from monoceros.server.server import Server
from monoceros.server.witness import Witness
from tests.doubles.certificates import Pair
from tests.doubles.loop import ManualLoop
from tests.doubles.served import PATIENCE, UNACKNOWLEDGED, Served, until
from tests.doubles.transport import FakeTransport

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")

LARGE = 50_000_000
"""Octets of one write: more than two sockets hold."""

ROOM = 4_000_000
"""Octets that the client's kernel may hold at most: those were acknowledged, too, and nobody read them."""


class SocketTransport(FakeTransport):
    """One that has a socket."""

    def __init__(self, loop: ManualLoop, sock: socket.socket, *, tls: bool = False) -> None:
        super().__init__(loop, tls=tls)
        self._sock = sock

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._sock if name == "socket" else super().get_extra_info(name, default)


@pytest.fixture
def loop() -> Iterator[ManualLoop]:
    loop = ManualLoop()
    yield loop
    loop.close()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def both() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The server's and the client's end of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), PATIENCE)
        server, _ = listener.accept()
    with client, server:
        yield server, client


def test_of_a_connection_that_lives_what_the_kernel_holds_counts(
    loop: ManualLoop, both: tuple[socket.socket, socket.socket]
) -> None:
    server, _ = both
    server.setblocking(False)
    transport = SocketTransport(loop, server)
    assert delivered(transport) is None, "nothing was acknowledged yet"
    written = server.send(bytes(LARGE))
    assert written < LARGE
    until(lambda: delivered(transport) is not None, "an acknowledgement")
    assert delivered(transport) == written


def test_of_a_connection_that_was_reset_what_was_acknowledged_counts(
    loop: ManualLoop, both: tuple[socket.socket, socket.socket]
) -> None:
    server, client = both
    server.setblocking(False)
    written = server.send(bytes(LARGE))
    got = len(client.recv(100_000, socket.MSG_WAITALL))
    reset(client)
    until(lambda: server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "the reset")
    known = delivered(SocketTransport(loop, server))
    assert known is not None
    assert got <= known < written


def test_nobody_knows_of_unix_sockets_tls_and_sockets_that_are_closed(
    loop: ManualLoop, both: tuple[socket.socket, socket.socket]
) -> None:
    server, client = both
    server.send(b"x")
    client.recv(1)
    until(lambda: delivered(SocketTransport(loop, server)) == 1, "the acknowledgement")
    assert delivered(SocketTransport(loop, server, tls=True)) is None
    server.close()
    assert delivered(SocketTransport(loop, server)) is None
    assert delivered(FakeTransport(loop)) is None
    one, other = socket.socketpair()
    with one, other:
        one.send(b"x")
        assert delivered(SocketTransport(loop, one)) is None


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


async def large(scope: Any, receive: Any, send: Any) -> None:
    """All in one message; or, at /parts, in two, and without a length."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/parts":
        await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
    await send({"type": "http.response.body", "body": bytes(LARGE)})


@contextlib.contextmanager
def witnessed(loop: str, **options: Any) -> Iterator[tuple[Served, list[Exchange]]]:
    ended: list[Exchange] = []
    config = Config(large, port=0, loop=loop, log_config=None, access_log=False, lifespan="off", **options)
    served = Served(Server(config), None)
    served.server.witness = Witness(ended=ended.append)
    served.start()
    try:
        yield served, ended
    finally:
        served.server.drain(hurry=True)
        served.join()


@pytest.mark.parametrize("path", ["/", "/parts"])
@pytest.mark.parametrize("loop_name", ["asyncio", "uvloop"])
def test_who_leaves_in_the_middle_of_one_large_write_is_told_with_what_it_got(loop_name: str, path: str) -> None:
    with witnessed(loop_name) as (served, ended):
        client = served.connect()
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        got = 0
        while got < 1_000_000:  # a socket with a time-out gives what there is, whatever is asked for
            got += len(client.recv(65536))
        assert ended == []
        reset(client)
        until(lambda: ended, "the end of the request")
        (exchange,) = ended
        assert exchange.cut_off
        assert got - UNACKNOWLEDGED < exchange.octets < got + ROOM


def read_body(client: socket.socket, beginning: bytes = b"") -> None:
    """Read one response to its end."""
    data = beginning
    while b"\r\n\r\n" not in data:
        data += client.recv(1000)
    left = LARGE - len(data.partition(b"\r\n\r\n")[2])
    while left > 0:
        piece = client.recv(1_000_000)
        assert piece, f"{left} octets are missing"
        left -= len(piece)


@pytest.mark.parametrize("kind", ["tcp", "tls"])
@pytest.mark.parametrize("loop_name", ["asyncio", "uvloop"])
def test_who_takes_all_in_its_own_time_is_told_then_with_all(loop_name: str, kind: str, pair: Pair) -> None:
    with witnessed(loop_name, **(pair.options if kind == "tls" else {})) as (served, ended), served.connect() as plain:
        client = plain if kind == "tcp" else pair.wrap(plain)
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        beginning = client.recv(1000)
        assert ended == []
        read_body(client, beginning)
        until(lambda: ended, "the end of the request")
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        read_body(client)
        until(lambda: len(ended) == 2, "the end of the last request")
        assert [(each.octets, each.cut_off) for each in ended] == [(LARGE, False)] * 2
        client.close()


@pytest.mark.parametrize("loop_name", ["asyncio", "uvloop"])
def test_under_tls_who_leaves_in_the_middle_is_told_as_cut_off(loop_name: str, pair: Pair) -> None:
    with witnessed(loop_name, **pair.options) as (served, ended):
        client = pair.wrap(served.connect())
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        got = 0
        while got < 1_000_000:
            got += len(client.recv(100_000))
        reset(client)
        until(lambda: ended, "the end of the request")
        assert (ended[0].octets, ended[0].cut_off) == (LARGE, True)
