"""What can be asked of the slots and the workers in them."""

import math
from collections.abc import Iterable

import pytest

from monoceros.supervisor.fleet import Fleet, Slot
from monoceros.supervisor.handle import Handle, State
from monoceros.supervisor.rules import MOST_DRAINING, SPACING


def put(fleet: Fleet, slot: int, state: State, *, limit: str | None = None) -> Handle:
    """Put another worker into a slot."""
    handle = fleet.add(fleet.slots[slot - 1], 0, 60)
    if state is not State.STARTING:
        handle.enter(state, 1)
    handle.limit = limit
    return handle


def numbers(slots: Iterable[Slot]) -> list[int]:
    return [slot.number for slot in slots]


def test_there_are_as_many_slots_as_workers_wanted_numbered_from_one() -> None:
    assert numbers(Fleet(3, 1).slots) == [1, 2, 3]


def test_slots_outlive_being_wanted() -> None:
    fleet = Fleet(3, 1)
    fleet.resize(1)
    assert (fleet.wanted, numbers(fleet.slots)) == (1, [1, 2, 3])
    fleet.resize(4)
    assert (fleet.wanted, numbers(fleet.slots)) == (4, [1, 2, 3, 4])


def test_a_new_worker_starts_in_its_slot_for_the_present_generation() -> None:
    fleet = Fleet(2, 7)
    handle = fleet.add(fleet.slots[1], 10, 60)
    assert (handle.serial, handle.slot, handle.generation, handle.state) == (1, 2, 7, State.STARTING)
    assert handle.deadline == 70
    assert fleet.workers == {1: handle}
    assert fleet.slot_of(handle) is fleet.slots[1]


def test_a_start_keeps_the_slot_from_the_next_for_a_second() -> None:
    fleet = Fleet(1, 1)
    fleet.add(fleet.slots[0], 10, 60)
    assert fleet.slots[0].not_before == 10 + SPACING


def test_a_serial_number_is_never_used_again() -> None:
    fleet = Fleet(1, 1)
    for serial in (1, 2, 3):
        assert fleet.add(fleet.slots[0], 0, 60).serial == serial
        fleet.workers.clear()


def test_an_adopted_worker_keeps_its_number_and_the_next_one_has_a_greater() -> None:
    fleet = Fleet(1, 5)
    fleet.adopt(Handle(41, 1, 4, 0.0, math.inf, State.READY))
    fleet.adopt(Handle(40, 1, 4, 0.0, math.inf, State.DRAINING))
    assert list(fleet.workers) == [41, 40]
    assert fleet.add(fleet.slots[0], 0, 60).serial == 42


def test_an_adopted_worker_brings_its_slot_but_no_wish() -> None:
    fleet = Fleet(1, 5)
    adopted = Handle(9, 3, 4, 0.0, math.inf, State.READY)
    fleet.adopt(adopted)
    assert (fleet.wanted, numbers(fleet.slots)) == (1, [1, 2, 3])
    assert fleet.slot_of(adopted).number == 3


def test_forgiveness_forgets_the_failures_but_not_the_spacing() -> None:
    slot = Slot(1, started_at=10, not_before=40, failures=5)
    slot.forgive()
    assert (slot.failures, slot.not_before) == (0, 10 + SPACING)


def test_the_workers_of_a_state_come_oldest_first() -> None:
    fleet = Fleet(2, 1)
    first, second = put(fleet, 2, State.READY), put(fleet, 1, State.READY)
    third, fourth = put(fleet, 1, State.STARTING), put(fleet, 1, State.DRAINING)
    put(fleet, 1, State.KILLED)
    assert fleet.in_state(State.READY) == [first, second]
    assert fleet.in_state(State.DRAINING) == [fourth]
    assert fleet.in_service() == [first, second, third]


@pytest.mark.parametrize(("slots", "manned"), [([], False), ([1], False), ([1, 1], False), ([1, 2], True)])
def test_it_is_manned_when_each_wanted_slot_has_a_ready_worker(slots: list[int], manned: bool) -> None:
    fleet = Fleet(2, 1)
    for slot in slots:
        put(fleet, slot, State.READY)
    put(fleet, 2, State.STARTING)
    assert fleet.is_manned is manned


