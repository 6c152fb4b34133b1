"""What is served while measuring: a small answer, as every framework's hello world sends it."""

from monoceros.asgi import Receive, Scope, Send

HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"13")]


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer every HTTP request with thirteen octets; speak no lifespan."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"Hello, world!"})
