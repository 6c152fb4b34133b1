"""Signals, in the master and in its children.

The master's handlers only note the signal and wake its loop, which acts. A child begins with none of them: it says what
each signal means to it. The rule both keep: a signal that arrives during a fork is neither lost nor taken by the wrong
handler, because it stays blocked from before the fork until the child has settled.
"""

import contextlib
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FrameType
from typing import Any

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
_ASKING = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH)
# Without a meaning here, and fatal by default: somebody's slip must not end the service.
_STRAY = ("SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGPWR", "SIGSTKFLT")
_REAL_TIME = range(signal.SIGRTMIN, signal.SIGRTMAX + 1) if hasattr(signal, "SIGRTMIN") else ()
MASTERS_SIGNALS: tuple[int, ...] = (
    *STOPS,
    *_ASKING,
    signal.SIGCHLD,
    *(getattr(signal, name) for name in _STRAY if hasattr(signal, name)),
    *_REAL_TIME,
)
# Sent to a worker that is late: it writes the stacks of its threads. Not SIGABRT, which would also end it.
DUMP_SIGNAL = signal.SIGUSR2
# A terminal, or who signals a whole process group, sends these to children, too. They leave them to the master.
_THE_MASTERS = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGWINCH,
)


class Interrupted(BaseException):
    """Something that can't be waited for was broken off by a signal that stops the server."""


class SignalQueue:
    """The signals that arrived since the loop last looked. `fileno` is readable when there are any.

    A context manager: inside it the signals are caught, and afterwards they mean again what they meant before. Only the
    main thread can enter it.
    """

    def __init__(self, signals: Iterable[int] = MASTERS_SIGNALS) -> None:
        self._signals = tuple(signals)
        self._arrived: deque[int] = deque()
        self._restore = contextlib.ExitStack()
        self._breaks_off = False

    def __enter__(self) -> "SignalQueue":
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        former_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._restore.callback(signal.set_wakeup_fd, former_fd)
        for each in self._signals:
            if each == signal.SIGHUP and signal.getsignal(each) is signal.SIG_IGN:
                continue  # nohup: the service shall outlive the terminal
            former = signal.signal(each, self._note)
            # None: a handler that was not installed from Python, which can't be put back from Python either.
            self._restore.callback(signal.signal, each, signal.SIG_DFL if former is None else former)
        # A master that executed anew kept them waiting until it could take them.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._signals)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore.close()
        self.close()

    def _note(self, number: int, _: FrameType | None) -> None:
        self._arrived.append(number)
        if self._breaks_off and number in STOPS:
            raise Interrupted

    @contextlib.contextmanager
    def breaking_off(self) -> Iterator[None]:
        """Let the signals that stop a server raise Interrupted, too, inside of something that may take minutes."""
        self._breaks_off = True
        try:
            yield
        finally:
            self._breaks_off = False

    def fileno(self) -> int:
        return self._reader.fileno()

    def take(self) -> list[int]:
        """The signals in the order of their arrival. Empties the wake-up first: a later signal wakes again."""
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(512):
                pass
        arrived: list[int] = []
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
    former = signal.pthread_sigmask(signal.SIG_BLOCK, MASTERS_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def name_of(number: int) -> str:
    """Return a signal's name, or its number if it is a real-time signal, which has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def settle(handlers: Mapping[signal.Signals, Callable[[FrameType | None], Any]]) -> None:
    """Give a freshly forked child its own signals, then let those in that arrived meanwhile.

    Arguments:
        handlers: what to call on a signal, with the frame it interrupted. Those that are the master's to act on do
            nothing unless they are among them; all others of the master's get their default action back. Nothing is set
            to be ignored: a program that the application executes would inherit that and be deaf to Ctrl+C for ever,
            whereas handlers end with the exec.
    """
    signal.set_wakeup_fd(-1)
    for each in MASTERS_SIGNALS:
        if each in handlers:
            signal.signal(each, _calling(handlers[signal.Signals(each)]))
        elif each in _THE_MASTERS:
            signal.signal(each, _calling(lambda _: None))
        else:
            signal.signal(each, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, MASTERS_SIGNALS)


def _calling(action: Callable[[FrameType | None], Any]) -> Callable[[int, FrameType | None], None]:
    """Make a handler that acts in this process alone: what the application forks has no master to be told by."""
    owner = os.getpid()

    def handler(number: int, frame: FrameType | None) -> None:
        if os.getpid() == owner:
            action(frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    return handler
