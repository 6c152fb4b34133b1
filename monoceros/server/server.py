"""One server: its start, its drain, and the exit code. One event loop, one application, any listeners.

Knows what it is made of. What it is told while it runs, and by whom, is `steering`'s. The rule it keeps: whatever was
opened is closed, and whatever was started is ended, however it ends.
"""

import asyncio
import contextlib
import logging
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from socket import socket
from typing import Any

from monoceros.config import Config
from monoceros.errors import EXIT_STARTUP, StartupError, UsageError
from monoceros.logs.access import AccessLog
from monoceros.logs.formatted import FormattedLog
from monoceros.logs.lines import running_on
from monoceros.protocol.context import Context
from monoceros.protocol.http1 import HTTP1Connection
from monoceros.resources import listeners
from monoceros.server.build import application_of, build_acceptor, build_context, build_proxy_headers
from monoceros.server.collector import ease, settle_soon
from monoceros.server.drain import CANCELLED, Drain
from monoceros.server.fair_share import Crew, FairShare
from monoceros.server.foreign import Guests, ServerState
from monoceros.server.handover import listen
from monoceros.server.host import NoHost, WorkerHost
from monoceros.server.lifespan import Lifespan
from monoceros.server.proxied import ProxyHeaders
from monoceros.server.recycling import Recycling
from monoceros.server.room import roomy
from monoceros.server.single import SingleProcess, refuse_account, refuse_loop
from monoceros.server.steering import Steered
from monoceros.server.tick import Tick
from monoceros.server.witness import Witness, connection_of, open_log
from monoceros.wire.proxy_protocol import Ends

logger = logging.getLogger("monoceros.error")

# The same lines in a terminal's colours: cyan for process numbers.
_STARTED = "Started server process [\x1b[36m%d\x1b[0m]"
_FINISHED = "Finished server process [\x1b[36m%d\x1b[0m]"


