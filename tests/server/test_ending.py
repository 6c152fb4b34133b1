"""A server that is cancelled, or fails, in the middle of its start or of its end: whatever was opened is closed."""

import asyncio
import contextlib
import logging
import resource
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from monoceros.asgi import Receive, Scope, Send
from monoceros.config import Config
from monoceros.server.server import Server
from tests.doubles.served import PATIENCE, read_all, run, serving, until

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


class Hanging:
    """An application whose requests never end, and whose start-up may neither.

    Attributes:
        seen: what happened to it.
    """

    def __init__(self, *, starts: bool = True) -> None:
        self.starts = starts
        self.seen: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(scope["type"])
        try:
            if scope["type"] == "lifespan":
                await receive()
                if self.starts:
                    await send({"type": "lifespan.startup.complete"})
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.seen.append(f"{scope['type']} cancelled")
            raise


async def happens(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def others() -> set["asyncio.Task[Any]"]:
    """The tasks beside the test's own."""
    current = asyncio.current_task()
    assert current is not None
    return asyncio.all_tasks() - {current}


@contextlib.asynccontextmanager
async def asked(app: Hanging, **options: Any) -> AsyncIterator[tuple[Server, "asyncio.Task[None]"]]:
    """Serve an application, and ask it something that it never answers."""
    server = Server(Config(app, port=0, log_config=None, **options))
    task = asyncio.ensure_future(server.serve())
    await happens(lambda: server.started)
    reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
    writer.write(GET)
    await happens(lambda: "http" in app.seen)
    yield server, task
    # The peer learns that the connection has ended.
    with contextlib.suppress(ConnectionResetError):
        await reader.read()
    writer.close()
    await happens(lambda: not others())


@pytest.mark.parametrize("draining", [False, True])
def test_a_server_that_is_cancelled_leaves_nothing_behind(draining: bool, caplog: pytest.LogCaptureFixture) -> None:
    app = Hanging()

    async def main() -> None:
        async with asked(app) as (server, task):
            if draining:
                server.should_exit = True
                await happens(lambda: server.servers[0].sockets[0].fileno() == -1)
            else:
                server.force_exit = True  # its application isn't shut down then, as it never would be
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert server.servers[0].sockets[0].fileno() == -1
            assert not server.server_state.connections
            late = socket.create_server(("127.0.0.1", 0))
            server.serve_also(late)
            await happens(lambda: late.fileno() == -1)

    run(main())
    assert app.seen == ["lifespan", "http", "http cancelled", "lifespan cancelled"]
    assert "The server was cancelled: cancelling GET /" in caplog.text
    assert "raceful timeout" not in caplog.text


def test_a_scope_that_cancels_whatever_it_waits_for_leaves_nothing_behind_either() -> None:
    """As those of anyio do: each wait of the server's is cancelled, not only the first."""
    app = Hanging()

    async def main() -> None:
        async with asked(app) as (server, task):
            while not task.done():
                task.cancel()
                await asyncio.sleep(0)
            assert task.cancelled()
            assert server.servers[0].sockets[0].fileno() == -1

    run(main())
    assert "http cancelled" in app.seen
    assert "lifespan cancelled" in app.seen


@pytest.mark.parametrize("stop", ["cancel", "drain"])
def test_a_start_that_is_given_up_leaves_nothing_behind(stop: str) -> None:
    app = Hanging(starts=False)

    async def main() -> None:
        server = Server(Config(app, port=0, log_config=None))
        lent = socket.create_server(("127.0.0.1", 0))
        server.serve_also(lent)
        task = asyncio.ensure_future(server.serve())
        await happens(lambda: "lifespan" in app.seen)
        if stop == "cancel":
            task.cancel()
        else:
            server.drain()
        await asyncio.wait([task])
        assert app.seen == ["lifespan", "lifespan cancelled"]
        assert others() == set()
        assert lent.fileno() == -1
        late = socket.create_server(("127.0.0.1", 0))
        server.serve_also(late)
        await happens(lambda: late.fileno() == -1)

    run(main())


def test_sockets_that_were_lent_to_a_server_that_fails_to_start_are_closed() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise ConnectionError("no database")

    with socket.create_server(("127.0.0.1", 0)) as own, socket.create_server(("127.0.0.1", 0)) as lent:
        server = Server(Config(fails, log_config=None))
        server.serve_also(lent)
        with pytest.raises(SystemExit):
            run(server.serve([own]))
        assert (own.fileno(), lent.fileno()) == (-1, -1)


def test_a_lifespan_is_not_left_behind_by_a_stop_at_once() -> None:
    app = Hanging()

    async def main() -> None:
        async with asked(app) as (server, task):
            server.stop()
            await task
            assert app.seen[-1] == "lifespan cancelled"

    run(main())


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_who_waits_for_a_descriptor_when_the_end_begins_is_served_once_there_is_one(
    loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Closing the listener would reset those in its backlog, though they came in time."""
    released = asyncio.Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            await released.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body", "body": b"hello"})

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with serving(answer, loop=loop) as served, contextlib.ExitStack() as clients:
        slow = clients.enter_context(served.connect())
        slow.sendall(GET.replace(b"/", b"/slow", 1))
        until(lambda: served.server.server_state.tasks, "the request runs")
        waiting = [clients.enter_context(socket.socket()) for _ in range(5)]
        lowest = waiting[-1].fileno() + 1
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            for client in waiting:
                client.settimeout(PATIENCE)
                client.connect(served.address)
                client.sendall(GET)
            until(lambda: "Accepting pauses" in caplog.text, "it has none left")
            with caplog.at_level(logging.INFO, "monoceros.error"):
                served.server.drain()
                until(lambda: "Shutting down" in caplog.text, "the end has begun")
            assert served.server.loop is not None
            served.server.loop.call_soon_threadsafe(released.set)
            assert [read_all(client)[-5:] for client in waiting] == [b"hello"] * 5
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        served.join()
    assert [record for record in caplog.records if record.levelno > logging.ERROR] == []
    assert "raised" not in caplog.text
