"""The children of the master: how they are forked, reached, and collected.

It knows processes and lines, and decides nothing. The rule it keeps: a child closes every end it inherited and doesn't
own before it does anything else, because an end that stays open in a sibling hides the death of the other side.
"""

import selectors
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from monoceros.supervisor.channel import Channel, Message, Word, channel_pair
from monoceros.supervisor.kernel import Kernel
from monoceros.supervisor.scoreboard import Record, Scoreboard

WATCHER = 0  # the serial number of the reloader's process; workers count from 1


@dataclass(frozen=True, slots=True, eq=False)
class Child:
    """The means to reach a child, where a `Handle` is what is known of a worker.

    Arguments:
        serial: the worker's number, or WATCHER.
        slot: the worker's place, 0 for the watcher.
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
    """

    def __init__(self, kernel: Kernel, selector: selectors.BaseSelector, close_inherited: Callable[[], None]) -> None:
        self._kernel = kernel
        self._selector = selector
        self._close_inherited = close_inherited
        self._board = Scoreboard()
        self._children: dict[int, Child] = {}  # by serial number

    def __iter__(self) -> Iterator[Child]:
        return iter(list(self._children.values()))

    def __getitem__(self, serial: int) -> Child:
        return self._children[serial]

    def workers(self) -> Iterator[Child]:
        return (child for child in self if child.serial != WATCHER)

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
        child = self._children[serial] = Child(serial, slot, pid, mine, record)
        self._selector.register(mine, selectors.EVENT_READ, child)
        return child

    def hear(self, child: Child) -> list[Message]:
        """What a child said. One that has closed its end is not listened to any more; its exit follows."""
        try:
            return child.channel.receive()
        except EOFError:
            self._stop_listening(child)
            return []

    def tell(self, serial: int, word: Word) -> None:
        """Say a word to a worker. One that can't be reached this way gets a signal, which means much the same to it."""
        child = self._children[serial]
        if not child.channel.send(word):
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

    def disband(self) -> None:
        """End the watcher, which has nothing to finish. A worker that is left sees the end of its line, and leaves."""
        for child in self:
            if child.serial == WATCHER:
                self.signal(WATCHER, signal.SIGKILL)
                self._kernel.await_exit(child.pid)
            self.forget(child)

    def _stop_listening(self, child: Child) -> None:
        if child.channel in self._selector.get_map():
            self._selector.unregister(child.channel)
