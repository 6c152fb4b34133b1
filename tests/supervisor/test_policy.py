"""The rules of the master, as tables: events at times in, actions out. No process, no pipe, no clock."""

import math
from collections.abc import Sequence

import pytest

from monoceros.supervisor.events import (
    Action,
    AwaitChange,
    BackOff,
    CloseListeners,
    Drain,
    Dump,
    Event,
    Exit,
    FilesChanged,
    GiveUp,
    Kill,
    KillAsked,
    LimitReached,
    Overslept,
    ScaleAsked,
    Spawn,
    Stop,
    StopAsked,
    WorkerBeat,
    WorkerExited,
    WorkerLeaving,
    WorkerReady,
)
from monoceros.supervisor.handle import State
from monoceros.supervisor.policy import Policy
from monoceros.supervisor.rules import Condition, Rules

Row = tuple[float, Sequence[Event], Sequence[Action]]


def play(policy: Policy, rows: Sequence[Row]) -> None:
    """Each row: the time, what happened, and what the policy must answer."""
    for now, events, actions in rows:
        assert policy.decide(events, now) == list(actions), f"at {now}"


def ready(rules: Rules) -> Policy:
    """A policy whose workers 1..N, in slots 1..N, have been ready since the time 0."""
    policy = Policy(rules)
    policy.decide([], -1)
    policy.decide([WorkerReady(serial) for serial in range(1, rules.workers + 1)], 0)
    return policy


def serving(
    workers: int = 1,
    *,
    reload: bool = False,
    start_timeout: float = 600,
    beat_timeout: float = 60,
    graceful_timeout: float = 30,
) -> Policy:
    """The same of a number of workers and the times that count for them."""
    return ready(Rules(workers, start_timeout, beat_timeout, graceful_timeout, reload=reload))


def test_every_slot_gets_a_worker_at_once() -> None:
    play(Policy(Rules(workers=3)), [(0, [], [Spawn(1, 1), Spawn(2, 2), Spawn(3, 3)]), (1, [], [])])


def test_a_dead_worker_is_replaced_in_its_own_slot() -> None:
    play(serving(2), [(5, [WorkerExited(1)], [Spawn(3, 1)])])


def test_a_slot_never_starts_twice_within_a_second() -> None:
    policy = serving(1)
    play(policy, [(5, [WorkerExited(1)], [Spawn(2, 1)]), (5.1, [WorkerReady(2)], [])])
    policy.fleet.slots[0].failures = 0
    play(policy, [(5.2, [WorkerExited(2)], []), (5.9, [], []), (6, [], [Spawn(3, 1)])])


def test_a_crash_loop_backs_off_from_one_second_to_thirty() -> None:
    policy = serving(1)
    now, serial, waits = 0.0, 1, []
    for _ in range(9):
        actions = policy.decide([WorkerExited(serial)], now)
        waits += [action.seconds for action in actions if isinstance(action, BackOff)]
        now = now if any(isinstance(action, Spawn) for action in actions) else policy.wake_at(now)
        policy.decide([], now)
        serial += 1
        now += 0.5
        policy.decide([WorkerReady(serial)], now)
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_worker_that_served_for_a_while_is_forgiven() -> None:
    policy = serving(1)
    play(policy, [(1, [WorkerExited(1)], [Spawn(2, 1)]), (2, [WorkerReady(2)], [])])
    play(policy, [(3, [WorkerExited(2)], [BackOff(1, 1)]), (4, [], [Spawn(3, 1)]), (5, [WorkerReady(3)], [])])
    play(policy, [(20, [WorkerExited(3)], [Spawn(4, 1)])])


def test_one_slot_that_backs_off_does_not_hold_up_the_others() -> None:
    policy = serving(2)
    play(policy, [(1, [WorkerExited(1)], [Spawn(3, 1)]), (2, [WorkerExited(3)], [BackOff(1, 1)])])
    play(policy, [(2.5, [WorkerExited(2)], [Spawn(4, 2)]), (3, [], [Spawn(5, 1)])])


def test_the_master_gives_up_when_all_first_workers_failed() -> None:
    policy = Policy(Rules(workers=2))
    play(policy, [(0, [], [Spawn(1, 1), Spawn(2, 2)]), (1, [WorkerExited(1)], [])])
    assert policy.wake_at(1) == 600
    play(policy, [(9, [WorkerExited(2)], [GiveUp(), CloseListeners(), Exit(3)])])


