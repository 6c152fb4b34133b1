"""The rules of a change: new code, new options, more or fewer workers, adopted ones, and a stop that is delayed."""

import math
from dataclasses import replace

import pytest

from monoceros.supervisor.events import (
    BackOff,
    CloseListeners,
    Decline,
    Drain,
    Dump,
    Event,
    Exit,
    Kill,
    KillAsked,
    LimitReached,
    Overslept,
    PreloadFailed,
    ReloadAsked,
    ReloadFailed,
    RestAsked,
    ScaleAsked,
    Spawn,
    Stop,
    StopAsked,
    UpgradeAsked,
    WorkerExited,
    WorkerLeaving,
    WorkerReady,
)
from monoceros.supervisor.handle import Handle, State
from monoceros.supervisor.policy import Policy
from monoceros.supervisor.rules import MOST_DRAINING, Condition, Rules
from tests.supervisor.test_policy import play, ready

ONE, TWO, THREE = (Rules(workers=number, beat_timeout=math.inf) for number in (1, 2, 3))
STOPPING = Decline("this server is stopping")


def adopting(rules: Rules, *slots: int) -> Policy:
    """A new master of generation 2 that took over ready workers 1..N of generation 1, in these slots, at the time 0."""
    adopted = [Handle(serial, slot, 1, 0, math.inf) for serial, slot in enumerate(slots, 1)]
    for handle in adopted:
        handle.enter(State.READY, 0)
    return Policy(rules, 2, adopted)


def condition(policy: Policy) -> Condition:
    """What an operator is told now."""
    return policy.condition


# a reload


def test_a_reload_replaces_one_worker_at_a_time_and_each_is_ready_before_the_old_one_drains() -> None:
    policy = ready(TWO)
    play(
        policy, [(5, [ReloadAsked(2, TWO)], [Spawn(3, 1)]), (6, [], []), (7, [WorkerReady(3)], [Drain(1), Spawn(4, 2)])]
    )
    assert condition(policy) is Condition.RELOADING
    play(policy, [(8, [WorkerExited(1)], []), (9, [WorkerReady(4)], [Drain(2)]), (10, [WorkerExited(2)], [])])
    assert condition(policy) is Condition.SERVING
    assert {handle.generation for handle in policy.fleet.workers.values()} == {2}


def test_a_generation_whose_first_worker_fails_is_given_up() -> None:
    policy = ready(TWO)
    play(
        policy,
        [(5, [ReloadAsked(2, THREE)], [Spawn(3, 3), Spawn(4, 1)]), (6, [WorkerExited(4)], [ReloadFailed(), Drain(3)])],
    )
    assert policy.rules == TWO
    assert (policy.fleet.wanted, policy.fleet.generation) == (2, 1)


def test_a_generation_that_was_given_up_is_not_tried_again() -> None:
    policy = ready(ONE)
    play(policy, [(5, [ReloadAsked(2, ONE)], [Spawn(2, 1)]), (6, [WorkerExited(2)], [ReloadFailed()]), (900, [], [])])
    assert policy.wake_at(900) == math.inf
    assert condition(policy) is Condition.SERVING
    play(policy, [(901, [WorkerExited(1)], [Spawn(3, 1)])])
    assert policy.fleet.workers[3].generation == 1


def test_a_reload_after_one_that_was_given_up_can_be_given_up_too() -> None:
    policy = ready(ONE)
    play(policy, [(5, [ReloadAsked(2, ONE)], [Spawn(2, 1)]), (6, [WorkerExited(2)], [ReloadFailed()])])
    play(policy, [(7, [ReloadAsked(3, TWO)], [Spawn(3, 2), Spawn(4, 1)])])
    play(policy, [(8, [WorkerExited(4)], [ReloadFailed(), Drain(3)])])
    assert (policy.rules, policy.fleet.generation) == (ONE, 1)


def test_a_generation_whose_first_worker_is_not_ready_in_time_is_given_up() -> None:
    rules = replace(ONE, start_timeout=10)
    policy = ready(rules)
    play(policy, [(5, [ReloadAsked(2, rules)], [Spawn(2, 1)])])
    play(policy, [(15, [], [Dump(2, "did not get ready within 10 s"), ReloadFailed()]), (16, [], [Kill(2)])])
    play(policy, [(17, [WorkerExited(2)], []), (900, [], [])])


