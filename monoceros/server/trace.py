"""With `--log-level trace`: every ASGI message on its way, in logger `monoceros.asgi`.

The rule it keeps: what may be a secret is counted, and not shown. That is content; header fields, for there are cookies
and credentials among them; subprotocols, for a browser has no other place for a token; and what is in the state.
"""

import itertools
import logging
from collections.abc import Sized

from monoceros.asgi import Application, Message, Receive, Scope, Send
from monoceros.logs.formatters import TRACE_LOG_LEVEL
from monoceros.logs.lines import escape, escape_unprintable

_COUNTED = {
    "body": "bytes",
    "bytes": "bytes",
    "text": "chars",
    "headers": "fields",
    "subprotocols": "names",
    "state": "entries",
}


def traced(app: Application) -> Application:
    """Return `app`, with its scopes and messages logged."""
    logger = logging.getLogger("monoceros.asgi")
    numbers = itertools.count(1)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        # As a trusted proxy names it: anything may be in it.
        who = f"{escape(str(client[0]))}:{client[1]} - " if client else ""
        who += f"ASGI [{next(numbers)}]"

        async def traced_receive() -> Message:
            message = await receive()
            logger.log(TRACE_LOG_LEVEL, "%s Receive %s", who, _outline(message))
            return message

        async def traced_send(message: Message) -> None:
            logger.log(TRACE_LOG_LEVEL, "%s Send %s", who, _outline(message))
            await send(message)

        logger.log(TRACE_LOG_LEVEL, "%s Started scope=%s", who, _outline(scope))
        try:
            await app(scope, traced_receive, traced_send)
        except BaseException:
            logger.log(TRACE_LOG_LEVEL, "%s Raised exception", who)
            raise
        logger.log(TRACE_LOG_LEVEL, "%s Completed", who)

    return application


def _outline(message: Message) -> str:
    outline = dict(message)
    for key, unit in _COUNTED.items():
        value = outline.get(key)
        if value is not None:
            outline[key] = f"<{len(value)} {unit}>" if isinstance(value, Sized) else "<...>"
    return escape_unprintable(repr(outline))
