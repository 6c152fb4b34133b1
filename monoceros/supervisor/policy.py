"""What the master decides: events and the time go in, actions come out.

It may not know processes, pipes, signals, clocks or logs: the same events at the same times give the same actions, so
every rule below is tested as a table. The rules:

  * Every slot has a worker that serves or is about to; at the very start, those the CPUs are enough for come first, so
    that one is ready soon. A slot never starts twice within a second, and one whose workers
    keep dying waits longer each time.
  * A worker that has to be replaced serves until its replacement is ready. One replacement at a time.
  * A master whose first workers all fail to start gives up. Once one worker has served, failures only back off; and a
    new generation whose first worker fails is given up for the former one, which serves.
  * Every state has a deadline. Who misses it writes its stacks, and is killed a moment later.
  * Under --reload the old code leaves before the new code starts, and code that can't start waits for the next edit.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from monoceros.errors import EXIT_STARTUP
from monoceros.supervisor import events as ev
from monoceros.supervisor.coverage import spread
from monoceros.supervisor.fleet import Fleet, Slot
from monoceros.supervisor.handle import Handle, State
from monoceros.supervisor.renewal import Renewal
from monoceros.supervisor.rules import (
    DRAIN_MARGIN,
    HEAD_START,
    LAST_MOMENT,
    LONGEST_WAIT,
    RELOAD_PATIENCE,
    SECOND_LOOK,
    STEADY,
    Condition,
    Phase,
    Rules,
)


class Former(NamedTuple):
    """What is gone back to if a new generation can't start."""

    generation: int
    rules: Rules
    wanted: int


