"""The master's loop: sleep until something happens or a deadline comes, ask the policy, do what it says.

It may not know asyncio, the protocols, the server or the application, and it decides nothing: see `policy`. The rules
it keeps: it waits in its selector and nowhere else, so that a signal acts at once whatever is going on; and it holds
the listening sockets as long as it serves, so that a connection waits, and is not refused, while workers come and go.
"""

import logging
import math
import os
import selectors
import signal
from collections.abc import Iterable
from socket import socket

from monoceros.config import Config
from monoceros.errors import EXIT_STARTUP, StartupError
from monoceros.logs.lines import running_on
from monoceros.resources import listeners
from monoceros.supervisor import events as ev
from monoceros.supervisor import reports
from monoceros.supervisor.channel import Channel, Word
from monoceros.supervisor.crew import WATCHER, Child, Crew
from monoceros.supervisor.fresh import execute, imported_from
from monoceros.supervisor.kernel import Kernel, PosixKernel
from monoceros.supervisor.policy import Policy, Rules
from monoceros.supervisor.reload import Watched, displayed, watch
from monoceros.supervisor.scoreboard import Record
from monoceros.supervisor.signals import DUMP_SIGNAL, SignalQueue
from monoceros.supervisor.title import current_title, restore_title, set_title
from monoceros.supervisor.worker import Assignment, work

logger = logging.getLogger("monoceros.error")

OVERSLEPT = 1.0  # seconds past the wanted wake-up: less is a busy machine, more is one that was suspended
LONGEST_SLEEP = 3600.0  # seconds, when there is no deadline: `poll` has a limit, and an hour costs nothing


