"""Where a process hangs: the stacks of its threads and tasks, for the log, before it is ended.

Knows frames and tasks, and not who ends it. The rules it keeps: it only looks, for a signal handler calls it, at any
point of any code; and it never raises, for one that can't be shown must not hide the others. What blocks in C, where no
handler runs, is shown by a watch that needs no interpreter.
"""

import asyncio
import faulthandler
import logging
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import TypeVar

Thing = TypeVar("Thing")

TASKS = 50
"""Tasks that are shown; with thousands, most wait for the same."""


def describe_stacks(interrupted: FrameType | None, loop: asyncio.AbstractEventLoop | None) -> str:
    """Return the stacks of all threads and of the loop's tasks. What has a stack that can't be shown is named.

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
        yield _shown(shown, lambda frame: "".join(traceback.format_stack(frame)))


def _tasks(loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    try:
        # The one at work is at the end of its thread's stack.
        tasks = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    except RuntimeError as exc:  # another thread makes tasks faster than they can be listed
        yield f"The tasks can't be listed: {exc}"
        return
    for task in sorted(tasks, key=lambda task: task.get_name())[:TASKS]:
        yield _shown(task, _stack_of)
    if len(tasks) > TASKS:
        yield f"... and {len(tasks) - TASKS} tasks more"


def _stack_of(task: "asyncio.Task[object]") -> str:
    """Return where a task waits: `Task.print_stack` would show its outermost coroutine alone."""
    lines = [f"Stack for {task!r} (most recent call last):\n"]
    waiting: object = task.get_coro()
    while waiting is not None:
        frame, awaited = _FRAMES.get(type(waiting), ("", ""))
        place = getattr(waiting, frame, None)
        if place is None:
            break  # a future, a step of an asynchronous generator, or a coroutine that isn't written in Python
        lines += traceback.format_stack(place, limit=1)
        waiting = getattr(waiting, awaited)
    return "".join(lines)


# By the type of what is waited for: where its frame is, and what it waits for itself.
_FRAMES = {
    types.CoroutineType: ("cr_frame", "cr_await"),
    types.GeneratorType: ("gi_frame", "gi_yieldfrom"),
}


def _shown(thing: Thing, show: Callable[[Thing], str]) -> str:
    try:
        return show(thing).rstrip()
    except Exception as exc:  # noqa: BLE001 - a frame of Cython's has no line number, a coroutine may have a bad repr
        return f"{_name_of(thing)}: its stack can't be shown ({type(exc).__name__}: {exc})"


def _name_of(thing: object) -> str:
    try:
        return repr(thing)
    except Exception:  # noqa: BLE001 - as above
        return object.__repr__(thing)


class BlockWatch:
    """Writes the stacks of all threads if it isn't put off in time.

    Arguments:
        seconds: that it waits; 0 for no watch.
        handlers: of the log; the first that writes to a descriptor is written to, else standard error.
    """

    def __init__(self, seconds: float, handlers: Iterable[logging.Handler]) -> None:
        self._seconds = seconds
        self._handlers = list(handlers)

    def put_off(self) -> None:
        """Nothing is blocked now: wait anew."""
        if self._seconds:
            faulthandler.dump_traceback_later(self._seconds, file=self._descriptor())

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
