"""Accepting: what it does when descriptors run out."""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from monoceros.protocol.complaints import Complaints
from monoceros.server.acceptor import Acceptor


class ExhaustedListener:
    """A listener where somebody waits, in a process without a descriptor left; or where nobody does."""

    def __init__(self) -> None:
        self.exhausted = True

    def fileno(self) -> int:
        return 3

    def accept(self) -> Any:
        if self.exhausted:
            raise OSError(errno.EMFILE, "Too many open files")
        raise BlockingIOError


class QuietListener:
    """A listener where nobody waits."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor


class ReadingLoop:
    """What an acceptor asks of its loop: to look at listeners."""

    def __init__(self) -> None:
        self.readers: dict[int, Any] = {}

    def add_reader(self, fd: int, callback: Any, *arguments: Any) -> None:
        self.readers[fd] = lambda: callback(*arguments)

    def remove_reader(self, fd: int) -> None:
        del self.readers[fd]

    def turn(self) -> None:
        for reader in list(self.readers.values()):
            reader()


def test_accepting_pauses_without_descriptors_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    loop: Any = ReadingLoop()
    listener: Any = ExhaustedListener()
    acceptor = Acceptor(loop, [listener], lambda: pytest.fail("nobody was accepted"), complaints=Complaints())
    acceptor.start()
    with caplog.at_level(logging.ERROR, "monoceros.error"):
        for _ in range(5):
            loop.turn()
            assert not loop.readers
            acceptor.tick()
            assert loop.readers
        assert [record.message for record in caplog.records] == ["Accepting pauses: [Errno 24] Too many open files"]
        listener.exhausted = False
        for _ in range(2):
            loop.turn()
            acceptor.tick()
        listener.exhausted = True
        loop.turn()
    assert len(caplog.records) == 2


def test_while_it_takes_the_last_a_tick_accepts_on_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """They wait in the backlog until a descriptor is free. The listeners may be closed then, and a tick comes later."""
    loop: Any = ReadingLoop()
    listener: Any = ExhaustedListener()
    acceptor = Acceptor(loop, [listener], lambda: pytest.fail("nobody was accepted"), complaints=Complaints())
    acceptor.start()
    for _ in range(3):
        assert not acceptor.finish()
        acceptor.tick()
        assert not loop.readers
    assert len(caplog.records) == 1
    listener.exhausted = False
    assert acceptor.finish()
    listener.exhausted = True  # as one that is closed would fail
    assert acceptor.finish()
    acceptor.tick()
    assert not loop.readers


def test_listeners_come_and_go_whether_it_accepts_or_pauses() -> None:
    loop: Any = ReadingLoop()
    made: list[Any] = [QuietListener(descriptor) for descriptor in (3, 4, 5)]
    acceptor = Acceptor(loop, made[:1], lambda: pytest.fail("nobody was accepted"), complaints=Complaints())
    acceptor.start()
    acceptor.add(made[1])
    assert set(loop.readers) == {3, 4}
    acceptor.remove(made[0])
    assert set(loop.readers) == {4}
    acceptor.pause()
    acceptor.add(made[2])
    acceptor.remove(made[1])
    assert not loop.readers
    acceptor.start()
    assert set(loop.readers) == {5}
    assert acceptor.sockets == (made[2],)


class Relief:
    """Closes so many connections whenever it is asked, or says so."""

    def __init__(self, closes: int) -> None:
        self._closes = closes
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        return self._closes


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setblocking(False)
        yield sock


@pytest.fixture
def crowded(listener: socket.socket) -> Iterator[socket.socket]:
    """A listener where somebody waits."""
    with socket.create_connection(listener.getsockname()):
        yield listener


def limited(loop: Any, held: list[int], listener: socket.socket) -> Acceptor:
    """An acceptor that may hold one connection."""
    acceptor = Acceptor(
        loop,
        [listener],
        lambda: pytest.fail("nobody was accepted"),
        complaints=Complaints(),
        limit=1,
        held=lambda: len(held),
    )
    acceptor.start()
    return acceptor


def test_at_its_limit_it_pauses_until_there_is_room(crowded: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    loop: Any = ReadingLoop()
    held = [1]
    acceptor = limited(loop, held, crowded)
    with caplog.at_level(logging.WARNING, "monoceros.error"):
        for _ in range(3):
            loop.turn()
            acceptor.tick()
            acceptor.make_room()
            assert not loop.readers
        held.clear()
        acceptor.make_room()
        assert set(loop.readers) == {crowded.fileno()}
        held.append(1)
        loop.turn()
    assert [record.message for record in caplog.records] == ["Accepting pauses: limit_connections is reached (1)"]


def test_at_its_limit_it_goes_on_listening_while_nobody_waits(listener: socket.socket) -> None:
    loop: Any = ReadingLoop()
    acceptor = limited(loop, [1], listener)
    loop.turn()
    assert set(loop.readers) == {listener.fileno()}
    acceptor.pause()


def test_a_listener_that_comes_while_it_is_full_waits_like_the_others(crowded: socket.socket) -> None:
    loop: Any = ReadingLoop()
    held = [1]
    acceptor = limited(loop, held, crowded)
    loop.turn()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        acceptor.add(listener)
        assert not loop.readers
        held.clear()
        acceptor.make_room()
        assert set(loop.readers) == {crowded.fileno(), listener.fileno()}


def test_room_resumes_nothing_that_others_have_paused(crowded: socket.socket) -> None:
    """A server that has closed its listeners may go on losing connections."""
    loop: Any = ReadingLoop()
    held = [1]
    acceptor = limited(loop, held, crowded)
    loop.turn()
    acceptor.pause()
    held.clear()
    acceptor.make_room()
    assert not loop.readers


def test_at_its_limit_it_asks_for_room_and_goes_on_when_there_is_some(
    crowded: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    loop: Any = ReadingLoop()
    held, relief = [1], Relief(1)
    acceptor = Acceptor(
        loop,
        [crowded],
        asyncio.Protocol,
        complaints=Complaints(),
        limit=1,
        held=lambda: len(held),
        relieve=relief,
    )
    acceptor.start()
    with caplog.at_level(logging.WARNING, "monoceros.error"):
        loop.turn()
    assert relief.asked == 1
    assert not loop.readers
    held.clear()
    acceptor.make_room()
    assert set(loop.readers) == {crowded.fileno()}
    assert not caplog.records


def test_it_asks_again_each_second_for_somebody_who_waits(listener: socket.socket) -> None:
    loop: Any = ReadingLoop()
    relief = Relief(0)
    acceptor = Acceptor(
        loop,
        [listener],
        asyncio.Protocol,
        complaints=Complaints(),
        limit=1,
        held=lambda: 1,
        relieve=relief,
    )
    acceptor.start()
    with socket.create_connection(listener.getsockname()):
        loop.turn()
        acceptor.tick()
    assert relief.asked == 2
    listener.accept()[0].close()
    acceptor.tick()
    assert relief.asked == 2


def test_without_a_descriptor_it_asks_for_room_and_goes_on_when_a_connection_ends() -> None:
    loop: Any = ReadingLoop()
    listener: Any = ExhaustedListener()
    relief = Relief(1)
    acceptor = Acceptor(loop, [listener], asyncio.Protocol, complaints=Complaints(), relieve=relief)
    acceptor.start()
    loop.turn()
    assert relief.asked == 1
    assert not loop.readers
    acceptor.make_room()
    assert set(loop.readers) == {3}
    loop.turn()
    acceptor.pause()
    acceptor.make_room()
    assert not loop.readers


def test_handshakes_that_take_long_make_room(listener: socket.socket) -> None:
    """Those of this second are given time."""

    async def run() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        loop = asyncio.get_running_loop()
        acceptor = Acceptor(
            loop, [listener], asyncio.Protocol, context, complaints=Complaints(), limit=1, tls_handshake_timeout=3600
        )
        acceptor.start()
        with socket.create_connection(listener.getsockname()) as first:
            await turns(lambda: acceptor.opening)
            with socket.create_connection(listener.getsockname()) as second:
                first.setblocking(False)
                acceptor.tick()
                await asyncio.sleep(0)
                assert acceptor.opening
                acceptor.tick()
                assert await loop.sock_recv(first, 1) == b""
                await turns(lambda: acceptor.opening)
                acceptor.pause()
                acceptor.abandon()
                second.setblocking(False)
                assert await loop.sock_recv(second, 1) == b""

    asyncio.run(asyncio.wait_for(run(), 30))


@pytest.mark.parametrize("exc", [RuntimeError("mine"), ConnectionResetError()])
def test_a_connection_for_which_no_protocol_can_be_made_is_closed_and_makes_room(
    listener: socket.socket, exc: Exception
) -> None:
    def fail() -> asyncio.Protocol:
        raise exc

    async def run() -> None:
        loop = asyncio.get_running_loop()
        problems: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, problem: problems.append(problem))
        acceptor = Acceptor(loop, [listener], fail, complaints=Complaints(), limit=1)
        acceptor.start()
        for _ in range(2):
            with socket.create_connection(listener.getsockname()) as client:
                client.setblocking(False)
                assert await loop.sock_recv(client, 1) == b""
            await turns(lambda: not acceptor.opening)
        acceptor.pause()
        # What the network does is everyday business.
        assert [problem["exception"] for problem in problems] == ([exc] * 2 if isinstance(exc, RuntimeError) else [])

    asyncio.run(asyncio.wait_for(run(), 30))


async def turns(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0)