def test_the_master_does_not_wait_for_slots_that_are_not_wanted_any_more_before_it_gives_up() -> None:
    policy = Policy(Rules(workers=2))
    play(policy, [(0, [], [Spawn(1, 1), Spawn(2, 2)]), (1, [ScaleAsked(-1)], [Drain(2)]), (2, [WorkerExited(2)], [])])
    play(policy, [(3, [WorkerExited(1)], [GiveUp(), CloseListeners(), Exit(3)])])


def test_a_first_worker_that_failed_starts_again_once_another_serves() -> None:
    policy = Policy(Rules(workers=2))
    play(
        policy, [(0, [], [Spawn(1, 1), Spawn(2, 2)]), (1, [WorkerExited(1)], []), (9, [WorkerReady(2)], [Spawn(3, 1)])]
    )
    play(policy, [(9.5, [WorkerExited(3)], [BackOff(1, 1)]), (10.5, [], [Spawn(4, 1)])])


def test_a_replacement_that_cannot_start_leaves_the_old_worker_serving() -> None:
    policy = serving(1)
    play(policy, [(50, [LimitReached(1, "old")], [Spawn(2, 1)]), (51, [WorkerExited(2)], [Spawn(3, 1)])])
    play(policy, [(52, [WorkerExited(3)], [BackOff(1, 1)]), (53, [], [Spawn(4, 1)])])
    assert policy.fleet.workers[1].state is State.READY


def test_a_worker_at_its_limit_drains_only_when_its_replacement_is_ready() -> None:
    play(
        serving(2),
        [
            (5, [LimitReached(1, "1000 requests")], [Spawn(3, 1)]),
            (6, [], []),
            (7, [WorkerReady(3)], [Drain(1)]),
            (8, [WorkerExited(1)], []),
        ],
    )


def test_only_one_worker_is_replaced_at_a_time() -> None:
    play(
        serving(3),
        [
            (5, [LimitReached(1, ""), LimitReached(2, ""), LimitReached(3, "")], [Spawn(4, 1)]),
            (6, [], []),
            (7, [WorkerReady(4)], [Drain(1), Spawn(5, 2)]),
            (8, [WorkerReady(5)], [Drain(2), Spawn(6, 3)]),
            (9, [WorkerExited(1), WorkerReady(6)], [Drain(3)]),
        ],
    )


def test_a_death_is_replaced_while_another_worker_is_being_replaced() -> None:
    play(serving(2), [(5, [LimitReached(1, "")], [Spawn(3, 1)]), (6, [WorkerExited(2)], [Spawn(4, 2)])])


def test_a_worker_that_leaves_by_itself_is_replaced_while_it_drains() -> None:
    play(serving(2), [(5, [WorkerLeaving(2)], [Spawn(3, 2)]), (6, [WorkerExited(2)], [])])


def test_the_first_request_to_stop_drains_and_the_exit_waits_for_the_last_worker() -> None:
    play(
        serving(2),
        [
            (5, [StopAsked()], [CloseListeners(), Drain(1), Drain(2)]),
            (6, [WorkerExited(1)], []),
            (7, [StopAsked()], []),
            (8, [WorkerExited(2)], [Exit(0)]),
        ],
    )


def test_a_stop_does_not_tell_a_worker_that_drains_already() -> None:
    play(serving(1), [(5, [WorkerLeaving(1)], [Spawn(2, 1)]), (6, [StopAsked()], [CloseListeners(), Drain(2)])])


def test_starting_workers_are_told_to_drain_too() -> None:
    play(Policy(Rules()), [(0, [], [Spawn(1, 1)]), (1, [StopAsked()], [CloseListeners(), Drain(1)])])


def test_a_second_interrupt_ends_everything_at_once() -> None:
    play(
        serving(1),
        [
            (5, [StopAsked(hurry=True)], [CloseListeners(), Drain(1, hurry=True)]),
            (6, [StopAsked(hurry=True)], [Stop(1)]),
            (6.5, [], []),
            (7, [], [Kill(1)]),
            (8, [WorkerExited(1)], [Exit(0)]),
        ],
    )


def test_an_interrupt_after_a_terminate_hurries_what_drains() -> None:
    play(
        serving(1),
        [
            (5, [StopAsked()], [CloseListeners(), Drain(1)]),
            (6, [StopAsked(hurry=True)], [Drain(1, hurry=True)]),
            (7, [StopAsked(hurry=True)], [Stop(1)]),
        ],
    )


