"""Whether a request waits in the kernel: on a real connection, while the loop does something else."""

import asyncio
import socket
from collections.abc import Callable

import pytest
import uvloop

from monoceros.protocol.context import Context
from monoceros.protocol.http1 import HTTP1Connection
from monoceros.server.unread import holds_unread
from monoceros.wire.httptools_parser import HttptoolsParser
from monoceros.wire.response import default_fields
from tests.doubles.applications import hello
from tests.doubles.served import PATIENCE, read_answer

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


async def connect() -> tuple[Context, HTTP1Connection, socket.socket]:
    """Return a connection over a pair of sockets, and the peer's end of it."""
    loop = asyncio.get_running_loop()
    context = Context(hello, loop, make_parser=HttptoolsParser, defaults=default_fields(None, None))
    context.holds_unread = holds_unread
    ours, theirs = socket.socketpair()
    theirs.settimeout(PATIENCE)
    ours.setblocking(False)
    _, connection = await loop.connect_accepted_socket(lambda: HTTP1Connection(context), ours)
    return context, connection, theirs


async def answered(theirs: socket.socket) -> bytes:
    return (await asyncio.get_running_loop().run_in_executor(None, read_answer, theirs))[1]


@pytest.mark.parametrize("make_loop", LOOPS)
def test_octets_that_nobody_has_read_are_known_of(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main() -> list[bool]:
        _, connection, theirs = await connect()
        with theirs:
            seen = [holds_unread(connection._transport)]
            theirs.sendall(GET)
            seen.append(holds_unread(connection._transport))
            await answered(theirs)
            seen.append(holds_unread(connection._transport))
            connection.abort()
            await asyncio.sleep(0)
            seen.append(holds_unread(connection._transport))
        return seen

    with asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(main()) == [False, True, False, False]


@pytest.mark.parametrize("make_loop", LOOPS)
@pytest.mark.parametrize("close", [HTTP1Connection.deadline_passed, HTTP1Connection.close_if_idle])
def test_a_request_that_arrives_at_the_deadline_of_an_idle_connection_is_answered(
    make_loop: Callable[[], asyncio.AbstractEventLoop], close: Callable[[HTTP1Connection], None]
) -> None:
    async def main() -> None:
        context, connection, theirs = await connect()
        with theirs:
            theirs.sendall(GET)
            await answered(theirs)
            context.tick += 60
            theirs.sendall(GET)  # it arrives, and the loop has no turn to read it
            close(connection)
            assert await answered(theirs) == b"Hello, world!"
            close(connection)
            assert await asyncio.get_running_loop().run_in_executor(None, theirs.recv, 1) == b""

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(main())
