"""A real Server in a thread of the test's process, on real sockets, and a client that doesn't retry."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from monoceros.config import Config
from monoceros.server.server import Server

PATIENCE = 10.0
"""Seconds after which a test gives up: a bound for what hangs, never a measure of what works."""


UNACKNOWLEDGED = 2 * 65536
"""Octets that a client has read and its kernel needn't have acknowledged when it resets: it acknowledges every second
segment (RFC 9293, section 3.8.6.3), those of the loopback have 64 KiB, and a reset acknowledges nothing."""


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds.

    Raises:
        AssertionError: it doesn't within PATIENCE.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        threading.Event().wait(0.005)


class Served:
    """A server at work.

    Attributes:
        server: the Server.
        failure: what `run` raised, if anything.
    """

    def __init__(self, server: Server, sockets: list[socket.socket] | None) -> None:
        self.server = server
        self.failure: BaseException | None = None
        self._sockets = sockets
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)

    def start(self) -> None:
        self._thread.start()
        until(lambda: self.server.started or not self._thread.is_alive(), "the server has started")

    def join(self) -> None:
        """Wait for the end of the server."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the server didn't stop"

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.server.servers[0].sockets[0].getsockname()[:2]
        return host, port

    def connect(self) -> socket.socket:
        """Return a connection with a time-out."""
        return socket.create_connection(self.address, PATIENCE)

    def ask(self, request: bytes) -> bytes:
        """Send bytes on a connection of their own, and return all that comes until it closes."""
        with self.connect() as sock:
            sock.sendall(request)
            return read_all(sock)

    def get(self, path: str = "/") -> bytes:
        """Ask for a path, and return the whole answer."""
        return self.ask(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())

    def _run(self) -> None:
        try:
            self.server.run(self._sockets)
        except BaseException as exc:  # noqa: BLE001 - the test looks at it
            self.failure = exc


def read_all(sock: socket.socket) -> bytes:
    """Return what comes until the peer closes."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(65536):
            data += piece
    return data


def read_answer(sock: socket.socket) -> tuple[bytes, bytes]:
    """Return head and content of one answer with a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        assert piece, f"closed after {data!r}"
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
    while len(body) < int(fields[b"content-length"]):
        piece = sock.recv(65536)
        assert piece, f"closed after {data!r}"
        body += piece
    return head, body


@contextlib.contextmanager
def serving(app: Any, *, sockets: list[socket.socket] | None = None, **options: Any) -> Iterator[Served]:
    """Serve an application on a free port of 127.0.0.1, and stop when the block ends."""
    defaults: dict[str, Any] = {"port": 0, "log_config": None, "access_log": False, "lifespan": "off"}
    served = Served(Server(Config(app, **(defaults | options))), sockets)
    served.start()
    try:
        if served.failure is not None:
            raise served.failure
        yield served
    finally:
        served.server.drain(hurry=True)
        served.join()


def run(coroutine: Any) -> Any:
    """Run a coroutine with a bound on its time."""

    async def bounded() -> Any:
        async with asyncio.timeout(PATIENCE):
            return await coroutine

    return asyncio.run(bounded())
