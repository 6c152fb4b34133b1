"""The smallest application: raw ASGI, no framework.

monoceros-serve examples.hello:app
"""

from monoceros.asgi import Receive, Scope, Send

BODY = b"Hello, world!\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer every HTTP request with the same text."""
    if scope["type"] != "http":
        # The way ASGI has for saying "not for me": the server goes on without a lifespan.
        raise NotImplementedError(f"{scope['type']} isn't served here")
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})
