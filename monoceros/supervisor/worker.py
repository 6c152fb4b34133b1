"""The child: from the fork to the exit code. The only module of the supervisor that knows the server.

The application is imported here, unless --preload has the master import it, so a new worker runs the code that is on
disk. Two threads stand beside the event loop's: one beats while nothing else does, one listens to the master.
The rule it keeps: a worker whose master is gone serves what it has and leaves. Nobody is orphaned.
"""

import contextlib
import gc
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from socket import socket
from types import FrameType
from typing import Any, Protocol

from monoceros.config import Config
from monoceros.errors import EXIT_STARTUP, StartupError, UsageError
from monoceros.logs.reopen import reopen_log_files
from monoceros.resources.loops import loop_factory
from monoceros.server.room import roomy
from monoceros.service import identity
from monoceros.service.memory import resident_memory
from monoceros.service.title import set_title
from monoceros.supervisor.channel import LAST, Channel, Message, Word
from monoceros.supervisor.rules import DRAIN_MARGIN
from monoceros.supervisor.scoreboard import Record, Stage
from monoceros.supervisor.signals import DUMP_SIGNAL, settle

logger = logging.getLogger("monoceros.error")

BEAT_INTERVAL = 1.0  # seconds, as the tick of the event loop that takes over
BLOCKED_IN_C = 0.8  # seconds past a deadline: after the master's demand, which Python code answers, before its kill
EXIT_CRASHED = 1


class ServerState(Protocol):
    """What a server counts."""

    @property
    def total_requests(self) -> int: ...
    @property
    def connections(self) -> Sized: ...
    @property
    def tasks(self) -> Sized: ...
    @property
    def loop_lag(self) -> float: ...


class Watch(Protocol):
    """Writes the stacks of a process that doesn't put it off in time."""

    def put_off(self) -> None: ...
    def end(self) -> None: ...


class WorkerServer(Protocol):
    """What a worker asks of the server it runs. All but `run_worker` may be called from any thread."""

    @property
    def server_state(self) -> ServerState: ...
    @property
    def loop(self) -> Any: ...

    def run_worker(self, sockets: Sequence[socket], *, host: "Reporter", crew: Record | None) -> int: ...

    def drain(self, *, hurry: bool = False, replaced: bool = False) -> None: ...

    def stop(self) -> None: ...

    def serve_also(self, sock: socket) -> None: ...

    def serve_no_longer(self, sock: socket) -> None: ...


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker is given at its birth.

    Arguments:
        config: the options, not yet loaded: loading is what imports the application.
        sockets: the listening sockets, its own copies.
        record: its line on the scoreboard.
        slot: the number of its place, from 1.
    """

    config: Config
    sockets: Sequence[socket]
    record: Record
    slot: int


class Reporter:
    """Tells the master how the server is: the server's `WorkerHost`, called on the event loop's thread.

    Arguments:
        line: the line to the master.
        record: what the master reads without being told.
        server: the server.
        show: shows a stage in the process's title.
        watch: writes the stacks if the event loop is blocked where no Python code runs.
    """

    def __init__(
        self, line: Channel, record: Record, server: WorkerServer, show: Callable[[str], None], watch: Watch
    ) -> None:
        self._line = line
        self._record = record
        self._server = server
        self._show = show
        self._watch = watch
        self._loop_beats = threading.Event()
        record.stage = Stage.STARTING
        record.beat = time.monotonic()

    def server_ready(self) -> None:
        """See WorkerHost."""
        self.beat()
        self._record.stage = Stage.SERVING
        self._show("serving")
        self._line.send(Word.READY)

    def beat(self) -> None:
        """See WorkerHost."""
        self._loop_beats.set()
        self._watch.put_off()
        record, state = self._record, self._server.server_state
        record.beat = time.monotonic()
        record.requests = state.total_requests
        record.connections = len(state.connections)
        record.in_flight = len(state.tasks)
        record.lag = state.loop_lag
        record.rss = resident_memory()

    @property
    def beat_at(self) -> float:
        """When the last beat was."""
        return self._record.beat

    def limit_reached(self, reason: str) -> None:
        """See WorkerHost."""
        self._line.send(Word.LIMIT, reason)

    def server_stopped(self) -> None:
        """See WorkerHost. What still runs isn't the loop's, and may take the time that a drain has."""
        self._watch.end()
        self.begin_beating()

    def beat_for_the_loop(self) -> None:
        """The beating thread's work, until the loop beats: an import may block the main thread for minutes."""
        while not self._loop_beats.wait(BEAT_INTERVAL):
            self._record.beat = time.monotonic()

    def begin_beating(self) -> None:
        """Beat by a thread, while there is no event loop: before it begins, and once it is over."""
        self._loop_beats.clear()
        threading.Thread(target=self.beat_for_the_loop, name="monoceros-beating", daemon=True).start()

    def draining(self) -> None:
        """The server finishes what it has."""
        self._record.stage = Stage.DRAINING
        self._show("draining")

    def leaving(self) -> None:
        """The server drains by its own choice."""
        self._line.send(Word.LEAVING)


