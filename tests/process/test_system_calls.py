"""How many system calls a small request, and a small message, costs a real server on real sockets.

Counted by strace from one read to the next. The budgets may shrink, never grow. Calls of functions have theirs in
`tests/test_call_budget.py`.
"""

import contextlib
import errno
import fcntl
import functools
import os
import signal
import socket
import sys
import termios
from collections import Counter
from collections.abc import Callable, Container, Iterator
from pathlib import Path

import pytest

from tests.doubles.websocket_client import TEXT, WebSocketClient, frame
from tests.process.serving import PATIENCE, until
from tests.process.tracing import Trace, traced, why_not

OPTIONS = {
    "uvloop": ("--no-access-log", "--loop", "uvloop"),
    "worker": ("--no-access-log", "--loop", "uvloop", "--workers", "2"),
    "asyncio": ("--no-access-log", "--loop", "asyncio"),
    "access log": ("--access-log-file", "access.log", "--loop", "uvloop"),
}

ONE = Counter(read=1, write=1, wait=1)
# What answers several messages leaves at the end of the turn, which is one more, and so does a line of the log.
TEN = ONE + Counter(wait=1)
LOGGED = TEN + Counter(write=1)
# Requests of one connection are answered one after the other, a turn each; reading pauses at the first, until the last.
PIPELINED = Counter(read=1, write=10, wait=10, interest=2)
# asyncio's loop asks for each change of its interest anew.
PIPELINED_ON_ASYNCIO = Counter(read=1, write=10, wait=11, interest=18)
# It looks at its sockets once more before it runs what a read has called for.
LATER = Counter(wait=1)

BUDGETS: dict[str, dict[str, Counter[str]]] = {
    "uvloop": {"GET": ONE, "POST": ONE, "ten GETs": PIPELINED, "echo": ONE, "ten echoes": TEN},
    "worker": {"GET": ONE, "POST": ONE, "ten GETs": PIPELINED, "echo": ONE, "ten echoes": TEN},
    "access log": {"GET": LOGGED, "POST": LOGGED, "echo": ONE, "ten echoes": TEN},
    "asyncio": {
        "GET": ONE + LATER,
        "POST": ONE + LATER,
        "ten GETs": PIPELINED_ON_ASYNCIO,
        "echo": ONE + LATER,
        "ten echoes": TEN + LATER,
    },
}
"""For each time, in each of the OPTIONS. What isn't named may not be."""

CONNECTIONS = 32
TOGETHER = {
    "uvloop": Counter(read=CONNECTIONS, write=CONNECTIONS, wait=4),
    "access log": Counter(read=CONNECTIONS, write=CONNECTIONS + 4, wait=4),
    "asyncio": Counter(read=CONNECTIONS, write=CONNECTIONS, wait=4),
}
"""Of requests that have come, one a connection, before the server looks: they share waits, and writes of the log."""

TIMES = 100
SPARE = TIMES // 4
"""So many calls of a kind may come from something else in all that time: from the server's tick, one a second."""

APP = """
async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    if scope["method"] == "POST":
        assert len((await receive())["body"]) == 1024
    if scope["path"] == "/held":
        open("gate").read()  # and with it the whole loop is held
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"13")]})
    await send({"type": "http.response.body", "body": b"Hello, world!"})
"""
GREETING = b"Hello, world!"
JSON = b'{"name": "horn", "text": "' + b"x" * 996 + b'"}'
POST = b"POST /counted HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n" + JSON

MARKS = {
    "GET": '"GET /counted',
    "POST": '"POST /counted',
    "ten GETs": '"GET /pipelined',
    "echo": "a single message",
    "ten echoes": "one of ten",
}
"""What tells the reads of each in a trace."""


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def message(payload: str) -> bytes:
    # Masked with zeros, so that it can be read in the trace.
    return frame(TEXT, payload.encode(), mask=bytes(4))


def take(sock: socket.socket, what: bytes, times: int = 1) -> None:
    """Read until something has come so many times."""
    data = b""
    while data.count(what) < times:
        piece = sock.recv(65536)
        assert piece, f"closed after {data!r}"
        data += piece


