"""A worker that may hold only so many connections: the others wait in the backlog, and none is turned away."""

import logging
import select
import socket

import pytest

from monoceros.asgi import Receive, Scope, Send
from tests.doubles.served import Served, read_all, read_answer, serving, until

KEEP = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
WORK = b"GET /work HTTP/1.1\r\nHost: a\r\n\r\n"
CLASSES = pytest.mark.parametrize("http", ["auto", "uvicorn.protocols.http.h11_impl:H11Protocol"])


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/work":
        await receive()
        await receive()  # until the peer ends
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


def ask(sock: socket.socket) -> bytes:
    sock.sendall(KEEP)
    return read_answer(sock)[1]


def is_silent(sock: socket.socket) -> bool:
    return not select.select([sock], [], [], 0)[0]


def held(served: Served) -> int:
    return len(served.server.server_state.connections)


@CLASSES
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_one_too_many_waits_until_another_closes(caplog: pytest.LogCaptureFixture, http: str, loop: str) -> None:
    with (
        caplog.at_level(logging.WARNING, "monoceros.error"),
        serving(hello, http=http, loop=loop, limit_connections=2, timeout_keep_alive=60) as served,
        served.connect() as first,
        served.connect() as second,
    ):
        assert ask(first) == b"hello"
        second.sendall(WORK)
        with served.connect() as third:
            third.sendall(KEEP)
            until(lambda: caplog.records, "the limit is reached")
            for _ in range(3):
                assert ask(first) == b"hello"
            assert is_silent(third)
            assert held(served) == 2
            second.close()
            assert read_answer(third)[1] == b"hello"
    assert [record.message for record in caplog.records] == ["Accepting pauses: limit_connections is reached (2)"]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_idle_connection_makes_room_for_one_that_comes(caplog: pytest.LogCaptureFixture, loop: str) -> None:
    """The one that has been idle longest; those at work stay."""
    with (
        caplog.at_level(logging.WARNING, "monoceros.error"),
        serving(hello, loop=loop, limit_connections=3, timeout_keep_alive=60) as served,
        served.connect() as first,
        served.connect() as second,
        served.connect() as working,
    ):
        assert ask(first) == b"hello"
        working.sendall(WORK)
        with served.connect() as late:
            late.sendall(KEEP)
            until(lambda: ask(second) and not is_silent(late), "the one that comes is answered")
            assert read_answer(late)[1] == b"hello"
            assert first.recv(1) == b""
            assert ask(second) == b"hello"
            assert is_silent(working)
    assert "A connection was closed to make room (idle)" in [record.message for record in caplog.records]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_unfinished_head_makes_room_and_is_told_so(loop: str) -> None:
    with (
        serving(hello, loop=loop, limit_connections=1) as served,
        served.connect() as slow,
        served.connect() as late,
    ):
        slow.sendall(KEEP[:10])
        assert ask(late) == b"hello"
        assert read_all(slow).startswith(b"HTTP/1.1 408 ")


def test_a_crowd_is_served_a_few_at_a_time() -> None:
    most = 0

    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal most
        most = max(most, held(served))
        await hello(scope, receive, send)

    with serving(count, limit_connections=3) as served:
        crowd = [served.connect() for _ in range(40)]
        for sock in crowd:
            sock.sendall(KEEP.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert all(read_all(sock).endswith(b"hello") for sock in crowd)
        for sock in crowd:
            sock.close()
    assert 1 <= most <= 3


def test_a_drain_takes_whoever_waits() -> None:
    with (
        serving(hello, limit_connections=1, timeout_keep_alive=60) as served,
        served.connect() as first,
        served.connect() as second,
    ):
        assert ask(first) == b"hello"
        second.sendall(KEEP)
        served.server.drain()
        head, body = read_answer(second)
        assert body == b"hello"
        assert b"connection: close" in head.lower()
        first.close()
        served.join()


def test_without_a_limit_nobody_waits() -> None:
    with serving(hello, timeout_keep_alive=60) as served:
        crowd = [served.connect() for _ in range(30)]
        assert all(ask(sock) == b"hello" for sock in crowd)
        assert held(served) == 30
        for sock in crowd:
            sock.close()


def test_connections_that_fail_to_open_make_room() -> None:
    with serving(hello, limit_connections=1, proxy_protocol="v1") as served:
        for _ in range(3):
            assert served.ask(KEEP) == b""
        assert served.ask(b"PROXY UNKNOWN\r\n" + KEEP.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