def test_a_worker_of_a_generation_that_was_given_up_does_not_take_the_place_of_one_that_serves() -> None:
    """Two start when the first of them fails: one instead of 1, and one for 2, which just died."""
    policy = ready(TWO)
    play(policy, [(5, [ReloadAsked(2, TWO)], [Spawn(3, 1)]), (6, [WorkerExited(2)], [Spawn(4, 2)])])
    policy.decide([WorkerExited(4)], 7)
    actions = policy.decide([WorkerReady(3)], 8)
    assert Drain(1) not in actions
    assert policy.fleet.workers[1].state is State.READY


def test_a_worker_of_a_generation_that_was_given_up_does_not_stay() -> None:
    policy = ready(TWO)
    play(policy, [(5, [ReloadAsked(2, TWO)], [Spawn(3, 1)]), (6, [WorkerExited(2)], [Spawn(4, 2)])])
    assert policy.decide([WorkerExited(3)], 7)[0] == ReloadFailed()
    for now in range(8, 20):  # whoever starts gets ready, whoever is told to leave leaves
        events: list[Event] = [WorkerReady(handle.serial) for handle in policy.fleet.in_state(State.STARTING)]
        policy.decide([*events, *(WorkerExited(each.serial) for each in policy.fleet.in_state(State.DRAINING))], now)
    assert [(each.slot, each.generation) for each in policy.fleet.in_service()] == [(1, 1), (2, 1)]


def test_a_generation_that_has_served_is_not_given_up() -> None:
    policy = ready(TWO)
    play(policy, [(5, [ReloadAsked(2, TWO)], [Spawn(3, 1)]), (6, [WorkerReady(3)], [Drain(1), Spawn(4, 2)])])
    play(policy, [(7, [WorkerExited(4)], [Spawn(5, 2)]), (7.5, [WorkerExited(5)], [BackOff(2, 1)])])
    assert policy.fleet.generation == 2


def test_a_worker_of_the_new_code_that_was_told_to_leave_by_a_signal_is_no_failure() -> None:
    play(ready(ONE), [(5, [ReloadAsked(2, ONE)], [Spawn(2, 1)]), (6, [WorkerLeaving(2)], [Spawn(3, 1)])])


def test_the_first_code_has_nothing_to_be_given_up_for() -> None:
    policy = Policy(TWO)
    play(policy, [(0, [], [Spawn(1, 1), Spawn(2, 2)]), (5, [WorkerReady(1), WorkerExited(2)], [Spawn(3, 2)])])
    play(policy, [(6, [WorkerExited(3)], [BackOff(2, 1)])])


def test_a_second_reload_is_served_after_the_worker_that_starts_and_skips_the_first() -> None:
    policy = ready(ONE)
    play(policy, [(5, [ReloadAsked(2, ONE)], [Spawn(2, 1)]), (6, [ReloadAsked(3, ONE)], [])])
    play(policy, [(7, [WorkerReady(2)], [Spawn(3, 1)]), (8, [WorkerReady(3)], [Drain(1), Drain(2)])])
    assert policy.fleet.workers[3].generation == 3


def test_a_second_reload_that_fails_goes_back_to_the_code_that_served() -> None:
    policy = ready(TWO)
    play(
        policy,
        [(5, [ReloadAsked(2, ONE)], [Spawn(3, 1)]), (6, [ReloadAsked(3, THREE)], [Spawn(4, 3)])],
    )
    play(policy, [(7, [WorkerExited(4)], [ReloadFailed()]), (8, [WorkerReady(3)], [Drain(3)])])
    assert (policy.rules, policy.fleet.wanted, policy.fleet.generation) == (TWO, 2, 1)
    assert [(each.slot, each.generation) for each in policy.fleet.in_service()] == [(1, 1), (2, 1)]