@pytest.mark.parametrize(
    ("limit", "generation", "due"), [(None, 1, False), ("it is old", 1, True), (None, 2, True), ("it is old", 2, True)]
)
def test_a_worker_is_due_at_a_limit_or_when_there_is_newer_code(limit: str | None, generation: int, due: bool) -> None:
    fleet = Fleet(1, 1)
    handle = put(fleet, 1, State.READY, limit=limit)
    fleet.generation = generation
    assert fleet.is_due(handle) is due


def test_a_worker_of_a_generation_that_was_given_up_is_due() -> None:
    fleet = Fleet(1, 2)
    handle = put(fleet, 1, State.READY)
    fleet.generation = 1
    assert fleet.is_due(handle)


def test_a_slot_keeps_its_youngest_ready_worker_that_is_not_due() -> None:
    fleet = Fleet(2, 1)
    former, old = put(fleet, 1, State.READY, limit="it is old"), put(fleet, 1, State.READY)
    put(fleet, 1, State.READY)
    put(fleet, 2, State.READY)
    assert fleet.surplus() == [former, old]


def test_a_slot_whose_ready_workers_are_all_due_keeps_them() -> None:
    fleet = Fleet(1, 1)
    put(fleet, 1, State.READY, limit="it is old")
    put(fleet, 1, State.READY, limit="it is large")
    put(fleet, 1, State.STARTING)
    assert fleet.surplus() == []


def test_workers_beyond_the_wanted_slots_retire() -> None:
    fleet = Fleet(3, 1)
    put(fleet, 1, State.READY)
    second, third = put(fleet, 2, State.READY), put(fleet, 3, State.STARTING)
    put(fleet, 3, State.DRAINING)
    assert fleet.retired() == []
    fleet.resize(1)
    assert fleet.retired() == [second, third]


def test_the_last_ready_worker_does_not_retire_while_another_only_starts() -> None:
    fleet = Fleet(3, 1)
    put(fleet, 1, State.STARTING)
    put(fleet, 2, State.READY)
    third = put(fleet, 3, State.STARTING)
    fleet.resize(1)
    assert fleet.retired() == [third]


def test_where_no_worker_is_wanted_all_retire() -> None:
    fleet = Fleet(2, 1)
    both = [put(fleet, 1, State.READY), put(fleet, 2, State.STARTING)]
    fleet.resize(0)
    assert fleet.retired() == both


def test_a_wanted_slot_is_vacant_unless_a_worker_serves_or_starts() -> None:
    fleet = Fleet(5, 1)
    for slot, state in enumerate((State.STARTING, State.READY, State.DRAINING, State.KILLED), 1):
        put(fleet, slot, state)
    assert numbers(fleet.vacancies()) == [3, 4, 5]
    fleet.resize(3)
    assert numbers(fleet.vacancies()) == [3]


def test_wanted_slots_whose_ready_worker_is_due_await_a_replacement() -> None:
    fleet = Fleet(4, 1)
    for slot in (1, 2, 4):
        put(fleet, slot, State.READY, limit="it is old")
    put(fleet, 3, State.READY)
    assert numbers(fleet.awaiting_replacement()) == [1, 2, 4]
    fleet.resize(3)
    assert numbers(fleet.awaiting_replacement()) == [1, 2]


def test_nobody_is_replaced_while_a_replacement_starts() -> None:
    fleet = Fleet(2, 1)
    for slot in (1, 2):
        put(fleet, slot, State.READY, limit="it is old")
    put(fleet, 1, State.STARTING)
    assert fleet.awaiting_replacement() == []


def test_a_worker_that_starts_in_an_empty_slot_is_no_replacement() -> None:
    fleet = Fleet(2, 1)
    put(fleet, 1, State.READY, limit="it is old")
    put(fleet, 2, State.STARTING)
    assert numbers(fleet.awaiting_replacement()) == [1]


def test_a_starting_worker_of_old_code_is_not_replaced_before_it_is_ready() -> None:
    fleet = Fleet(1, 1)
    put(fleet, 1, State.STARTING)
    fleet.generation = 2
    assert fleet.awaiting_replacement() == []


def test_a_slot_in_which_most_drain_waits_until_one_has_left() -> None:
    fleet = Fleet(1, 1)
    put(fleet, 1, State.READY, limit="it is old")
    draining = [put(fleet, 1, State.DRAINING) for _ in range(MOST_DRAINING)]
    assert fleet.awaiting_replacement() == []
    del fleet.workers[draining[0].serial]
    assert numbers(fleet.awaiting_replacement()) == [1]