class Server(Steered):
    """Serves the application of a Config.

    Attributes:
        config: the options.
        server_state: what is open and at work, for those who look at it.
        witness: what else than the access log is told of requests; set it before the start.
        started: connections are accepted.
        should_exit: set it to drain and stop.
        force_exit: set it, too, to stop without waiting.
        servers: what accepts connections; each has `sockets`.
        lifespan: the application's lifespan, once started.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.server_state = ServerState()
        self.witness = Witness()
        self.lifespan: Lifespan | None = None
        self._host: WorkerHost = NoHost(self.drain)
        self._crew: Crew | None = None
        self._context: Context | None = None
        self._guests: Guests | None = None
        self._tick: Tick | None = None
        self._limited = False
        self._replaced = False
        self._access_log: AccessLog | FormattedLog | None = None
        self._sockets: Sequence[socket] = ()
        self._bound_here = False

    # The ways to run it.

    def run(self, sockets: list[socket] | None = None) -> None:
        """Serve until stopped, in an event loop of its own. In the main thread it has the process for itself.

        There it takes SIGINT, SIGTERM and SIGQUIT, and of the other signals those that have the system's default
        handler. Once nothing is served any more, they mean what they meant before: threads of the application's
        executor are still waited for, and another SIGINT is a KeyboardInterrupt.

        Arguments:
            sockets: listening sockets to use instead of those the config names.

        Raises:
            SystemExit: 3 or 2, if the server couldn't start; the reason is logged. 0, if a signal ended its start.
        """
        if threading.current_thread() is threading.main_thread():
            try:
                refuse_loop(self.config)
            except UsageError as exc:
                logger.error("%s", exc)
                sys.exit(exc.exit_code)
            self._host = self._single = SingleProcess(self.config, self.drain)
        try:
            with contextlib.ExitStack() as capturing:
                capturing.enter_context(self.capture_signals())
                self._run_loop(sockets, capturing.close)
        finally:
            if self._single is not None:
                self._single.over()
        if self._captured_signals and not self.started:
            sys.exit(0)

    async def serve(self, sockets: list[socket] | None = None) -> None:
        """Serve until stopped, in the running event loop. Signals that came meanwhile are raised again at the end.

        Arguments and exceptions are those of `run`.
        """
        with self.capture_signals():
            await self._serve(sockets, own_process=False)
        for captured in reversed(self._captured_signals):
            signal.raise_signal(captured)

    def run_worker(self, sockets: Sequence[socket], *, host: WorkerHost, crew: Crew | None = None) -> int:
        """Serve on listening sockets of somebody else's until drained, in a process of somebody else's.

        Arguments:
            sockets: its copies of the listening sockets; closed once it accepts no more.
            host: is told how it goes.
            crew: the workers that accept from the same sockets, or None if these are its own.

        Returns:
            The exit code: 0, or 3 if the start failed; the reason is logged.
        """
        self._host = host
        self._crew = crew
        self._replaced = True
        try:
            self._run_loop(list(sockets))
        except SystemExit as exc:
            return exc.code if isinstance(exc.code, int) else EXIT_STARTUP
        return 0

    # Its life.

    @roomy
    def _run_loop(self, sockets: list[socket] | None, served: Callable[[], object] = lambda: None) -> None:
        """Serve in a new loop. `served` is called when that is over, before the loop waits for threads and closes."""
        ease()
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            try:
                runner.run(self._serve(sockets, own_process=True))
            finally:
                served()

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
                settle_soon(asyncio.get_running_loop(), lambda: bool(self.server_state.tasks))
            assert self._wake is not None
            try:
                while not self._should_exit:
                    self._wake.clear()
                    await self._wake.wait()
            except asyncio.CancelledError:
                # Whoever cancels this wants it gone: no request is waited for, yet the application is shut down.
                await self._end(None, cancelled=True)
                raise
            await self.shutdown(sockets)
        logger.info("Finished server process [%d]", pid, extra={"color_message": _FINISHED})

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Load the application, start its lifespan, and accept connections.

        Arguments:
            sockets: listening sockets to use instead of those the config names.

        Raises:
            StartupError: says what failed.
            UsageError: an option has no place here.
        """
        config = self.config
        self._loop = loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._task = asyncio.current_task()
        self._closed = False
        try:
            if self._asked:
                raise asyncio.CancelledError
            self._prepare(sockets)
            app = application_of(config)
            self._access_log = open_log(config, loop.call_soon, self.witness)
            context = build_context(config, app, loop, self._access_log, self.witness)
            self._context = context
            proxied = build_proxy_headers(config)
            self.lifespan = Lifespan(app, config.lifespan)
            await self.lifespan.startup()
            context.state = self.lifespan.state
            self._accept(context, proxied)
        except BaseException:
            await self._close()
            raise
        self.started = True
        self._carry_out()
        if sockets is None:
            self._announce()
        self._host.server_ready()

    def _prepare(self, sockets: list[socket] | None) -> None:
        """Open the listeners and load the application: in this order only where root has to do the first."""
        single = self._single
        if single is not None:
            single.begin()
            if single.identity is not None:
                self._listen(sockets)
                self.config.load_tls()
                single.assume_identity(self._sockets)
        elif isinstance(self._host, NoHost):
            refuse_account(self.config)
        if not self.config.loaded:
            self._loading = True
            try:
                self.config.load()
            finally:
                self._loading = False
        if not self._sockets:
            self._listen(sockets)
        if single is not None:
            single.listens(self._sockets)

    def _accept(self, context: Context, proxied: ProxyHeaders | None) -> None:
        """Begin to tick, then to accept."""
        config = self.config
        if config.limit_max_requests is not None:
            context.request_limit = config.limit_max_requests + random.randint(0, config.limit_max_requests_jitter)
            context.limit_reached = self._requests_reached
        if config.http_protocol_class is None:
            self.server_state.show(context)
        else:
            self._guests = Guests(self.server_state, context.request_limit, self._requests_reached)
        self._tick = Tick(
            config,
            context,
            self.server_state,
            self.servers,
            beat=self._host.beat,
            limit_reached=self._limit_reached,
            recycling=Recycling(config.worker_max_rss, config.worker_lifetime, replaced=self._replaced),
            guests=self._guests,
            access_log=self._access_log,
        )
        self._tick.pass_second()
        make_protocol = self._protocol_maker(context)
        share = None if self._crew is None else FairShare(self._crew, context.loop.time)
        acceptor = build_acceptor(config, context, self.server_state, self._sockets, make_protocol, proxied, share)
        acceptor.start()
        self.servers.append(acceptor)

    def rotate_logs(self, reopen: Callable[[], object]) -> None:
        """Have log files opened anew by somebody who closes them first. No line of the access log is lost for that.

        Arguments:
            reopen: does it. Called now; call this on the loop's thread.
        """
        log = self._access_log
        if log is not None:
            log.flush()
        reopen()
        if log is not None:
            log.review()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Drain, shut the application down, and close the listening sockets."""
        limits = [seconds for seconds in (self.config.timeout_graceful_shutdown, self._within) if seconds is not None]
        await self._end(min(limits, default=None))

    async def _end(self, timeout: float | None, *, cancelled: bool = False) -> None:
        logger.info("Shutting down")
        if self._single is not None:
            self._single.stopping("Shutting down")
        context = self._context
        assert context is not None
        self._carry_out()
        self._closed = True
        drain = Drain(
            context,
            opening=lambda: any(acceptor.opening for acceptor in self.servers),
            forced=lambda: self.force_exit,
            finish=self._accept_the_last,
            guests=self._guests,
            notice=self.config.drain_notice,
            timeout=timeout,
        )
        try:
            if cancelled:
                self._close_sockets()
                await drain.cut_off(CANCELLED)
            else:
                await drain.run(hurry=lambda: self._hurry)
                self._close_sockets()
            for acceptor in self.servers:
                acceptor.abandon()
            if self.lifespan is not None and not self.force_exit:
                await self._until_forced(self.lifespan.shutdown())
        finally:
            try:
                await self._close()
            finally:
                self._host.server_stopped()

    def _accept_the_last(self) -> bool:
        """Take what waits in the backlogs, unless others do; close the listeners. Returns False if they stay open."""
        unfinished = [each for each in self.servers if not self._leaves_backlog and not each.finish()]
        if not unfinished:
            self._close_sockets()
        return not unfinished

    async def _close(self) -> None:
        """Close and end whatever is left, however it came to this: first all that needn't be waited for."""
        self._closed = True
        self._close_sockets()
        self._handover.carry_out(None)
        for acceptor in self.servers:
            acceptor.abandon()
        if self._tick is not None:
            self._tick.end()
        try:
            if self.lifespan is not None:
                await self.lifespan.end()
        finally:
            if self._context is not None:
                self._context.complaints.tick()
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

    def _listen(self, sockets: list[socket] | None) -> None:
        self._bound_here = sockets is None
        try:
            self._sockets = self.config.open_listeners() if sockets is None else sockets
        except StartupError as exc:
            raise StartupError(str(exc)) from None  # its traceback would show the user nothing of theirs
        for sock in self._sockets:
            listen(sock, self.config.backlog)

    def _close_sockets(self) -> None:
        for acceptor in self.servers:
            acceptor.pause()
            self._sockets = acceptor.sockets
        # A copy left open in a worker that drains would let clients wait where nobody accepts.
        listeners.release(self._sockets, unlink_uds=self._bound_here)

    def _announce(self) -> None:
        for sock in self._sockets:
            running_on(logger, listeners.address(sock, tls=self.config.ssl is not None))

    def _protocol_maker(self, context: Context) -> Any:
        protocol = self.config.http_protocol_class
        if protocol is None:
            return partial(_make_connection, context)
        return lambda: protocol(
            config=self.config, server_state=self.server_state, app_state=context.state, _loop=context.loop
        )

    def _requests_reached(self) -> None:
        assert self._context is not None
        self._limit_reached(f"Maximum request limit of {self._context.request_limit} reached")

    def _limit_reached(self, reason: str) -> None:
        # The first tick is part of the start: a host wants to hear that it is over before it hears of a limit.
        if self.started and not self._limited and not self._should_exit and not self._dismissed:
            self._limited = True
            logger.info("%s: this process ends when it has served what it holds", reason)
            self._host.limit_reached(reason)


def _make_connection(context: Context, ends: Ends | None = None) -> HTTP1Connection:
    connection = connection_of(context)
    connection.ends = ends
    return connection
