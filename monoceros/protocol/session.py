"""One WebSocket session: the only `receive` and `send` of ASGI's websocket in the code base.

Knows neither the transport nor the library that codes frames: those are behind its sink and its engine. Its states are
those of RFC 6455: the handshake is answered once, a close is sent once, and after it only the peer's close counts.
"""

import asyncio
import logging
from collections import deque
from enum import Enum
from typing import Any

from monoceros.asgi import Message, Scope
from monoceros.errors import ClientDisconnected, FrameError, beheaded
from monoceros.protocol.context import Context, WebSocketOptions
from monoceros.protocol.cycle import HTTPCycle, Response
from monoceros.protocol.messages import NORMAL, checked_bytes, checked_headers, checked_text, close_of
from monoceros.protocol.ping import PingTimer
from monoceros.protocol.scope import client_label, path_label
from monoceros.protocol.sink import WebSocketSink
from monoceros.wire.engine import EngineFailure, Event, Pong
from monoceros.wire.frames import Close
from monoceros.wire.handshake import Handshake, accept_head

logger = logging.getLogger("monoceros.error")

CLOSE_TIMEOUT = 10
"""Seconds that the peer has to answer our close frame."""

EARLY_DATA = 65536
"""Octets taken before the application has answered the handshake."""

# Close codes (RFC 6455, section 7.4.1, and the IANA registry).
ABNORMAL, INTERNAL_ERROR, SERVICE_RESTART = 1006, 1011, 1012

_FAILURE_HEADERS = [(b"content-type", b"text/plain; charset=utf-8")]


class Phase(Enum):
    """How far a session is."""

    CONNECTING = "the handshake waits for the application's answer"
    DENYING = "the application answers it with a response of its own"
    OPEN = "messages flow"
    REFUSED = "the handshake was answered with a response; there is no WebSocket"
    CLOSING = "a close was sent; the peer's is awaited"
    CLOSED = "the peer has closed, or is gone"


_CONNECTING, _DENYING, _REFUSED = Phase.CONNECTING, Phase.DENYING, Phase.REFUSED
_OPEN, _CLOSING, _CLOSED = Phase.OPEN, Phase.CLOSING, Phase.CLOSED


