"""What waits for an application: in order, bounded, and for whoever asks."""

import asyncio
from collections.abc import Iterator

import pytest

from monoceros.asgi import Message
from monoceros.protocol.inbox import HIGH_WATER, Inbox
from monoceros.wire.engine import Pong
from monoceros.wire.frames import Close
from tests.doubles.loop import ManualLoop


class Desk:
    """An inbox, and what becomes of it."""

    def __init__(self) -> None:
        self.loop = ManualLoop()
        self.emptied = 0
        self.inbox = Inbox(self.loop, 4, self._emptied)

    def _emptied(self) -> None:
        self.emptied += 1

    def ask(self) -> "asyncio.Task[Message]":
        task = self.loop.create_task(self._receive())
        self.loop.run_ready()
        return task

    def take(self) -> object:
        """Return the content of the message that is there, or its code if it is the last one."""
        message = self.ask().result()
        return message.get("text", message.get("bytes", message.get("code")))

    async def _receive(self) -> Message:
        return await self.inbox.receive()


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    assert desk.ask().result() == {"type": "websocket.connect"}
    yield desk
    desk.loop.settle()


def test_messages_come_in_order_and_the_other_events_come_back(desk: Desk) -> None:
    assert desk.inbox.take(["a", Pong(b"p"), b"b", Close(1000, "")]) == [Pong(b"p"), Close(1000, "")]
    assert desk.ask().result() == {"type": "websocket.receive", "text": "a"}
    assert desk.ask().result() == {"type": "websocket.receive", "bytes": b"b"}


def test_who_waits_is_woken(desk: Desk) -> None:
    waiting = desk.ask()
    assert not waiting.done()
    desk.inbox.take(["a"])
    desk.loop.run_ready()
    assert waiting.result()["text"] == "a"


def test_several_may_wait_and_each_gets_a_message(desk: Desk) -> None:
    waiting = [desk.ask(), desk.ask(), desk.ask()]
    desk.inbox.take(["a", "b"])
    desk.loop.run_ready()
    assert [task.result()["text"] for task in waiting[:2]] == ["a", "b"]
    assert not waiting[2].done()
    desk.inbox.take(["c"])
    desk.loop.run_ready()
    assert waiting[2].result()["text"] == "c"


def test_who_is_cancelled_takes_nobody_along(desk: Desk) -> None:
    first, second = desk.ask(), desk.ask()
    first.cancel()
    desk.loop.run_ready()
    assert first.cancelled()
    desk.inbox.take(["a"])
    desk.loop.run_ready()
    assert second.result()["text"] == "a"


def test_a_message_isnt_lost_with_the_one_who_is_cancelled_when_it_comes(desk: Desk) -> None:
    waiting = desk.ask()
    desk.inbox.take(["a"])
    waiting.cancel()
    desk.loop.run_ready()
    assert waiting.cancelled()
    assert desk.take() == "a"


def test_who_gives_up_waiting_leaves_nothing_behind(desk: Desk) -> None:
    """An application that waits for a second each time, and never gets a message, must not grow."""
    for _ in range(3):
        waiting = desk.ask()
        waiting.cancel()
        desk.loop.run_ready()
    assert desk.inbox._waiters == []


def test_it_is_full_with_its_limit_of_messages_and_empty_enough_at_half_of_it(desk: Desk) -> None:
    desk.inbox.take(["a", "b", "c"])
    assert not desk.inbox.full
    desk.inbox.take(["d"])
    assert desk.inbox.full
    assert desk.take() == "a"
    assert (desk.inbox.full, desk.emptied) == (True, 0)
    assert desk.take() == "b"
    assert (desk.inbox.full, desk.emptied) == (False, 1)
    assert desk.take() == "c"
    assert desk.emptied == 1


@pytest.mark.parametrize("unit", ["x", b"x"])
def test_it_is_full_with_64_kib(desk: Desk, unit: str | bytes) -> None:
    half = unit * (HIGH_WATER // 2)
    desk.inbox.take([half])
    assert not desk.inbox.full
    desk.inbox.take([half])
    assert desk.inbox.full
    assert desk.take() == half
    assert (desk.inbox.full, desk.emptied) == (False, 1)
    desk.inbox.take([half])
    assert desk.inbox.full


def test_one_message_that_is_awaited_fills_nothing_however_large_unless_nobody_takes_it(desk: Desk) -> None:
    waiting = desk.ask()
    desk.inbox.take([bytes(2 * HIGH_WATER)])
    assert not desk.inbox.full
    desk.loop.run_ready()
    assert waiting.result()["bytes"] == bytes(2 * HIGH_WATER)
    waiting = desk.ask()
    desk.inbox.take([bytes(2 * HIGH_WATER)])
    waiting.cancel()
    desk.loop.run_ready()
    desk.inbox.take([b"one more"])
    assert desk.inbox.full
    waiting = desk.ask()
    assert waiting.result()["bytes"] == bytes(2 * HIGH_WATER)
    assert (desk.inbox.full, desk.emptied) == (False, 1)


def test_two_messages_fill_it_though_one_is_awaited(desk: Desk) -> None:
    desk.ask()
    desk.inbox.take([bytes(HIGH_WATER), b""])
    assert desk.inbox.full


def test_what_has_left_doesnt_count(desk: Desk) -> None:
    for _ in range(3):
        desk.inbox.take([b"x" * (HIGH_WATER - 1)])
        desk.take()
    assert not desk.inbox.full


def test_the_end_comes_behind_the_messages_and_stays_and_its_first_reason_counts(desk: Desk) -> None:
    desk.inbox.take(["a"])
    desk.inbox.end(1001, "away")
    desk.inbox.end(1006, "")
    assert desk.take() == "a"
    for _ in range(2):
        assert desk.ask().result() == {"type": "websocket.disconnect", "code": 1001, "reason": "away"}


def test_the_end_wakes_all_who_wait(desk: Desk) -> None:
    waiting = [desk.ask(), desk.ask()]
    desk.inbox.end(1000, "")
    desk.loop.run_ready()
    assert [task.result()["code"] for task in waiting] == [1000, 1000]


def test_a_message_is_lone_if_it_was_waited_for_and_nothing_came_with_it(desk: Desk) -> None:
    desk.inbox.take(["nobody waits"])
    assert not desk.inbox.lone
    desk.take()
    desk.ask()
    desk.inbox.take(["a", "b"])
    assert not desk.inbox.lone
    desk.loop.run_ready()
    desk.take()
    desk.ask()
    desk.inbox.take(["c"])
    assert desk.inbox.lone
