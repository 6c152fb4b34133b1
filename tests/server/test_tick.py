"""The server's second: how late it came, and the limits that are looked at in it."""

from typing import Any

import pytest

from monoceros.config import Config
from monoceros.protocol.complaints import AT_ONCE, Kind
from monoceros.protocol.context import Context
from monoceros.server.foreign import ServerState
from monoceros.server.recycling import Recycling
from monoceros.server.tick import TICK, Tick
from monoceros.wire.h11_parser import H11Parser
from monoceros.wire.response import default_fields
from tests.doubles.applications import hello
from tests.doubles.loop import ManualLoop


class Clockwork:
    """A tick on a loop that stands still, by a clock that shows the loop's time and what it was blocked for."""

    def __init__(self, **limits: Any) -> None:
        self.loop = ManualLoop()
        self.blocked = 0.0
        self.beats = 0
        self.reasons: list[str] = []
        self.state = ServerState()
        self.context = Context(hello, self.loop, make_parser=H11Parser, defaults=default_fields(None, None))
        self.tick = Tick(
            Config(hello, log_config=None),
            self.context,
            self.state,
            (),
            beat=self.beat,
            limit_reached=self.reasons.append,
            recycling=Recycling(None, limits.get("lifetime"), clock=self.loop.time, random_share=lambda: 0.0),
            clock=lambda: self.loop.time() + self.blocked,
        )
        self.tick.pass_second()

    def beat(self) -> None:
        self.beats += 1

    def close(self) -> None:
        self.tick.end()
        self.loop.settle()


def test_a_tick_that_comes_in_time_shows_no_lag() -> None:
    clockwork = Clockwork()
    clockwork.loop.advance(3 * TICK)
    assert (clockwork.context.tick, clockwork.beats, clockwork.state.loop_lag) == (4, 4, 0.0)
    clockwork.close()


def test_a_tick_that_comes_late_shows_how_late_and_the_next_one_forgets_it() -> None:
    clockwork = Clockwork()
    clockwork.blocked = 2.5
    clockwork.loop.advance(TICK)
    assert clockwork.state.loop_lag == pytest.approx(2.5)
    clockwork.loop.advance(TICK)
    assert clockwork.state.loop_lag == 0.0
    clockwork.close()


def test_a_limit_is_told_once_it_is_exceeded() -> None:
    clockwork = Clockwork(lifetime=3)
    clockwork.loop.advance(2 * TICK)
    assert clockwork.reasons == []
    clockwork.loop.advance(TICK)
    assert clockwork.reasons == ["Lifetime of 3 s is over"]
    clockwork.close()


def test_after_its_end_it_ticks_no_more() -> None:
    clockwork = Clockwork()
    clockwork.tick.end()
    clockwork.loop.advance(5 * TICK)
    assert clockwork.context.tick == 1
    clockwork.close()


def test_complaints_that_were_only_counted_are_told(caplog: pytest.LogCaptureFixture) -> None:
    clockwork = Clockwork()
    for _ in range(AT_ONCE + 1):
        clockwork.context.complaints.complain(Kind.BUSY, "Busy")
    clockwork.loop.advance(TICK)
    assert caplog.messages == ["Busy"] * AT_ONCE + [f"1 more like this in the last second: {Kind.BUSY.value}"]
    clockwork.close()