def converse(port: int, what: Container[str]) -> None:
    """Have each message answered again and again, one after the other."""
    requests = {"GET": get("/counted"), "POST": POST, "ten GETs": get("/pipelined") * 10}
    messages = {"echo": message(MARKS["echo"]), "ten echoes": message(MARKS["ten echoes"]) * 10}
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as sock,
        WebSocketClient.connect("127.0.0.1", port, timeout=PATIENCE) as client,
    ):
        for name, sent in (requests | messages).items():
            way, answer = (sock, GREETING) if name in requests else (client.sock, MARKS[name].encode())
            for _ in range(TIMES + 1 if name in what else 0):
                way.sendall(sent)
                take(way, answer, 10 if name.startswith("ten") else 1)


def crowd(port: int, gate: Path) -> None:
    """Have many requests arrive while the server is held, and let it go."""
    with contextlib.ExitStack() as stack:
        first, *others = (
            stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE)) for _ in range(CONNECTIONS + 1)
        )
        for sock in (first, *others):
            sock.sendall(get("/"))
            take(sock, GREETING)
        first.sendall(get("/held"))
        with held(gate):
            for sock in others:
                sock.sendall(get("/together"))
            until(lambda: not any(map(unacknowledged, others)), "the arrival of all requests")
        for sock in (first, *others):
            take(sock, GREETING)
        first.sendall(get("/after"))
        take(first, GREETING)


@contextlib.contextmanager
def held(gate: Path) -> Iterator[None]:
    """Wait until the application waits at the gate; open it at the end."""
    ends: list[int] = []

    def entered() -> bool:
        try:
            ends.append(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            if error.errno != errno.ENXIO:  # nobody reads yet
                raise
        return bool(ends)

    until(entered, "the application")
    try:
        yield
    finally:
        os.close(ends[0])


def unacknowledged(sock: socket.socket) -> int:
    """The octets that haven't arrived in the peer's kernel yet."""
    return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trace]:
    """What a server with some of the OPTIONS did; each is started once."""
    if reason := why_not(tmp_path_factory.mktemp("strace")):
        pytest.skip(reason)

    @functools.cache
    def of(name: str) -> Trace:
        directory = tmp_path_factory.mktemp("traced")
        (directory / "app.py").write_text(APP)
        os.mkfifo(directory / "gate")
        options = ("--timeout-keep-alive", "60", *OPTIONS[name])
        with traced(directory, directory / "log", *options, ready=2 if name == "worker" else 1) as server:
            converse(server.port, BUDGETS[name])
            if name in TOGETHER:
                crowd(server.port, directory / "gate")
            server.send(signal.SIGTERM)
            assert server.exit_code() == 0, server.output
        return Trace((directory / "log").read_text().splitlines())

    return of


@pytest.mark.parametrize(("name", "what"), [(name, what) for name, budgets in BUDGETS.items() for what in budgets])
def test_a_message_stays_within_its_budget_of_system_calls(trace: Callable[[str], Trace], name: str, what: str) -> None:
    reads, calls = trace(name).of_reader(MARKS[what])
    assert reads == TIMES
    budget = Counter({kind: number * TIMES for kind, number in BUDGETS[name][what].items()})
    assert all(number <= SPARE for number in (calls - budget).values()), calls


@pytest.mark.parametrize("what", ["GET", "POST", "echo", "ten echoes"])
@pytest.mark.parametrize("name", TOGETHER)
def test_no_other_thread_works_for_a_message(trace: Callable[[str], Trace], name: str, what: str) -> None:
    others = trace(name).of_others(MARKS[what])
    assert all(number <= SPARE for number in others.values()), others


@pytest.mark.parametrize("name", TOGETHER)
def test_requests_that_have_come_together_share_a_wait(trace: Callable[[str], Trace], name: str) -> None:
    calls = trace(name).between('"GET /together', '"GET /after')
    assert calls["read"] == CONNECTIONS
    beyond = calls - TOGETHER[name]
    assert not beyond.keys() & TOGETHER[name].keys(), calls
    assert all(number <= SPARE for number in beyond.values()), calls
