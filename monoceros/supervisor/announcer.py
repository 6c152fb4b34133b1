"""What the master shows of the service: to the service manager, and in its own title.

It knows conditions and numbers, and decides nothing. The rules it keeps: only what has changed is said; and the
watchdog is fed for the workers' sake, not for the master's, which would be well while nobody serves.
"""

import math
import os
from collections.abc import Iterable

from monoceros.config import Config
from monoceros.service.notify import Notifier
from monoceros.service.title import set_title
from monoceros.supervisor.handle import Handle, State
from monoceros.supervisor.rules import Condition

RETRY = 1.0  # seconds until the service manager is told again what it couldn't be told
FRESH = 10.0  # seconds: a ready worker that has beaten within them is well


class Announcer:
    """Says how the service is.

    Arguments:
        config: the options, for the title.
        notifier: speaks to the service manager.
        takes_over: another process is the service's main one until this one is ready.
    """

    def __init__(self, config: Config, notifier: Notifier, *, takes_over: bool = False) -> None:
        self._config = config
        self._notifier = notifier
        self.takes_over = takes_over
        self._shown: Condition | None = None
        self._fed_at = self._refused_at = -math.inf
        self._silent = False

    def begin_absence(self, seconds: float) -> None:
        """This master executes itself anew, and imports the application: it can't feed the watchdog for so long."""
        self._notifier.expect_silence(seconds)

    def end_absence(self) -> None:
        """It is back."""
        self._notifier.end_silence()

    def fall_silent(self) -> None:
        """Another master speaks for the service from now on."""
        self._silent = True

    def speak_again(self) -> None:
        """That other master is gone: this one is the main process again."""
        self._silent = False
        self._notifier.main_pid(os.getpid())
        self._shown = None

    def close(self) -> None:
        """Say nothing more."""
        self._notifier.close()

    def decline_reload(self) -> None:
        """A reload that the service manager may have asked for, and waits for, ends before it begins."""
        if not self._silent and self._shown is Condition.SERVING:
            self._notifier.reloading()
            self._notifier.ready()

    def announce(self, condition: Condition, handles: Iterable[Handle], wanted: int) -> None:
        """Say what has changed.

        Arguments:
            condition: how the service is.
            handles: the workers.
            wanted: how many workers there shall be.
        """
        changed, self._shown = condition is not self._shown, condition
        if changed:
            role = "master" if condition is Condition.SERVING else f"master {condition.name.lower()}"
            set_title(role, self._config.app, self._config.proc_name)
        if self._silent:
            return
        handles = list(handles)
        status = _status(condition, handles, wanted)
        if changed:
            self._announce_change(condition, status)
        self._notifier.status(status)  # and again what couldn't be said before

    def _announce_change(self, condition: Condition, status: str) -> None:
        match condition:
            case Condition.STARTING if self._config.timeout_worker_start:
                # As long as the master is patient with its workers, the service manager is to be with it.
                self._notifier.extend_start(self._config.timeout_worker_start)
            case Condition.SERVING:
                if self.takes_over:
                    self.takes_over = False
                    self._notifier.main_pid(os.getpid())
                self._notifier.ready(status)
            case Condition.RELOADING:
                self._notifier.reloading(status)
            case Condition.STOPPING:
                self._notifier.stopping(status)

    def wake_at(self, now: float) -> float:
        """When the watchdog has to be fed again, or something to be said again that couldn't be."""
        interval = self._notifier.watchdog_interval
        moment = (
            math.inf if interval is None or self._silent else max(self._fed_at + interval, self._refused_at + RETRY)
        )
        return min(moment, now + RETRY) if self._notifier.pending else moment

    def feed(self, condition: Condition, handles: Iterable[Handle], wanted: int, now: float) -> None:
        """Feed the watchdog if it is time and the service is well.

        It is if a worker serves, or is about to within a deadline of its own, or if none is wanted.
        """
        interval = self._notifier.watchdog_interval
        if interval is None or self._silent or now < self._fed_at + interval:
            return
        well = any(
            handle.state is State.STARTING or (handle.state is State.READY and now - handle.beat_at < FRESH)
            for handle in handles
        )
        if well or not wanted or condition is Condition.STOPPING:
            self._notifier.watchdog()
            self._fed_at = now
        else:
            self._refused_at = now  # the next who gets ready may come just in time


def _status(condition: Condition, handles: list[Handle], wanted: int) -> str:
    counts = {state: sum(handle.state is state for handle in handles) for state in State}
    parts = [f"{counts[State.READY]} of {wanted} workers ready"]
    parts += [f"{counts[state]} {state.name.lower()}" for state in (State.STARTING, State.DRAINING) if counts[state]]
    return f"{condition.name.capitalize()}: {', '.join(parts)}"
