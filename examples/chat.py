"""A chat room: raw ASGI, WebSockets, and the page that opens them. `make run` serves it on http://127.0.0.1:8000.

monoceros-serve examples.chat:app

What to look at: each member has a queue and a task that sends from it, so one slow browser holds up nobody; and a
member leaves when `receive` says `websocket.disconnect`, which it does when the browser is gone and also when the
server is stopping. The room lives in the memory of one process: serve it without `--workers`.
"""

import asyncio
import contextlib
import itertools
import json
import time
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from monoceros.asgi import Receive, Scope, Send

HISTORY = 50
"""Messages that a newcomer is shown."""

LONGEST_NAME = 24
LONGEST_TEXT = 2000
"""Characters; more are cut off."""

BACKLOG = 100
"""Messages that may wait for one member. Who falls further behind is closed, and comes back by itself."""

TRY_AGAIN_LATER = 1013  # a close code of the IANA registry

PAGE = Path(__file__).with_suffix(".html").read_bytes()


class Member:
    """Somebody in the room.

    Arguments:
        name: as the others see it, unique in the room.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting: asyncio.Queue[str] = asyncio.Queue(BACKLOG)
        self.fell_behind = False

    def tell(self, text: str) -> None:
        """Leave a message for the sending task; never waits."""
        try:
            self.waiting.put_nowait(text)
        except asyncio.QueueFull:
            self.fell_behind = True

    async def deliver(self, send: Send) -> None:
        """Send what is left here, until cancelled or too far behind."""
        while not self.fell_behind:
            await send({"type": "websocket.send", "text": await self.waiting.get()})
        await send({"type": "websocket.close", "code": TRY_AGAIN_LATER, "reason": "too slow"})


class Room:
    """Who is here and what was said."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.said: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        # Unlike those of an earlier run, so that a page which comes back knows what it has shown already.
        self.ids = (f"{time.time_ns():x}-{number}" for number in itertools.count())

    def enter(self, wanted: str) -> Member:
        """Let somebody in, under the name they want if it is free."""
        member = Member(self._free_name(" ".join(wanted.split())[:LONGEST_NAME] or "Guest"))
        self.members.append(member)
        member.tell(encode("welcome", name=member.name, people=self._people(), said=list(self.said)))
        self._tell_others(member, encode("joined", name=member.name, people=self._people()))
        return member

    def leave(self, member: Member) -> None:
        """Let them go, and tell the others."""
        self.members.remove(member)
        self._tell_others(member, encode("left", name=member.name, people=self._people()))

    def say(self, member: Member, text: str) -> None:
        """Tell everybody, the speaker included, what was said."""
        text = text.strip()[:LONGEST_TEXT]
        if not text:
            return
        message = {"id": next(self.ids), "name": member.name, "text": text, "time": time.time()}
        self.said.append(message)
        encoded = encode("said", **message)
        for each in self.members:
            each.tell(encoded)

    def _people(self) -> list[str]:
        return [member.name for member in self.members]

    def _tell_others(self, member: Member, text: str) -> None:
        for each in self.members:
            if each is not member:
                each.tell(text)

    def _free_name(self, wanted: str) -> str:
        taken = {member.name for member in self.members}
        numbered = (f"{wanted} {number}" for number in itertools.count(2))
        return next(name for name in itertools.chain([wanted], numbered) if name not in taken)


room = Room()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the page at / and the room at /ws."""
    if scope["type"] == "http":
        await answer(scope, send)
    elif scope["type"] == "websocket":
        await converse(scope, receive, send)
    else:
        raise NotImplementedError(f"{scope['type']} isn't served here")


async def answer(scope: Scope, send: Send) -> None:
    """Answer with the page."""
    found = scope["path"] == "/"
    content_type, body = (b"text/html", PAGE) if found else (b"text/plain", b"Not found\n")
    headers = [(b"content-type", content_type + b"; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200 if found else 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def converse(scope: Scope, receive: Receive, send: Send) -> None:
    """Keep one member in the room for as long as their WebSocket lasts."""
    await receive()  # websocket.connect
    if scope["path"] != "/ws":
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept"})
    member = room.enter(parse_qs(scope["query_string"].decode()).get("name", [""])[0])
    sending = asyncio.create_task(member.deliver(send))
    try:
        while (message := await receive())["type"] != "websocket.disconnect":
            room.say(member, message.get("text") or "")
    finally:
        room.leave(member)
        sending.cancel()
        # `send` raises an OSError once the other side is gone.
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await sending


def encode(kind: str, **fields: Any) -> str:
    """Return a message to the page."""
    return json.dumps({"kind": kind, **fields})
