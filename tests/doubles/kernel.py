"""Processes and time as data: the supervisor's `Kernel` without a fork, a kill or a second of waiting.

A test gives a story: a generator that yields whenever the master may run until it sleeps again. Between two yields the
story lets workers speak or die, moves the time, and looks at what the master did.
"""

import selectors
import signal
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass

from monoceros.supervisor.channel import Channel, Word
from monoceros.supervisor.luggage import Luggage

Story = Generator[None, None, None]
Ready = list[tuple[selectors.SelectorKey, int]]


class Executed(BaseException):
    """The master would be another program now."""


@dataclass(eq=False)
class FakeProcess:
    """A child that was forked, seen from inside: it speaks through the worker's end of its line."""

    pid: int
    line: Channel

    def say(self, word: Word, text: str = "") -> None:
        self.line.send(word, text)

    def told(self) -> list[Word]:
        """The orders that wait to be read. Only to be asked when there are some."""
        return [message.word for message in self.line.receive()]


class FakeKernel:
    """The double.

    Attributes:
        time: what the clock shows.
        asked: the timeout of the master's last sleep, in seconds.
        processes: everything forked so far, in order.
        killed: the signals sent so far.
        refuses: raised by the next forks, and by an exec, instead of doing it.
        executed: what each exec in place would have handed on.
    """

    def __init__(self, tell: Callable[["FakeKernel"], Story]) -> None:
        self.time = 1000.0
        self.asked = 0.0
        self.processes: list[FakeProcess] = []
        self.killed: list[tuple[int, signal.Signals]] = []
        self.refuses: OSError | None = None
        self.executed: list[Luggage] = []
        self._ended: dict[int, int] = {}
        self._story = tell(self)

    def end(self, process: FakeProcess, code: int = 0) -> None:
        """Let a child die; minus a signal's number for a code if a signal killed it."""
        process.line.close()
        self._ended[process.pid] = code

    def pass_time(self) -> None:
        """Let the time pass that the master asked to sleep."""
        self.time += self.asked

    # the Kernel protocol

    def now(self) -> float:
        return self.time

    def wait(self, selector: selectors.BaseSelector, timeout: float) -> Ready:
        self.asked = timeout
        try:
            next(self._story)
        except StopIteration:
            raise AssertionError("the story is over, and the master still sleeps") from None
        return selector.select(0)

    def fork(self, child: Callable[[Channel], int], line: Channel) -> int:
        if self.refuses is not None:
            line.close()
            raise self.refuses
        self.processes.append(FakeProcess(5001 + len(self.processes), line))
        return self.processes[-1].pid

    def kill(self, pid: int, number: signal.Signals) -> None:
        self.killed.append((pid, number))

    def exits(self, pids: Iterable[int]) -> list[tuple[int, int]]:
        return [(pid, self._ended.pop(pid)) for pid in list(pids) if pid in self._ended]

    def execute(
        self, luggage: Luggage, directory: str, environ: Mapping[str, str], arrived: Callable[[], Iterable[int]]
    ) -> None:
        self.executed.append(luggage)
        if self.refuses is not None:
            raise self.refuses
        raise Executed

    def await_exit(self, pid: int) -> None:
        assert (pid, signal.SIGKILL) in self.killed, "the master waits for a child that it didn't kill"
        next(process for process in self.processes if process.pid == pid).line.close()
