"""Signals, in the master and in its children.

The master's handlers only note the signal and wake its loop, which acts. A child begins with none of them: it says what
each signal means to it. The rule both keep: a signal that arrives during a fork is neither lost nor taken by the wrong
handler, because it stays blocked from before the fork until the child has settled.
"""

import contextlib
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FrameType
from typing import Any

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
MASTERS_SIGNALS = (*STOPS, signal.SIGCHLD)
# Sent to a worker that is late: it writes the stacks of its threads. Not SIGABRT, which would also end it.
DUMP_SIGNAL = signal.SIGUSR2
# A terminal sends these to every process in front of it. Children leave them to the master, which tells them.
_THE_TERMINALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
_HELD_OVER_FORK = (*_THE_TERMINALS, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD)


class SignalQueue:
    """The signals that arrived since the loop last looked. `fileno` is readable when there are any.

    A context manager: inside it the signals are caught, and afterwards they mean again what they meant before. Only the
    main thread can enter it.
    """

    def __init__(self, signals: Iterable[signal.Signals] = MASTERS_SIGNALS) -> None:
        self._signals = tuple(signals)
        self._arrived: deque[signal.Signals] = deque()
        self._restore = contextlib.ExitStack()

    def __enter__(self) -> "SignalQueue":
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        former_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._restore.callback(signal.set_wakeup_fd, former_fd)
        for each in self._signals:
            former = signal.signal(each, self._note)
            # None: a handler that was not installed from Python, which can't be put back from Python either.
            self._restore.callback(signal.signal, each, signal.SIG_DFL if former is None else former)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore.close()
        self.close()

    def _note(self, number: int, _: FrameType | None) -> None:
        self._arrived.append(signal.Signals(number))

    def fileno(self) -> int:
        return self._reader.fileno()

    def take(self) -> list[signal.Signals]:
        """The signals in the order of their arrival. Empties the wake-up first: a later signal wakes again."""
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(512):
                pass
        arrived: list[signal.Signals] = []
        while self._arrived:
            arrived.append(self._arrived.popleft())
        return arrived

    def close(self) -> None:
        """Close the wake-up; all that a forked child has to do with the queue it inherited."""
        self._reader.close()
        self._writer.close()


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Keep signals from being delivered; they arrive at the end. A forked child inherits the hold: see `settle`."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_OVER_FORK)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def settle(handlers: Mapping[signal.Signals, Callable[[], Any]]) -> None:
    """Give a freshly forked child its own signals, then let those in that arrived meanwhile.

    Arguments:
        handlers: what to call on a signal. The terminal's that are not among them do nothing; the master's others get
            their default action back. Nothing is set to be ignored: a program that the application executes would
            inherit that and be deaf to Ctrl+C for ever, whereas handlers end with the exec.
    """
    signal.set_wakeup_fd(-1)
    for each in _HELD_OVER_FORK:
        if each in handlers:
            signal.signal(each, _calling(handlers[each]))
        elif each in _THE_TERMINALS:
            signal.signal(each, _calling(lambda: None))
        else:
            signal.signal(each, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD_OVER_FORK)


def _calling(action: Callable[[], Any]) -> Callable[[int, FrameType | None], None]:
    def handler(_number: int, _frame: FrameType | None) -> None:
        action()

    return handler
