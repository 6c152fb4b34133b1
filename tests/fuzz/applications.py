"""Applications of every kind, good and bad, for random requests: they must never be the reason why something is left.

Each ends once its peer is gone, if the server tells it so. `Diary` holds what they were told.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from monoceros.asgi import Message, Receive, Scope, Send
from tests.doubles.applications import echo_messages

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
PIECE = b"x" * 4096


@dataclass
class Diary:
    """What the applications of one connection were told.

    Attributes:
        scopes: one for each request.
        bodies: what came of each request's body, and whether its end came.
        unread: octets of content that the server handed over, in all.
    """

    scopes: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[tuple[bytes, bool]] = field(default_factory=list)

    @property
    def handed_over(self) -> int:
        """The octets of content that applications have received."""
        return sum(len(body) for body, _ in self.bodies)


async def _read(receive: Receive) -> tuple[bytes, bool]:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body, False
        body += message["body"]
        if not message["more_body"]:
            return body, True


async def _reads_all(receive: Receive, send: Send, diary: Diary) -> None:
    diary.bodies.append(await _read(receive))
    await send(START)
    await send({"type": "http.response.body", "body": b"%d octets" % len(diary.bodies[-1][0])})


async def _reads_nothing(receive: Receive, send: Send, diary: Diary) -> None:
    await send(START)
    await send({"type": "http.response.body", "body": b"Hello, world!"})


async def _echoes(receive: Receive, send: Send, diary: Diary) -> None:
    await send(START)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        diary.bodies.append((message["body"], not message["more_body"]))
        more = message["more_body"]
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})


async def _streams(receive: Receive, send: Send, diary: Diary) -> None:
    await send(START)
    for _ in range(40):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body"})


async def _raises_first(receive: Receive, send: Send, diary: Diary) -> None:
    raise LookupError("on purpose")


async def _raises_later(receive: Receive, send: Send, diary: Diary) -> None:
    await send(START)
    await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    diary.bodies.append(await _read(receive))
    raise LookupError("on purpose")


async def _returns_early(receive: Receive, send: Send, diary: Diary) -> None:
    message = await receive()
    if message.get("body", b"").startswith(b"x"):
        await send(START)


async def _promises_too_much(receive: Receive, send: Send, diary: Diary) -> None:
    await send(START | {"headers": [(b"content-length", b"20")]})
    await send({"type": "http.response.body", "body": b"twelve octet", "more_body": True})
    await receive()


async def _sends_too_much(receive: Receive, send: Send, diary: Diary) -> None:
    await send(START | {"status": 201, "headers": [(b"content-length", b"4"), (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b"twelve octet", "more_body": True})


async def _injects(receive: Receive, send: Send, diary: Diary) -> None:
    await send(START | {"headers": [(b"x", b"y\r\n\r\nz")]})
    await send({"type": "http.response.body", "body": b"z"})


async def _waits_for_the_end(receive: Receive, send: Send, diary: Diary) -> None:
    await send(START | {"headers": [(b"content-type", b"text/event-stream")]})
    await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


async def _receives_twice_at_once(receive: Receive, send: Send, diary: Diary) -> None:
    """As a framework does that listens for a disconnect beside the view, and cancels that in the end."""

    async def listen() -> Message:
        return await receive()

    listener = asyncio.ensure_future(listen())
    try:
        await listen()
        await send(START)
        await send({"type": "http.response.body", "body": b"done"})
    finally:
        listener.cancel()


async def _never_answers(receive: Receive, send: Send, diary: Diary) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _has_no_content(receive: Receive, send: Send, diary: Diary) -> None:
    await send(START | {"status": 204})
    await send({"type": "http.response.body", "body": b"none"})


KINDS: list[Callable[[Receive, Send, Diary], Any]] = [
    _reads_all,
    _reads_nothing,
    _echoes,
    _streams,
    _raises_first,
    _raises_later,
    _returns_early,
    _promises_too_much,
    _sends_too_much,
    _injects,
    _waits_for_the_end,
    _receives_twice_at_once,
    _never_answers,
    _has_no_content,
]


class Applications:
    """An application of one kind.

    Arguments:
        kind: a number; which one it means is nobody's business.
        diary: what it was told is written there.
    """

    def __init__(self, kind: int, diary: Diary) -> None:
        self._kind = KINDS[kind % len(KINDS)]
        self._diary = diary

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._diary.scopes.append({key: value for key, value in scope.items() if key != "state"})
        if scope["type"] == "websocket":
            await echo_messages(receive, send)
        else:
            await self._kind(receive, send, self._diary)
