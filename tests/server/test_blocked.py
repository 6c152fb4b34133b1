"""Which loops are taken for blocked, by a clock that the test moves; that a process ends is shown in tests/process."""

import asyncio
import io
import logging
import os
import pdb
import sys
import threading
import time
import traceback

import pytest

from monoceros.server.blocked import EXIT_BLOCKED, LATE, LOOK, SHORTEST, LoopWatch
from tests.process.serving import until


class InC:
    """In place of what would end the process of the tests."""

    def __init__(self) -> None:
        self.armed = False

    def put_off(self) -> None:
        self.armed = True

    def end(self) -> None:
        self.armed = False


class Watched:
    """A watch, and what it did."""

    def __init__(self, seconds: float) -> None:
        self.now = 0.0
        self.left: list[int] = []
        self.in_c = InC()
        self.watch = LoopWatch(seconds, in_c=self.in_c, clock=lambda: self.now, leave=self.left.append)

    def pass_seconds(self, seconds: int) -> None:
        """Let time pass in which the watching thread looks as often as it should."""
        for _ in range(seconds):
            self.now += LOOK
            self.watch.look()


@pytest.fixture
def watched() -> Watched:
    return Watched(60)


def test_a_loop_that_does_not_turn_ends_the_process_and_its_stacks_are_logged(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.watch.turned()
    with caplog.at_level(logging.CRITICAL, "monoceros.error"):
        watched.pass_seconds(60)
        assert watched.left == []
        watched.pass_seconds(1)
    assert watched.left == [EXIT_BLOCKED]
    assert "The event loop has been blocked for 60 s (timeout_worker)" in caplog.text
    assert "Thread MainThread:" in caplog.text


def test_a_loop_that_turns_now_and_then_is_left_alone(watched: Watched) -> None:
    for _ in range(10):
        watched.pass_seconds(59)
        watched.watch.turned()
    assert watched.left == []


def test_time_in_which_the_process_was_suspended_does_not_count(watched: Watched) -> None:
    watched.pass_seconds(30)
    watched.now += 3600
    watched.watch.look()
    watched.pass_seconds(60)
    assert watched.left == []
    watched.pass_seconds(1)
    assert watched.left == [EXIT_BLOCKED]


def test_a_look_that_comes_a_little_late_counts(watched: Watched) -> None:
    watched.watch.turned()
    for _ in range(20):
        watched.now += LOOK + LATE
        watched.watch.look()
    assert watched.left


def test_what_blocks_the_interpreter_is_watched_from_turn_to_turn_but_not_while_the_process_is_stopped(
    watched: Watched,
) -> None:
    watched.watch.turned()
    assert watched.in_c.armed
    watched.watch.suspend()
    assert not watched.in_c.armed
    watched.now += 3600
    watched.watch.look()
    assert watched.in_c.armed
    watched.watch.end()
    assert not watched.in_c.armed


def test_a_loop_that_turns_once_a_second_is_never_taken_for_blocked() -> None:
    watched = Watched(0.1)
    for _ in range(10):
        watched.watch.turned()
        watched.pass_seconds(int(SHORTEST))
    assert watched.left == []
    watched.pass_seconds(1)
    assert watched.left == [EXIT_BLOCKED]


def test_a_loop_in_a_debugger_is_not_blocked(watched: Watched) -> None:
    reading, writing = os.pipe()
    with open(reading) as commands:
        debugger = pdb.Pdb(stdin=commands, stdout=io.StringIO(), nosigint=True, readrc=False)

        async def debugged() -> None:
            watched.watch.start()
            debugger.set_trace()
            time.monotonic()  # where the debugger stops

        thread = threading.Thread(target=lambda: asyncio.run(debugged()), name="debugged")
        thread.start()
        until(lambda: _stands_in("bdb", thread), "the debugger has stopped it")
        watched.pass_seconds(200)
        assert watched.left == []
        os.write(writing, b"continue\n")
        thread.join()
    os.close(writing)
    watched.watch.end()


def _stands_in(module: str, thread: threading.Thread) -> bool:
    assert thread.ident is not None
    frame = sys._current_frames().get(thread.ident)
    names = [each.f_globals["__name__"] for each, _ in traceback.walk_stack(frame)] if frame is not None else []
    return module in names


def test_no_time_is_no_watch() -> None:
    unwatched = Watched(0)
    unwatched.watch.start()
    unwatched.watch.turned()
    unwatched.watch.end()
    assert unwatched.left == []
