"""The signals of a server that has no master: which it takes, and what it says to those it can't serve.

Knows signals and a server's ways to end. The rules it keeps: a handler does only what may be done at any point of any
code, the rest is the loop's; a terminal's job control stays the terminal's, and a program's handler the program's; and
each signal means what it meant before at the end, and in every process that the application forks.
"""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Protocol, TypeAlias

logger = logging.getLogger("monoceros.error")

Handler: TypeAlias = Callable[[int, FrameType | None], None]

STOPS = (signal.SIGINT, signal.SIGTERM)
"""Those that stop a server, also inside an event loop of a program's own."""

_ALONE = "a single process has no workers whose number could change; start with --workers 2 or more"
_NEEDED = {
    "SIGHUP": "a single process can't replace itself; start with --workers 2 or more to reload without losing requests",
    "SIGUSR2": "a single process can't replace itself; start with --workers 2 or more, or send SIGTERM and start anew",
    "SIGTTIN": _ALONE,
    "SIGTTOU": _ALONE,
}


@contextlib.contextmanager
def taken(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    """Take signals while the block runs, if this is the main thread; others can't."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: _former(number) for number in handlers}
    owner = os.getpid()

    def here(number: int, frame: FrameType | None) -> None:
        which = signal.Signals(number)
        if os.getpid() == owner:
            handlers[which](number, frame)
        else:
            # A child that was forked from here: it has inherited this, and whoever sends it a signal doesn't mean us.
            signal.signal(number, former[which])
            signal.raise_signal(number)

    for number in handlers:
        signal.signal(number, here)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _former(number: signal.Signals) -> "Callable[[int, FrameType | None], object] | int | signal.Handlers":
    handler = signal.getsignal(number)
    # None: one that was not installed from Python, which can't be put back from Python either.
    return signal.SIG_DFL if handler is None else handler


class Suspended(Protocol):
    """Who wants to know that the terminal stops the process for a while. Called in a handler."""

    def suspended(self) -> None: ...

    def resumed(self) -> None: ...


def of_single_process(
    stop: Handler,
    *,
    reopen: Callable[[], object],
    on_loop: Callable[[Callable[[], None]], None],
    process: Suspended,
) -> dict[signal.Signals, Handler]:
    """Return what a process of its own does at each signal.

    SIGINT, SIGTERM and SIGQUIT are always taken; the others only where they mean what the system says, for a handler of
    the program's has a reason, and so has a signal that somebody had ignored (nohup).

    Arguments:
        stop: told of those that end it; also of SIGHUP, once the terminal that it was started from is gone.
        reopen: opens the log files anew; safe in a handler.
        on_loop: calls a function on the event loop's thread, or at once if there is no loop yet.
        process: is told of a stop by the terminal (Ctrl+Z), before it and after it.
    """
    terminals = [descriptor for descriptor in range(3) if os.isatty(descriptor)]

    def explain(number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if name == "SIGHUP" and terminals and not any(map(os.isatty, terminals)):
            stop(number, frame)
            return
        on_loop(lambda: logger.warning("Received %s: ignored, for %s", name, _NEEDED[name]))

    def rotated(_number: int, _frame: FrameType | None) -> None:
        reopen()

    def suspend(number: int, _frame: FrameType | None) -> None:
        process.suspended()
        handler = signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)  # returns when the process goes on
        signal.signal(number, handler)
        process.resumed()

    handlers: dict[signal.Signals, Handler] = {}
    for number in signal.valid_signals():
        if not isinstance(number, signal.Signals):
            continue
        match number.name:
            case "SIGINT" | "SIGTERM" | "SIGQUIT":
                handlers[number] = stop
            case _ if signal.getsignal(number) is not signal.SIG_DFL:
                pass
            case "SIGUSR1":
                handlers[number] = rotated
            case "SIGTSTP" if terminals:
                handlers[number] = suspend
            # The terminal sends these to what reads or writes in its background, and has it stopped. A handler that
            # writes a line would be called again for that line.
            case "SIGTTIN" | "SIGTTOU" if terminals:
                pass
            case "SIGHUP" | "SIGUSR2" | "SIGTTIN" | "SIGTTOU":
                handlers[number] = explain
    return handlers