class Policy:
    """The state of the fleet and the rules that move it. `decide` is its only door in, `wake_at` the only one out.

    Arguments:
        rules: the options.
        generation: the number of the first workers' code.
        adopted: the workers of a former self, which are replaced by workers of this generation.
    """

    def __init__(self, rules: Rules, generation: int = 1, adopted: Iterable[Handle] = ()) -> None:
        self.rules = rules
        self.phase = Phase.RUNNING
        self.fleet = Fleet(rules.workers, generation)
        for handle in adopted:
            self.fleet.adopt(handle)
        self._renewal = Renewal()
        self._leave_at = math.inf
        self._exit_code = 0
        self._proven = False  # a worker of this generation has served
        self._former: Former | None = None
        if self.fleet.workers:
            self._former = Former(max(each.generation for each in self.fleet.workers.values()), rules, rules.workers)
        self._ever_ready = self._ever_manned = self._former is not None

    def decide(self, events: Iterable[ev.Event], now: float) -> list[ev.Action]:
        """Apply what happened and say what to do, in this order.

        Events about workers that are gone are ignored: a message may arrive after the exit of its sender.
        """
        actions: list[ev.Action] = []
        for event in events:
            actions += self._apply(event, now)
        actions += self._enforce(now)
        if self.phase <= Phase.DELAYING:
            # While it isn't known whether the new code can be served at all, nobody is given up for it.
            retired = self.fleet.retired() if self._former is None or not self.fleet.wanted else []
            leaving = dict.fromkeys([*self.fleet.surplus(), *retired])
            actions += [self._drain(handle, False, now) for handle in leaving]
            actions += self._fill(now)
            self._ever_manned = self._ever_manned or self.fleet.is_manned
        if self.phase <= Phase.DELAYING and self.rules.own_listeners:
            actions += spread(self.fleet)
        if self.phase > Phase.DELAYING and not self.fleet.workers:
            actions.append(ev.Exit(self._exit_code))
        if self.phase is Phase.RUNNING:
            actions += self._renewal.execution()
        return actions

    def wake_at(self, now: float) -> float:
        """When to ask again if nothing happens until then; infinite if only an event can change anything."""
        moments = [self._attention(handle, now) for handle in self.fleet.workers.values()]
        if self.phase <= Phase.DELAYING:
            moments += [self._start_time(slot) for slot in self._openings()]
            moments += [self._leave_at, self._renewal.trial_until]
        return min(moments, default=math.inf)

    @property
    def condition(self) -> Condition:
        """What an operator is told."""
        if self.phase is not Phase.RUNNING:
            return Condition.STOPPING
        if not self._ever_manned:
            return Condition.STARTING
        outdated = any(handle.generation != self.fleet.generation for handle in self.fleet.in_service())
        return Condition.RELOADING if outdated or self._renewal.tries else Condition.SERVING

    @property
    def oldest_generation(self) -> int:
        """The oldest code and options that workers still have, or may be started with again."""
        numbers = [self.fleet.generation, *(handle.generation for handle in self.fleet.workers.values())]
        return min(numbers if self._former is None else [*numbers, self._former.generation])

    # events

    def _apply(self, event: ev.Event, now: float) -> list[ev.Action]:
        match event:
            case ev.StopAsked(hurry):
                return self._stop_asked(hurry, now)
            case ev.KillAsked():
                return self._kill_asked(now)
            case ev.Overslept():
                self._renewal.rearm(now, self.rules)
                for each in self.fleet.workers.values():
                    each.rearm(now)
            case ev.FilesChanged():
                return self._files_changed(now)
            case ev.ReloadAsked():
                return self._reload_asked(event, now)
            case ev.UpgradeAsked():
                return self._upgrade_asked(now)
            case ev.TrialEnded(good):
                return self._renewal.trial_ended(good, now, self.rules) if self.phase is Phase.RUNNING else []
            case ev.SuccessorEnded():
                self._renewal.successor = False
                if not self.fleet.wanted and self.phase is Phase.RUNNING:
                    self.fleet.resize(self.rules.workers)  # they had left for the second master's sake
            case ev.PreloadFailed():
                return self._go_back()
            case ev.ScaleAsked(by):
                return self._scale_asked(by)
            case ev.RestAsked():
                return self._rest_asked()
            case _:
                handle = self.fleet.workers.get(event.serial)
                return [] if handle is None else self._apply_to(handle, event, now)
        return []

    def _apply_to(self, handle: Handle, event: ev.Event, now: float) -> list[ev.Action]:
        match event:
            case ev.WorkerBeat(at=at):
                handle.beat(at)
            case ev.WorkerReady() if handle.state is State.STARTING:
                handle.enter(State.READY, now, silence=self.rules.beat_timeout)
                self._ever_ready = True
                if handle.generation == self.fleet.generation:
                    self._proven, self._former = True, None
            case ev.LimitReached(reason=reason):
                handle.limit = reason
            case ev.WorkerLeaving() if handle.in_service:
                self._drain(handle, False, now)
            case ev.WorkerExited():
                del self.fleet.workers[handle.serial]
                if handle.in_service and self.phase <= Phase.DELAYING:
                    return self._failed(handle, now)
        return []

    def _stop_asked(self, hurry: bool, now: float) -> list[ev.Action]:
        if hurry and self.phase >= Phase.HURRYING:
            return self._kill_asked(now)
        if self.phase > Phase.RUNNING and not hurry:
            return []
        if self.rules.drain_delay and not hurry:
            self.phase = Phase.DELAYING
            self._leave_at = now + self.rules.drain_delay
            return self._renewal.end_trial()
        return self._stop(hurry, now)

    def _stop(self, hurry: bool, now: float) -> list[ev.Action]:
        actions = self._leave_running()
        self.phase = Phase.HURRYING if hurry else Phase.STOPPING
        for handle in self.fleet.workers.values():
            if handle.in_service:
                actions.append(self._drain(handle, hurry, now))
            elif hurry and handle.state is State.DRAINING:
                actions.append(ev.Drain(handle.serial, hurry))
        return actions

    def _kill_asked(self, now: float) -> list[ev.Action]:
        actions = self._leave_running()
        insisting = self.phase is Phase.KILLING
        self.phase = Phase.KILLING
        for handle in self.fleet.workers.values():
            if insisting:
                actions.append(self._kill(handle, now))
            elif handle.state is not State.KILLED:
                handle.enter(State.KILLED, now, LAST_MOMENT)
                actions.append(ev.Stop(handle.serial))
        return actions

    def _leave_running(self) -> list[ev.Action]:
        if self.phase > Phase.DELAYING:
            return []
        return [*self._renewal.end_trial(), ev.CloseListeners()]

    def _files_changed(self, now: float) -> list[ev.Action]:
        if self.phase is not Phase.RUNNING:
            return []
        self.fleet.generation += 1
        for slot in self.fleet.slots:
            slot.forgive()
        return [self._drain(handle, True, now) for handle in self.fleet.in_service()]

    def _reload_asked(self, event: ev.ReloadAsked, now: float) -> list[ev.Action]:
        if self.phase is not Phase.RUNNING:
            return [ev.Decline("this server is stopping")]
        if self.rules.reload:
            return self._files_changed(now)
        if self.rules.fresh:
            rested = not self.fleet.wanted
            if rested:
                self.fleet.resize(self.rules.workers)
            # Beside a second master that is an upgrade taken back: the code in this one's memory is what is wanted.
            return [] if rested and self._renewal.successor else self._renewal.start_trial(now, self.rules)
        if self._proven:
            self._former, self._proven = Former(self.fleet.generation, self.rules, self.fleet.wanted), False
        for slot in self.fleet.slots:
            slot.forgive()
        self.rules = event.rules
        self.fleet.generation = event.generation
        self.fleet.resize(event.rules.workers)
        return []

    def _go_back(self) -> list[ev.Action]:
        """Give the new generation up, if there is a former one to go back to."""
        if self._former is None or not any(each.generation < self.fleet.generation for each in self.fleet.in_service()):
            return []
        self.fleet.generation, self.rules, wanted = self._former
        self.fleet.resize(wanted)
        self._former, self._proven = None, True
        return [ev.ReloadFailed()]

    def _upgrade_asked(self, now: float) -> list[ev.Action]:
        if self.phase is not Phase.RUNNING:
            return [ev.Decline("this server is stopping")]
        if self.rules.reload:
            return [ev.Decline("under --reload the code is followed anyway")]
        if self.rules.in_place:
            return self._renewal.start_trial(now, self.rules)
        return self._renewal.start_successor()

    def _scale_asked(self, by: int) -> list[ev.Action]:
        if self.phase is not Phase.RUNNING:
            return [ev.Decline("this server is stopping")]
        if self.rules.reload:
            return [ev.Decline("under --reload there is one worker")]
        if by < 0 and self.fleet.wanted <= 1:
            return [ev.Decline("it would leave no worker")]
        self.fleet.resize(self.fleet.wanted + by)
        return []

    def _rest_asked(self) -> list[ev.Action]:
        if self.phase is not Phase.RUNNING:
            return [ev.Decline("this server is stopping")]
        if self.rules.reload:
            return [ev.Decline("under --reload there is one worker")]
        self.fleet.resize(0)
        return []

    # decisions

    def _enforce(self, now: float) -> list[ev.Action]:
        actions = self._renewal.enforce(now)
        if self.phase is Phase.DELAYING and self._leave_at <= now:
            actions += self._stop(False, now)
        for handle in [each for each in self.fleet.workers.values() if each.deadline <= now]:
            if handle.state is State.KILLED:
                actions.append(self._kill(handle, now))
                continue
            actions.append(ev.Dump(handle.serial, self._lateness(handle)))
            if handle.in_service and self.phase <= Phase.DELAYING:
                actions += self._failed(handle, now)
            handle.enter(State.KILLED, now, LAST_MOMENT)
        return actions

    def _fill(self, now: float) -> list[ev.Action]:
        if self._is_hopeless():
            actions = self._leave_running()
            self.phase = Phase.STOPPING
            self._exit_code = EXIT_STARTUP
            return [ev.GiveUp(), *actions]
        actions = []
        for slot in self._openings():
            if self._start_time(slot) <= now:
                handle = self.fleet.add(slot, now, self.rules.start_timeout)
                actions.append(ev.Spawn(handle.serial, slot.number))
        return actions

    def _openings(self) -> list[Slot]:
        """The slots that want a worker: those without one, and of those with one to replace, the next in turn."""
        openings = list(self.fleet.vacancies())
        waiting = self.fleet.awaiting_replacement()
        if waiting:
            openings.append(min(waiting, key=self._start_time))
        return openings

    def _start_time(self, slot: Slot) -> float:
        """The earliest moment at which a slot may start a worker."""
        if slot.failures and not self._ever_ready:
            return math.inf  # let the others show first whether the application can start at all
        moment = slot.not_before
        starting = self.fleet.in_state(State.STARTING)
        if not self._ever_ready and len(starting) >= self.rules.first:
            moment = max(moment, starting[0].since + HEAD_START)
        if self.rules.reload:
            here = [handle for handle in self.fleet.workers.values() if handle.slot == slot.number]
            moment = max([moment, *(handle.since + RELOAD_PATIENCE for handle in here if not handle.in_service)])
        return moment

    def _is_hopeless(self) -> bool:
        if self._ever_ready or self.rules.reload or not self.fleet.wanted or self.fleet.in_service():
            return False
        return all(slot.failures for slot in self.fleet.slots[: self.fleet.wanted])

    def _failed(self, handle: Handle, now: float) -> list[ev.Action]:
        """Note a death that nobody asked for, and when its slot may try again."""
        slot = self.fleet.slot_of(handle)
        if handle.ready_at is None and self.rules.reload:
            slot.not_before = math.inf  # until the next edit
            return [ev.AwaitChange()]
        if handle.ready_at is None and handle.generation == self.fleet.generation:
            given_up = self._go_back()
            if given_up:
                return given_up
        if handle.ready_at is not None and now - handle.ready_at >= STEADY:
            slot.failures = 0
        slot.failures += 1
        if slot.failures == 1:
            return []
        wait = min(LONGEST_WAIT, 2.0 ** (slot.failures - 2))
        slot.not_before = max(slot.not_before, now + wait)
        return [ev.BackOff(slot.number, wait)]

    def _drain(self, handle: Handle, hurry: bool, now: float) -> ev.Action:
        handle.enter(State.DRAINING, now, self.rules.graceful_timeout + DRAIN_MARGIN, self.rules.beat_timeout)
        return ev.Drain(handle.serial, hurry)

    def _kill(self, handle: Handle, now: float) -> ev.Action:
        handle.enter(State.KILLED, now)
        return ev.Kill(handle.serial)

    def _attention(self, handle: Handle, now: float) -> float:
        """When to look at a worker: at its deadline, and a moment before if a beat could still put it off."""
        early = handle.deadline - SECOND_LOOK
        return early if handle.is_silent and now < early else handle.deadline

    def _lateness(self, handle: Handle) -> str:
        if handle.state is State.STARTING:
            return f"did not get ready within {handle.patience:g} s"
        if handle.is_silent:
            return f"has been blocked for {handle.silence:g} s"
        return f"did not finish its requests within {self.rules.graceful_timeout:g} s"
