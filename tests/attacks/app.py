"""What is served under attack: small answers, uploads that are read, one answer that fills every buffer, a count."""

import asyncio
import gc
import json
from collections import Counter

from monoceros.asgi import Receive, Scope, Send

LARGE = bytes(1 << 20)
TYPE = (b"content-type", b"application/octet-stream")

COUNTED = ("monoceros.", "asyncio.", "_asyncio", "uvloop.", "ssl", "_ssl")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a word, but for these paths.

    `/large` answers with a MiB, `/objects` with the objects that are alive, by type; `/wait` with nothing until the
    peer is gone, and `/stream` without an end. `/deaf` never reads or answers. A WebSocket echoes.
    """
    if scope["type"] == "websocket":
        await _echo(receive, send)
    elif scope["type"] == "http":
        await _answer(scope["path"], receive, send)


async def _answer(path: str, receive: Receive, send: Send) -> None:
    if path == "/deaf":
        await asyncio.Event().wait()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
    if path == "/wait":
        await receive()
        return
    if path == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": [TYPE]})
        await _stream(receive, send)
        return
    body = LARGE if path == "/large" else json.dumps(objects()).encode() if path == "/objects" else b"hello"
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [TYPE, length]})
    await send({"type": "http.response.body", "body": body})


async def _stream(receive: Receive, send: Send) -> None:
    listener = asyncio.ensure_future(receive())
    while not listener.done():
        await send({"type": "http.response.body", "body": LARGE[:65536], "more_body": True})
        await asyncio.sleep(0)


async def _echo(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({**message, "type": "websocket.send"})


def objects() -> dict[str, int]:
    """Return how many objects of the server and of the event loop are alive, by type, without garbage."""
    gc.collect()
    kinds = (type(each) for each in gc.get_objects())
    return Counter(
        f"{kind.__module__}.{kind.__qualname__}" for kind in kinds if str(kind.__module__).startswith(COUNTED)
    )
