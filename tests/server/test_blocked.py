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
from collections.abc import Iterator

import pytest

from monoceros.server.blocked import EXIT_BLOCKED, LOOK, SHORTEST, LoopWatch
from tests.process.serving import until


class InC:
    """In place of the watch that shows what blocks in C."""

    def __init__(self) -> None:
        self.armed = False

    def put_off(self) -> None:
        self.armed = True

    def end(self) -> None:
        self.armed = False


class Watched:
    """A watch that has begun, by a clock that stands still for its own thread, and what it did."""

    def __init__(self, seconds: float) -> None:
        self.now = 0.0
        self.left: list[int] = []
        self.in_c = InC()
        self.watch = LoopWatch(seconds, in_c=self.in_c, clock=lambda: self.now, leave=self.left.append)

    def start(self) -> None:
        async def main() -> None:
            self.watch.start()

        asyncio.run(main())

    def pass_seconds(self, seconds: int) -> None:
        """Let time pass in which the watching thread looks as often as it should."""
        for _ in range(seconds):
            self.now += LOOK
            self.watch.look()


@pytest.fixture
def watched() -> Iterator[Watched]:
    made = Watched(60)
    made.start()
    yield made
    made.watch.end()


def test_a_loop_that_does_not_turn_ends_the_process_and_the_log_has_the_reason_and_then_the_stacks(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL, "monoceros.error"):
        watched.pass_seconds(60)
        assert watched.left == []
        watched.pass_seconds(1)
    assert watched.left == [EXIT_BLOCKED]
    reason, stacks = caplog.messages
    assert reason == "The event loop has been blocked for 60 s (timeout_worker): this process ends"
    assert "Thread MainThread:" in stacks


def test_a_loop_that_turns_now_and_then_is_left_alone(watched: Watched) -> None:
    for _ in range(10):
        watched.pass_seconds(59)
        watched.watch.turned()
    assert watched.left == []


def test_time_in_which_the_process_was_suspended_does_not_count(watched: Watched) -> None:
    """Nobody knows of a SIGSTOP, a frozen container or a laptop's sleep. The thread that counts stood still, too."""
    watched.pass_seconds(30)
    watched.now += 3600
    watched.watch.look()
    watched.pass_seconds(29)
    assert watched.left == []
    watched.pass_seconds(1)
    assert watched.left == [EXIT_BLOCKED]


def test_a_process_that_is_suspended_again_and_again_lives_if_its_loop_turns_in_between(watched: Watched) -> None:
    for _ in range(100):
        watched.now += 3600
        watched.watch.look()
        watched.watch.turned()
    assert watched.left == []


def test_a_look_that_comes_late_counts_as_one(watched: Watched) -> None:
    for _ in range(60):
        watched.now += 4 * LOOK
        watched.watch.look()
    assert watched.left == []
    watched.now += 4 * LOOK
    watched.watch.look()
    assert watched.left == [EXIT_BLOCKED]


def test_what_blocks_the_interpreter_is_watched_from_turn_to_turn_but_not_while_the_process_is_stopped(
    watched: Watched,
) -> None:
    assert watched.in_c.armed
    watched.watch.suspend()
    assert not watched.in_c.armed
    watched.watch.turned()
    assert watched.in_c.armed
    watched.watch.end()
    assert not watched.in_c.armed


def test_before_its_start_and_after_its_end_it_watches_nothing_and_no_thread_of_it_is_left() -> None:
    """An import may take as long as it likes, also when the terminal stops the process in the middle of it."""
    watched = Watched(60)
    watched.watch.turned()
    assert not watched.in_c.armed
    watched.start()
    assert "monoceros-watching" in _threads()
    watched.watch.end()
    assert "monoceros-watching" not in _threads()
    watched.watch.turned()
    assert not watched.in_c.armed
    watched.watch.end()


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def test_a_loop_that_turns_once_a_second_is_never_taken_for_blocked() -> None:
    watched = Watched(0.1)
    watched.start()
    for _ in range(10):
        watched.watch.turned()
        watched.pass_seconds(int(SHORTEST))
    assert watched.left == []
    watched.pass_seconds(1)
    assert watched.left == [EXIT_BLOCKED]
    watched.watch.end()


def test_a_loop_in_a_debugger_is_not_blocked() -> None:
    watched = Watched(60)
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
