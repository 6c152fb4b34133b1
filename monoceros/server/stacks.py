"""Where a process hangs: the stacks of its threads and tasks, for the log, before it is ended.

Knows frames and tasks, and not who ends it. The rule it keeps: it only looks, for a signal handler calls it, at any
point of any code. What blocks in C, where no handler runs, is shown by a watch that needs no interpreter.
"""

import asyncio
import faulthandler
import io
import logging
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from types import FrameType

TASKS = 50
"""Tasks that are shown; with thousands, most wait for the same."""


def describe_stacks(interrupted: FrameType | None, loop: asyncio.AbstractEventLoop | None) -> str:
    """Return the stacks of all threads and of the loop's tasks.

    Arguments:
        interrupted: the frame that a signal handler was given; shown for the main thread, in place of the handler's.
        loop: the event loop, or None if there is none yet.
    """
    return "\n".join([*_threads(interrupted), *(_tasks(loop) if loop is not None else ())])


def _threads(interrupted: FrameType | None) -> Iterator[str]:
    main = threading.main_thread().ident
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        shown = interrupted if ident == main and interrupted is not None else frame
        yield f"Thread {names.get(ident, ident)}:"
        yield "".join(traceback.format_stack(shown)).rstrip()


def _tasks(loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    # The one at work is at the end of its thread's stack.
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in sorted(tasks, key=lambda task: task.get_name())[:TASKS]:
        text = io.StringIO()
        task.print_stack(file=text)
        yield text.getvalue().rstrip()
    if len(tasks) > TASKS:
        yield f"... and {len(tasks) - TASKS} tasks more"


class BlockWatch:
    """Writes the stacks of all threads if it isn't put off in time.

    Arguments:
        seconds: that it waits; 0 for no watch.
        handlers: of the log; the first that writes to a descriptor is written to, else standard error.
        exits: the process ends then, at once, with exit code 1.
    """

    def __init__(self, seconds: float, handlers: Iterable[logging.Handler], *, exits: bool = False) -> None:
        self._seconds = seconds
        self._handlers = list(handlers)
        self._exits = exits

    def put_off(self) -> None:
        """Nothing is blocked now: wait anew."""
        if self._seconds:
            faulthandler.dump_traceback_later(self._seconds, file=self._descriptor(), exit=self._exits)

    def end(self) -> None:
        """Watch no more."""
        if self._seconds:
            faulthandler.cancel_dump_traceback_later()

    def _descriptor(self) -> int:
        # Anew each time: a log that was rotated has another descriptor.
        streams = [getattr(handler, "stream", None) for handler in self._handlers]
        for stream in (*streams, sys.stderr):
            try:
                return stream.fileno()  # type: ignore[union-attr]
            except (AttributeError, OSError, ValueError):
                continue
        return 2