def test_quit_ends_at_once_and_twice_kills() -> None:
    play(
        serving(2),
        [
            (5, [KillAsked()], [CloseListeners(), Stop(1), Stop(2)]),
            (5.1, [KillAsked()], [Kill(1), Kill(2)]),
            (5.2, [WorkerExited(1), WorkerExited(2)], [Exit(0)]),
        ],
    )


def test_a_draining_worker_is_dumped_and_killed_after_the_graceful_timeout_and_a_margin() -> None:
    policy = serving(1, graceful_timeout=30, beat_timeout=math.inf)
    play(policy, [(100, [StopAsked()], [CloseListeners(), Drain(1)]), (134.9, [], [])])
    assert policy.wake_at(134.9) == 135
    play(policy, [(135, [], [Dump(1, "did not finish its requests within 30 s")]), (136, [], [Kill(1)])])
    assert policy.wake_at(136) == math.inf


def test_a_drain_without_a_graceful_timeout_waits_as_long_as_the_worker_beats() -> None:
    policy = serving(1, graceful_timeout=math.inf, beat_timeout=60)
    play(policy, [(5, [StopAsked()], [CloseListeners(), Drain(1)]), (1e9, [WorkerBeat(1, 1e9 - 1)], [])])
    play(policy, [(1e9 + 59, [], [Dump(1, "has been blocked for 60 s")]), (1e9 + 60, [], [Kill(1)])])


def test_a_drain_without_any_timeout_waits_for_ever() -> None:
    policy = serving(1, graceful_timeout=math.inf, beat_timeout=math.inf)
    play(policy, [(5, [StopAsked()], [CloseListeners(), Drain(1)]), (1e9, [], [])])
    assert policy.wake_at(1e9) == math.inf


def test_a_worker_that_does_not_get_ready_is_dumped_killed_and_replaced() -> None:
    policy = serving(2, start_timeout=10, beat_timeout=math.inf)
    play(policy, [(50, [WorkerExited(1)], [Spawn(3, 1)]), (59.9, [], [])])
    play(policy, [(60, [], [Dump(3, "did not get ready within 10 s"), BackOff(1, 1)])])
    play(policy, [(61, [], [Kill(3), Spawn(4, 1)]), (61.1, [WorkerExited(3)], [])])


def test_a_worker_that_misses_its_beats_is_dumped_killed_and_replaced() -> None:
    policy = serving(2, beat_timeout=60)
    play(policy, [(59, [WorkerBeat(1, 0.5), WorkerBeat(2, 58.5)], []), (60.4, [], [])])
    play(policy, [(60.5, [], [Dump(1, "has been blocked for 60 s"), Spawn(3, 1)]), (61.5, [], [Kill(1)])])


def test_beats_put_the_deadline_off() -> None:
    policy = serving(1, beat_timeout=60)
    play(policy, [(59, [WorkerBeat(1, 59)], []), (118, [WorkerBeat(1, 117)], []), (176, [], [])])


def test_a_beat_timeout_of_nothing_never_kills() -> None:
    play(serving(1, beat_timeout=math.inf), [(1e9, [], [])])


def test_a_draining_worker_that_beats_is_left_alone() -> None:
    policy = serving(1, beat_timeout=1, graceful_timeout=100)
    play(policy, [(0.5, [WorkerLeaving(1)], [Spawn(2, 1)]), (1, [WorkerReady(2), WorkerBeat(1, 0.9)], [])])
    play(policy, [(1.8, [WorkerBeat(1, 1.8), WorkerBeat(2, 1.8)], []), (2.5, [], [])])


def test_a_draining_worker_that_is_blocked_is_dumped_and_killed_but_not_replaced_again() -> None:
    policy = serving(1, beat_timeout=2, graceful_timeout=100)
    play(policy, [(0.5, [WorkerLeaving(1)], [Spawn(2, 1)]), (1, [WorkerReady(2)], [])])
    play(policy, [(2.5, [WorkerBeat(2, 2.5)], [Dump(1, "has been blocked for 2 s")]), (3.5, [], [Kill(1)])])
    play(policy, [(3.6, [WorkerExited(1)], [])])


def test_nobody_is_punished_for_what_passed_while_the_machine_slept() -> None:
    policy = serving(1, beat_timeout=60)
    play(policy, [(5000, [Overslept()], []), (5059, [WorkerBeat(1, 5058)], []), (5100, [], [])])


