"""One server: its start, its tick, its drain, and the exit code. One event loop, one application, any listeners.

Who starts it decides how it stops: `run` and `serve` take the terminal's signals, a worker process has its own and
calls `drain` and `stop`, which may come from any thread and from a signal handler.
"""

import asyncio
import contextlib
import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from socket import SO_ACCEPTCONN, SOL_SOCKET, socket
from types import FrameType
from typing import Any

from monoceros.config import Config
from monoceros.errors import EXIT_STARTUP, StartupError, UsageError
from monoceros.logs.access import AccessLog, open_access_log
from monoceros.logs.lines import running_on
from monoceros.protocol.context import Context
from monoceros.protocol.http1 import HTTP1Connection
from monoceros.resources import listeners
from monoceros.server.acceptor import TLS_SHUTDOWN_TIMEOUT, Acceptor
from monoceros.server.build import application_of, build_context, render_defaults
from monoceros.server.collector import settle
from monoceros.server.drain import Drain
from monoceros.server.foreign import Guests, ServerState
from monoceros.server.host import NoHost, WorkerHost
from monoceros.server.lifespan import Lifespan

logger = logging.getLogger("monoceros.error")

TICK = 1.0
"""Seconds between ticks: deadlines are counted in them, and `Date` is rendered."""

# The same lines in a terminal's colours: cyan for process numbers.
_STARTED = "Started server process [\x1b[36m%d\x1b[0m]"
_FINISHED = "Finished server process [\x1b[36m%d\x1b[0m]"

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Server:
    """Serves the application of a Config.

    Attributes:
        config: the options.
        started: connections are accepted.
        should_exit: set it to drain and stop.
        force_exit: set it, too, to stop without waiting.
        servers: what accepts connections; each has `sockets`.
        lifespan: the application's lifespan, once started.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.server_state = ServerState()
        self.started = False
        self.force_exit = False
        self.servers: list[Acceptor] = []
        self.lifespan: Lifespan | None = None
        self._host: WorkerHost = NoHost(self.drain)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._context: Context | None = None
        self._guests: Guests | None = None
        self._should_exit = False
        self._asked = False
        self._hurry = False
        self._access_log: AccessLog | None = None
        self._tick_timer: asyncio.TimerHandle | None = None
        self._sockets: list[socket] = []
        self._bound_here = False
        self._notified = time.monotonic()
        self._notifying: asyncio.Task[None] | None = None
        self._captured_signals: list[int] = []

    @property
    def should_exit(self) -> bool:
        return self._should_exit

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        self._should_exit = value
        if value:
            self._rouse()

    # The ways to run it.

    def run(self, sockets: list[socket] | None = None) -> None:
        """Serve until stopped, in an event loop of its own.

        Arguments:
            sockets: listening sockets to use instead of those the config names.

        Raises:
            SystemExit: 3, if the server couldn't start; the reason is logged.
        """
        with self.capture_signals():
            self._run_loop(sockets, own_process=True)

    async def serve(self, sockets: list[socket] | None = None) -> None:
        """Serve until stopped, in the running event loop. Signals that came meanwhile are raised again at the end.

        Arguments and exceptions are those of `run`.
        """
        with self.capture_signals():
            await self._serve(sockets, own_process=False)
        for captured in reversed(self._captured_signals):
            signal.raise_signal(captured)

    def run_worker(self, sockets: Sequence[socket], *, host: WorkerHost) -> int:
        """Serve on listening sockets of somebody else's until drained, in a process of somebody else's.

        Arguments:
            sockets: its copies of the listening sockets; closed once it accepts no more.
            host: is told how it goes.

        Returns:
            The exit code: 0, or 3 if the start failed; the reason is logged.
        """
        self._host = host
        try:
            self._run_loop(list(sockets), own_process=True)
        except SystemExit as exc:
            return exc.code if isinstance(exc.code, int) else EXIT_STARTUP
        return 0

    # The ways to stop it.

    def drain(self, *, hurry: bool = False) -> None:
        """Stop gracefully: finish what is being served. Safe in any thread and in a signal handler.

        Arguments:
            hurry: close idle connections and end open-ended conversations at once.
        """
        self._asked = True
        self._hurry = self._hurry or hurry
        self._should_exit = True
        self._rouse()

    def stop(self) -> None:
        """Stop at once. Safe in any thread and in a signal handler."""
        self._asked = True
        self.force_exit = True
        self._should_exit = True
        self._rouse()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal: the first drains, a second SIGINT stops at once."""
        again = sig == signal.SIGINT and sig in self._captured_signals
        self._captured_signals.append(sig)
        if again:
            self.stop()
        else:
            self.drain(hurry=sig == signal.SIGINT)

    def _rouse(self) -> None:
        loop, wake = self._loop, self._wake
        if loop is not None and wake is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._stop_asked)

    def _stop_asked(self) -> None:
        if self._wake is not None:
            self._wake.set()
        # A start-up serves nobody yet, and may never end: whoever asks for a stop needn't wait for it.
        if not self.started and self._asked and self._task is not None:
            self._task.cancel()

    # Its life.

    def _run_loop(self, sockets: list[socket] | None, *, own_process: bool) -> None:
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            runner.run(self._serve(sockets, own_process=own_process))

    async def _serve(self, sockets: list[socket] | None, *, own_process: bool) -> None:
        pid = os.getpid()
        logger.info("Started server process [%d]", pid, extra={"color_message": _STARTED})
        try:
            await self.startup(sockets)
        except (StartupError, UsageError) as exc:
            logger.error("%s", exc, exc_info=exc.__cause__)
            sys.exit(exc.exit_code)
        except asyncio.CancelledError:
            if not self._should_exit:
                raise
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
        if self.started:
            if own_process:
                settle()
            assert self._wake is not None
            try:
                while not self._should_exit:
                    self._wake.clear()
                    await self._wake.wait()
            except asyncio.CancelledError:
                # Whoever cancels this wants it gone: no request is waited for, yet the application is shut down.
                await self._end(timeout=0)
                raise
            await self.shutdown(sockets)
        logger.info("Finished server process [%d]", pid, extra={"color_message": _FINISHED})

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Load the application, start its lifespan, and accept connections.

        Arguments:
            sockets: listening sockets to use instead of those the config names.

        Raises:
            StartupError: says what failed.
        """
        config = self.config
        self._loop = loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._task = asyncio.current_task()
        if self._asked:
            raise asyncio.CancelledError
        if not config.loaded:
            config.load()
        self._sockets, self._bound_here = self._listen(sockets)
        try:
            app = application_of(config)
            self._access_log = open_access_log(loop.call_soon) if config.access_log else None
            context = build_context(config, app, loop, self._access_log)
            self._context = context
            self.lifespan = Lifespan(app, config.lifespan)
            await self.lifespan.startup()
        except BaseException:
            self._close_sockets()
            raise
        context.state = self.lifespan.state
        if config.limit_max_requests is not None:
            context.request_limit = config.limit_max_requests + random.randint(0, config.limit_max_requests_jitter)
            context.limit_reached = self._limit_reached
        if config.http_protocol_class is None:
            self.server_state.show(context)
        else:
            self._guests = Guests(self.server_state, context.request_limit, self._limit_reached)
        self._tick()
        patience = TLS_SHUTDOWN_TIMEOUT if config.http_protocol_class is None else None
        acceptor = Acceptor(loop, self._sockets, self._protocol_maker(context), config.ssl, patience)
        acceptor.start()
        self.servers = [acceptor]
        self.started = True
        if sockets is None:
            self._announce()
        self._host.server_ready()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Drain, shut the application down, and close the listening sockets."""
        await self._end(self.config.timeout_graceful_shutdown)

    async def _end(self, timeout: float | None) -> None:
        logger.info("Shutting down")
        context = self._context
        assert context is not None
        for acceptor in self.servers:
            acceptor.finish()
        self._close_sockets()
        drain = Drain(
            context,
            opening=lambda: any(acceptor.opening for acceptor in self.servers),
            guests=self._guests,
            forced=lambda: self.force_exit,
            notice=self.config.drain_notice,
            timeout=timeout,
        )
        await drain.run(hurry=lambda: self._hurry)
        for acceptor in self.servers:
            acceptor.abandon()
        if self.lifespan is not None and not self.force_exit:
            await self._until_forced(self.lifespan.shutdown())
        if self._tick_timer is not None:
            self._tick_timer.cancel()
        if self._access_log is not None:
            self._access_log.close()

    async def _until_forced(self, coroutine: Any) -> None:
        """Wait for something of the application's, but not when somebody loses patience."""
        task = asyncio.ensure_future(coroutine)
        while not task.done() and not self.force_exit:
            await asyncio.wait([task], timeout=0.1)
        if not task.done():
            task.cancel()
        elif not task.cancelled():
            task.result()

    def _listen(self, sockets: list[socket] | None) -> tuple[list[socket], bool]:
        if sockets is not None:
            for sock in sockets:
                sock.setblocking(False)
                if not sock.getsockopt(SOL_SOCKET, SO_ACCEPTCONN):
                    sock.listen(self.config.backlog)
            return sockets, False
        config = self.config
        try:
            bound = listeners.bind(
                host=config.host, port=config.port, uds=config.uds, fd=config.fd, backlog=config.backlog
            )
        except StartupError as exc:
            raise StartupError(str(exc)) from None  # its traceback would show the user nothing of theirs
        return bound, True

    def _close_sockets(self) -> None:
        for acceptor in self.servers:
            acceptor.pause()
        # A copy left open in a worker that drains would let clients wait where nobody accepts.
        listeners.release(self._sockets, unlink_uds=self._bound_here)
        self._sockets = []

    def _announce(self) -> None:
        for sock in self._sockets:
            running_on(logger, listeners.address(sock, tls=self.config.ssl is not None))

    def _protocol_maker(self, context: Context) -> Any:
        protocol = self.config.http_protocol_class
        if protocol is None:
            return lambda: HTTP1Connection(context)
        return lambda: protocol(
            config=self.config, server_state=self.server_state, app_state=context.state, _loop=context.loop
        )

    def _limit_reached(self) -> None:
        assert self._context is not None
        reason = f"Maximum request limit of {self._context.request_limit} reached"
        logger.info("%s: this process ends when it has served what it holds", reason)
        self._host.limit_reached(reason)

    # The tick.

    def _tick(self) -> None:
        context, loop = self._context, self._loop
        assert context is not None
        assert loop is not None
        self._tick_timer = loop.call_later(TICK, self._tick)
        context.tick += 1
        context.defaults = render_defaults(self.config)
        if self._guests is not None:
            self._guests.tick(context.defaults)
        self._host.beat()
        if self._access_log is not None:
            self._access_log.review()
        for acceptor in self.servers:
            acceptor.tick()
        now = context.tick
        for connection in [connection for connection in context.connections if connection.deadline <= now]:
            connection.deadline_passed()
        for running in list(context.running):
            running.tick()
        if self.config.callback_notify is not None:
            self._notify(self.config.callback_notify)

    def _notify(self, callback: Any) -> None:
        now = time.monotonic()
        if now - self._notified >= self.config.timeout_notify and self._notifying is None:
            self._notified = now
            self._notifying = asyncio.ensure_future(callback())
            self._notifying.add_done_callback(self._notify_done)

    def _notify_done(self, task: "asyncio.Task[None]") -> None:
        self._notifying = None
        if not task.cancelled() and task.exception() is not None:
            logger.error("callback_notify raised", exc_info=task.exception())

    # Signals.

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals that stop a server, if this is the main thread. Override it to leave them alone."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        originals = {sig: signal.signal(sig, self.handle_exit) for sig in SIGNALS}
        try:
            yield
        finally:
            for sig, handler in originals.items():
                signal.signal(sig, handler)
