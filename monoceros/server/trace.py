"""With `--log-level trace`: every ASGI message on its way, in logger `monoceros.asgi`."""

import itertools
import logging
from typing import Any

from monoceros.asgi import Application, Message, Receive, Scope, Send
from monoceros.logs.formatters import TRACE_LOG_LEVEL

_SIZED = {"body": "bytes", "bytes": "bytes", "text": "chars"}


def traced(app: Application) -> Application:
    """Return `app`, with its scopes and messages logged; content shows as its size, headers not at all."""
    logger = logging.getLogger("monoceros.asgi")
    numbers = itertools.count(1)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        who = f"{client[0]}:{client[1]} - ASGI [{next(numbers)}]" if client else f"ASGI [{next(numbers)}]"

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


def _outline(message: Message) -> dict[str, Any]:
    outline = dict(message)
    for key, unit in _SIZED.items():
        if outline.get(key) is not None:
            outline[key] = f"<{len(outline[key])} {unit}>"
    if "headers" in outline:
        outline["headers"] = "<...>"
    return outline
