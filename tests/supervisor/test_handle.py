"""One worker's state and its deadline."""

import math

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


def test_only_a_serving_worker_lives_by_its_beats() -> None:
    worker = handle()
    worker.beat(14)
    assert worker.deadline == 15
    worker.enter(State.READY, 14, 60)
    worker.beat(20)
    assert worker.deadline == 80


def test_an_old_beat_does_not_bring_the_deadline_nearer() -> None:
    worker = handle()
    worker.enter(State.READY, 14, 60)
    worker.beat(3)
    assert worker.deadline == 74


def test_the_slot_counts_on_a_worker_until_it_is_told_to_go() -> None:
    worker = handle()
    assert worker.in_service
    worker.enter(State.READY, 14, 60)
    assert worker.in_service
    worker.enter(State.DRAINING, 14, 60)
    assert not worker.in_service


def test_rearming_gives_the_whole_patience_again() -> None:
    worker = handle()
    worker.rearm(100)
    assert worker.deadline == 105
