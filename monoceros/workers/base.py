"""The life of a Gunicorn worker that serves ASGI: from the fork to the exit code. The only file that imports Gunicorn.

The arbiter forks it, sends it signals and watches its heartbeat; a Server serves, and tells it how that goes. The rules
it keeps: no request is dropped because a worker leaves, so it leaves when its successor serves, or when its siblings
do; it is gone before the arbiter's patience is at its end; and a blocked event loop doesn't beat.
"""

import asyncio
import contextlib
import enum
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

from gunicorn.errors import HaltServer
from gunicorn.workers.base import Worker

from monoceros.config import Config
from monoceros.errors import EXIT_STARTUP, EXIT_USAGE, UsageError
from monoceros.server.room import roomy
from monoceros.server.server import Server
from monoceros.server.stacks import BlockWatch, describe_stacks
from monoceros.workers.failing import failing_application
from monoceros.workers.gathering import config_options
from monoceros.workers.heartbeat import StartupHeartbeat
from monoceros.workers.logs import access_options, error_log, owner_of_accesses
from monoceros.workers.requests import witness_of
from monoceros.workers.settings import drain_seconds, last_seconds
from monoceros.workers.siblings import Beside, Seat, Siblings, Stage

RETRY = 0.1
"""Seconds between two looks whether it is this worker's turn to leave."""

QUICK = 1.5
"""Seconds that running requests have at a quick stop: the arbiter may kill after two."""

EXIT_ABORTED = 1

# The arbiter acts on these, and a terminal sends them to its workers, too.
_ARBITERS_SIGNALS = (signal.SIGHUP, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU)


class Life(enum.Enum):
    """How far a worker is."""

    STARTING = enum.auto()
    SERVING = enum.auto()
    SPENT = enum.auto()
    """It has served its requests, and goes on until its siblings can do without it."""
    DISMISSED = enum.auto()
    """It was told to go, and goes on until younger siblings are ready, or for `drain_delay`."""
    DRAINING = enum.auto()
    ENDING = enum.auto()
    """A quick stop: nobody is waited for."""


