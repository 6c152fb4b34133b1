"""The trial of new code, and the second master: how far each is decides what is answered. Then both in the policy."""

import math
from collections.abc import Callable

import pytest

from monoceros.supervisor.events import (
    Action,
    CloseListeners,
    Decline,
    Drain,
    EndTrial,
    Event,
    Execute,
    FilesChanged,
    KillAsked,
    Overslept,
    ReloadAsked,
    ReloadFailed,
    RestAsked,
    ScaleAsked,
    Spawn,
    StartSuccessor,
    StartTrial,
    Stop,
    StopAsked,
    SuccessorEnded,
    TrialEnded,
    UpgradeAsked,
    WorkerBeat,
    WorkerExited,
    WorkerReady,
)
from monoceros.supervisor.renewal import Renewal
from monoceros.supervisor.rules import Condition, Rules
from tests.supervisor.test_policy import play, ready

RULES = Rules(start_timeout=60)


def trying() -> Renewal:
    """A trial runs since the time 0."""
    renewal = Renewal()
    assert renewal.start_trial(0, RULES) == [StartTrial()]
    return renewal


def ended(renewal: Renewal, good: bool, now: float) -> list[Action]:
    """What a policy that has nothing else to do answers to the end of a trial."""
    return [*renewal.trial_ended(good, now, RULES), *renewal.execution()]


TOO_LATE = ReloadFailed("the new code was not ready in time")


def test_a_trial_has_as_long_as_a_worker_may_take_to_start() -> None:
    renewal = Renewal()
    assert (renewal.tries, renewal.trial_until) == (False, math.inf)
    renewal.start_trial(100, RULES)
    assert (renewal.tries, renewal.trial_until) == (True, 160)


@pytest.mark.parametrize(("good", "actions"), [(True, [Execute()]), (False, [ReloadFailed()])])
def test_only_code_that_was_shown_to_work_is_executed(good: bool, actions: list[Action]) -> None:
    renewal = trying()
    assert ended(renewal, good, 5) == actions
    assert renewal.execution() == []
    assert (renewal.tries, renewal.trial_until) == (False, math.inf)


@pytest.mark.parametrize("good", [True, False])
def test_what_changed_during_a_trial_is_tried_again_whatever_its_end(good: bool) -> None:
    renewal = trying()
    assert renewal.start_trial(1, RULES) == renewal.start_trial(2, RULES) == []
    assert ended(renewal, good, 5) == [StartTrial()]
    assert renewal.trial_until == 65
    assert ended(renewal, True, 6) == [Execute()]  # once again, not twice


def test_the_end_of_a_trial_that_nobody_waits_for_is_ignored() -> None:
    assert Renewal().trial_ended(True, 0, RULES) == []
    renewal = trying()
    renewal.end_trial()
    assert renewal.trial_ended(True, 5, RULES) == []


def test_a_trial_that_takes_too_long_is_ended_and_counts_as_failed() -> None:
    renewal = trying()
    assert renewal.enforce(59.9) == []
    assert renewal.enforce(60) == [EndTrial(), TOO_LATE]
    assert renewal.enforce(61) == []
    assert (renewal.tries, renewal.trial_until) == (False, math.inf)


def test_a_trial_has_a_limit_where_a_worker_has_none() -> None:
    """Reloads wait for its end."""
    renewal = Renewal()
    renewal.start_trial(0, Rules(start_timeout=math.inf))
    assert renewal.enforce(599) == []
    assert renewal.enforce(600) == [EndTrial(), TOO_LATE]


def test_a_trial_is_ended_once() -> None:
    renewal = trying()
    assert renewal.end_trial() == [EndTrial()]
    assert renewal.end_trial() == []
    assert Renewal().end_trial() == []


def test_a_trial_that_was_ended_leaves_nothing_to_be_tried_again() -> None:
    renewal = trying()
    renewal.start_trial(1, RULES)
    renewal.end_trial()
    assert renewal.start_trial(2, RULES) == [StartTrial()]
    assert ended(renewal, True, 3) == [Execute()]