def test_a_generation_between_two_reloads_does_not_outlive_the_failure_of_the_second() -> None:
    policy = ready(ONE)
    play(policy, [(5, [ReloadAsked(2, ONE)], [Spawn(2, 1)]), (6, [ReloadAsked(3, ONE)], [])])
    play(policy, [(7, [WorkerReady(2)], [Spawn(3, 1)]), (8, [WorkerExited(3)], [ReloadFailed(), Drain(2)])])
    assert policy.fleet.workers[1].state is State.READY


def test_a_reload_while_a_worker_is_replaced_for_its_limit_waits_for_the_replacement() -> None:
    policy = ready(ONE)
    play(policy, [(5, [LimitReached(1, "it is old")], [Spawn(2, 1)]), (6, [ReloadAsked(2, ONE)], [])])
    play(policy, [(7, [WorkerReady(2)], [Spawn(3, 1)]), (8, [WorkerReady(3)], [Drain(1), Drain(2)])])


def test_a_replacement_of_the_old_code_that_fails_says_nothing_about_the_new() -> None:
    policy = ready(ONE)
    play(policy, [(5, [LimitReached(1, "it is old")], [Spawn(2, 1)]), (6, [ReloadAsked(2, ONE)], [])])
    play(policy, [(7, [WorkerExited(2)], [Spawn(3, 1)])])
    assert policy.fleet.generation == 2


def test_a_reload_tries_a_slot_that_backs_off_at_once() -> None:
    policy = ready(ONE)
    play(
        policy, [(1, [WorkerExited(1)], [Spawn(2, 1)]), (2, [WorkerExited(2)], [BackOff(1, 1)]), (3, [], [Spawn(3, 1)])]
    )
    play(policy, [(3.5, [WorkerExited(3)], [BackOff(1, 2)]), (4, [ReloadAsked(2, ONE)], [Spawn(4, 1)])])
    play(policy, [(4.5, [WorkerExited(4)], [])])  # the first failure of its kind again


@pytest.mark.parametrize(
    ("stop", "told"),
    [
        (StopAsked(), [Drain(1), Drain(2)]),
        (StopAsked(hurry=True), [Drain(1, hurry=True), Drain(2, hurry=True)]),
        (KillAsked(), [Stop(1), Stop(2)]),
    ],
)
def test_a_stop_during_a_reload_acts_at_once(stop: Event, told: list[Drain | Stop]) -> None:
    policy = ready(ONE)
    play(policy, [(5, [ReloadAsked(2, ONE)], [Spawn(2, 1)]), (6, [stop], [CloseListeners(), *told])])
    play(policy, [(6.5, [WorkerExited(2)], []), (6.6, [WorkerExited(1)], [Exit(0)])])


def test_a_replacement_waits_while_most_drain() -> None:
    rules = replace(ONE, graceful_timeout=math.inf)
    policy = ready(rules)
    for generation in range(2, MOST_DRAINING + 2):
        now = 10.0 * generation
        play(policy, [(now, [ReloadAsked(generation, rules)], [Spawn(generation, 1)])])
        play(policy, [(now + 1, [WorkerReady(generation)], [Drain(generation - 1)])])
    play(policy, [(200, [ReloadAsked(20, rules)], []), (300, [], [])])
    play(policy, [(301, [WorkerExited(1)], [Spawn(MOST_DRAINING + 2, 1)])])


# more workers, or fewer


def test_a_reload_to_more_workers_fills_the_new_slots_at_once() -> None:
    policy = ready(ONE)
    play(policy, [(5, [ReloadAsked(2, THREE)], [Spawn(2, 2), Spawn(3, 3), Spawn(4, 1)])])
    play(policy, [(6, [WorkerReady(2), WorkerReady(3)], []), (7, [WorkerReady(4)], [Drain(1)])])


def test_a_reload_to_fewer_workers_retires_the_last_slots_once_the_new_code_serves() -> None:
    policy = ready(THREE)
    play(policy, [(5, [ReloadAsked(2, ONE)], [Spawn(4, 1)]), (6, [WorkerReady(4)], [Drain(1), Drain(2), Drain(3)])])
    play(policy, [(7, [WorkerExited(serial) for serial in (1, 2, 3)], []), (900, [], [])])


