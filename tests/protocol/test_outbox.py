"""Frames that wait for the end of a turn of the loop, and those that don't."""

from collections.abc import Iterator

import pytest

from monoceros.protocol.outbox import HIGH_WATER, LARGE, Outbox, Turn
from tests.doubles.loop import ManualLoop


class Desk:
    """An outbox, and what it wrote."""

    def __init__(self) -> None:
        self.loop = ManualLoop()
        self.turn = Turn(self.loop)
        self.written: list[bytes] = []
        self.outbox = Outbox(self.turn, self.written.append)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.loop.settle()


def test_frames_of_one_turn_are_one_write_in_order(desk: Desk) -> None:
    for frame in (b"1", b"2", b"3"):
        desk.outbox.hold(frame)
    assert desk.written == []
    desk.loop.run_ready()
    assert desk.written == [b"123"]


def test_the_next_turn_has_a_write_of_its_own(desk: Desk) -> None:
    desk.outbox.hold(b"1")
    desk.loop.run_ready()
    desk.outbox.hold(b"2")
    desk.loop.run_ready()
    assert desk.written == [b"1", b"2"]


def test_more_than_64_kib_are_written_at_once(desk: Desk) -> None:
    frame = b"x" * (LARGE - 1)
    for _ in range(HIGH_WATER // LARGE + 1):
        desk.outbox.hold(frame)
    assert [len(data) for data in desk.written] == [len(frame) * (HIGH_WATER // LARGE + 1)]
    desk.outbox.hold(b"y")
    desk.loop.run_ready()
    assert desk.written[1:] == [b"y"]


def test_a_large_frame_is_not_joined_with_those_before_it_but_follows_them(desk: Desk) -> None:
    desk.outbox.hold(b"1")
    desk.outbox.hold(b"x" * LARGE)
    assert desk.written == [b"1", b"x" * LARGE]
    desk.loop.run_ready()
    assert len(desk.written) == 2


def test_a_flush_writes_what_is_held_and_one_more_together(desk: Desk) -> None:
    desk.outbox.hold(b"1")
    desk.outbox.flush(b"2")
    assert desk.written == [b"12"]
    desk.outbox.flush(b"3")
    desk.outbox.flush()
    desk.loop.run_ready()
    assert desk.written == [b"12", b"3"]


def test_all_outboxes_share_one_callback_a_turn(desk: Desk) -> None:
    other: list[bytes] = []
    second = Outbox(desk.turn, other.append)
    for _ in range(3):
        desk.outbox.hold(b"1")
        second.hold(b"2")
    assert len(desk.loop._soon) == 1
    desk.loop.run_ready()
    assert (desk.written, other) == ([b"111"], [b"222"])


def test_a_closed_outbox_writes_nothing_any_more(desk: Desk) -> None:
    desk.outbox.hold(b"1")
    desk.outbox.close()
    desk.loop.run_ready()
    desk.outbox.hold(b"2")
    desk.loop.run_ready()
    desk.outbox.flush(b"3")
    assert desk.written == []
