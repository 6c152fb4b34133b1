"""Who makes room for others."""

import logging

import pytest

from monoceros.protocol.complaints import Complaints
from monoceros.protocol.context import Wait
from monoceros.server.pressure import Pressure


class Guest:
    """A connection that says what it is told to."""

    deadline = 0

    def __init__(self, wait: tuple[Wait, float] | None, *, busy: bool = False) -> None:
        self.wait = wait
        self.busy = busy
        self.gone = False

    def waits(self) -> tuple[Wait, float] | None:
        return self.wait

    def make_way(self) -> bool:
        self.gone = not self.busy
        return self.gone

    def deadline_passed(self) -> None: ...

    def second_passed(self) -> None: ...

    def begin_drain(self) -> None: ...

    def close_if_idle(self) -> None: ...

    def cut_off(self) -> None: ...

    def abort(self) -> None: ...


def relieve(guests: list[Guest], limit: int) -> list[Guest]:
    number = Pressure(limit, lambda: guests, Complaints()).relieve()
    gone = [guest for guest in guests if guest.gone]
    assert number == len(gone)
    return gone


def test_the_idle_go_before_unfinished_heads_and_those_before_stalled_content() -> None:
    stalled, head, idle = Guest((Wait.STALLED, 50)), Guest((Wait.HEAD, 30)), Guest((Wait.IDLE, 3))
    guests = [stalled, head, idle]
    for expected in (idle, head, stalled):
        assert relieve(guests, 3) == [expected]
        guests.remove(expected)


def test_of_a_kind_the_longest_wait_goes_first() -> None:
    guests = [Guest((Wait.IDLE, seconds)) for seconds in (5, 7, 6)]
    assert relieve(guests, 3) == [guests[1]]


def test_whose_application_is_at_work_never_goes() -> None:
    assert relieve([Guest(None), Guest(None)], 2) == []


def test_many_make_room_at_once() -> None:
    guests = [Guest((Wait.HEAD, 1000 - number)) for number in range(960)]
    assert relieve(guests, 960) == guests[:30]


def test_one_that_has_only_come_is_given_time_to_send_its_request() -> None:
    assert relieve([Guest((Wait.HEAD, 0)), Guest((Wait.IDLE, 1))], 2) == []


def test_one_that_has_a_request_on_its_way_is_not_counted() -> None:
    assert relieve([Guest((Wait.IDLE, 5), busy=True)], 1) == []


def test_who_had_to_go_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "monoceros.error"):
        relieve([Guest((Wait.STALLED, 5))], 1)
    assert [record.message for record in caplog.records] == ["A connection was closed to make room (stalled)"]