def test_a_late_beat_is_looked_at_before_it_counts() -> None:
    policy = serving(1, beat_timeout=60)
    assert policy.wake_at(0) == 58
    assert policy.wake_at(58) == 60


def test_the_events_of_a_worker_that_is_gone_change_nothing() -> None:
    policy = serving(1)
    play(policy, [(5, [WorkerExited(1)], [Spawn(2, 1)])])
    play(policy, [(5, [WorkerReady(1), WorkerBeat(1, 5), LimitReached(1, ""), WorkerExited(1)], [])])


def test_a_worker_that_gets_ready_after_it_was_told_to_drain_stays_draining() -> None:
    policy = Policy(Rules())
    policy.decide([], 0)
    policy.decide([StopAsked(), WorkerReady(1)], 1)
    assert policy.fleet.workers[1].state is State.DRAINING


def test_an_edit_drains_the_old_code_and_then_starts_the_new() -> None:
    play(
        serving(1, reload=True),
        [
            (5, [FilesChanged()], [Drain(1, hurry=True)]),
            (5.5, [], []),
            (6, [WorkerExited(1)], [Spawn(2, 1)]),
            (7, [WorkerReady(2)], []),
        ],
    )


def test_new_code_does_not_wait_for_ever_for_the_old() -> None:
    policy = serving(1, reload=True)
    play(policy, [(5, [FilesChanged()], [Drain(1, hurry=True)])])
    assert policy.wake_at(5) == 10
    play(policy, [(10, [], [Spawn(2, 1)]), (11, [WorkerReady(2)], [])])


def test_an_edit_during_a_reload_causes_another_one() -> None:
    play(
        serving(1, reload=True),
        [
            (5, [FilesChanged()], [Drain(1, hurry=True)]),
            (6, [WorkerExited(1)], [Spawn(2, 1)]),
            (6.2, [FilesChanged()], [Drain(2, hurry=True)]),
            (6.3, [WorkerExited(2)], []),
            (7, [], [Spawn(3, 1)]),
        ],
    )


@pytest.mark.parametrize("ever_ready", [False, True])
def test_code_that_cannot_start_waits_for_the_next_edit(ever_ready: bool) -> None:
    policy = Policy(Rules(reload=True))
    policy.decide([], 0)
    if ever_ready:
        policy.decide([WorkerReady(1), FilesChanged(), WorkerExited(1)], 1)
    serial = max(policy.fleet.workers)
    play(policy, [(5, [WorkerExited(serial)], [AwaitChange()]), (900, [], [])])
    assert policy.wake_at(900) == math.inf
    play(policy, [(1000, [FilesChanged()], [Spawn(serial + 1, 1)])])


def test_a_limit_is_honoured_under_reload() -> None:
    policy = serving(1, reload=True)
    play(policy, [(5, [LimitReached(1, "")], [Spawn(2, 1)]), (6, [WorkerReady(2)], [Drain(1)])])


def test_edits_are_ignored_once_the_server_stops() -> None:
    play(serving(1, reload=True), [(5, [StopAsked()], [CloseListeners(), Drain(1)]), (6, [FilesChanged()], [])])


def test_a_master_that_is_told_to_stop_while_nothing_runs_leaves_at_once() -> None:
    policy = serving(1, reload=True)
    play(policy, [(5, [FilesChanged()], [Drain(1, hurry=True)]), (6, [WorkerExited(1)], [Spawn(2, 1)])])
    play(policy, [(7, [WorkerExited(2)], [AwaitChange()]), (8, [StopAsked()], [CloseListeners(), Exit(0)])])


def test_a_kill_that_was_delivered_late_gives_the_last_moment_again() -> None:
    policy = serving(1)
    play(policy, [(5, [KillAsked()], [CloseListeners(), Stop(1)]), (900, [Overslept()], []), (901, [], [Kill(1)])])


def test_an_operator_is_told_starting_serving_and_stopping() -> None:
    policy = Policy(Rules(workers=2))
    policy.decide([], 0)
    told = [policy.condition]
    happened: list[Event] = [WorkerReady(1), WorkerReady(2), WorkerExited(1), StopAsked()]
    for now, event in enumerate(happened, 1):
        policy.decide([event], now)
        told.append(policy.condition)
    starting, serving_, stopping = Condition.STARTING, Condition.SERVING, Condition.STOPPING
    assert told == [starting, starting, serving_, serving_, stopping]
