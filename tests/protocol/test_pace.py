"""How long a slow peer is waited for."""

import math

from hypothesis import given
from hypothesis import strategies as st

from monoceros.protocol.pace import LEAST_RATE, Pace


def seconds_until_late(pace: Pace, rate: int, most: int = 1000) -> int | None:
    return next((second for second in range(1, most) if pace.second_passed(rate)), None)


def test_a_peer_that_moves_nothing_has_the_limit() -> None:
    assert seconds_until_late(Pace(30), 0) == 30


def test_a_peer_at_the_least_rate_has_any_time() -> None:
    assert seconds_until_late(Pace(30), LEAST_RATE) is None


def test_a_trickle_runs_out_of_time_in_proportion() -> None:
    assert seconds_until_late(Pace(30), LEAST_RATE // 2) == 60
    assert seconds_until_late(Pace(30), 1) == 31


def test_a_burst_buys_no_more_than_the_limit() -> None:
    pace = Pace(30)
    assert not pace.second_passed(1 << 30)
    assert seconds_until_late(pace, 0) == 30


def test_without_a_limit_it_still_says_how_long_was_waited() -> None:
    pace = Pace(math.inf)
    assert seconds_until_late(pace, 0) is None
    assert pace.waited == 999


@given(st.lists(st.integers(0, 4 * LEAST_RATE), min_size=61, max_size=200))
def test_whoever_stays_below_the_rate_for_twice_the_limit_is_late(octets: list[int]) -> None:
    """And nobody is before the limit is over, whatever was sent."""
    pace = Pace(30)
    verdicts = [pace.second_passed(number) for number in octets]
    assert not any(verdicts[:29])
    if any(sum(octets[at : at + 60]) <= LEAST_RATE * 30 for at in range(len(octets) - 60)):
        assert any(verdicts)