@pytest.mark.parametrize("meanwhile", [Renewal.start_successor, lambda renewal: renewal.start_trial(5, RULES)])
def test_nothing_is_executed_while_a_second_master_or_a_trial_begins(meanwhile: Callable[[Renewal], object]) -> None:
    """It would be a child that nobody knows of any more."""
    renewal = trying()
    renewal.trial_ended(True, 5, RULES)
    meanwhile(renewal)
    assert renewal.execution() == []


def test_one_second_master_at_a_time() -> None:
    renewal = Renewal()
    assert renewal.start_successor() == [StartSuccessor()]
    assert renewal.start_successor() == [Decline("a second master was started already, and lives")]
    renewal.successor = False
    assert renewal.start_successor() == [StartSuccessor()]


def test_no_trial_beside_a_second_master() -> None:
    renewal = Renewal()
    renewal.start_successor()
    assert renewal.start_trial(0, RULES) == [Decline("a second master is taking over")]
    assert not renewal.tries


def test_no_second_master_beside_a_trial_and_the_reason_is_the_trial() -> None:
    renewal = trying()
    (declined,) = renewal.start_successor()
    assert isinstance(declined, Decline)
    assert "second master was started" not in declined.reason
    assert not renewal.successor


# in the policy

FRESH = Rules(start_timeout=60, beat_timeout=math.inf, fresh=True)
IN_PLACE = Rules(start_timeout=60, beat_timeout=math.inf, in_place=True)
BESIDE = Rules(beat_timeout=math.inf)
RELOAD = ReloadAsked(2, FRESH)
LIVES = Decline("a second master was started already, and lives")


@pytest.mark.parametrize(("rules", "asked"), [(FRESH, RELOAD), (IN_PLACE, UpgradeAsked())], ids=["reload", "upgrade"])
def test_a_master_is_executed_anew_after_a_good_trial_and_its_workers_serve_on(rules: Rules, asked: Event) -> None:
    policy = ready(rules)
    play(policy, [(5, [asked], [StartTrial()])])
    assert policy.condition is Condition.RELOADING
    assert policy.wake_at(5) == 65
    play(policy, [(6, [TrialEnded(good=True)], [Execute()])])


@pytest.mark.parametrize(("rules", "asked"), [(FRESH, RELOAD), (IN_PLACE, UpgradeAsked())], ids=["reload", "upgrade"])
def test_a_bad_trial_changes_nothing(rules: Rules, asked: Event) -> None:
    policy = ready(rules)
    play(policy, [(5, [asked], [StartTrial()]), (6, [TrialEnded(good=False)], [ReloadFailed()])])
    assert (policy.condition, policy.wake_at(6)) == (Condition.SERVING, math.inf)
    play(policy, [(7, [WorkerExited(1)], [Spawn(2, 1)]), (8, [asked], [StartTrial()])])


def test_an_upgrade_in_place_leaves_a_reload_to_the_workers() -> None:
    play(ready(IN_PLACE), [(5, [ReloadAsked(2, IN_PLACE)], [Spawn(2, 1)])])


def test_a_reload_during_a_trial_tries_again() -> None:
    policy = ready(FRESH)
    play(policy, [(5, [RELOAD], [StartTrial()]), (6, [RELOAD, RELOAD], []), (7, [TrialEnded(True)], [StartTrial()])])
    play(policy, [(8, [TrialEnded(good=False)], [ReloadFailed()])])


def test_a_trial_that_takes_as_long_as_no_worker_may_is_ended() -> None:
    policy = ready(FRESH)
    play(policy, [(5, [RELOAD], [StartTrial()]), (64.9, [], []), (65, [], [EndTrial(), TOO_LATE])])
    play(policy, [(66, [TrialEnded(good=True)], [])])


def test_a_trial_is_not_punished_for_what_passed_while_the_machine_slept() -> None:
    policy = ready(FRESH)
    play(policy, [(5, [RELOAD], [StartTrial()]), (5000, [Overslept()], []), (5059.9, [], [])])
    play(policy, [(5060, [], [EndTrial(), TOO_LATE])])