def test_a_reload_to_fewer_workers_that_fails_costs_no_worker() -> None:
    policy = ready(TWO)
    play(policy, [(5, [ReloadAsked(2, ONE)], [Spawn(3, 1)]), (6, [WorkerExited(3)], [ReloadFailed()])])
    assert policy.fleet.wanted == 2


def test_a_worker_more_and_a_worker_fewer() -> None:
    policy = ready(ONE)
    play(policy, [(5, [ScaleAsked(1)], [Spawn(2, 2)]), (6, [WorkerReady(2)], []), (7, [ScaleAsked(-1)], [Drain(2)])])
    play(policy, [(8, [WorkerExited(2)], []), (9, [ScaleAsked(1)], [Spawn(3, 2)])])
    play(policy, [(10, [ScaleAsked(-1)], [Drain(3)]), (11, [ScaleAsked(-1)], [Decline("it would leave no worker")])])


@pytest.mark.parametrize("event", [ScaleAsked(1), ScaleAsked(-1), RestAsked()])
def test_under_reload_there_is_one_worker(event: Event) -> None:
    """A rest, too, would have no end: nothing that ends it is heard there."""
    play(ready(Rules(reload=True)), [(5, [event], [Decline("under --reload there is one worker")])])


def test_a_worker_that_retires_and_was_being_replaced_is_told_once_and_its_replacement_too() -> None:
    policy = ready(TWO)
    play(policy, [(5, [LimitReached(2, "it is old")], [Spawn(3, 2)])])
    play(policy, [(6, [WorkerReady(3), ScaleAsked(-1)], [Drain(2), Drain(3)])])


def test_the_last_ready_worker_is_not_retired_before_another_is_ready() -> None:
    policy = ready(TWO)
    play(policy, [(5, [WorkerExited(1), ScaleAsked(-1)], [Spawn(3, 1)]), (6, [WorkerReady(3)], [Drain(2)])])


def test_a_rest_ends_all_workers_and_nobody_is_started() -> None:
    policy = ready(TWO)
    play(policy, [(5, [RestAsked()], [Drain(1), Drain(2)]), (6, [WorkerExited(1), WorkerExited(2)], []), (900, [], [])])
    assert policy.wake_at(900) == math.inf


@pytest.mark.parametrize("event", [ReloadAsked(2, TWO), ScaleAsked(1)])
def test_a_reload_or_a_worker_more_ends_a_rest(event: Event) -> None:
    policy = ready(TWO)
    play(policy, [(5, [RestAsked()], [Drain(1), Drain(2)])])
    actions = policy.decide([event], 6)
    assert actions == ([Spawn(3, 1), Spawn(4, 2)] if isinstance(event, ReloadAsked) else [Spawn(3, 1)])


def test_a_rest_that_is_stopped_leaves_at_once() -> None:
    policy = ready(ONE)
    play(
        policy,
        [(5, [RestAsked()], [Drain(1)]), (6, [WorkerExited(1)], []), (7, [StopAsked()], [CloseListeners(), Exit(0)])],
    )


# taking workers over


def test_workers_of_a_former_master_are_replaced_one_at_a_time() -> None:
    policy = adopting(TWO, 1, 2)
    assert condition(policy) is Condition.RELOADING
    play(policy, [(1, [], [Spawn(3, 1)]), (2, [WorkerReady(3)], [Drain(1), Spawn(4, 2)])])
    play(policy, [(3, [WorkerReady(4)], [Drain(2)]), (4, [WorkerExited(1), WorkerExited(2)], [])])
    assert condition(policy) is Condition.SERVING


def test_workers_of_a_former_master_beyond_the_wanted_slots_retire() -> None:
    play(adopting(ONE, 1, 2), [(1, [], [Spawn(3, 1)]), (2, [WorkerReady(3)], [Drain(1), Drain(2)])])


def test_the_last_worker_of_a_former_master_serves_until_one_of_this_is_ready() -> None:
    play(adopting(ONE, 3), [(1, [], [Spawn(2, 1)]), (2, [WorkerReady(2)], [Drain(1)])])


