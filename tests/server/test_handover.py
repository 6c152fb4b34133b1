"""Listening sockets that a running server is given and that are taken back, with real clients."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from monoceros.config import Config
from monoceros.server.handover import listen
from monoceros.server.server import Server
from tests.doubles.applications import hello
from tests.doubles.served import PATIENCE, Served, read_answer, run, serving, until

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture(params=["asyncio", "uvloop"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with serving(hello, loop=request.param, timeout_keep_alive=1) as running:
        yield running


@pytest.fixture
def lent() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def ask(address: tuple[str, int]) -> bytes:
    with socket.create_connection(address, PATIENCE) as sock:
        sock.sendall(GET)
        return read_answer(sock)[1]


@pytest.mark.parametrize("address", [("127.0.0.1", 0), ("::1", 0)])
def test_small_pieces_are_sent_at_once_on_what_is_accepted_whoever_made_the_listener(address: tuple[str, int]) -> None:
    """RFC 9293, section 3.7.4: the Nagle algorithm is off."""
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, proto=0) as listener:
        listener.bind(address)
        listen(listener, 5)
        with socket.create_connection(listener.getsockname()[:2], PATIENCE):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_unix_socket_is_listened_on_as_it_is(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listen(listener, 5)
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


@pytest.mark.parametrize("by_descriptor", [False, True])
def test_a_socket_that_was_lent_is_served_until_it_is_taken_back(
    served: Served, lent: socket.socket, by_descriptor: bool
) -> None:
    address = lent.getsockname()
    served.server.serve_also(lent)
    assert ask(address) == ask(served.address) == b"Hello, world!"
    served.server.serve_no_longer(lent.fileno() if by_descriptor else lent)
    until(lambda: lent.fileno() == -1, "the socket is closed")
    assert ask(served.address) == b"Hello, world!"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, PATIENCE)


def test_what_waits_when_a_socket_is_taken_back_is_left_to_the_others_who_hold_it(
    served: Served, lent: socket.socket
) -> None:
    with lent.dup() as others:
        served.server.serve_also(lent)
        ask(others.getsockname())
        served.server.serve_no_longer(lent)
        until(lambda: lent.fileno() == -1, "the socket is closed")
        with socket.create_connection(others.getsockname(), PATIENCE) as client:
            client.sendall(GET)
            others.settimeout(PATIENCE)
            connection, _ = others.accept()
            with connection:
                assert connection.recv(1000) == GET


def test_a_drain_closes_what_was_lent_and_a_socket_that_comes_later_is_just_closed(
    served: Served, lent: socket.socket
) -> None:
    served.server.serve_also(lent)
    ask(lent.getsockname())
    with served.connect() as idle:
        idle.sendall(GET)
        read_answer(idle)
        served.server.drain()
        until(lambda: lent.fileno() == -1, "the socket is closed")
        late = socket.create_server(("127.0.0.1", 0))
        served.server.serve_also(late)
        until(lambda: late.fileno() == -1, "the late socket is closed")
    served.join()
    latest = socket.create_server(("127.0.0.1", 0))
    served.server.serve_also(latest)
    assert latest.fileno() == -1


def test_what_is_lent_before_the_start_is_served_from_the_start() -> None:
    async def main() -> list[socket.socket]:
        server = Server(Config(hello, port=0, log_config=None, lifespan="off"))
        given = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        for sock in given:
            server.serve_also(sock)
        server.serve_no_longer(given[0])
        await server.startup()
        assert given[0].fileno() == -1
        assert given[1] in server.servers[0].sockets
        await server.shutdown()
        return given

    assert [sock.fileno() for sock in run(main())] == [-1, -1]


def test_what_is_unknown_is_no_matter(served: Served) -> None:
    served.server.serve_no_longer(999)
    assert ask(served.address) == b"Hello, world!"
