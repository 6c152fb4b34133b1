"""Connections that wait in the backlog when a server begins to drain: whose they are."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from monoceros.asgi import Receive, Scope, Send
from monoceros.config import Config
from monoceros.server.server import Server
from tests.doubles.host import Host
from tests.doubles.served import PATIENCE, until

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def blocking(blocked: threading.Event, go_on: threading.Event) -> Callable[[Scope, Receive, Send], object]:
    """An application that holds the event loop, so that nothing is accepted meanwhile."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        blocked.set()
        go_on.wait(PATIENCE)
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    return application


WAITING = 200  # far more than are accepted in the turns of the loop until the drain begins


@pytest.mark.parametrize("replaced", [True, False])
def test_what_waits_is_left_to_others_if_there_are_some(replaced: bool) -> None:
    blocked, go_on = threading.Event(), threading.Event()
    app = blocking(blocked, go_on)
    server = Server(Config(app, log_config=None, lifespan="off", access_log=False, backlog=WAITING))
    with contextlib.ExitStack() as clients, socket.create_server(("127.0.0.1", 0), backlog=WAITING) as listener:

        def connect() -> socket.socket:
            client = clients.enter_context(socket.create_connection(listener.getsockname(), PATIENCE))
            client.sendall(REQUEST)
            return client

        host, sockets = Host(), [listener.dup()]
        thread = threading.Thread(target=server.run_worker, args=(sockets,), kwargs={"host": host}, daemon=True)
        thread.start()
        until(lambda: "ready" in host.told, "the start")
        asked = [connect()]
        assert blocked.wait(PATIENCE)
        asked += [connect() for _ in range(WAITING)]
        server.drain(replaced=replaced)
        go_on.set()
        thread.join(PATIENCE)
        left = list(accepted_from(listener))
        answered = [client for client in asked if client.getsockname() not in left]
        assert all(client.recv(100).startswith(b"HTTP/1.1 204") for client in answered)
        assert bool(left) is replaced


def accepted_from(listener: socket.socket) -> Iterator[object]:
    """Yield the address of each connection that still waits."""
    listener.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            connection, address = listener.accept()
            connection.close()
            yield address
