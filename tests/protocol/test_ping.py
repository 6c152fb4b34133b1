"""Pings at an interval, and the pong that each must get, on a clock that the test moves."""

from collections.abc import Iterator

import pytest

from monoceros.protocol.ping import PingTimer
from tests.doubles.loop import ManualLoop


class Line:
    """Where pings go."""

    def __init__(self) -> None:
        self.loop = ManualLoop()
        self.sent: list[bytes] = []
        self.missed = 0

    def timer(self, interval: float | None, timeout: float | None) -> PingTimer:
        return PingTimer(self.loop, interval, timeout, self.sent.append, self._missed)

    def _missed(self) -> None:
        self.missed += 1


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.loop.settle()


def test_a_ping_goes_out_an_interval_after_the_start(line: Line) -> None:
    line.timer(0.5, 1).start()
    line.loop.advance(0.4)
    assert line.sent == []
    line.loop.advance(0.2)
    assert len(line.sent) == 1


@pytest.mark.parametrize("interval", [None, 0])
def test_no_interval_means_no_pings(line: Line, interval: float | None) -> None:
    line.timer(interval, 1).start()
    assert line.loop.timers == 0


def test_a_pong_that_does_not_come_is_missed(line: Line) -> None:
    line.timer(10, 5).start()
    line.loop.advance(14)
    assert line.missed == 0
    line.loop.advance(2)
    assert (len(line.sent), line.missed) == (1, 1)


def test_a_pong_puts_the_next_ping_an_interval_away(line: Line) -> None:
    timer = line.timer(10, 5)
    timer.start()
    line.loop.advance(12)
    timer.pong_received(line.sent[-1])
    line.loop.advance(9)
    assert len(line.sent) == 1
    line.loop.advance(2)
    assert (len(line.sent), line.missed) == (2, 0)
    assert line.sent[0] != line.sent[1]


def test_a_pong_that_answers_no_ping_counts_for_nothing(line: Line) -> None:
    """RFC 6455, section 5.5.3."""
    timer = line.timer(10, 5)
    timer.start()
    timer.pong_received(b"")
    line.loop.advance(10)
    timer.pong_received(b"another")
    line.loop.advance(5)
    assert line.missed == 1


def test_without_a_timeout_pings_go_on_whatever_comes(line: Line) -> None:
    timer = line.timer(10, None)
    timer.start()
    line.loop.advance(25)
    timer.pong_received(line.sent[-1])
    line.loop.advance(10)
    assert (len(line.sent), line.missed) == (3, 0)


def test_a_restart_forgets_the_ping_that_is_out(line: Line) -> None:
    timer = line.timer(10, 5)
    timer.start()
    line.loop.advance(12)
    timer.restart()
    line.loop.advance(9)
    assert (len(line.sent), line.missed) == (1, 0)
    line.loop.advance(1)
    assert len(line.sent) == 2


def test_nothing_happens_after_a_stop(line: Line) -> None:
    timer = line.timer(10, 5)
    timer.start()
    line.loop.advance(11)
    timer.stop()
    timer.stop()
    timer.pong_received(line.sent[-1])
    line.loop.advance(100)
    assert (len(line.sent), line.missed, line.loop.timers) == (1, 0, 0)
