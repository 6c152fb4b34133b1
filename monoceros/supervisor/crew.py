"""The children of the master: how they are forked, reached, and collected.

It knows processes and lines, and decides nothing. The rule it keeps: a child closes every end it inherited and doesn't
own before it does anything else, because an end that stays open in a sibling hides the death of the other side.
"""

import selectors
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from socket import socket

from monoceros.supervisor.channel import Channel, Message, Word, channel_pair
from monoceros.supervisor.kernel import Kernel
from monoceros.supervisor.luggage import Passenger
from monoceros.supervisor.scoreboard import Record, Scoreboard

# Serial numbers of those who are no workers; workers count from 1.
WATCHER = 0  # the reloader's process
TRIAL = -1  # tries new code
SUCCESSOR = -2  # a second master


@dataclass(frozen=True, slots=True, eq=False)
class Child:
    """The means to reach a child, where a `Handle` is what is known of a worker.

    Arguments:
        serial: the worker's number, or WATCHER, TRIAL or SUCCESSOR.
        slot: the worker's place, 0 for the others.
        pid: its process.
        channel: the master's end of its line.
        record: its line on the scoreboard.
    """

    serial: int
    slot: int
    pid: int
    channel: Channel
    record: Record


class Crew:
    """All living children.

    Arguments:
        kernel: the system calls.
        selector: where the lines are registered, each with its child as the key's data.
        close_inherited: closes, in a new child, what else it must not keep of the master.
        pages: descriptors of the scoreboard's pages of a former self.
    """

    def __init__(
        self,
        kernel: Kernel,
        selector: selectors.BaseSelector,
        close_inherited: Callable[[], None],
        pages: Iterable[int] = (),
    ) -> None:
        self._kernel = kernel
        self._selector = selector
        self._close_inherited = close_inherited
        self._board = Scoreboard(pages)
        self._children: dict[int, Child] = {}  # by serial number

    def __iter__(self) -> Iterator[Child]:
        return iter(list(self._children.values()))

    def __getitem__(self, serial: int) -> Child:
        return self._children[serial]

    def __contains__(self, serial: int) -> bool:
        return serial in self._children

    @property
    def pages(self) -> list[int]:
        """The descriptors of the scoreboard's pages."""
        return self._board.pages

    def workers(self) -> Iterator[Child]:
        """The children that are workers."""
        return (child for child in self if child.serial > WATCHER)

    def start(self, serial: int, slot: int, life: Callable[[Channel, Record], int]) -> Child:
        """Fork a child that lives `life` and exits with the code it returns.

        Raises OSError when there can be no more processes or descriptors.
        """
        mine, theirs = channel_pair()
        record = self._board.take()

        def begin(line: Channel) -> int:
            self._close_inherited()
            for sibling in self:
                sibling.channel.close()
            mine.close()
            return life(line, record)

        try:
            pid = self._kernel.fork(begin, theirs)
        except OSError:
            mine.close()
            self._board.give_back(record)
            raise
        return self._enlist(Child(serial, slot, pid, mine, record))

    def adopt(self, passenger: Passenger) -> None:
        """Take a worker that a former self started."""
        line = socket(fileno=passenger.line)
        line.setblocking(False)
        record = self._board.retake(passenger.record)
        self._enlist(Child(passenger.serial, passenger.slot, passenger.pid, Channel(line), record))

    def _enlist(self, child: Child) -> Child:
        self._children[child.serial] = child
        self._selector.register(child.channel, selectors.EVENT_READ, child)
        return child

    def hear(self, child: Child) -> list[Message]:
        """What a child said. One that has closed its end is not listened to any more; its exit follows."""
        try:
            return child.channel.receive()
        except EOFError:
            self._stop_listening(child)
            return []

    def tell(self, serial: int, word: Word, text: str = "", descriptors: Iterable[int] = ()) -> None:
        """Say a word to a worker. One that can't be reached gets the signal that means much the same, if there is one.

        Arguments:
            serial: the worker.
            word: what is said.
            text: more about it.
            descriptors: open files that it gets copies of.
        """
        child = self._children[serial]
        if not child.channel.send(word, text, descriptors) and word in (Word.DRAIN, Word.HURRY, Word.STOP):
            self.signal(serial, signal.SIGQUIT if word is Word.STOP else signal.SIGTERM)

    def signal(self, serial: int, number: signal.Signals) -> None:
        self._kernel.kill(self._children[serial].pid, number)

    def exited(self) -> list[tuple[Child, int]]:
        """The children that have ended, with their exit codes. Each is reported until it is forgotten."""
        by_pid = {child.pid: child for child in self}
        return [(by_pid[pid], code) for pid, code in self._kernel.exits(by_pid)]

    def forget(self, child: Child) -> None:
        """Let go of a child whose exit has been collected."""
        del self._children[child.serial]
        self._stop_listening(child)
        child.channel.close()
        self._board.give_back(child.record)

    def end(self, serial: int) -> None:
        """End a child that has nothing to finish, if it lives."""
        child = self._children.get(serial)
        if child is not None:
            self.signal(serial, signal.SIGKILL)
            self._kernel.await_exit(child.pid)
            self.forget(child)

    def disband(self) -> None:
        """End the watcher and the trial, which have nothing to finish. A second master is left alone.

        A worker that is left sees the end of its line, and leaves.
        """
        for serial in (WATCHER, TRIAL):
            self.end(serial)
        for child in self:
            self.forget(child)
        self._board.close()

    def _stop_listening(self, child: Child) -> None:
        if child.channel in self._selector.get_map():
            self._selector.unregister(child.channel)
