"""What a server is told while it runs, and by whom: other threads, signals, a program that sets an attribute.

Knows the loop that has to hear of it, and nothing of what is served. Who starts a server decides how it stops: `run`
and `serve` take the signals of their process, a worker process has its own. The rule it keeps: all of it may be called
from any thread, what ends a server from a signal handler too, and the work is done on the loop's thread.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Iterator
from socket import socket
from types import FrameType

from monoceros.config import Config
from monoceros.logs.reopen import reopen_log_files
from monoceros.server import signals
from monoceros.server.acceptor import Acceptor
from monoceros.server.handover import Handover
from monoceros.server.single import SingleProcess

logger = logging.getLogger("monoceros.error")


class Steered:
    """The part of a server that those around it use; `Server` has the attributes."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.started = False
        self.force_exit = False
        self.servers: list[Acceptor] = []
        self._single: SingleProcess | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._handover = Handover()
        self._should_exit = False
        self._asked = False
        self._hurry = False
        self._leaves_backlog = False
        self._dismissed = False
        self._loading = False
        self._closed = False
        self._within: float | None = None
        self._captured_signals: list[int] = []

    @property
    def should_exit(self) -> bool:
        return self._should_exit

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        self._should_exit = value
        if value:
            self._rouse()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that it runs in, or ran in; None before its start."""
        return self._loop

    def drain(self, *, hurry: bool = False, within: float | None = None, replaced: bool = False) -> None:
        """Stop gracefully: finish what is being served. Safe in a signal handler, too.

        Arguments:
            hurry: close idle connections and end open-ended conversations at once.
            within: seconds that requests have, if fewer than `timeout_graceful_shutdown`.
            replaced: others go on accepting from the same listeners: what waits in their backlogs is left to them.
                Else it is taken, for it would be reset.
        """
        self._leaves_backlog = replaced
        self._within = self._within if within is None else within
        self._asked = True
        self._hurry = self._hurry or hurry
        self._should_exit = True
        self._rouse()

    def stop(self) -> None:
        """Stop at once. Safe in a signal handler, too."""
        self._asked = True
        self.force_exit = True
        self._should_exit = True
        self._rouse()

    def serve_also(self, sock: socket) -> None:
        """Accept on one more listening socket, which is closed here when it is taken back or nothing more is accepted.

        Arguments:
            sock: it becomes the server's. If that is draining, the socket is just closed.
        """
        self._handover.give(sock, self.config.backlog)
        self._order()

    def serve_no_longer(self, sock: socket | int) -> None:
        """Close a listening socket, and leave what waits in its backlog to others who hold it.

        Arguments:
            sock: the socket, or its descriptor. One that is unknown, or gone already, is no matter.
        """
        self._handover.take_back(sock)
        self._order()

    def reopen_logs(self) -> list[str]:
        """Open the log files of the process anew, after a rotation, and return their paths. Safe in a handler, too."""
        return reopen_log_files()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal: the first drains, a second SIGINT or a SIGQUIT stops at once."""
        again = sig == signal.SIGINT and sig in self._captured_signals
        self._captured_signals.append(sig)
        if again or signal.Signals(sig).name == "SIGQUIT":
            self.stop()
        elif sig == signal.SIGTERM and self._single is not None and self.started:
            if not self._should_exit and not self._dismissed:
                self._dismissed = True
                self._on_loop(self._leave)
        else:
            self.drain(hurry=sig == signal.SIGINT)
        if self._loading and self._single is not None:
            raise asyncio.CancelledError  # an import can't be ended in any other way

    def _leave(self) -> None:
        """The service ends: those who send requests may need time to learn of it."""
        delay = self.config.drain_delay
        assert self._single is not None
        assert self._loop is not None
        if delay and not self._should_exit:
            logger.info("Received SIGTERM: serving on for %g s (drain_delay), then shutting down", delay)
            self._single.stopping(f"Serving on for {delay:g} s, then stopping")
            self._loop.call_later(delay, self.drain)
        else:
            self.drain()

    def _on_loop(self, action: Callable[[], object]) -> bool:
        """Have something done on the loop's thread; returns whether there is a loop to do it."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return False
        with contextlib.suppress(RuntimeError):  # closed just now
            loop.call_soon_threadsafe(action)
        return True

    def _order(self) -> None:
        if not self._on_loop(self._carry_out) and self._loop is not None:
            self._handover.carry_out(None)

    def _carry_out(self) -> None:
        if self.started or self._closed:
            self._handover.carry_out(None if self._closed else self.servers[0])

    def _rouse(self) -> None:
        self._on_loop(self._stop_asked)

    def _stop_asked(self) -> None:
        if self._wake is not None:
            self._wake.set()
        # A start-up serves nobody yet, and may never end: whoever asks for a stop needn't wait for it.
        if not self.started and self._asked and self._task is not None:
            self._task.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals of the process, if this is the main thread. Override it to leave them alone."""
        handlers: dict[signal.Signals, signals.Handler] = dict.fromkeys(signals.STOPS, self.handle_exit)
        if self._single is not None:
            handlers = signals.of_single_process(
                self.handle_exit,
                reopen=self.reopen_logs,
                on_loop=lambda action: None if self._on_loop(action) else action(),
                process=self._single,
            )
        with signals.taken(handlers):
            yield
