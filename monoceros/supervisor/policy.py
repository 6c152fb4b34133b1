"""What the master decides: events and the time go in, actions come out.

It may not know processes, pipes, signals, clocks or logs: the same events at the same times give the same actions, so
every rule below is tested as a table. The rules:

  * Every slot has a worker that serves or is about to. A slot never starts twice within a second, and one whose workers
    keep dying waits longer each time.
  * A worker that has to be replaced serves until its replacement is ready. One replacement at a time.
  * A master whose first workers all fail to start gives up. Once one worker has served, failures only back off.
  * Every state has a deadline. Who misses it writes its stacks, and is killed a moment later.
  * Under reload the old code leaves before the new code starts, and code that can't start waits for the next edit.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from monoceros.errors import EXIT_STARTUP
from monoceros.supervisor import events as ev
from monoceros.supervisor.handle import Handle, State

SPACING = 1.0  # seconds between two starts of one slot
LONGEST_WAIT = 30.0  # seconds, where the doubling of the back-off ends
STEADY = 10.0  # seconds of service after which a death is the first of its kind again
DRAIN_MARGIN = 5.0  # seconds past the graceful timeout: the worker ends its requests by itself first, then its lifespan
LAST_MOMENT = 1.0  # seconds for the stacks to be written, or for a worker that was told to stop at once
RELOAD_PATIENCE = 5.0  # seconds for which new code waits until the old code has left
SECOND_LOOK = 2.0  # seconds before a missed beat counts: after a suspend the workers get a chance to beat first


class Phase(IntEnum):
    """What the whole server is doing. It only ever moves down this list."""

    RUNNING = 0
    STOPPING = 1
    HURRYING = 2
    KILLING = 3


@dataclass(frozen=True, slots=True)
class Rules:
    """The options the policy knows. Times in seconds, infinite when there is no limit.

    Arguments:
        workers: how many slots there are.
        start_timeout: how long a worker may take to get ready.
        beat_timeout: how long a serving worker may go without a beat.
        graceful_timeout: how long a draining worker may take.
        reload: whether workers follow the edits of their code.
    """

    workers: int = 1
    start_timeout: float = 600.0
    beat_timeout: float = 60.0
    graceful_timeout: float = 30.0
    reload: bool = False


@dataclass(slots=True, eq=False)
class Slot:
    """A worker's place: what outlives the workers that fill it."""

    number: int
    started_at: float = -math.inf
    not_before: float = -math.inf
    failures: int = 0  # deaths in a row that nobody asked for

    def forgive(self) -> None:
        """Forget the failures: there is new code to try."""
        self.failures = 0
        self.not_before = self.started_at + SPACING