@pytest.mark.parametrize(
    ("stop", "told"),
    [(StopAsked(), Drain(1)), (StopAsked(hurry=True), Drain(1, hurry=True)), (KillAsked(), Stop(1))],
)
def test_a_stop_ends_a_trial_and_its_result_is_not_waited_for(stop: Event, told: Action) -> None:
    policy = ready(FRESH)
    play(policy, [(5, [RELOAD], [StartTrial()]), (6, [stop], [EndTrial(), CloseListeners(), told])])
    play(policy, [(6.5, [TrialEnded(good=True)], [])])


def test_a_delayed_stop_ends_a_trial_at_once() -> None:
    policy = ready(Rules(fresh=True, drain_delay=20))
    play(policy, [(5, [RELOAD], [StartTrial()]), (6, [StopAsked()], [EndTrial()]), (7, [TrialEnded(good=True)], [])])
    play(policy, [(26, [WorkerBeat(1, 26)], [CloseListeners(), Drain(1)])])


def test_a_second_upgrade_is_declined_until_the_second_master_has_ended() -> None:
    policy = ready(BESIDE)
    play(policy, [(5, [UpgradeAsked()], [StartSuccessor()]), (6, [UpgradeAsked()], [LIVES])])
    play(policy, [(7, [SuccessorEnded()], []), (8, [UpgradeAsked()], [StartSuccessor()])])


def test_this_master_serves_on_beside_the_second() -> None:
    policy = ready(BESIDE)
    play(policy, [(5, [UpgradeAsked()], [StartSuccessor()]), (6, [WorkerExited(1)], [Spawn(2, 1)])])
    play(policy, [(7, [WorkerReady(2), ScaleAsked(1)], [Spawn(3, 2)])])


def test_a_reload_that_needs_a_fresh_master_is_declined_beside_a_second() -> None:
    play(ready(FRESH), [(5, [UpgradeAsked(), RELOAD], [StartSuccessor(), Decline("a second master is taking over")])])


def test_under_reload_there_is_no_upgrade() -> None:
    policy = ready(Rules(reload=True))
    play(policy, [(5, [UpgradeAsked()], [Decline("under --reload the code is followed anyway")])])


def test_under_reload_to_reload_is_as_an_edit() -> None:
    asked, edited = (ready(Rules(reload=True)) for _ in range(2))
    assert (
        asked.decide([ReloadAsked(2, Rules(reload=True))], 5) == edited.decide([FilesChanged()], 5) == [Drain(1, True)]
    )


@pytest.mark.parametrize("stop", [StopAsked(), StopAsked(hurry=True), KillAsked()])
def test_a_stop_in_the_same_moment_wins_over_an_execution(stop: Event) -> None:
    """The new program would serve as if nobody had asked."""
    policy = ready(FRESH)
    policy.decide([RELOAD], 5)
    actions = policy.decide([TrialEnded(good=True), stop], 6)
    assert Execute() not in actions
    assert CloseListeners() in actions


def test_an_execution_is_the_last_thing_that_is_done() -> None:
    policy = ready(FRESH)
    policy.decide([RELOAD], 5)
    assert policy.decide([TrialEnded(good=True), ScaleAsked(1)], 6)[-1] == Execute()


def test_an_upgrade_is_taken_back_by_the_workers_of_the_code_in_memory() -> None:
    """Second master, rest, and then HUP: what the first has in memory is what is wanted."""
    policy = ready(FRESH)
    policy.decide([UpgradeAsked(), RestAsked()], 5)
    policy.decide([WorkerExited(1)], 6)
    play(policy, [(7, [RELOAD], [Spawn(2, 1)])])


def test_workers_come_back_if_the_second_master_ends_for_which_they_left() -> None:
    policy = ready(FRESH)
    policy.decide([UpgradeAsked(), RestAsked()], 5)
    policy.decide([WorkerExited(1)], 6)
    play(policy, [(7, [SuccessorEnded()], [Spawn(2, 1)])])
