"""The watch over the event loop of a process that has no master: one that is blocked is ended, and says where it was.

Knows when the loop last turned, and nothing of what it does. Whoever started the process starts it again: a server that
accepts and never answers is worse than one that isn't there. The rule it keeps: time in which nothing could run, for
the machine or the process was suspended or somebody debugs it, is nobody's fault.
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
"""Seconds between two looks of the watching thread."""

LATE = 3.0
"""Seconds that a look may come late on a busy machine. Later, and it was suspended."""

SHORTEST = 2.0
"""Seconds: the least that can be told from a loop that turns, for it is asked once a second."""

IN_C = 2.0
"""Seconds more for what blocks the interpreter itself, so that the thread comes first wherever it can."""

EXIT_BLOCKED = 1

# Python's debugger and those made of it; that of editors.
_DEBUGGERS = frozenset({"bdb", "pydevd", "_pydevd_bundle"})


class CWatch(Protocol):
    """Sees what blocks in C, and holds the interpreter's lock: `BlockWatch`."""

    def put_off(self) -> None: ...

    def end(self) -> None: ...


class LoopWatch:
    """Ends the process when its event loop doesn't turn for too long.

    Arguments:
        seconds: how long it may be blocked, but at least `SHORTEST`; 0 for ever.
        in_c: sees what no thread of Python's can, a little later; None for the real one, which ends the process.
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
        self._turned = self._looked = clock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._in_c = in_c or BlockWatch(self._seconds and self._seconds + IN_C, _handlers(logger), exits=True)

    def start(self) -> None:
        """Watch the running loop from now on."""
        if self._seconds:
            self._loop = asyncio.get_running_loop()
            self._thread = threading.get_ident()
            self.turned()
            self._looked = self._clock()
            threading.Thread(target=self._run, name="monoceros-watching", daemon=True).start()

    def turned(self) -> None:
        """The loop turns."""
        self._turned = self._clock()
        self._in_c.put_off()

    def suspend(self) -> None:
        """The process is about to be stopped, and `turned` is called when it goes on."""
        self._in_c.end()

    def end(self) -> None:
        """Watch no more."""
        self._over.set()
        self._in_c.end()

    def look(self) -> None:
        """See how long the loop hasn't turned. Called every `LOOK` seconds."""
        now = self._clock()
        suspended, self._looked = now - self._looked > LOOK + LATE, now
        blocked = now - self._turned > self._seconds
        if suspended or (blocked and _is_debugged(sys._current_frames().get(self._thread))):
            self.turned()
        elif blocked:
            try:
                logger.critical(
                    "The event loop has been blocked for %g s (timeout_worker): this process ends. It was here:\n%s",
                    self._seconds,
                    describe_stacks(None, self._loop),
                )
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