class Policy:
    """The state of the fleet and the rules that move it. `decide` is its only door in, `wake_at` the only one out."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.phase = Phase.RUNNING
        self.generation = 1
        self.workers: dict[int, Handle] = {}
        self.slots = [Slot(number) for number in range(1, rules.workers + 1)]
        self._serial = 0
        self._exit_code = 0
        self._ever_ready = False

    def decide(self, events: Iterable[ev.Event], now: float) -> list[ev.Action]:
        """Apply what happened and say what to do, in this order.

        Events about workers that are gone are ignored: a message may arrive after the exit of its sender.
        """
        actions: list[ev.Action] = []
        for event in events:
            actions += self._apply(event, now)
        actions += self._enforce(now)
        if self.phase is Phase.RUNNING:
            actions += self._relieve(now)
            actions += self._fill(now)
        if self.phase is not Phase.RUNNING and not self.workers:
            actions.append(ev.Exit(self._exit_code))
        return actions

    def wake_at(self, now: float) -> float:
        """When to ask again if nothing happens until then; infinite if only an event can change anything."""
        moments = [self._attention(handle, now) for handle in self.workers.values()]
        if self.phase is Phase.RUNNING:
            moments += [self._start_time(slot) for slot in self._openings()]
        return min(moments, default=math.inf)

    # events

    def _apply(self, event: ev.Event, now: float) -> list[ev.Action]:
        match event:
            case ev.StopAsked(hurry):
                return self._stop_asked(hurry, now)
            case ev.KillAsked():
                return self._kill_asked(now)
            case ev.FilesChanged():
                return self._files_changed(now)
            case ev.Overslept():
                for each in self.workers.values():
                    each.rearm(now)
                return []
        handle = self.workers.get(event.serial)
        return [] if handle is None else self._apply_to(handle, event, now)

    def _apply_to(self, handle: Handle, event: ev.Event, now: float) -> list[ev.Action]:
        match event:
            case ev.WorkerBeat(at=at):
                handle.beat(at)
            case ev.WorkerReady() if handle.state is State.STARTING:
                handle.enter(State.READY, now, self.rules.beat_timeout)
                self._ever_ready = True
            case ev.LimitReached(reason=reason):
                handle.limit = reason
            case ev.WorkerLeaving() if handle.in_service:
                handle.enter(State.DRAINING, now, self.rules.graceful_timeout + DRAIN_MARGIN)
            case ev.WorkerExited():
                del self.workers[handle.serial]
                if handle.in_service and self.phase is Phase.RUNNING:
                    return self._failed(handle, now)
        return []

    def _stop_asked(self, hurry: bool, now: float) -> list[ev.Action]:
        if hurry and self.phase >= Phase.HURRYING:
            return self._kill_asked(now)
        if self.phase >= Phase.STOPPING and not hurry:
            return []
        actions = self._leave_running()
        self.phase = Phase.HURRYING if hurry else Phase.STOPPING
        for handle in self.workers.values():
            if handle.in_service:
                actions.append(self._drain(handle, hurry, now))
            elif hurry and handle.state is State.DRAINING:
                actions.append(ev.Drain(handle.serial, hurry))
        return actions

    def _kill_asked(self, now: float) -> list[ev.Action]:
        actions = self._leave_running()
        insisting = self.phase is Phase.KILLING
        self.phase = Phase.KILLING
        for handle in self.workers.values():
            if insisting:
                actions.append(self._kill(handle, now))
            elif handle.state is not State.KILLED:
                handle.enter(State.KILLED, now, LAST_MOMENT)
                actions.append(ev.Stop(handle.serial))
        return actions

    def _leave_running(self) -> list[ev.Action]:
        return [ev.CloseListeners()] if self.phase is Phase.RUNNING else []

    def _files_changed(self, now: float) -> list[ev.Action]:
        if self.phase is not Phase.RUNNING:
            return []
        self.generation += 1
        for slot in self.slots:
            slot.forgive()
        return [self._drain(handle, True, now) for handle in self.workers.values() if handle.in_service]

    # decisions

    def _enforce(self, now: float) -> list[ev.Action]:
        actions: list[ev.Action] = []
        for handle in [each for each in self.workers.values() if each.deadline <= now]:
            if handle.state is State.KILLED:
                actions.append(self._kill(handle, now))
                continue
            actions.append(ev.Dump(handle.serial, self._lateness(handle)))
            if handle.in_service:
                actions += self._failed(handle, now)
            handle.enter(State.KILLED, now, LAST_MOMENT)
        return actions

    def _relieve(self, now: float) -> list[ev.Action]:
        """Let the replaced go: those whose slot has a ready worker that needs no replacement itself."""
        ready = [handle for handle in self.workers.values() if handle.state is State.READY]
        relieved = {handle.slot for handle in ready if not self._due(handle)}
        return [self._drain(handle, False, now) for handle in ready if self._due(handle) and handle.slot in relieved]

    def _fill(self, now: float) -> list[ev.Action]:
        if self._hopeless():
            self.phase = Phase.STOPPING
            self._exit_code = EXIT_STARTUP
            return [ev.GiveUp(), ev.CloseListeners()]
        actions: list[ev.Action] = []
        for slot in list(self._openings()):
            if self._start_time(slot) <= now:
                self._serial += 1
                self.workers[self._serial] = Handle(
                    self._serial, slot.number, self.generation, now, self.rules.start_timeout
                )
                slot.started_at = now
                slot.not_before = now + SPACING
                actions.append(ev.Spawn(self._serial, slot.number))
        return actions

    def _openings(self) -> Iterator[Slot]:
        """The slots that want a worker: those without one, and of those with one to replace, the next in turn."""
        filled = {handle.slot for handle in self.workers.values() if handle.in_service}
        for slot in self.slots:
            if slot.number not in filled:
                yield slot
        ready = [handle for handle in self.workers.values() if handle.state is State.READY]
        held = {handle.slot for handle in ready}
        starting = {handle.slot for handle in self.workers.values() if handle.state is State.STARTING}
        waiting = {handle.slot for handle in ready if self._due(handle)}
        if waiting and not starting & held:
            yield min((slot for slot in self.slots if slot.number in waiting), key=self._start_time)

    def _start_time(self, slot: Slot) -> float:
        """The earliest moment at which a slot may start a worker."""
        if slot.failures and not self._ever_ready:
            return math.inf  # let the others show first whether the application can start at all
        moment = slot.not_before
        if self.rules.reload:
            here = [handle for handle in self.workers.values() if handle.slot == slot.number]
            moment = max([moment, *(handle.since + RELOAD_PATIENCE for handle in here if not handle.in_service)])
        return moment

    def _hopeless(self) -> bool:
        if self._ever_ready or self.rules.reload or not all(slot.failures for slot in self.slots):
            return False
        return not any(handle.in_service for handle in self.workers.values())

    def _due(self, handle: Handle) -> bool:
        return handle.limit is not None or handle.generation < self.generation

    def _failed(self, handle: Handle, now: float) -> list[ev.Action]:
        """Note a death that nobody asked for, and when its slot may try again."""
        slot = self.slots[handle.slot - 1]
        if handle.ready_at is None and self.rules.reload:
            slot.not_before = math.inf  # until the next edit
            return [ev.AwaitChange()]
        if handle.ready_at is not None and now - handle.ready_at >= STEADY:
            slot.failures = 0
        slot.failures += 1
        if slot.failures == 1:
            return []
        wait = min(LONGEST_WAIT, 2.0 ** (slot.failures - 2))
        slot.not_before = max(slot.not_before, now + wait)
        return [ev.BackOff(slot.number, wait)]

    def _drain(self, handle: Handle, hurry: bool, now: float) -> ev.Action:
        handle.enter(State.DRAINING, now, self.rules.graceful_timeout + DRAIN_MARGIN)
        return ev.Drain(handle.serial, hurry)

    def _kill(self, handle: Handle, now: float) -> ev.Action:
        handle.enter(State.KILLED, now)
        return ev.Kill(handle.serial)

    def _attention(self, handle: Handle, now: float) -> float:
        early = handle.deadline - SECOND_LOOK
        return early if handle.state is State.READY and now < early else handle.deadline

    def _lateness(self, handle: Handle) -> str:
        match handle.state:
            case State.STARTING:
                return f"did not get ready within {handle.patience:g} s"
            case State.READY:
                return f"has been blocked for {handle.patience:g} s"
        return f"did not finish its requests within {self.rules.graceful_timeout:g} s"
