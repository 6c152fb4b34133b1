"""The application under load: it is copied into the directory of a run, and knows nothing of this package.

The rule it keeps: an answer says whose it is. A GET gets its own path back, with the process that served it; a POST
gets the digest of its body.
"""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SLOW = 0.02
"""Seconds between the two halves of an answer to a path under `/slow/`."""


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Answer one request, or take part in the lifespan."""
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    digest = hashlib.sha256()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        digest.update(message.get("body", b""))
        if not message.get("more_body", False):
            break
    path: str = scope["path"]
    body = (digest.hexdigest() if scope["method"] == "POST" else f"{os.getpid()} {path}").encode()
    fields = [(b"content-length", b"%d" % len(body)), (b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    if path.startswith("/slow/"):
        half = len(body) // 2
        await send({"type": "http.response.body", "body": body[:half], "more_body": True})
        await asyncio.sleep(SLOW)
        body = body[half:]
    await send({"type": "http.response.body", "body": body})


async def live(receive: Receive, send: Send) -> None:
    """Say yes to start-up and shutdown."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
