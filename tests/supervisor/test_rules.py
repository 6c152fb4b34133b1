"""The numbers that the policy decides by, and how they hang together."""

import dataclasses
import math

import pytest

from monoceros.supervisor.rules import (
    DRAIN_MARGIN,
    LAST_MOMENT,
    LONGEST_WAIT,
    MOST_DRAINING,
    RELOAD_PATIENCE,
    SECOND_LOOK,
    SPACING,
    STEADY,
    Phase,
    Rules,
)


def test_the_phases_stand_in_the_order_of_an_end() -> None:
    assert sorted(Phase) == [Phase.RUNNING, Phase.DELAYING, Phase.STOPPING, Phase.HURRYING, Phase.KILLING]


def test_without_a_wish_every_state_of_a_worker_has_a_deadline_and_a_stop_does_not_wait() -> None:
    rules = Rules()
    assert all(math.isfinite(limit) for limit in (rules.start_timeout, rules.beat_timeout, rules.graceful_timeout))
    assert rules.drain_delay == 0
    assert (rules.reload, rules.fresh, rules.in_place, rules.own_listeners) == (False, False, False, False)


def test_rules_are_compared_by_value_and_never_change() -> None:
    assert Rules(workers=2) == Rules(workers=2) != Rules(workers=3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Rules().workers = 5  # type: ignore[misc]


def test_the_numbers_allow_what_the_rules_promise() -> None:
    assert SPACING <= LONGEST_WAIT  # a back-off never starts a slot sooner than a healthy start may
    assert STEADY > SPACING  # else a crash loop would be forgiven between two crashes
    assert min(DRAIN_MARGIN, LAST_MOMENT, RELOAD_PATIENCE, SECOND_LOOK) > 0
    assert MOST_DRAINING >= 1  # with none, nobody could ever be replaced
