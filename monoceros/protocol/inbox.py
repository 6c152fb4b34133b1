"""The messages of one WebSocket that wait for its application: ASGI's `receive` for a session.

Knows neither frames nor the transport. The rule it keeps: it holds a bounded number of messages, and octets in them; as
soon as it is full, nothing more should be read or decoded until the application has made room.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from monoceros.asgi import Message
from monoceros.wire.engine import Event

HIGH_WATER = 65536
"""Octets of messages, or characters of text, above which an inbox is full. One message may exceed it."""


class Inbox:
    """What a session has received and its application hasn't.

    Arguments:
        loop: the event loop.
        limit: messages at which it is full.
        emptied: called when there is room again in one that was full.

    Attributes:
        full: nothing more should be put in.
        lone: the one message that somebody waited for has come, and nothing was sent since.
    """

    __slots__ = ("_emptied", "_last", "_limit", "_loop", "_messages", "_octets", "_waiters", "full", "lone")

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: int, emptied: Callable[[], None]) -> None:
        self._loop = loop
        self._limit = limit
        self._emptied = emptied
        self._messages: deque[Message] = deque([{"type": "websocket.connect"}])
        self._octets = 0
        self._last: Message | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self.full = False
        self.lone = False

    async def receive(self) -> Message:
        """Return the next `websocket.*` message; `websocket.disconnect` is the last one, again and again."""
        messages = self._messages
        while not messages:
            if self._last is not None:
                return self._last
            # One for each who waits, for several tasks of an application may, and one be cancelled.
            waiter: asyncio.Future[None] = asyncio.Future(loop=self._loop)
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                raise
        message = messages.popleft()
        if not messages:
            self._octets = 0
        else:
            self._octets -= _size(message)
        if self.full and len(messages) <= self._limit // 2 and self._octets <= HIGH_WATER // 2:
            self.full = False
            self._emptied()
        return message

    def take(self, events: Iterable[Event]) -> list[Event]:
        """Put messages in, and wake who waits for them. Returns the events that aren't messages."""
        messages = self._messages
        others = []
        for event in events:
            if type(event) is str:
                messages.append({"type": "websocket.receive", "text": event})
            elif type(event) is bytes:
                messages.append({"type": "websocket.receive", "bytes": event})
            else:
                others.append(event)
                continue
            self._octets += len(event)
        count = len(messages)
        awaited = count > 0 and bool(self._waiters)
        # One message that is awaited, however large, is as good as taken.
        if count >= self._limit or (self._octets >= HIGH_WATER and not (awaited and count == 1)):
            self.full = True
        if awaited:
            self.lone = count == 1
            self._wake()
        return others

    def end(self, code: int, reason: str) -> None:
        """Let `websocket.disconnect` follow the messages that are there; the first reason counts."""
        if self._last is None:
            self._last = {"type": "websocket.disconnect", "code": code, "reason": reason}
            self._emptied = _do_nothing  # or whoever made us would wait for the garbage collector
            self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()


def _do_nothing() -> None:
    pass


def _size(message: Message) -> int:
    content: str | bytes = message.get("bytes") or message.get("text") or b""
    return len(content)
