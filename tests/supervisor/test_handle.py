"""One worker's state and the deadlines that count in it."""

import math
from itertools import pairwise

import pytest

from monoceros.supervisor.handle import Handle, State


def handle() -> Handle:
    return Handle(serial=1, slot=1, generation=1, since=10.0, patience=5.0)


def test_the_deadline_counts_from_the_moment_the_state_was_entered() -> None:
    worker = handle()
    assert worker.deadline == 15
    worker.enter(State.DRAINING, 20, 30)
    assert worker.deadline == 50


def test_a_state_without_a_patience_has_no_deadline() -> None:
    worker = handle()
    worker.enter(State.KILLED, 20)
    assert worker.deadline == math.inf


def test_a_starting_worker_is_not_measured_by_its_beats() -> None:
    worker = handle()
    worker.beat(14)
    assert worker.deadline == 15
    assert not worker.is_silent


@pytest.mark.parametrize("state", [State.READY, State.DRAINING])
def test_a_worker_that_serves_or_drains_lives_by_its_beats(state: State) -> None:
    worker = handle()
    worker.enter(state, 14, silence=60)
    assert worker.deadline == 74
    worker.beat(20)
    assert worker.deadline == 80
    assert worker.is_silent


def test_the_nearer_of_two_deadlines_counts() -> None:
    worker = handle()
    worker.enter(State.DRAINING, 14, 30, silence=20)
    assert (worker.deadline, worker.is_silent) == (34, True)
    worker.beat(30)
    assert (worker.deadline, worker.is_silent) == (44, False)


def test_an_old_beat_does_not_bring_the_deadline_nearer() -> None:
    worker = handle()
    worker.enter(State.READY, 14, silence=60)
    worker.beat(3)
    assert worker.deadline == 74


def test_the_slot_counts_on_a_worker_until_it_is_told_to_go() -> None:
    worker = handle()
    assert worker.in_service
    worker.enter(State.READY, 14)
    assert worker.in_service
    worker.enter(State.DRAINING, 14)
    assert not worker.in_service
    worker.enter(State.KILLED, 14)
    assert not worker.in_service


def test_the_moment_it_got_ready_outlives_the_state() -> None:
    worker = handle()
    assert worker.ready_at is None
    worker.enter(State.READY, 14)
    worker.enter(State.DRAINING, 20)
    assert worker.ready_at == 14


@pytest.mark.parametrize("state", [State.DRAINING, State.KILLED])
def test_a_worker_that_leaves_serves_no_listeners_of_other_slots(state: State) -> None:
    worker = handle()
    worker.enter(State.READY, 14)
    worker.covers.update({2, 3})
    worker.enter(state, 20)
    assert worker.covers == set()


def test_two_workers_do_not_share_what_they_cover() -> None:
    one, other = handle(), handle()
    one.covers.add(2)
    assert other.covers == set()


def test_rearming_gives_the_whole_patience_again() -> None:
    worker = handle()
    worker.rearm(100)
    assert worker.deadline == 105


def test_rearming_gives_the_whole_silence_again() -> None:
    worker = handle()
    worker.enter(State.READY, 14, silence=60)
    worker.rearm(100)
    assert worker.deadline == 160


def test_rearming_never_brings_a_deadline_nearer() -> None:
    worker = handle()
    worker.enter(State.DRAINING, 14, 30, silence=20)
    worker.rearm(3)
    assert worker.deadline == 34


def test_the_states_stand_in_the_order_of_a_life() -> None:
    order = [State.STARTING, State.READY, State.DRAINING, State.KILLED]
    assert list(State) == order
    assert all(former.value < later.value for former, later in pairwise(order))
