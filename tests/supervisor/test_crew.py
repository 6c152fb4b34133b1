"""The children of the master, over a kernel of data and real lines."""

import selectors
import signal
from collections.abc import Iterator

import pytest

from monoceros.supervisor.channel import Channel, Message, Word
from monoceros.supervisor.crew import WATCHER, Child, Crew
from monoceros.supervisor.scoreboard import Record
from tests.doubles.kernel import FakeKernel, Story


def no_story(_: FakeKernel) -> Story:
    yield


def no_life(_line: Channel, _record: Record) -> int:
    return 0


class Setting:
    """A crew with everything around it."""

    def __init__(self) -> None:
        self.kernel = FakeKernel(no_story)
        self.selector = selectors.PollSelector()
        self.crew = Crew(self.kernel, self.selector, lambda: None)

    def start(self, serial: int) -> Child:
        return self.crew.start(serial, serial, no_life)

    def readable(self) -> list[Child]:
        return [key.data for key, _ in self.selector.select(0)]


@pytest.fixture
def setting() -> Iterator[Setting]:
    made = Setting()
    yield made
    for child in made.crew:
        made.crew.forget(child)
    for process in made.kernel.processes:
        process.line.close()


def test_a_child_is_heard_when_it_speaks(setting: Setting) -> None:
    first, second = setting.start(1), setting.start(2)
    setting.kernel.processes[1].say(Word.READY)
    assert setting.readable() == [second]
    assert setting.crew.hear(second) == [Message(Word.READY)]
    assert setting.crew.hear(first) == []


def test_a_child_that_closed_its_end_does_not_keep_the_master_awake(setting: Setting) -> None:
    child = setting.start(1)
    setting.kernel.processes[0].line.close()
    assert setting.readable() == [child]
    assert setting.crew.hear(child) == setting.crew.hear(child) == []
    assert setting.readable() == []


def test_an_end_is_reported_and_the_record_is_free_again(setting: Setting) -> None:
    child = setting.start(1)
    setting.kernel.end(setting.kernel.processes[0], -signal.SIGTERM)
    assert setting.crew.exited() == [(child, -signal.SIGTERM)]
    setting.crew.forget(child)
    assert list(setting.crew) == []
    assert setting.start(2).record is child.record


def test_a_fork_that_fails_leaves_nothing_behind(setting: Setting) -> None:
    setting.kernel.refuses = BlockingIOError(11, "Resource temporarily unavailable")
    with pytest.raises(BlockingIOError):
        setting.start(1)
    assert list(setting.crew) == []
    assert not setting.selector.get_map()


def test_disbanding_ends_the_watcher_and_hangs_up_on_the_workers(setting: Setting) -> None:
    worker, watcher = setting.start(1), setting.start(WATCHER)
    assert list(setting.crew.workers()) == [worker]
    setting.crew.disband()
    assert setting.kernel.killed == [(watcher.pid, signal.SIGKILL)]
    assert list(setting.crew) == []
    with pytest.raises(EOFError):
        setting.kernel.processes[0].told()


@pytest.mark.parametrize(("word", "number"), [(Word.DRAIN, signal.SIGTERM), (Word.STOP, signal.SIGQUIT)])
def test_who_can_not_be_told_gets_a_signal(setting: Setting, word: Word, number: signal.Signals) -> None:
    child = setting.start(1)
    setting.kernel.processes[0].line.close()
    setting.crew.tell(1, word)
    assert setting.kernel.killed == [(child.pid, number)]
