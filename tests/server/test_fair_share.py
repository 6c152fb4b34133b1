"""What one of several workers may take, as numbers: no connection, no loop, no time that passes by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from monoceros.server.fair_share import ABSENT, LISTED, PATIENCE, FairShare


@dataclass
class Worker:
    """One that shows how many connections it holds."""

    held: int


@dataclass
class Workers:
    """The others, and how often somebody has asked who they are."""

    workers: list[Worker]
    asked: int = 0
    shown: list[int] = field(default_factory=list)

    def show(self, held: int) -> None:
        self.shown.append(held)

    def others(self) -> Sequence[Worker]:
        self.asked += 1
        return list(self.workers)


class Clock:
    """Tells the time that it is set to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def share_beside(*held: int) -> tuple[FairShare, list[Worker]]:
    workers = [Worker(each) for each in held]
    return FairShare(Workers(workers), Clock()), workers


@pytest.mark.parametrize(
    ("held", "others", "room"),
    [
        (0, [0], 8),
        (1, [0], 7),
        (8, [0], 0),
        (13, [0], -5),
        (0, [10], 18),
        (28, [28], 8),
        (36, [28], 0),
        (100, [100], 25),
        (28, [50, 28, 40], 8),
        (28, [50, ABSENT], 34),
    ],
)
def test_what_may_be_taken_depends_on_the_one_that_holds_the_fewest(held: int, others: list[int], room: int) -> None:
    share, _ = share_beside(*others)
    assert share.room(held) == room


@pytest.mark.parametrize("others", [[], [ABSENT, ABSENT]])
def test_beside_nobody_who_accepts_there_is_always_room(others: list[int]) -> None:
    share, _ = share_beside(*others)
    assert share.room(1_000_000) > 1_000_000


@pytest.mark.parametrize("total", [40, 64, 1000, 20_000])
def test_one_that_takes_all_it_may_leaves_two_fifths_to_the_other(total: int) -> None:
    share, (other,) = share_beside(0)
    held = 0
    while held + other.held < total:
        if share.room(held) > 0:
            held += 1
        else:
            other.held += 1
    assert other.held >= 0.4 * total


def test_each_time_that_others_do_not_come_there_is_room_for_more() -> None:
    share, _ = share_beside(8, 20)
    held = 30  # far more than may be
    for room in (1, 2, 4, 8):
        assert share.room(held) <= 0
        share.insist(held)
        assert share.room(held) == room
        held += room


@pytest.mark.parametrize("held_now", [7, 9])
def test_as_soon_as_the_one_with_the_fewest_takes_or_loses_one_others_go_first_again(held_now: int) -> None:
    share, (other,) = share_beside(8)
    for _ in range(5):
        share.insist(17)
    assert share.room(17) == 31
    other.held = held_now
    assert share.room(17) <= 0
    share.insist(17)
    assert share.room(17) == 1


def test_where_giving_way_lessens_no_lead_one_connection_is_taken_at_a_time() -> None:
    """What the other takes ends as soon as it came, while this one's connections are idle."""
    share, (other,) = share_beside(0)
    for number in range(8 + PATIENCE):
        other.held = number % 8
        assert share.room(100) <= 0
        share.give_way(100)
    for held in (100, 101, 102):
        other.held = held % 8
        assert share.room(held) == 1


def test_where_giving_way_lessens_the_lead_it_goes_on() -> None:
    share, (other,) = share_beside(0)
    for other.held in range(75):
        for _ in range(PATIENCE // 2):
            assert share.room(100) <= 0
            share.give_way(100)


def test_once_it_is_not_ahead_any_more_it_gives_way_as_before() -> None:
    share, (other,) = share_beside(0)
    for _ in range(PATIENCE + 1):
        share.give_way(20)
    assert share.room(20) == 1
    other.held = 13
    assert share.room(20) == 1
    assert share.room(19) == 2
    assert share.room(21) == 0


def test_who_the_others_are_is_asked_seldom_and_what_they_hold_each_time() -> None:
    clock = Clock()
    crew = Workers([Worker(0)])
    share = FairShare(crew, clock)
    share.room(0)
    crew.workers[0].held = 10
    assert share.room(0) == 18
    crew.workers.append(Worker(4))
    assert (share.room(0), crew.asked) == (18, 1)
    clock.now += LISTED
    assert (share.room(0), crew.asked) == (12, 2)


def test_what_it_holds_is_shown_to_the_others() -> None:
    crew = Workers([])
    share = FairShare(crew, Clock())
    assert share.shown == ABSENT
    share.show(3)
    assert share.shown == 3
    share.show(ABSENT)
    assert crew.shown == [3, ABSENT]
