"""An application in place of one that can't be imported, for those who edit it: it shows what is wrong.

For Gunicorn's `--reload` only, as whoever can reach the server reads the traceback. The rule it keeps: it is an ASGI
application like any other, so the server needn't know.
"""

import traceback
from collections.abc import Awaitable, Callable
from typing import Any


def failing_application(error: Exception) -> Callable[[Any, Any, Any], Awaitable[None]]:
    """Return an application that answers each request with 500 and the traceback."""
    body = "".join(traceback.format_exception(error)).encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"nothing is served but this error: {error}")
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application