class Orders:
    """What the worker is told, by its master or by a signal of its own, and what it then tells its server."""

    def __init__(self, line: Channel, config: Config, server: WorkerServer, reporter: Reporter) -> None:
        self._line = line
        self._config = config
        self._server = server
        self._reporter = reporter
        self._covered: dict[str, list[socket]] = {}  # the listeners of other slots, by the slot's number

    def drain(self, hurry: bool = False, replaced: bool = False) -> None:
        """Finish what is being served, and leave.

        Arguments:
            hurry: idle connections aren't worth waiting for.
            replaced: other workers go on accepting from the same listeners.
        """
        self._leave_if_importing()
        self._reporter.draining()
        self._server.drain(hurry=hurry, replaced=replaced)

    def stop(self) -> None:
        self._leave_if_importing()
        self._server.stop()

    def _leave_if_importing(self) -> None:
        """An import can't be interrupted in any kinder way, and nothing was begun that would have to be ended."""
        if not self._config.loaded:
            os._exit(0)

    def leave(self) -> None:
        """Somebody sent SIGTERM to this worker alone: the master is told, so that the slot is filled meanwhile."""
        self._reporter.leaving()
        self.drain(replaced=True)

    def accompany(self) -> None:
        """The listening thread's work: listen, and when there is no master any more, do what it would do."""
        self.listen()
        self._see_to_the_end()

    def listen(self) -> None:
        """Obey the master until it is gone, then leave without being told."""
        while True:
            try:
                messages = self._line.receive()
            except EOFError:
                logger.warning("The master of worker [%d] is gone: it finishes its requests and leaves.", os.getpid())
                self.drain()
                return
            for message in messages:
                self._obey(message)
            for sock in self._line.take_sockets():
                sock.close()  # of a slot that was covered and left again at once

    def _see_to_the_end(self) -> None:
        """End a worker that doesn't finish, or whose event loop is blocked."""
        config = self._config
        grace = config.timeout_graceful_shutdown
        end = math.inf if grace is None else time.monotonic() + grace + DRAIN_MARGIN
        silence = config.timeout_worker or math.inf
        while time.monotonic() < min(end, self._reporter.beat_at + silence):
            time.sleep(BEAT_INTERVAL)
        logger.critical(
            "Worker [%d] has no master and doesn't end: it is ended.\n%s", os.getpid(), stacks_of(None, self._server)
        )
        os._exit(EXIT_CRASHED)

    def _obey(self, message: Message) -> None:
        match message.word:
            case Word.DRAIN | Word.HURRY:
                self.drain(hurry=message.word is Word.HURRY, replaced=message.text != LAST)
            case Word.STOP:
                self.stop()
            case Word.REOPEN:
                reopen_log_files()
            case Word.COVER:
                self._covered[message.text] = self._line.take_sockets()
                for sock in self._covered[message.text]:
                    self._server.serve_also(sock)
            case Word.UNCOVER:
                for sock in self._covered.pop(message.text, ()):
                    self._server.serve_no_longer(sock)


