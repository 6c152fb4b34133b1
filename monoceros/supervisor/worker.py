"""The child: from the fork to the exit code. The only module of the supervisor that knows the server.

The application is imported here and never in the master, so a new worker always runs the code that is on disk. Two
threads stand beside the event loop's: one beats while the import blocks everything else, one listens to the master.
The rule it keeps: a worker whose master is gone serves what it has and leaves. Nobody is orphaned.
"""

import faulthandler
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from socket import socket
from typing import Protocol

from monoceros.config import Config
from monoceros.errors import EXIT_STARTUP, StartupError
from monoceros.supervisor.channel import Channel, Message, Word
from monoceros.supervisor.scoreboard import Record, Stage
from monoceros.supervisor.signals import DUMP_SIGNAL, settle

logger = logging.getLogger("monoceros.error")

BEAT_INTERVAL = 1.0  # seconds, as the tick of the event loop that takes over
EXIT_CRASHED = 1


class ServerState(Protocol):
    @property
    def total_requests(self) -> int: ...


class WorkerServer(Protocol):
    """What a worker asks of the server it runs. `drain` and `stop` may be called from any thread, or from a signal."""

    @property
    def server_state(self) -> ServerState: ...

    def run_worker(self, sockets: Sequence[socket], *, host: "Reporter") -> int: ...

    def drain(self, *, hurry: bool = False) -> None: ...

    def stop(self) -> None: ...


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
    """Tells the master how the server is: the server's `WorkerHost`, called on the event loop's thread."""

    def __init__(self, line: Channel, record: Record, server: WorkerServer) -> None:
        self._line = line
        self._record = record
        self._server = server
        self._loop_beats = threading.Event()
        record.stage = Stage.STARTING
        record.beat = time.monotonic()

    def server_ready(self) -> None:
        self.beat()
        self._record.stage = Stage.SERVING
        self._line.send(Word.READY)

    def beat(self) -> None:
        self._loop_beats.set()
        self._record.beat = time.monotonic()
        self._record.requests = self._server.server_state.total_requests

    def limit_reached(self, reason: str) -> None:
        self._line.send(Word.LIMIT, reason)

    def beat_until_the_loop_does(self) -> None:
        """The starting thread's work: an import may block the main thread for minutes and be alive."""
        while not self._loop_beats.wait(BEAT_INTERVAL):
            self._record.beat = time.monotonic()

    def draining(self) -> None:
        self._record.stage = Stage.DRAINING

    def leaving(self) -> None:
        self._line.send(Word.LEAVING)


class Orders:
    """What the worker is told, by its master or by a signal of its own, and what it then tells its server."""

    def __init__(self, line: Channel, config: Config, server: WorkerServer, reporter: Reporter) -> None:
        self._line = line
        self._config = config
        self._server = server
        self._reporter = reporter

    def drain(self, hurry: bool = False) -> None:
        self._leave_if_importing()
        self._reporter.draining()
        self._server.drain(hurry=hurry)

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
        self.drain()

    def listen(self) -> None:
        """The listening thread's work: obey the master until it is gone, then leave without being told."""
        while True:
            try:
                messages = self._line.receive()
            except EOFError:
                logger.warning("The master of worker [%d] is gone: it finishes its requests and leaves.", os.getpid())
                self.drain()
                return
            for message in messages:
                self._obey(message)

    def _obey(self, message: Message) -> None:
        match message.word:
            case Word.DRAIN:
                self.drain()
            case Word.HURRY:
                self.drain(hurry=True)
            case Word.STOP:
                self.stop()


def make_server(config: Config) -> WorkerServer:
    """The real server. Imported only here, after the fork, so that the master stays small and without threads."""
    from monoceros.server.server import Server

    return Server(config)


def work(assignment: Assignment, line: Channel, make_server: Callable[[Config], WorkerServer] = make_server) -> int:
    """Live as a worker; returns its exit code. Runs on the main thread of a freshly forked process.

    Whatever ends the server is logged here with its traceback, unless whoever raised it has logged it already.
    """
    try:
        server = make_server(assignment.config)
        reporter = Reporter(line, assignment.record, server)
        orders = Orders(line, assignment.config, server, reporter)
        settle({signal.SIGTERM: orders.leave, signal.SIGQUIT: orders.stop})
        _write_stacks_when_asked()
        for name, target in (("starting", reporter.beat_until_the_loop_does), ("listening", orders.listen)):
            threading.Thread(target=target, name=f"monoceros-{name}", daemon=True).start()
        return server.run_worker(assignment.sockets, host=reporter)
    except StartupError as error:
        logger.error(str(error))
        return EXIT_STARTUP
    except SystemExit as error:
        logger.error("Worker %d [%d] was ended by sys.exit(%r).", assignment.slot, os.getpid(), error.code)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except Exception:
        logger.exception("Worker %d [%d] failed.", assignment.slot, os.getpid())
        return EXIT_CRASHED


def _write_stacks_when_asked() -> None:
    """Register the master's demand for stacks.

    The handler is C and needs no turn of the interpreter, so it answers also when the loop is blocked inside a C call
    that holds the interpreter's lock.
    """
    try:
        stream: int = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        stream = 2
    faulthandler.register(DUMP_SIGNAL, file=stream, all_threads=True)
