"""Responses that take their time: a chunked stream and server-sent events, with a page that shows both.

monoceros-serve examples.streaming:app

What to look at: nothing declares a length, so the server chunks; and an event stream, which never ends by itself, ends
when `receive` says `http.disconnect`: the browser has left, or the server is stopping.
"""

import asyncio
import itertools
import json
import time

from monoceros.asgi import Headers, Receive, Scope, Send

INTERVAL = 0.2
"""Seconds between two events, and between two lines of the countdown."""

PAGE = b"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Streaming</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 40rem; margin: 3rem auto; padding: 0 1rem }
  pre { min-height: 1.5em }
  output { font-variant-numeric: tabular-nums }
</style>
<h1>Streaming</h1>
<p>Server-sent events: <output id="event">connecting</output></p>
<p><button id="count">Count down</button></p>
<pre id="lines"></pre>
<script>
  const event = document.getElementById("event"), lines = document.getElementById("lines")
  const source = new EventSource("events")
  source.onmessage = ({ data }) => {
    const { number, time } = JSON.parse(data)
    event.textContent = `${number} at ${new Date(time * 1000).toLocaleTimeString()}`
  }
  source.onerror = () => { event.textContent = "connecting again" }
  document.getElementById("count").onclick = async () => {
    lines.textContent = ""
    const response = await fetch("countdown")
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) lines.textContent += text
  }
</script>
</html>
"""


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the page and its two streams."""
    if scope["type"] != "http":
        raise NotImplementedError(f"{scope['type']} isn't served here")
    match scope["path"]:
        case "/":
            await start(send, 200, b"text/html; charset=utf-8")
            await send({"type": "http.response.body", "body": PAGE})
        case "/countdown":
            await count_down(send)
        case "/events":
            await stream_events(scope, receive, send)
        case _:
            await start(send, 404, b"text/plain; charset=utf-8")
            await send({"type": "http.response.body", "body": b"Not found\n"})


async def count_down(send: Send) -> None:
    """Send a text line by line."""
    await start(send, 200, b"text/plain; charset=utf-8")
    for number in range(10, 0, -1):
        await send({"type": "http.response.body", "body": b"%d\n" % number, "more_body": True})
        await asyncio.sleep(INTERVAL)
    await send({"type": "http.response.body", "body": b"Lift-off\n"})


async def stream_events(scope: Scope, receive: Receive, send: Send) -> None:
    """Send an event each interval until the client or the server leaves. A client that comes back is counted on."""
    await start(send, 200, b"text/event-stream", (b"cache-control", b"no-store"))
    await send({"type": "http.response.body", "body": b"retry: 1000\n\n", "more_body": True})
    left = asyncio.create_task(disconnection(receive))
    try:
        for number in itertools.count(last_event_id(scope["headers"]) + 1):
            data = json.dumps({"number": number, "time": time.time()})
            event = f"id: {number}\ndata: {data}\n\n".encode()
            await send({"type": "http.response.body", "body": event, "more_body": True})
            await asyncio.wait([left], timeout=INTERVAL)
            if left.done():
                break
        await send({"type": "http.response.body"})
    finally:
        left.cancel()


async def disconnection(receive: Receive) -> None:
    """Return when nobody waits for the response any more."""
    while (await receive())["type"] != "http.disconnect":
        pass


def last_event_id(headers: Headers) -> int:
    """Return where a browser that lost its connection says it was, or 0."""
    value = dict(headers).get(b"last-event-id", b"")
    return int(value) if value.isdigit() else 0


async def start(send: Send, status: int, content_type: bytes, *more: tuple[bytes, bytes]) -> None:
    """Begin a response."""
    headers = [(b"content-type", content_type), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
