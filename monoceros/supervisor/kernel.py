"""What the master asks of the operating system about processes and time, behind a seam, so that its loop is tested
without either.

It knows nothing of workers: it forks whatever it is given. The rule it keeps: a child never returns into its parent's
frames. A `finally` of the program that called `run()` must not run once per worker.
"""

import atexit
import contextlib
import os
import selectors
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from monoceros.supervisor.channel import Channel
from monoceros.supervisor.luggage import Luggage, execute
from monoceros.supervisor.signals import held

Ready = list[tuple[selectors.SelectorKey, int]]


class Kernel(Protocol):
    """The system calls of the master."""

    def now(self) -> float:
        """Seconds of the monotonic clock."""

    def wait(self, selector: selectors.BaseSelector, timeout: float) -> Ready:
        """Sleep until something is readable, a signal arrives or the timeout (seconds) is over."""

    def fork(self, child: Callable[[Channel], int], line: Channel) -> int:
        """Run `child` in a new process and return its pid.

        The child gets the line, and its return value is the exit code; the parent's copy of the line is closed. Raises
        OSError when there can be no more processes; the line is closed then too.
        """

    def kill(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to a child whose exit has not been collected."""

    def exits(self, pids: Iterable[int]) -> list[tuple[int, int]]:
        """The children among `pids` that have ended, with their exit codes: -N if the signal N ended them."""

    def await_exit(self, pid: int) -> None:
        """Wait for a child that has been killed."""

    def execute(
        self, luggage: Luggage, directory: str, environ: Mapping[str, str], arrived: Callable[[], Iterable[int]]
    ) -> None:
        """Execute this program again in this process; see `luggage.execute`. Raises OSError if that is impossible."""


class PosixKernel:
    """The real one."""

    def now(self) -> float:
        return time.monotonic()

    def wait(self, selector: selectors.BaseSelector, timeout: float) -> Ready:
        return selector.select(timeout)

    def fork(self, child: Callable[[Channel], int], line: Channel) -> int:
        # What is buffered at the fork would be written twice.
        _flush()
        try:
            with held():
                pid = os.fork()
                if pid == 0:
                    _live(child, line)
        finally:
            line.close()
        return pid

    def kill(self, pid: int, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):  # some systems say so of a child that has ended
            os.kill(pid, number)

    def exits(self, pids: Iterable[int]) -> list[tuple[int, int]]:
        ours = set(pids)
        if os.getpid() == 1:
            # The first process of a container is handed all orphans, and nobody else can collect them.
            collected = list(iter(lambda: _exit_of(-1), None))
        else:
            # Other children are none of our business: the program that called `run()` waits for its own.
            collected = [found for found in map(_exit_of, ours) if found is not None]
        return [(pid, code) for pid, code in collected if pid in ours]

    def execute(
        self, luggage: Luggage, directory: str, environ: Mapping[str, str], arrived: Callable[[], Iterable[int]]
    ) -> None:
        _flush()
        execute(luggage, directory, environ, arrived)

    def await_exit(self, pid: int) -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _exit_of(pid: int) -> tuple[int, int] | None:
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        # No children at all; or somebody else collected this one, and all that is known is that it is gone.
        return None if pid == -1 else (pid, 0)
    return (found, os.waitstatus_to_exitcode(status)) if found else None


def _live(child: Callable[[Channel], int], line: Channel) -> None:
    """A forked child's whole life, from the fork to its exit. Doesn't return."""
    code = 1
    try:
        code = child(line)
        _say_goodbye()
    except BaseException:  # noqa: BLE001 - the last chance to see it: the process ends here
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _say_goodbye() -> None:
    """What the interpreter does at its end and `os._exit` leaves out: wait for threads, run the exit handlers."""
    threading._shutdown()  # type: ignore[attr-defined]  # as multiprocessing does in its children
    atexit._run_exitfuncs()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue  # None, a closed stream, or one whose reader is gone: nothing to lose