class Arbiter:
    """The prefork master of one configuration.

    Arguments:
        config: the options, not loaded: each worker loads the application itself.
        kernel: the system calls; tests pass a double.
    """

    def __init__(self, config: Config, *, kernel: Kernel | None = None) -> None:
        self.config = config
        self.policy = Policy(_rules(config))
        self._kernel = kernel or PosixKernel()
        self._selector = selectors.PollSelector()  # has no descriptor of its own, which children would share
        self._signals = SignalQueue()
        self._crew = Crew(self._kernel, self._selector, self._signals.close)
        self.sockets: list[socket] = []
        self._caused: list[ev.Event] = []  # by our own actions
        self._watches_with = ""
        # What forked workers would have in memory already, and never read again.
        self._inherited = imported_from(config.reload_dirs) if config.should_reload else []

    def run(self) -> int:
        """Serve until told to stop, and return the exit code: 0, or 3 if the server could not start."""
        config = self.config
        try:
            self.sockets = listeners.bind(
                host=config.host, port=config.port, uds=config.uds, fd=config.fd, backlog=config.backlog
            )
        except StartupError as error:
            logger.error(str(error))
            return EXIT_STARTUP
        pid, title, role = os.getpid(), current_title(), "reloader" if config.should_reload else "parent"
        with self._signals:
            try:
                set_title("master", config.app)
                self._selector.register(self._signals, selectors.EVENT_READ)
                for sock in self.sockets:
                    running_on(logger, listeners.address(sock, tls=config.is_ssl))
                reports.threads_at_fork()
                if config.should_reload:
                    self._start_watcher()
                else:
                    reports.with_pid("Started parent process", pid)
                code = self._loop()
            finally:
                self._crew.disband()
                self._close_listeners()
                restore_title(title)
        reports.with_pid(f"Stopping {role} process", pid)
        return code

    def _loop(self) -> int:
        happened: list[ev.Event] = []
        while True:
            for action in self.policy.decide(happened, self._kernel.now()):
                if isinstance(action, ev.Exit):
                    return action.code
                self._perform(action)
            happened = self._sleep()

    # what happened

    def _sleep(self) -> list[ev.Event]:
        """Sleep until there is something to decide, and return it."""
        now = self._kernel.now()
        planned = now if self._caused else min(self.policy.wake_at(now), now + LONGEST_SLEEP)
        ready = self._kernel.wait(self._selector, max(0.0, planned - now))
        events, self._caused = self._caused, []
        if self._kernel.now() - max(planned, now) > OVERSLEPT:
            events.append(ev.Overslept())
        events += self._on_exits()  # first, so that nothing is decided about the dead
        for key, _ in ready:
            if key.fileobj is self._signals:
                events += self._on_signals()
            elif key.data in self._crew:
                events += self._on_message(key.data)
        events += [ev.WorkerBeat(child.serial, child.record.beat) for child in self._crew.workers()]
        return events

    def _on_signals(self) -> Iterable[ev.Event]:
        for number in self._signals.take():
            if number is signal.SIGCHLD:
                continue  # only had to wake us: exits are looked for at every turn
            logger.info("Received %s, exiting.", number.name)
            if number is signal.SIGQUIT:
                yield ev.KillAsked()
            else:
                yield ev.StopAsked(hurry=number is signal.SIGINT)

    def _on_message(self, child: Child) -> Iterable[ev.Event]:
        for word, text in self._crew.hear(child):
            match word:
                case Word.READY:
                    logger.debug("Worker %d [%d] is ready.", child.slot, child.pid)
                    yield ev.WorkerReady(child.serial)
                case Word.LIMIT:
                    logger.debug("Worker %d [%d] asks to be replaced: %s.", child.slot, child.pid, text)
                    yield ev.LimitReached(child.serial, text)
                case Word.LEAVING:
                    logger.info("Worker %d [%d] leaves, because a signal told it to.", child.slot, child.pid)
                    yield ev.WorkerLeaving(child.serial)
                case Word.WATCHING:
                    self._watches_with = text
                    reports.with_pid("Started reloader process", os.getpid(), f" using {text}")
                case Word.CHANGED:
                    reports.files_changed(self._watches_with, displayed(text))
                    yield ev.FilesChanged()

    def _on_exits(self) -> Iterable[ev.Event]:
        for child, code in self._crew.exited():
            last_words = list(self._on_message(child))
            yield from last_words
            self._crew.forget(child)
            if child.serial == WATCHER:
                reports.watcher_ended(code)
            else:
                left = ev.WorkerLeaving(child.serial) in last_words
                reports.worker_ended(child, code, self.policy.workers[child.serial].state, left)
                yield ev.WorkerExited(child.serial)

    # what to do

    def _perform(self, action: ev.Action) -> None:
        match action:
            case ev.Spawn(serial, slot):
                self._spawn(serial, slot)
            case ev.Drain(serial, hurry):
                self._crew.tell(serial, Word.HURRY if hurry else Word.DRAIN)
            case ev.Stop(serial):
                self._crew.tell(serial, Word.STOP)
            case ev.Dump(serial, reason):
                reports.worker_late(self._crew[serial], reason)
                self._crew.signal(serial, DUMP_SIGNAL)
            case ev.Kill(serial):
                self._crew.signal(serial, signal.SIGKILL)
            case ev.CloseListeners():
                self._close_listeners()
            case ev.BackOff() | ev.AwaitChange() | ev.GiveUp():
                reports.setback(action)

    def _spawn(self, serial: int, slot: int) -> None:
        def life(line: Channel, record: Record) -> int:
            set_title(f"worker {slot}", self.config.app)
            assignment = Assignment(self.config, self.sockets, record, slot)
            return execute(assignment, line) if self._inherited else work(assignment, line)

        try:
            self._crew.start(serial, slot, life)
        except OSError as error:
            reports.not_forked(f"Worker {slot}", error)
            self._caused.append(ev.WorkerExited(serial))

    def _close_listeners(self, unlink: bool = True) -> None:
        """Let go of the listening sockets: the master with the names of unix sockets, a child without."""
        released, self.sockets = self.sockets, []
        listeners.release(released, unlink_uds=unlink)

    def _start_watcher(self) -> None:
        config = self.config
        watched = Watched(
            config.reload_dirs,
            config.reload_includes,
            config.reload_excludes,
            config.reload_dirs_excludes,
            config.reload_delay,
        )

        def life(line: Channel, _: Record) -> int:
            set_title("reloader", config.app)
            self._close_listeners(unlink=False)
            return watch(watched, line)

        try:
            self._crew.start(WATCHER, 0, life)
        except OSError as error:
            reports.not_forked("The reloader", error)


def _rules(config: Config) -> Rules:
    """The policy's options out of all; no limit is infinite there.

    Reload has one worker, and no deadline but the drain's: its user may be at a breakpoint.
    """
    grace = math.inf if config.timeout_graceful_shutdown is None else config.timeout_graceful_shutdown
    if config.should_reload:
        return Rules(1, math.inf, math.inf, grace, reload=True)
    return Rules(
        workers=config.workers,
        start_timeout=config.timeout_worker_start or math.inf,
        beat_timeout=config.timeout_worker or math.inf,
        graceful_timeout=grace,
    )