def make_server(config: Config) -> WorkerServer:
    """The real server."""
    from monoceros.server.server import Server

    return Server(config)


def make_watch(config: Config) -> Watch:
    """The real watch, over a serving loop or a start that takes too long."""
    from monoceros.server.stacks import BlockWatch

    seconds = config.timeout_worker
    handlers = [*logger.handlers, *logging.getLogger("monoceros").handlers, *logging.getLogger().handlers]
    return BlockWatch(seconds and seconds + BLOCKED_IN_C, handlers)


def stacks_of(frame: FrameType | None, server: WorkerServer) -> str:
    """The stacks of all threads and tasks."""
    from monoceros.server.stacks import describe_stacks

    return describe_stacks(frame, server.loop)


def provide(config: Config) -> None:
    """Import in the master what workers need besides the application, once for all of them.

    Not the libraries of WebSocket: an application may use them, too, part by part, and after a reload it shall find all
    parts as they are on disk. What can't be imported, the workers complain of.

    Arguments:
        config: the options, not loaded.
    """
    from monoceros.server.build import provide_parser

    make_server(config)
    with contextlib.suppress(StartupError, UsageError):
        provide_parser(config)
        if ":" not in config.loop:
            loop_factory(config.loop)
    share()


def share() -> None:
    """Leave what the master has made out of collections, so that the workers write to none of its pages."""
    gc.collect()
    gc.freeze()


@roomy
def preload(config: Config) -> None:
    """Import the application and the server in the master, for --preload; what is there is left out of collections.

    Raises:
        SystemExit: with the exit code, if it can't be; the reason is logged.
        UsageError: an option's value has no place here.
        StartupError: a library that an option asks for isn't installed.
    """
    from monoceros.server.build import check

    # A collection between imports would only leave holes in the pages that are to be shared.
    gc.disable()
    try:
        config.load()
        config.get_loop_factory()
        check(config)
        make_server(config)
    finally:
        gc.enable()
    share()


def work(assignment: Assignment, line: Channel, make_server: Callable[[Config], WorkerServer] = make_server) -> int:
    """Live as a worker; returns its exit code. Runs on the main thread of a freshly forked process.

    Whatever ends the server is logged here with its traceback, unless whoever raised it has logged it already.
    """
    config, slot = assignment.config, assignment.slot
    try:
        server = make_server(config)
        watch = make_watch(config)

        def show(stage: str) -> None:
            set_title(f"worker {slot} {stage}", config.app, config.proc_name)

        def write_stacks(frame: FrameType | None) -> None:
            watch.end()
            logger.critical("Worker %d [%d] is here:\n%s", slot, os.getpid(), stacks_of(frame, server))

        reporter = Reporter(line, assignment.record, server, show, watch)
        orders = Orders(line, config, server, reporter)
        settle(
            {
                signal.SIGTERM: lambda _: orders.leave(),
                signal.SIGQUIT: lambda _: orders.stop(),
                signal.SIGUSR1: lambda _: reopen_log_files(),
                DUMP_SIGNAL: write_stacks,
            }
        )
        reporter.begin_beating()
        threading.Thread(target=orders.accompany, name="monoceros-listening", daemon=True).start()
        _serve_as(config)
        # With sockets of its own, it has nobody to share with.
        crew = None if config.reuse_port else assignment.record
        return server.run_worker(assignment.sockets, host=reporter, crew=crew)
    except (StartupError, UsageError) as error:
        logger.error(str(error))
        return EXIT_STARTUP
    except SystemExit as error:
        logger.error("Worker %d [%d] was ended by sys.exit(%r).", slot, os.getpid(), error.code)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except Exception:
        logger.exception("Worker %d [%d] failed.", slot, os.getpid())
        return EXIT_CRASHED


def _serve_as(config: Config) -> None:
    """Become the user that the options name; the key of the certificate may be root's alone."""
    who = identity.resolve(config.user, config.group)
    if who is not None:
        if not config.loaded:
            config.load_tls()
        who.assume()
