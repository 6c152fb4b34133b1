"""The response of its own with which an application denies a WebSocket (ASGI, the extension `websocket.http.response`).

Knows no frames. The rule it keeps: it is answered as any request is, by the same cycle.
"""

from monoceros.asgi import Message, Scope
from monoceros.protocol.context import NEVER, Context
from monoceros.protocol.cycle import HTTPCycle, Response
from monoceros.protocol.sink import ResponseSink


class Denial:
    """One such response.

    Arguments:
        sink: where it goes.
        context: what all sessions share.
        scope: that of the session.
    """

    __slots__ = ("_cycle",)

    def __init__(self, sink: ResponseSink, context: Context, scope: Scope) -> None:
        self._cycle = HTTPCycle(sink, context, {**scope, "method": "GET"}, True, False)
        self._cycle.due = NEVER  # the session has the deadline

    @property
    def streams(self) -> bool:
        """A part of it was written, and more is to come."""
        return self._cycle.response is Response.STREAMING

    @property
    def complete(self) -> bool:
        """All of it was written."""
        return self._cycle.response is Response.COMPLETE

    async def send(self, kind: object, message: Message) -> int | None:
        """Take `websocket.http.response.start` or `.body`. Returns the status when that is settled, else None.

        Raises:
            RuntimeError: the message isn't what ASGI asks for now, or can't be sent; says what the application did.
        """
        before = self._cycle.response
        wanted = "websocket.http.response." + ("start" if before is Response.UNSTARTED else "body")
        if kind != wanted:
            raise RuntimeError(
                f"the application sent {kind!r} while it denies the handshake with a response; ASGI asks for {wanted!r}"
            )
        await self._cycle.send({**message, "type": wanted.removeprefix("websocket.")})
        return self._cycle.status if before is Response.HELD else None

    def tick(self) -> None:
        """A second has passed: a head that is held is written."""
        self._cycle.tick()
