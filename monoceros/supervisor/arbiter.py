"""The master's loop: sleep until something happens or a deadline comes, ask the policy, do what it says.

It may not name asyncio, the protocols, the server or the application, and it decides nothing: see `policy`. The rules
it keeps: it waits in its selector and nowhere else, so that a signal acts at once whatever is going on; and it holds
the listening sockets as long as it serves, so that a connection waits, and is not refused, while workers come and go.
"""

import logging
import os
import selectors
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from monoceros.config import Config
from monoceros.errors import EXIT_STARTUP, StartupError, UsageError
from monoceros.logs.lines import running_on
from monoceros.resources import listeners
from monoceros.service.notify import Notifier
from monoceros.service.pidfile import PidFile
from monoceros.service.title import current_title, restore_title
from monoceros.supervisor import events as ev
from monoceros.supervisor import reports
from monoceros.supervisor.announcer import Announcer
from monoceros.supervisor.channel import LAST, Word
from monoceros.supervisor.crew import SUCCESSOR, TRIAL, WATCHER, Child, Crew
from monoceros.supervisor.fresh import imported_from
from monoceros.supervisor.holdings import Holdings
from monoceros.supervisor.kernel import Kernel, PosixKernel
from monoceros.supervisor.luggage import Journey, Luggage
from monoceros.supervisor.nursery import Nursery
from monoceros.supervisor.policy import Policy
from monoceros.supervisor.reconfigure import give_variables, reconfigured, rules_of
from monoceros.supervisor.reload import displayed
from monoceros.supervisor.rules import LONGEST_TRIAL
from monoceros.supervisor.signals import DUMP_SIGNAL, Interrupted, SignalQueue, name_of
from monoceros.supervisor.start import Start
from monoceros.supervisor.worker import preload, provide

logger = logging.getLogger("monoceros.error")

OVERSLEPT = 1.0  # seconds past the wanted wake-up: less is a busy machine, more is one that was suspended
LONGEST_SLEEP = 3600.0  # seconds, when there is no deadline: `poll` has a limit, and an hour costs nothing