class MonocerosWorker(Worker):  # type: ignore[misc]
    """The base of all worker classes, and the host of its server.

    Attributes:
        CONFIG_KWARGS: options for the Config of a subclass; they win over every other source.
        config: the options. Made in the arbiter, and loaded in the worker.
        server: the server, once the application is imported.
    """

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {}

    # Of all workers of this arbiter: made before its first fork.
    _siblings: ClassVar[Siblings | None] = None
    # The configuration of Gunicorn's that options were gathered for, those of other sources, and all of them.
    _options: ClassVar[tuple[Any, dict[str, Any], dict[str, Any]] | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._seat = Seat.unseen()
        self._interrupted = False
        self._exit_code = 0
        self._life = Life.STARTING
        self._dismissed_at: float | None = None
        self._delay = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self.server: Server | None = None
        super().__init__(*args, **kwargs)
        self.config = self._make_config()
        self._heartbeat = StartupHeartbeat(
            self.notify,
            interval=min(1.0, self.timeout or 1.0),
            patience=self.config.timeout_worker_start,
        )
        # After the arbiter's own watch, which sees what blocks in Python, and before its SIGKILL.
        self._watch = BlockWatch(self.cfg.timeout and self.cfg.timeout + 0.8, error_log(self.log).handlers)
        self._seat = self._crew().take(self.age)

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Say what the user should know about the options. Called by the arbiter, once."""
        # What can't be used at all ends the arbiter when it makes its first worker, and it can say why.
        with contextlib.suppress(UsageError):
            for warning in _options_of(cls, cfg, log)[1]:
                log.warning(warning)

    def _make_config(self) -> Config:
        """Make the options, in the arbiter, at each fork. Files are read once for each configuration of Gunicorn's.

        So an edit counts from the next reload on, and one that can't be used doesn't end a service that runs.
        """
        former = MonocerosWorker._options
        try:
            same = former is not None and former[0] is self.cfg
            given = former[1] if former is not None and same else _options_of(type(self), self.cfg, self.log)[0]
            options = access_options(self.log, self.cfg, given, self.CONFIG_KWARGS)
            config = Config(None, **options)
        except (UsageError, TypeError) as exc:
            if former is None:
                self.tmp.close()
                raise HaltServer(f"{type(self).__name__}: {exc}", EXIT_USAGE) from exc
            self.log.error("%s: %s. The options of before are kept", type(self).__name__, exc)
            return Config(None, **former[2])
        MonocerosWorker._options = (self.cfg, given, options)
        return config

    def _crew(self) -> Siblings:
        if MonocerosWorker._siblings is None:
            MonocerosWorker._siblings = Siblings(self.cfg.worker_tmp_dir)
        return MonocerosWorker._siblings

    @property
    def pid(self) -> Any:
        """The process, as the arbiter sets it right after the fork, on either side of it."""
        return self._pid

    @pid.setter
    def pid(self, pid: Any) -> None:
        self._pid = pid
        if isinstance(pid, int):
            self._seat.pid = pid

    # Its life.

    def init_process(self) -> None:
        """Live: start, serve until told to stop, and return, or exit with the code of a failure."""
        self._heartbeat.start()
        if self.cfg.initgroups and self.cfg.gid != os.getgid():
            # With initgroups, Gunicorn sets the other groups and leaves this one as it was, which may be root's.
            os.setgid(self.cfg.gid)
        try:
            super().init_process()
        finally:
            self._seat.stage = Stage.LEAVING

    @roomy
    def load_wsgi(self) -> None:
        """Import the application, or while it is being edited, put one in its place that shows what is wrong."""
        try:
            self.wsgi = self.app.wsgi()
        except SyntaxError as exc:
            if not self.cfg.reload:
                raise
            self.log.exception(exc)
            if self.reloader is not None and exc.filename is not None:
                self.reloader.add_extra_file(exc.filename)
            self.wsgi = failing_application(exc)

    def run(self) -> None:
        """Serve the application that was loaded.

        Raises:
            SystemExit: with the code of a failure; what failed is logged.
        """
        # Whatever goes wrong until `server_ready`, the arbiter shall see as a worker that didn't boot.
        self.booted = False
        self.config.app = self.wsgi
        self.server = Server(self.config)
        self.server.witness = witness_of(self)
        try:
            # Gunicorn wraps its sockets. With some of its own, a worker has nobody to share with.
            sockets = [getattr(sock, "sock", sock) for sock in self.sockets]
            crew = None if self.cfg.reuse_port else Beside(self._seat, self._crew())
            code = self.server.run_worker(sockets, host=self, crew=crew)
        except UsageError as exc:
            self.log.error(str(exc))
            code = EXIT_STARTUP
        self._watch.end()
        if code or self._exit_code:
            sys.exit(code or self._exit_code)

    # What the server says.

    def server_ready(self) -> None:
        """See WorkerHost."""
        self._loop = asyncio.get_running_loop()
        self.notify()
        self._heartbeat.stop()
        self.booted = True
        if self._life is Life.STARTING:
            self._life = Life.SERVING
            self._seat.stage = Stage.SERVING
        if self.reloader is not None:
            self._loop.add_reader(self.PIPE[0], self._source_changed)
        if 0 < self.cfg.timeout < 2:
            self._beat_often()

    def beat(self) -> None:
        """See WorkerHost."""
        self.notify()
        self._seat.beat(time.monotonic())
        self._watch.put_off()
        assert self.server is not None
        self.nr = self.server.server_state.total_requests
        if self.ppid != os.getppid() and self._life in (Life.SERVING, Life.SPENT, Life.DISMISSED):
            self.log.warning("The arbiter of worker %s is gone: it finishes its requests and leaves", self.pid)
            self._drain()

    def limit_reached(self, reason: str) -> None:
        """See WorkerHost."""
        if self._life is Life.SERVING:
            self._life = Life.SPENT
            self._leave_in_time()

    def server_stopped(self) -> None:
        """See WorkerHost. The arbiter's patience with a worker that leaves is its graceful timeout."""

    def _beat_often(self) -> None:
        """Once a second isn't enough for an arbiter that waits one second."""
        assert self._loop is not None
        self.notify()
        self._loop.call_later(0.25, self._beat_often)

    # How it leaves. On the loop's thread, once it serves.

    def _leave_in_time(self) -> None:
        """Drain as soon as no connection is turned away by it."""
        siblings = self._crew()
        if self._life is Life.SPENT:
            free = siblings.leave_in_turn(self._seat)
        elif self._life is Life.DISMISSED:
            free = self._waited() >= self._delay and not siblings.younger_is_starting(self._seat)
        else:
            return
        if free:
            self._drain()
        else:
            assert self._loop is not None
            self._loop.call_later(RETRY, self._leave_in_time)

    def _waited(self) -> float:
        """Seconds of the arbiter's patience that are gone."""
        assert self._loop is not None
        return 0.0 if self._dismissed_at is None else self._loop.time() - self._dismissed_at

    def _dismissed(self) -> None:
        if self._life in (Life.SERVING, Life.SPENT):
            waits_already = self._life is Life.SPENT
            self._life = Life.DISMISSED
            assert self._loop is not None
            self._dismissed_at = self._loop.time()
            # Who is replaced needn't wait for a load balancer to learn that the service ends.
            if not self._crew().younger_is_starting(self._seat):
                self._delay = min(self.config.drain_delay, drain_seconds(self.cfg.graceful_timeout))
            if not waits_already:
                self._leave_in_time()

    def _drain(self) -> None:
        assert self.server is not None
        assert self._loop is not None
        # The arbiter and the siblings hold the same listeners, unless each worker has its own.
        replaced = self._life is Life.SPENT and not self.cfg.reuse_port
        self._life = Life.DRAINING
        self._seat.stage = Stage.LEAVING
        limit, patience, waited = self.config.timeout_graceful_shutdown, self.cfg.graceful_timeout, self._waited()
        within: float | None = None
        if limit is not None and limit <= patience:
            self._loop.call_later(max(0, last_seconds(patience) - waited), self.server.stop)
            within = min(limit, max(0, max(limit, drain_seconds(patience)) - waited))
        self.server.drain(within=within, replaced=replaced)

    def _end(self) -> None:
        if self._life is Life.ENDING:
            return
        assert self.server is not None
        assert self._loop is not None
        draining, self._life = self._life in (Life.DRAINING, Life.DISMISSED), Life.ENDING
        self._seat.stage = Stage.LEAVING
        self.server.drain(hurry=True)
        self._loop.call_later(QUICK, self._end_at_once, draining)

    def _end_at_once(self, draining: bool) -> None:
        """Requests have had their time. If there are none left, it is the lifespan that ends, and may have more."""
        assert self.server is not None
        assert self._loop is not None
        if draining or self.server.server_state.tasks:
            self.server.stop()
        else:
            self._loop.call_later(max(0, last_seconds(self.cfg.graceful_timeout) - QUICK), self.server.stop)

    def _source_changed(self) -> None:
        """Gunicorn's reloader has written to the pipe."""
        os.read(self.PIPE[0], 4096)
        if not self.alive:
            assert self._loop is not None
            self._end_for_reload(self._loop.time() + QUICK)

    def _end_for_reload(self, latest: float) -> None:
        """Let the reloader's thread call `worker_int` first, which it does after it has written; then it ends."""
        assert self._loop is not None
        if self.reloader.is_alive() and self._loop.time() < latest:
            self._loop.call_later(RETRY, self._end_for_reload, latest)
        else:
            self._end()

    # Signals. Handlers run in the main thread, wherever it is: they only pass it on.

    def init_signals(self) -> None:
        """Take the signals of the arbiter and of the terminal."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, self.handle_exit)
        signal.signal(signal.SIGQUIT, self.handle_quit)
        signal.signal(signal.SIGINT, self.handle_quit)
        signal.signal(signal.SIGUSR1, self.handle_usr1)
        signal.signal(signal.SIGABRT, self.handle_abort)
        signal.signal(signal.SIGWINCH, self.handle_winch)
        for number in _ARBITERS_SIGNALS:
            # Not SIG_IGN, which programs that the application starts would inherit.
            signal.signal(number, self.handle_winch)
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.siginterrupt(number, False)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: a graceful stop. A second one changes nothing."""
        self.alive = False
        if self._loop is None:
            self._break_off_start()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._dismissed)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """SIGQUIT, or the terminal's SIGINT: a quick stop."""
        self.alive = False
        if not self._interrupted:
            self._interrupted = True
            self._call_hook("worker_int")
        if self._loop is None:
            self._break_off_start()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end)

    def _break_off_start(self) -> None:
        """No request waits for a start, so it needn't be finished."""
        self._seat.stage = Stage.LEAVING
        if self.server is None:
            sys.exit(0)
        self._life = Life.ENDING
        self.server.drain(hurry=True)

    def handle_usr1(self, sig: int, frame: FrameType | None) -> None:
        """SIGUSR1: open the log files again. On the loop, for a line may just be being written."""
        if self._loop is None or self._loop.is_closed():
            self.log.reopen_files()
        else:
            self._loop.call_soon_threadsafe(self._reopen_files)

    def _reopen_files(self) -> None:
        if self.server is None:
            self.log.reopen_files()
        else:
            self.server.rotate_logs(self.log.reopen_files)

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:
        """SIGABRT: the arbiter has waited in vain for a sign of life, and will kill."""
        self.alive = False
        self._watch.end()
        self.log.critical("Worker %s is blocked. It was here:\n%s", self.pid, describe_stacks(frame, self._loop))
        self._call_hook("worker_abort")
        # An application may catch what ends it.
        self._exit_code = EXIT_ABORTED
        if self.server is not None:
            self.server.stop()
        sys.exit(EXIT_ABORTED)

    def handle_winch(self, sig: int, frame: FrameType | None) -> None:
        """Whatever is the arbiter's to act on."""

    def _call_hook(self, name: str) -> None:
        """Call a hook of the user's. Inside a signal handler, what it raises would end whatever runs there."""
        try:
            getattr(self.cfg, name)(self)
        except Exception:
            self.log.exception("The hook %s raised: worker %s goes on without it", name, self.pid)


def _options_of(worker_class: type[MonocerosWorker], cfg: Any, log: Any) -> tuple[dict[str, Any], list[str]]:
    return config_options(cfg, worker_class.CONFIG_KWARGS, os.environ, Path.cwd(), owner_of_accesses(log))
