"""Who serves the listeners of slots without a ready worker: first as such, then as workers come and go."""

import math

import pytest

from monoceros.supervisor.coverage import spread
from monoceros.supervisor.events import (
    CloseListeners,
    Cover,
    Drain,
    Dump,
    LimitReached,
    ReloadAsked,
    ScaleAsked,
    Spawn,
    StopAsked,
    Uncover,
    WorkerBeat,
    WorkerExited,
    WorkerLeaving,
    WorkerReady,
)
from monoceros.supervisor.fleet import Fleet
from monoceros.supervisor.handle import Handle, State
from monoceros.supervisor.policy import Policy
from monoceros.supervisor.rules import Rules
from tests.supervisor.test_policy import play, ready


def fleet(workers: int, *ready: int) -> Fleet:
    """A fleet with a worker in each slot, numbered like it; some are ready, the others start."""
    made = Fleet(workers, 1)
    for slot in made.slots:
        handle = made.add(slot, 0, 60)
        if handle.slot in ready:
            handle.enter(State.READY, 1)
    return made


def become(handle: Handle, state: State) -> None:
    handle.enter(state, 2)


def test_where_every_slot_has_a_ready_worker_nothing_is_covered() -> None:
    assert spread(fleet(3, 1, 2, 3)) == []


def test_without_any_ready_worker_nobody_can_cover() -> None:
    assert spread(fleet(3)) == []


def test_a_slot_whose_worker_starts_is_covered_once() -> None:
    some = fleet(2, 2)
    assert spread(some) == [Cover(2, 1)]
    assert some.workers[2].covers == {1}
    assert spread(some) == []


def test_each_gap_goes_to_the_worker_with_the_fewest_and_then_to_the_oldest() -> None:
    assert spread(fleet(6, 2, 5)) == [Cover(2, 1), Cover(5, 3), Cover(2, 4), Cover(5, 6)]


def test_a_listener_goes_back_to_its_own_worker() -> None:
    some = fleet(3, 3)
    spread(some)
    become(some.workers[1], State.READY)
    assert spread(some) == [Uncover(3, 1)]
    assert some.workers[3].covers == {2}


def test_what_a_leaving_worker_covered_and_its_own_go_to_those_who_stay() -> None:
    some = fleet(3, 1, 2)
    assert spread(some) == [Cover(1, 3)]
    become(some.workers[1], State.DRAINING)
    assert spread(some) == [Cover(2, 1), Cover(2, 3)]


def test_what_a_dead_worker_covered_goes_to_another() -> None:
    some = fleet(3, 1, 2)
    spread(some)
    del some.workers[1]
    assert spread(some) == [Cover(2, 1), Cover(2, 3)]


def test_a_retired_slot_stays_covered() -> None:
    some = fleet(3, 1, 2, 3)
    some.resize(1)
    for serial in (2, 3):
        become(some.workers[serial], State.DRAINING)
    assert spread(some) == [Cover(1, 2), Cover(1, 3)]
    for serial in (2, 3):
        del some.workers[serial]
    assert spread(some) == []


def test_a_replacement_takes_over_what_the_former_worker_of_its_slot_covered() -> None:
    some = fleet(2, 1)
    assert spread(some) == [Cover(1, 2)]
    replacement = some.add(some.slots[0], 5, 60)
    become(replacement, State.READY)
    become(some.workers[1], State.DRAINING)
    assert spread(some) == [Cover(replacement.serial, 2)]


# in the policy


def owning(workers: int, beat_timeout: float = math.inf) -> Rules:
    """The rules where each slot has listeners of its own."""
    return Rules(workers, beat_timeout=beat_timeout, own_listeners=True)


def test_at_the_start_the_first_ready_worker_serves_for_all_until_they_are_ready() -> None:
    policy = Policy(owning(3))
    play(policy, [(0, [], [Spawn(1, 1), Spawn(2, 2), Spawn(3, 3)])])
    play(policy, [(1, [WorkerReady(2)], [Cover(2, 1), Cover(2, 3)]), (2, [WorkerReady(1)], [Uncover(2, 1)])])
    play(policy, [(3, [WorkerReady(3)], [Uncover(2, 3)]), (4, [], [])])


def test_the_listeners_of_a_dead_worker_are_served_until_its_successor_is_ready() -> None:
    policy = ready(owning(2))
    play(policy, [(5, [WorkerExited(1)], [Spawn(3, 1), Cover(2, 1)]), (6, [WorkerReady(3)], [Uncover(2, 1)])])


def test_the_listeners_of_a_worker_that_leaves_or_is_blocked_are_served_at_once() -> None:
    policy = ready(owning(2, beat_timeout=60))
    play(policy, [(5, [WorkerLeaving(1)], [Spawn(3, 1), Cover(2, 1)]), (6, [WorkerReady(3)], [Uncover(2, 1)])])
    play(policy, [(7, [WorkerExited(1)], []), (59, [WorkerBeat(3, 59)], [])])
    play(policy, [(60, [], [Dump(2, "has been blocked for 60 s"), Spawn(4, 2), Cover(3, 2)])])


def test_the_worker_that_covers_may_leave_too() -> None:
    policy = ready(owning(3))
    play(policy, [(5, [WorkerExited(1)], [Spawn(4, 1), Cover(2, 1)])])
    play(policy, [(6, [WorkerExited(2)], [Spawn(5, 2), Cover(3, 1), Cover(3, 2)])])
    play(policy, [(7, [WorkerReady(4)], [Uncover(3, 1)]), (8, [WorkerReady(5)], [Uncover(3, 2)])])


def test_a_planned_replacement_leaves_no_gap_to_cover() -> None:
    play(ready(owning(2)), [(5, [LimitReached(1, "")], [Spawn(3, 1)]), (6, [WorkerReady(3)], [Drain(1)])])


def test_a_retired_slot_is_covered_for_as_long_as_it_is_retired() -> None:
    policy = ready(owning(2))
    play(policy, [(5, [ScaleAsked(-1)], [Drain(2), Cover(1, 2)]), (6, [WorkerExited(2)], [])])
    play(policy, [(7, [WorkerExited(1)], [Spawn(3, 1)]), (8, [WorkerReady(3)], [Cover(3, 2)])])
    play(policy, [(9, [ScaleAsked(1)], [Spawn(4, 2)]), (10, [WorkerReady(4)], [Uncover(3, 2)])])


def test_a_reload_hands_what_is_covered_on() -> None:
    policy = ready(owning(2))
    play(policy, [(5, [ScaleAsked(-1)], [Drain(2), Cover(1, 2)]), (6, [WorkerExited(2)], [])])
    play(policy, [(7, [ReloadAsked(2, owning(1))], [Spawn(3, 1)]), (8, [WorkerReady(3)], [Drain(1), Cover(3, 2)])])


def test_while_a_stop_is_delayed_gaps_are_covered_and_afterwards_none_is() -> None:
    policy = ready(Rules(2, beat_timeout=math.inf, drain_delay=20, own_listeners=True))
    play(policy, [(5, [StopAsked()], []), (6, [WorkerExited(1)], [Spawn(3, 1), Cover(2, 1)])])
    play(policy, [(25, [], [CloseListeners(), Drain(2), Drain(3)])])


@pytest.mark.parametrize("workers", [1, 2])
def test_where_all_share_their_listeners_nothing_is_covered(workers: int) -> None:
    play(ready(Rules(workers, beat_timeout=math.inf)), [(5, [WorkerExited(1)], [Spawn(workers + 1, 1)])])