class Arbiter:
    """The prefork master of one configuration.

    Arguments:
        config: the options, not loaded: each worker loads the application itself, unless it is preloaded.
        kernel: the system calls; tests pass a double.
        read: gathers the options again, for a reload; None if they can't change.
        pid_file: the file that names this process, claimed already.
        start: how this program was started; None for here and now, from nothing.
    """

    def __init__(
        self,
        config: Config,
        *,
        kernel: Kernel | None = None,
        read: Callable[[], Config] | None = None,
        pid_file: PidFile | None = None,
        start: Start | None = None,
    ) -> None:
        self.config = config
        self._read = read
        self._kernel = kernel or PosixKernel()
        self._start = start or Start.of(os.environ)
        self._luggage = self._start.luggage or Luggage(Journey.IN_PLACE, os.getpid())
        self._holdings = Holdings(config, pid_file)
        self.listeners = self._holdings.listeners
        # A program that has imported its application would fork workers with the old code for ever.
        fresh = config.preload or (read is None and bool(imported_from([Path.cwd()])))
        rules = rules_of(config, fresh=fresh)
        now = self._kernel.now()
        adopted = [each.handle(rules, now) for each in self._luggage.passengers]
        self.policy = Policy(rules, self._luggage.generation + 1, adopted)
        self.policy.fleet.serial = self._luggage.serial
        self._latest = self.policy.fleet.generation
        self._selector = selectors.PollSelector()  # has no descriptor of its own, which children would share
        self._signals = SignalQueue()
        self._crew = Crew(self._kernel, self._selector, self._close_inherited, self._luggage.pages)
        for passenger in self._luggage.passengers:
            self._crew.adopt(passenger)
        self._nursery = Nursery(config, self._latest, self._kernel, self._crew, self.listeners, self._start)
        self._announcer = Announcer(config, self._make_notifier(), takes_over=self._luggage.takes_over)
        self._trial_succeeded = False
        self._caused: list[ev.Event] = []  # by our own actions
        self._watches_with = ""

    def run(self) -> int:
        """Serve until told to stop, and return the exit code: 0, or 3 if the server could not start."""
        config = self.config
        try:
            self._holdings.open_listeners(self._luggage.sockets, self.policy.rules.workers)
        except StartupError as error:
            logger.error(str(error))
            self._close_listeners()
            return EXIT_STARTUP
        self.policy.fleet.reach(self.listeners.slots)
        pid, title, role = os.getpid(), current_title(), "reloader" if config.should_reload else "parent"
        with self._signals:
            try:
                self._selector.register(self._signals, selectors.EVENT_READ)
                self._say_hello(pid)
                if config.should_reload and not self._nursery.start_watcher(config):
                    return EXIT_STARTUP
                code = self._preload() if config.preload else 0
                if not config.preload:
                    provide(config)
                if self._luggage.passengers:
                    self._announcer.end_absence()
                reports.threads_at_fork()
                code = code or self._loop()
            finally:
                self._close_listeners()
                self._crew.disband()
                self._announcer.close()
                restore_title(title)
        reports.with_pid(f"Stopping {role} process", pid)
        return code

    def _say_hello(self, pid: int) -> None:
        """Say where is served, and by whom; of a master that goes on with new code, only that."""
        if self._luggage.sockets and self._luggage.journey is Journey.IN_PLACE:
            reports.adopted(len(self._luggage.passengers))
            return
        for sock in self.listeners.addresses:
            running_on(logger, listeners.address(sock, tls=self.config.is_ssl))
        if not self.config.should_reload:
            reports.with_pid("Started parent process", pid)

    def _preload(self) -> int:
        """Import the application. Return the exit code if that fails, and nobody of before serves."""
        try:
            with self._signals.breaking_off():
                preload(self.config)
        except Interrupted:
            pass  # the signal waits in the queue
        except SystemExit as exc:
            if not self._luggage.passengers:
                return exc.code if isinstance(exc.code, int) else EXIT_STARTUP
            self._caused.append(ev.PreloadFailed())
        except (UsageError, StartupError) as exc:
            logger.error(str(exc))
            if not self._luggage.passengers:
                return exc.exit_code
            self._caused.append(ev.PreloadFailed())
        return 0

    def _loop(self) -> int:
        # What came during the start, before anything is started: it may be the end.
        happened = [*self._caused, *self._on_signals(self._signals.take())]
        self._caused = []
        while True:
            now = self._kernel.now()
            actions = self.policy.decide(happened, now)
            for action in actions:
                if isinstance(action, ev.Exit):
                    return action.code
                self._perform(action)
            fleet, condition = self.policy.fleet, self.policy.condition
            self._announcer.announce(condition, fleet.workers.values(), fleet.wanted)
            self._announcer.feed(condition, fleet.workers.values(), fleet.wanted, now)
            happened = self._sleep()

    # what happened

    def _sleep(self) -> list[ev.Event]:
        """Sleep until there is something to decide, and return it."""
        now = self._kernel.now()
        wake_at = min(self.policy.wake_at(now), self._announcer.wake_at(now), now + LONGEST_SLEEP)
        planned = now if self._caused else wake_at
        ready = self._kernel.wait(self._selector, max(0.0, planned - now))
        events, self._caused = self._caused, []
        if self._kernel.now() - max(planned, now) > OVERSLEPT:
            events.append(ev.Overslept())
        arrived = self._signals.take()  # before exits are looked for: what comes after this wakes again
        events += self._on_exits()  # before all else, so that nothing is decided about the dead
        events += self._on_signals(arrived)
        for key, _ in ready:
            if key.fileobj is not self._signals and key.data.serial in self._crew:
                events += self._on_message(key.data)
        events += [ev.WorkerBeat(child.serial, child.record.beat) for child in self._crew.workers()]
        return events

    def _on_signals(self, arrived: Iterable[int]) -> Iterator[ev.Event]:
        for number in arrived:
            match number:
                case signal.SIGCHLD:
                    continue  # only had to wake us: exits are looked for at every turn
                case signal.SIGQUIT:
                    reports.asked("SIGQUIT", "exiting at once")
                    yield ev.KillAsked()
                case signal.SIGTERM | signal.SIGINT:
                    logger.info("Received %s, exiting.", name_of(number))
                    yield ev.StopAsked(hurry=number == signal.SIGINT)
                case signal.SIGHUP:
                    reports.asked("SIGHUP", "reloading")
                    yield from self._on_hangup()
                case signal.SIGUSR1:
                    reports.asked("SIGUSR1", "the log files are opened again")
                    self._reopen_logs()
                case signal.SIGUSR2:
                    reports.asked("SIGUSR2", "an upgrade to a new master")
                    yield from self._on_upgrade()
                case signal.SIGTTIN | signal.SIGTTOU:
                    more = number == signal.SIGTTIN
                    reports.asked(name_of(number), f"one worker {'more' if more else 'fewer'}")
                    yield ev.ScaleAsked(1 if more else -1)
                case signal.SIGWINCH:
                    yield from self._on_winch()
                case _:
                    reports.asked(name_of(number), "it has no meaning here, and is ignored")

    def _on_hangup(self) -> Iterator[ev.Event]:
        rules = self.policy.rules
        self._latest = max(self._latest, self.policy.fleet.generation) + 1
        if self._read is not None and not rules.fresh and not rules.reload:
            former = self._nursery.config_of(self.policy.fleet.generation)
            try:
                config = reconfigured(former, self._read, self._start.directory, self._nursery.variables)
            except (UsageError, SystemExit) as error:
                reports.unusable_options(error)
                self._announcer.decline_reload()
                return
            self._nursery.prepare(self._latest, config, self.policy.oldest_generation)
            rules = rules_of(config)
        yield ev.ReloadAsked(self._latest, rules)

    def _on_upgrade(self) -> Iterator[ev.Event]:
        if self._predecessor:
            reports.setback(ev.Decline(f"the first master [{self._predecessor}] still lives, end it before the next"))
        else:
            yield ev.UpgradeAsked()

    def _on_winch(self) -> Iterator[ev.Event]:
        if not has_terminal():  # with one, its window was resized
            reports.asked("SIGWINCH", "the workers leave, and the master stays")
            yield ev.RestAsked()

    def _on_message(self, child: Child) -> Iterable[ev.Event]:
        for word, text in self._crew.hear(child):
            match word:
                case Word.READY if child.serial == TRIAL:
                    self._trial_succeeded = True
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

    def _on_exits(self) -> Iterator[ev.Event]:
        for child, code in self._crew.exited():
            last_words = list(self._on_message(child))
            yield from last_words
            self._crew.forget(child)
            if child.serial == WATCHER:
                reports.watcher_ended(code)
            elif child.serial == TRIAL:
                yield ev.TrialEnded(good=code == 0 and self._trial_succeeded)
            elif child.serial == SUCCESSOR:
                reports.successor_ended(child.pid, code)
                self._take_back()
                yield ev.SuccessorEnded()
            else:
                left = ev.WorkerLeaving(child.serial) in last_words
                reports.worker_ended(child, code, self.policy.fleet.workers[child.serial].state, left)
                yield ev.WorkerExited(child.serial)

    # what to do

    def _perform(self, action: ev.Action) -> None:
        crew = self._crew
        match action:
            case ev.Spawn(serial):
                if not self._nursery.start_worker(self.policy.fleet.workers[serial]):
                    self._caused.append(ev.WorkerExited(serial))
            case ev.Drain(serial, hurry):
                last = "" if self.listeners.every else LAST  # they are let go of before the workers are told
                crew.tell(serial, Word.HURRY if hurry else Word.DRAIN, last)
            case ev.Stop(serial):
                crew.tell(serial, Word.STOP)
            case ev.Dump(serial, reason):
                reports.worker_late(crew[serial], reason)
                crew.signal(serial, DUMP_SIGNAL)
            case ev.Kill(serial):
                crew.signal(serial, signal.SIGKILL)
            case ev.Cover(serial, slot):
                crew.tell(serial, Word.COVER, str(slot), [sock.fileno() for sock in self.listeners.own(slot)])
            case ev.Uncover(serial, slot):
                crew.tell(serial, Word.UNCOVER, str(slot))
            case ev.CloseListeners():
                self._close_listeners()
            case ev.StartTrial():
                self._trial_succeeded = False
                if not self._nursery.start_trial():
                    self._caused.append(ev.TrialEnded(good=False))
            case ev.EndTrial():
                crew.end(TRIAL)
            case ev.StartSuccessor():
                self._start_successor()
            case ev.Execute():
                takes_over = self._announcer.takes_over
                handles = self.policy.fleet.workers
                self._announcer.begin_absence(LONGEST_TRIAL)  # what took longer isn't executed
                self._nursery.execute(handles, self._signals.take, self._predecessor, takes_over)
                self._announcer.end_absence()
            case ev.ReloadFailed():
                reports.setback(action)
                former = self._nursery.config_of(self.policy.fleet.generation)
                give_variables(former.from_env_file, self._nursery.variables)
            case ev.BackOff() | ev.AwaitChange() | ev.GiveUp() | ev.Decline():
                reports.setback(action)

    def _start_successor(self) -> None:
        if not self._holdings.step_aside():
            self._caused.append(ev.SuccessorEnded())
            return
        self._announcer.fall_silent()
        if not self._nursery.start_successor():
            self._take_back()
            self._caused.append(ev.SuccessorEnded())

    def _take_back(self) -> None:
        """Be the service's main process again: the second master is gone."""
        self._holdings.step_back()
        self._announcer.speak_again()

    def _reopen_logs(self) -> None:
        self._holdings.reopen_logs()
        for child in self._crew.workers():
            self._crew.tell(child.serial, Word.REOPEN)

    @property
    def _predecessor(self) -> int:
        """The first master, as long as it lives and shares its sockets with this one; else 0."""
        return self._luggage.predecessor if os.getppid() == self._luggage.predecessor else 0

    def _close_listeners(self) -> None:
        """Let go of the listening sockets; the names of unix sockets go, too, unless another master serves on them."""
        self._holdings.close_listeners(shared=bool(self._predecessor) or SUCCESSOR in self._crew)

    def _close_inherited(self) -> None:
        """In a new child: let go of what is the master's alone."""
        self._signals.close()
        self._holdings.close_inherited()

    def _make_notifier(self) -> Notifier:
        """Make what speaks to the service manager; its watchdog watches whoever is the main process."""
        for environ in (os.environ, self._start.environ):
            if self._luggage.predecessor and environ.get("WATCHDOG_PID") == str(self._luggage.sender):
                environ["WATCHDOG_PID"] = str(os.getpid())
        return Notifier.from_environment(os.environ, os.getpid())


def has_terminal() -> bool:
    """Tell whether this process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
