"""What is served while measuring: plain ASGI, the same for every server, without anything that only one understands."""

import json
from collections.abc import Awaitable, Callable

from monoceros.asgi import Receive, Scope, Send

TEXT = [(b"content-type", b"text/plain"), (b"content-length", b"13")]
STREAM = [(b"content-type", b"text/plain")]
PIECE = b"0123456789abcdef" * 4096
"""What a download is made of: 64 KiB."""
DOWNLOAD = 100 * 1024 * 1024
BINARY = [(b"content-type", b"application/octet-stream"), (b"content-length", b"%d" % DOWNLOAD)]


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with thirteen octets, as every framework's hello world does."""
    await send({"type": "http.response.start", "status": 200, "headers": TEXT})
    await send({"type": "http.response.body", "body": b"Hello, world!"})


async def post(scope: Scope, receive: Receive, send: Send) -> None:
    """Read a JSON document, and answer with the number of its tags."""
    document = json.loads(await _content(receive))
    answer = json.dumps({"tags": len(document["tags"])}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer in 100 pieces of 100 octets, without saying how many there will be."""
    await send({"type": "http.response.start", "status": 200, "headers": STREAM})
    for _ in range(100):
        await send({"type": "http.response.body", "body": b"x" * 100, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def upload(scope: Scope, receive: Receive, send: Send) -> None:
    """Read a body without keeping it, and answer with its size in 13 digits."""
    size = 0
    more = True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": TEXT})
    await send({"type": "http.response.body", "body": b"%013d" % size})


async def download(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with 100 MiB in pieces of 64 KiB."""
    await send({"type": "http.response.start", "status": 200, "headers": BINARY})
    for _ in range(DOWNLOAD // len(PIECE)):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def echo(receive: Receive, send: Send) -> None:
    """Send each message of a WebSocket back, as the kind it came."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if (text := message.get("text")) is not None:
            await send({"type": "websocket.send", "text": text})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})


async def lifespan(receive: Receive, send: Send) -> None:
    """Have nothing to do at the start and at the end."""
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})


ROUTES: dict[str, Callable[[Scope, Receive, Send], Awaitable[None]]] = {
    "/": hello,
    "/json": post,
    "/stream": stream,
    "/upload": upload,
    "/download": download,
}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve all of the above."""
    if scope["type"] == "http":
        await ROUTES[scope["path"]](scope, receive, send)
    elif scope["type"] == "websocket":
        await echo(receive, send)
    else:
        await lifespan(receive, send)


async def _content(receive: Receive) -> bytes:
    pieces = []
    more = True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)
