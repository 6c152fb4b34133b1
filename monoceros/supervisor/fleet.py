"""The slots and the workers in them, and what can be asked of both. It decides nothing: see `policy`.

Slots, not pids: a slot is a worker's place and outlives the workers that fill it. At one time it may have a worker that
serves, its replacement that starts, and former ones that drain.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from monoceros.supervisor.handle import Handle, State
from monoceros.supervisor.rules import MOST_DRAINING, SPACING


@dataclass(slots=True, eq=False)
class Slot:
    """A worker's place.

    Arguments:
        number: from 1.
        started_at: when its last worker was started.
        not_before: when the next one may be.
        failures: deaths in a row that nobody asked for.
    """

    number: int
    started_at: float = -math.inf
    not_before: float = -math.inf
    failures: int = 0

    def forgive(self) -> None:
        """Forget the failures: there is new code to try."""
        self.failures = 0
        self.not_before = self.started_at + SPACING


class Fleet:
    """All workers and all slots.

    Arguments:
        wanted: how many slots shall have a worker: those with the lowest numbers.
        generation: the code and options that workers are started for now.

    Attributes:
        workers: by serial number, until their exit is collected.
        slots: those that have ever been wanted.
        serial: the number of the youngest worker.
    """

    def __init__(self, wanted: int, generation: int) -> None:
        self.workers: dict[int, Handle] = {}
        self.slots: list[Slot] = []
        self.wanted = 0
        self.generation = generation
        self.serial = 0
        self.resize(wanted)

    def resize(self, wanted: int) -> None:
        """Want another number of workers."""
        self.wanted = wanted
        self.reach(wanted)

    def reach(self, number: int) -> None:
        """Have slots up to this number, whether they are wanted or not: there are sockets that are theirs."""
        self.slots += [Slot(each) for each in range(len(self.slots) + 1, number + 1)]

    def adopt(self, handle: Handle) -> None:
        """Take a worker that a former master started."""
        self.serial = max(self.serial, handle.serial)
        self.reach(handle.slot)
        self.workers[handle.serial] = handle

    def add(self, slot: Slot, now: float, patience: float) -> Handle:
        """Note that a worker is being started."""
        self.serial += 1
        slot.started_at = now
        slot.not_before = now + SPACING
        handle = self.workers[self.serial] = Handle(self.serial, slot.number, self.generation, now, patience)
        return handle

    def slot_of(self, handle: Handle) -> Slot:
        """The place of a worker."""
        return self.slots[handle.slot - 1]

    def in_state(self, state: State) -> list[Handle]:
        """The workers in one state, the oldest first."""
        return [handle for handle in self.workers.values() if handle.state is state]

    def in_service(self) -> list[Handle]:
        """The workers that serve, or are about to."""
        return [handle for handle in self.workers.values() if handle.in_service]

    @property
    def is_manned(self) -> bool:
        """Whether each slot that is wanted has a ready worker."""
        held = {handle.slot for handle in self.in_state(State.READY)}
        return all(number in held for number in range(1, self.wanted + 1))

    def is_due(self, handle: Handle) -> bool:
        """Whether a worker is to be replaced: it reached a limit, or has other code than is wanted now."""
        return handle.limit is not None or handle.generation != self.generation

    def surplus(self) -> list[Handle]:
        """The ready workers that nobody needs: a slot keeps its youngest that isn't due, if it has one."""
        kept: dict[int, int] = {}
        ready = self.in_state(State.READY)
        for handle in ready:
            if not self.is_due(handle):
                kept[handle.slot] = max(kept.get(handle.slot, 0), handle.serial)
        return [handle for handle in ready if handle.slot in kept and handle.serial != kept[handle.slot]]

    def retired(self) -> list[Handle]:
        """The workers in slots that aren't wanted any more and can go: the last ready worker of all stays."""
        above = [handle for handle in self.in_service() if handle.slot > self.wanted]
        others = any(handle.slot <= self.wanted for handle in self.in_state(State.READY))
        return [handle for handle in above if others or not self.wanted or handle.state is State.STARTING]

    def vacancies(self) -> Iterator[Slot]:
        """The slots that want a worker and have none."""
        filled = {handle.slot for handle in self.in_service()}
        return (slot for slot in self.slots[: self.wanted] if slot.number not in filled)

    def awaiting_replacement(self) -> list[Slot]:
        """The slots whose worker is due, and can be replaced now: none, while another one is being replaced."""
        ready = {handle.slot for handle in self.in_state(State.READY)}
        if any(handle.slot in ready for handle in self.in_state(State.STARTING)):
            return []
        due = {handle.slot for handle in self.in_state(State.READY) if self.is_due(handle)}
        draining = [handle.slot for handle in self.in_state(State.DRAINING)]
        return [
            slot
            for slot in self.slots[: self.wanted]
            if slot.number in due and draining.count(slot.number) < MOST_DRAINING
        ]
