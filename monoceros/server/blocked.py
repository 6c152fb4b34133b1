"""The watch over the event loop of a process that has no master: one that is blocked is ended, and says where it was.

Knows when the loop last turned, and nothing of what it does. Whoever started the process starts it again: a server that
accepts and never answers is worse than one that isn't there. The rule it keeps: time in which nothing could run, for
the machine or the process was suspended or somebody debugs it, is nobody's fault. So it isn't a clock that counts, but
a thread of the same process, which stands still whenever the process does.
"""

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Protocol

from monoceros.server.stacks import BlockWatch, describe_stacks

logger = logging.getLogger("monoceros.error")

LOOK = 1.0
"""Seconds between two looks of the watching thread, and the most that one look counts for, however late it comes."""

SHORTEST = 2.0
"""Seconds: the least that can be told from a loop that turns, for it is asked once a second."""

IN_C = 2.0
"""Seconds more for what blocks the interpreter itself, so that the thread comes first wherever it can."""

EXIT_BLOCKED = 1

# Python's debugger and those made of it; that of editors.
_DEBUGGERS = frozenset({"bdb", "pydevd", "_pydevd_bundle"})


class CWatch(Protocol):
    """Shows what blocks in C, and holds the interpreter's lock: `BlockWatch`."""

    def put_off(self) -> None: ...

    def end(self) -> None: ...


class LoopWatch:
    """Ends the process when its event loop doesn't turn for too long.

    Arguments:
        seconds: how long it may be blocked, but at least `SHORTEST`; 0 for ever.
        in_c: shows what no thread of Python's can see, a little later; None for the real one, which writes the stacks.
            It goes by a clock, and can't tell a suspended process from a blocked one: so it ends none.
        clock: tells the time in seconds.
        leave: ends the process, with an exit code.
    """

    def __init__(
        self,
        seconds: float,
        *,
        in_c: CWatch | None = None,
        clock: Callable[[], float] = time.monotonic,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        self._seconds = seconds and max(seconds, SHORTEST)
        self._clock = clock
        self._leave = leave
        self._over = threading.Event()
        self._watching = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loops_thread = 0
        self._watcher: threading.Thread | None = None
        # Each number is written by one thread alone: the turns by the loop's, the others by the watching one.
        self._turns = self._seen = 0
        self._blocked = 0.0
        self._looked = clock()
        self._in_c = in_c or BlockWatch(self._seconds and self._seconds + IN_C, _handlers(logger))

    def start(self) -> None:
        """Watch the running loop from now on."""
        if self._seconds:
            self._loop = asyncio.get_running_loop()
            self._loops_thread = threading.get_ident()
            self._looked = self._clock()
            self._watching = True
            self.turned()
            self._watcher = threading.Thread(target=self._run, name="monoceros-watching", daemon=True)
            self._watcher.start()

    def turned(self) -> None:
        """The loop turns. Means nothing before `start` and after `end`."""
        if self._watching:
            self._turns += 1
            self._in_c.put_off()

    def suspend(self) -> None:
        """The process is about to be stopped, and `turned` is called when it goes on."""
        self._in_c.end()

    def end(self) -> None:
        """Watch no more."""
        self._watching = False
        self._over.set()
        self._in_c.end()
        if self._watcher is not None:
            # It ends at once, unless it is just writing stacks to a log that nobody reads.
            self._watcher.join(LOOK)

    def look(self) -> None:
        """See whether the loop has turned since the last look. Called every `LOOK` seconds."""
        now, turns = self._clock(), self._turns
        passed, self._looked = min(now - self._looked, LOOK), now
        self._blocked = self._blocked + passed if turns == self._seen else 0.0
        self._seen = turns
        if self._blocked < self._seconds:
            return
        if _is_debugged(sys._current_frames().get(self._loops_thread)):
            self._blocked = 0.0
            return
        try:
            # The reason first: whatever becomes of the stacks, it is known why the process ended.
            logger.critical(
                "The event loop has been blocked for %g s (timeout_worker): this process ends", self._seconds
            )
            logger.critical("It was here:\n%s", describe_stacks(None, self._loop))
        finally:
            self._leave(EXIT_BLOCKED)

    def _run(self) -> None:
        while not self._over.wait(LOOK):
            self.look()


def _is_debugged(frame: FrameType | None) -> bool:
    """Tell whether a thread is in the hands of a debugger."""
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] in _DEBUGGERS:
            return True
        frame = frame.f_back
    return False


def _handlers(log: logging.Logger) -> Iterator[logging.Handler]:
    """Yield the handlers that a logger's lines reach."""
    reached: logging.Logger | None = log
    while reached is not None:
        yield from reached.handlers
        reached = reached.parent if reached.propagate else None
