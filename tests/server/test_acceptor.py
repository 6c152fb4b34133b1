"""Accepting: what it does when descriptors run out."""

import errno
import logging
from typing import Any

import pytest

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
    acceptor = Acceptor(loop, [listener], lambda: pytest.fail("nobody was accepted"))
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
    acceptor = Acceptor(loop, [listener], lambda: pytest.fail("nobody was accepted"))
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
    acceptor = Acceptor(loop, made[:1], lambda: pytest.fail("nobody was accepted"))
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


def limited(loop: Any, held: list[int]) -> Acceptor:
    """An acceptor that may hold one connection, and has met its limit if one is held."""
    listener: Any = QuietListener(3)
    acceptor = Acceptor(loop, [listener], lambda: pytest.fail("nobody was accepted"), limit=1, held=lambda: len(held))
    acceptor.start()
    return acceptor


def test_at_its_limit_it_pauses_until_there_is_room(caplog: pytest.LogCaptureFixture) -> None:
    loop: Any = ReadingLoop()
    held = [1]
    acceptor = limited(loop, held)
    with caplog.at_level(logging.WARNING, "monoceros.error"):
        for _ in range(3):
            loop.turn()
            acceptor.tick()
            acceptor.make_room()
            assert not loop.readers
        held.clear()
        acceptor.make_room()
        assert set(loop.readers) == {3}
        held.append(1)
        loop.turn()
    assert [record.message for record in caplog.records] == ["Accepting pauses: limit_connections is reached (1)"]


def test_a_listener_that_comes_while_it_is_full_waits_like_the_others() -> None:
    loop: Any = ReadingLoop()
    held = [1]
    acceptor = limited(loop, held)
    loop.turn()
    listener: Any = QuietListener(4)
    acceptor.add(listener)
    assert not loop.readers
    held.clear()
    acceptor.make_room()
    assert set(loop.readers) == {3, 4}


def test_room_resumes_nothing_that_others_have_paused() -> None:
    """A server that has closed its listeners may go on losing connections."""
    loop: Any = ReadingLoop()
    held = [1]
    acceptor = limited(loop, held)
    loop.turn()
    acceptor.pause()
    held.clear()
    acceptor.make_room()
    assert not loop.readers