class WebSocketSession:
    """Serves one WebSocket.

    Arguments:
        sink: where frames, or the response that denies the handshake, go.
        context: what all sessions share.
        scope: the connection scope, of type websocket.
        handshake: what the peer asked for.
        options: limits and intervals.
    """

    __slots__ = (
        "_context",
        "_denial",
        "_dismissed",
        "_early",
        "_engine",
        "_handshake",
        "_options",
        "_pings",
        "_queue",
        "_scope",
        "_sink",
        "_waiter",
        "phase",
        "task",
    )

    def __init__(
        self, sink: WebSocketSink, context: Context, scope: Scope, handshake: Handshake, options: WebSocketOptions
    ) -> None:
        self._sink = sink
        self._context = context
        self._scope = scope
        self._handshake = handshake
        self._options = options
        self._engine = options.make_engine()
        self._early = b""
        self._queue: deque[Message] = deque([{"type": "websocket.connect"}])
        self._waiter: asyncio.Future[None] | None = None
        self._pings = PingTimer(
            context.loop, options.ping_interval, options.ping_timeout, self._ping, self._pong_missing
        )
        self._denial: HTTPCycle | None = None
        self._dismissed = False
        self.phase = _CONNECTING
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Call the application, and see that its session comes to an end."""
        context = self._context
        try:
            result: Any = await context.app(self._scope, self.receive, self.send)  # type: ignore[func-returns-value]
        except BaseException as exc:  # noqa: BLE001 - whatever it raises is logged and answered
            self._application_raised(exc)
        else:
            self._application_returned(result)
        finally:
            context.running.discard(self)

    # What the application calls.

    async def receive(self) -> Message:
        """Return the next `websocket.*` message; `websocket.disconnect` is the last one, again and again."""
        queue = self._queue
        while not queue:
            waiter = self._waiter
            if waiter is None:
                waiter = self._waiter = self._context.loop.create_future()
            await asyncio.shield(waiter)
        message = queue[0]
        if message["type"] != "websocket.disconnect":
            queue.popleft()
            if len(queue) < self._options.max_queue:
                self._sink.resume_reading()
        return message

    async def send(self, message: Message) -> None:
        """Take `websocket.accept`, `.send`, `.close` or `websocket.http.response.*`.

        Raises:
            ClientDisconnected: the peer is gone, or has closed the session.
            RuntimeError: the message isn't what ASGI asks for now, or can't be sent; says what the application did.
        """
        kind = message.get("type")
        phase = self.phase
        if phase is _OPEN:
            if kind == "websocket.send":
                self._sink.write_frames(self._encode(message))
                if self._sink.write_paused:
                    await self._sink.drain()
            elif kind == "websocket.close":
                self._close(*close_of(message))
            else:
                raise RuntimeError(
                    f"the application sent {kind!r} on an open WebSocket; "
                    "ASGI asks for 'websocket.send' or 'websocket.close'"
                )
        elif phase is _DENYING or (phase is _CONNECTING and kind == "websocket.http.response.start"):
            await self._deny(kind, message)
        elif phase is _CONNECTING:
            self._answer_handshake(kind, message)
        elif phase is _CLOSED or self._dismissed:
            raise ClientDisconnected("the WebSocket is closed")
        else:
            raise RuntimeError(f"the application sent {kind!r} after it had closed the WebSocket")

    # What the connection and the server call.

    def feed(self, data: bytes) -> None:
        """Take bytes from the peer; those that come before the handshake is answered wait for it."""
        if self.phase is _CONNECTING:
            self._early += data
            if len(self._early) > EARLY_DATA:
                self._sink.pause_reading()
            return
        if self.phase is not _OPEN and self.phase is not _CLOSING:
            return
        try:
            events = self._engine.feed(data)
        except FrameError as failure:
            self._events_received(failure.events if isinstance(failure, EngineFailure) else [])
            self._fail(failure.code, failure.reason)
            return
        if events:
            self._events_received(events)
        reply = self._engine.reply()
        if reply:
            self._sink.write_frames(reply)
        if self.phase is _CLOSED:
            self._sink.close_within(CLOSE_TIMEOUT)  # for a peer that says good-bye and never reads the rest
            self._sink.close()

    def connection_lost(self) -> None:
        """The peer is gone without a closing handshake."""
        self._closed(ABNORMAL, "")

    def tick(self) -> None:
        """A second has passed. Pings keep a timer of their own, for their interval may be a fraction of it."""
        if self._denial is not None and self.phase is _DENYING:
            self._denial.tick()

    def notify_drain(self) -> None:
        """End the session, for its server restarts."""
        if self.phase is _OPEN:
            self._dismissed = True
            self._close(SERVICE_RESTART, "")
        elif self.phase is _CONNECTING:
            self._dismissed = True
            self._refuse(503)

    def cut_off(self) -> None:
        """Wait no longer for the peer's close, nor for the application to notice it."""
        self._sink.abort()
        if self.task is not None:
            self.task.cancel("the server is stopping")

    def describe(self) -> str:
        """Return the path, for the log."""
        return f"WebSocket {path_label(self._scope)}"

    # The handshake.

    def _answer_handshake(self, kind: object, message: Message) -> None:
        if kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.close":
            self._refuse(403)
        else:
            raise RuntimeError(
                f"the application sent {kind!r} first on a WebSocket; ASGI asks for 'websocket.accept', "
                "'websocket.close' or 'websocket.http.response.start'"
            )

    def _accept(self, message: Message) -> None:
        subprotocol = message.get("subprotocol")
        if subprotocol is not None:
            subprotocol = checked_text(subprotocol, "subprotocol")
        headers = checked_headers(message.get("headers") or [])
        extensions = self._engine.negotiate(self._handshake.extensions)
        try:
            fields = accept_head(self._handshake, subprotocol=subprotocol, extensions=extensions, headers=headers)
        except (TypeError, ValueError):
            raise RuntimeError(f"the application sent headers {headers!r}; ASGI asks for pairs of bytes") from None
        self._sink.accept_websocket(fields)
        self._log(None)
        self.phase = _OPEN
        self._pings.start()
        early, self._early = self._early, b""
        if len(early) > EARLY_DATA:
            self._sink.resume_reading()
        if early:
            self.feed(early)

    def _refuse(self, status: int) -> None:
        """Answer the handshake with an empty response."""
        self._log(status)
        self.phase = _REFUSED
        body = b"Internal Server Error" if status == 500 else b""
        self._sink.write_response(status, _FAILURE_HEADERS, body, False)
        self._push_disconnect(ABNORMAL, "")

    async def _deny(self, kind: object, message: Message) -> None:
        """Answer the handshake with the application's own response, as any request is answered."""
        denial = self._denial
        if denial is None:
            self.phase = _DENYING
            denial = self._denial = HTTPCycle(self._sink, self._context, {**self._scope, "method": "GET"}, True, False)
        before = denial.response
        wanted = "websocket.http.response." + ("start" if before is Response.UNSTARTED else "body")
        if kind != wanted:
            raise RuntimeError(
                f"the application sent {kind!r} while it denies the handshake with a response; ASGI asks for {wanted!r}"
            )
        await denial.send({**message, "type": wanted.removeprefix("websocket.")})
        if before is Response.HELD:
            self._log(denial.status)
        if denial.response is Response.COMPLETE and self.phase is _DENYING:
            self.phase = _REFUSED
            self._push_disconnect(ABNORMAL, "")

    def _deny_no_more(self) -> None:
        """The application left before its response was complete."""
        if self._denial is not None and self._denial.response is Response.STREAMING:
            self._sink.break_off()
        else:
            self._refuse(500)

    def _log(self, status: int | None) -> None:
        log = self._context.websocket_log
        if log is not None:
            log(client_label(self._scope), path_label(self._scope), status)

    # Messages.

    def _encode(self, message: Message) -> bytes:
        data = message.get("bytes")
        if data is not None:
            return self._engine.encode_binary(data if type(data) is bytes else checked_bytes(data, "bytes"))
        text = message.get("text")
        if text is None:
            raise RuntimeError("the application sent 'websocket.send' with neither 'bytes' nor 'text'")
        return self._engine.encode_text(text if type(text) is str else checked_text(text, "text"))

    def _events_received(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, str):
                self._push({"type": "websocket.receive", "text": event})
            elif isinstance(event, bytes):
                self._push({"type": "websocket.receive", "bytes": event})
            elif isinstance(event, Pong):
                self._pings.pong_received(event.payload)
            elif isinstance(event, Close):
                self._closed(event.code, event.reason)

    def _push(self, message: Message) -> None:
        if self.phase is not _OPEN:
            return
        self._queue.append(message)
        if len(self._queue) >= self._options.max_queue:
            self._sink.pause_reading()
        self._wake()

    def _push_disconnect(self, code: int, reason: str) -> None:
        if not self._queue or self._queue[-1]["type"] != "websocket.disconnect":
            self._queue.append({"type": "websocket.disconnect", "code": code, "reason": reason})
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # The end.

    def _close(self, code: int, reason: str) -> None:
        """Send a close frame; the peer answers with its own, or is cut off (RFC 6455, section 7.1.1)."""
        frame = self._engine.encode_close(code, reason)
        self.phase = _CLOSING
        self._pings.stop()
        self._sink.write_frames(frame)
        self._sink.close_within(CLOSE_TIMEOUT)
        # The peer's answer must be heard, however many messages the application has left unread.
        self._sink.resume_reading()
        self._push_disconnect(code, reason)

    def _fail(self, code: int, reason: str) -> None:
        """Fail the connection (RFC 6455, section 7.1.7)."""
        frame = self._engine.encode_close(code, reason)
        reply = self._engine.reply()
        self._closed(code, reason)
        self._sink.write_frames(reply + frame)
        self._sink.linger()

    def _closed(self, code: int, reason: str) -> None:
        if self.phase is _CLOSED:
            return
        refused = self.phase is _REFUSED
        self.phase = _CLOSED
        self._pings.end()
        self._push_disconnect(code, reason)
        if not refused:
            self._context.request_ended()

    def _application_raised(self, exc: BaseException) -> None:
        cancelled = isinstance(exc, asyncio.CancelledError)
        # What another session's `send` raised is this application's failure; its own says that there is no one left.
        if (cancelled or isinstance(exc, ClientDisconnected)) and self.phase in (_REFUSED, _CLOSING, _CLOSED):
            return
        if cancelled:
            logger.error("%s: cancelled before it was closed", self.describe())
        else:
            logger.error("Exception in ASGI application: %s\n", self.describe(), exc_info=beheaded(exc))
        if self.phase is _OPEN:
            self._close(INTERNAL_ERROR, "")
        elif self.phase is _CONNECTING or self.phase is _DENYING:
            self._deny_no_more()

    def _application_returned(self, result: object) -> None:
        if self.phase is _CONNECTING or self.phase is _DENYING:
            logger.error("%s: the application returned without answering the handshake", self.describe())
            self._deny_no_more()
            return
        if result is not None:
            logger.error("%s: the application returned %r; ASGI asks for None", self.describe(), result)
        if self.phase is _OPEN:
            self._close(NORMAL, "")

    def _ping(self, payload: bytes) -> None:
        self._sink.write_frames(self._engine.encode_ping(payload))

    def _pong_missing(self) -> None:
        if len(self._queue) >= self._options.max_queue:
            # Reading is paused: the pong may wait behind messages that the application hasn't made room for.
            self._pings.restart()
            return
        self._fail(INTERNAL_ERROR, "keepalive ping timeout")
