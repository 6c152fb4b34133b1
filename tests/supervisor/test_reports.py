"""What the master says about its workers."""

import logging
import signal
import threading
from collections.abc import Iterator

import pytest

from monoceros.logs.lines import running_on
from monoceros.supervisor.channel import channel_pair
from monoceros.supervisor.crew import Child
from monoceros.supervisor.handle import State
from monoceros.supervisor.reports import how_it_ended, threads_at_fork, with_pid, worker_ended
from monoceros.supervisor.scoreboard import Scoreboard


@pytest.fixture
def child() -> Iterator[Child]:
    master, worker = channel_pair()
    worker.close()
    yield Child(7, 2, 123, master, Scoreboard().take())
    master.close()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "left by itself"),
        (1, "exited with code 1"),
        (3, "could not start"),
        (-signal.SIGKILL, "was killed by SIGKILL (out of memory?)"),
        (-signal.SIGSEGV, "was killed by SIGSEGV"),
        (-60, "was killed by signal 60"),
    ],
)
def test_an_end_is_told_in_words(code: int, words: str) -> None:
    assert how_it_ended(code) == words


@pytest.mark.parametrize(
    ("code", "state", "left", "level"),
    [
        (-signal.SIGSEGV, State.READY, False, logging.ERROR),
        (0, State.READY, False, logging.ERROR),
        (0, State.READY, True, logging.DEBUG),
        (3, State.STARTING, False, logging.ERROR),
        (0, State.DRAINING, False, logging.DEBUG),
        (1, State.DRAINING, False, logging.WARNING),
        (-signal.SIGKILL, State.KILLED, False, logging.DEBUG),
    ],
)
def test_only_an_end_that_nobody_wanted_is_loud(
    child: Child, caplog: pytest.LogCaptureFixture, code: int, state: State, left: bool, level: int
) -> None:
    with caplog.at_level(logging.DEBUG, "monoceros.error"):
        worker_ended(child, code, state, left)
    (record,) = caplog.records
    assert record.levelno == level
    assert record.message.startswith("Worker 2 [pid 123] ")


def test_messages_have_a_form_for_terminals(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "monoceros.error"):
        with_pid("Started parent process", 5)
        running_on(logging.getLogger("monoceros.error"), "http://[::1]:8000")
    plain = ["Started parent process [5]", "Monoceros running on http://[::1]:8000 (Press CTRL+C to quit)"]
    assert [record.message for record in caplog.records] == plain
    for record, text in zip(caplog.records, plain, strict=True):
        coloured = record.__dict__["color_message"]
        assert "\x1b[" in coloured
        assert coloured.replace("\x1b[1;36m", "").replace("\x1b[1m", "").replace("\x1b[0m", "") == text


def test_threads_at_the_fork_are_named(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="metrics-exporter")
    thread.start()
    try:
        threads_at_fork()
    finally:
        done.set()
        thread.join()
    assert "metrics-exporter" in caplog.text