def test_a_master_that_took_workers_over_does_not_give_up_but_goes_back_to_them() -> None:
    policy = adopting(ONE, 1)
    play(policy, [(1, [], [Spawn(2, 1)]), (2, [WorkerExited(2)], [ReloadFailed()]), (900, [], [])])
    assert condition(policy) is Condition.SERVING


def test_a_master_whose_application_cannot_be_imported_keeps_the_workers_it_took_over() -> None:
    policy = adopting(TWO, 1, 2)
    play(policy, [(1, [PreloadFailed()], [ReloadFailed()]), (900, [], [])])
    play(policy, [(901, [WorkerExited(1)], [Spawn(3, 1)])])
    assert policy.fleet.workers[3].generation == 1


def test_an_import_that_fails_where_nothing_was_taken_over_is_the_workers_to_tell() -> None:
    play(ready(ONE), [(5, [PreloadFailed()], [])])


# a stop that is delayed


def delayed(rules: Rules = ONE) -> Policy:
    """Ready since the time 0, and told to stop at 10, which is to begin at 30."""
    policy = ready(replace(rules, drain_delay=20))
    play(policy, [(10, [StopAsked()], [])])
    return policy


def test_a_delayed_stop_serves_on_and_then_drains() -> None:
    policy = delayed()
    assert condition(policy) is Condition.STOPPING
    assert policy.wake_at(10) == 30
    play(policy, [(29.9, [], []), (30, [], [CloseListeners(), Drain(1)]), (31, [WorkerExited(1)], [Exit(0)])])


def test_dead_workers_are_replaced_while_a_stop_is_delayed() -> None:
    policy = delayed()
    play(policy, [(11, [WorkerExited(1)], [Spawn(2, 1)]), (12, [WorkerReady(2)], [])])
    play(policy, [(30, [], [CloseListeners(), Drain(2)])])


def test_a_second_request_to_stop_neither_hastens_nor_prolongs_the_delay() -> None:
    play(delayed(), [(20, [StopAsked()], []), (29.9, [], []), (30, [StopAsked()], [CloseListeners(), Drain(1)])])


@pytest.mark.parametrize(
    ("event", "told"), [(StopAsked(hurry=True), Drain(1, hurry=True)), (KillAsked(), Stop(1))], ids=["INT", "QUIT"]
)
def test_an_interrupt_or_a_quit_does_not_wait_for_the_delay(event: Event, told: Drain | Stop) -> None:
    play(delayed(), [(11, [event], [CloseListeners(), told])])
    play(ready(replace(ONE, drain_delay=20)), [(11, [event], [CloseListeners(), told])])


def test_nothing_is_changed_any_more_while_a_stop_is_delayed() -> None:
    play(delayed(), [(11, [ReloadAsked(2, TWO), UpgradeAsked(), ScaleAsked(1), RestAsked()], [STOPPING] * 4)])


def test_a_reload_that_had_begun_goes_on_while_a_stop_is_delayed() -> None:
    policy = ready(replace(ONE, drain_delay=20))
    play(policy, [(9, [ReloadAsked(2, policy.rules)], [Spawn(2, 1)]), (10, [StopAsked()], [])])
    play(
        policy,
        [(11, [WorkerReady(2)], [Drain(1)]), (12, [WorkerExited(1)], []), (30, [], [CloseListeners(), Drain(2)])],
    )


def test_a_stop_that_is_late_because_the_machine_slept_is_not_delayed_again() -> None:
    play(delayed(), [(5000, [Overslept()], [CloseListeners(), Drain(1)])])


def test_the_oldest_generation_is_that_of_a_worker_or_what_may_be_gone_back_to() -> None:
    policy = ready(ONE)
    play(policy, [(5, [ReloadAsked(2, ONE)], [Spawn(2, 1)])])
    assert policy.oldest_generation == 1
    play(policy, [(6, [WorkerReady(2)], [Drain(1)])])
    assert policy.oldest_generation == 1
    play(policy, [(7, [WorkerExited(1)], [])])
    assert policy.oldest_generation == 2
