"""One WebSocket session: the only `receive` and `send` of ASGI's websocket in the code base.

Knows neither the transport nor the library that codes frames: those are behind its sink and its engine. Its states are
those of RFC 6455: the handshake is answered once, a close is sent once, and after it only the peer's close counts.
"""

import asyncio
import logging
from typing import Any

from monoceros.asgi import Message, Scope
from monoceros.errors import ClientDisconnected, FrameError, beheaded
from monoceros.logs.lines import excerpt
from monoceros.protocol.complaints import Kind
from monoceros.protocol.context import NEVER, Context, WebSocketOptions
from monoceros.protocol.denial import Denial
from monoceros.protocol.inbox import Inbox
from monoceros.protocol.messages import NORMAL, checked_headers, checked_text, close_of, content_of
from monoceros.protocol.outbox import Outbox
from monoceros.protocol.phase import Phase
from monoceros.protocol.ping import PingTimer
from monoceros.protocol.scope import client_label, path_label
from monoceros.protocol.sink import WebSocketSink
from monoceros.wire.engine import EngineFailure, Event, Pong
from monoceros.wire.frames import MAX_REASON, Close
from monoceros.wire.handshake import Handshake, accept_head

logger = logging.getLogger("monoceros.error")

CLOSE_TIMEOUT = 10
"""Seconds that the peer has to answer our close frame."""

EARLY_DATA = 65536
"""Octets taken before the application has answered the handshake."""

# Close codes (RFC 6455, section 7.4.1, and the IANA registry).
ABNORMAL, INTERNAL_ERROR, SERVICE_RESTART = 1006, 1011, 1012

_FAILURE_HEADERS = [(b"content-type", b"text/plain; charset=utf-8")]

_CONNECTING, _DENYING, _REFUSED = Phase.CONNECTING, Phase.DENYING, Phase.REFUSED
_OPEN, _CLOSING, _LOST, _CLOSED = Phase.OPEN, Phase.CLOSING, Phase.LOST, Phase.CLOSED


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
        "_due",
        "_early",
        "_engine",
        "_handshake",
        "_inbox",
        "_limit",
        "_outbox",
        "_pings",
        "_scope",
        "_sink",
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
        self._limit = options.max_queue
        self._engine = options.make_engine()
        self._early = bytearray()
        self._inbox = Inbox(context.loop, options.max_queue, self._read_on)
        self._outbox = Outbox(context.turn, sink.write_frames)
        self._pings = PingTimer(
            context.loop, options.ping_interval, options.ping_timeout, self._ping, self._pong_missing
        )
        self._denial: Denial | None = None
        self._dismissed = False
        self._due = context.request_deadline
        self.phase = _CONNECTING
        self.task: asyncio.Task[None] | None = None

    @property
    def has_input(self) -> bool:
        """Bytes came before the handshake was answered."""
        return bool(self._early)

    async def run(self) -> None:
        """Call the application, and see that its session comes to an end."""
        context = self._context
        try:
            result: Any = await context.app(self._scope, self._inbox.receive, self.send)  # type: ignore[func-returns-value]
        except BaseException as exc:  # noqa: BLE001 - whatever it raises is logged and answered
            self._application_raised(exc)
        else:
            self._application_returned(result)
        finally:
            context.running.discard(self)
            if self.phase is _LOST:
                self._closed(ABNORMAL, "")

    # What the application calls.

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
                text = message.get("text")
                if type(text) is not str or message.get("bytes") is not None:
                    text = content_of(message)
                frame = self._engine.encode_text(text) if isinstance(text, str) else self._engine.encode_binary(text)
                # The answer to a message that came alone is written straight away: another turn for it would cost more
                # than the writes of the few that go on sending.
                if self._inbox.lone and not self._outbox.frames:
                    self._inbox.lone = False
                    self._sink.write_frames(frame)
                else:
                    self._outbox.hold(frame)
                    self._sink.frames_are_held()
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
        elif phase is _CLOSED or phase is _LOST or self._dismissed:
            raise ClientDisconnected("the WebSocket is closed")
        else:
            raise RuntimeError(f"the application sent {kind!r} after it had closed the WebSocket")

    # What the connection and the server call.

    def feed(self, data: bytes) -> None:
        """Take bytes from the peer; those that come before the handshake is answered wait for it."""
        engine = self._engine
        if self.phase is not _OPEN:
            if self.phase is _CONNECTING:
                self._early += data
                if len(self._early) > EARLY_DATA:
                    self._sink.pause_reading()
            if self.phase is not _CLOSING and self.phase is not _LOST:
                return
        try:
            events = engine.feed(data, self._limit)
        except EngineFailure as failure:
            self._complain(failure)
            for event in self._inbox.take(failure.events):
                self._control_received(event)
            self._fail(failure.code, failure.reason)
            return
        for event in self._inbox.take(events):
            self._control_received(event)
        if engine.owed and not self._sink.write_paused:
            self._outbox.flush(engine.reply())
        if self._inbox.full and self.phase is not _CLOSING:
            self._sink.pause_reading()
        elif engine.stopped:
            # There are more frames than one peer may keep the loop for: the others first.
            self._sink.pause_reading()
            self._context.loop.call_soon(self._read_on)

    def connection_lost(self) -> None:
        """The peer is gone without a closing handshake. What it had sent is still told, as the application asks."""
        self._outbox.close()
        if self.phase is _OPEN and self._engine.stopped:
            self.phase = _LOST
            self._pings.end()
            self._context.request_ended()
        else:
            self._closed(ABNORMAL, "")

    def tick(self) -> None:
        """A second has passed. Pings keep a timer of their own, for their interval may be a fraction of it."""
        if self._engine.owed and self.phase is _OPEN and not self._sink.write_paused:
            self._outbox.flush(self._engine.reply())  # to pings that came while the peer didn't read
        if self._denial is not None and self.phase is _DENYING:
            self._denial.tick()
        if self._due <= self._context.tick:
            self._expire()

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
        return f"WebSocket {excerpt(path_label(self._scope))}"

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
        self._due = NEVER
        self._log(None)
        self.phase = _OPEN
        self._pings.start()
        early, self._early = bytes(self._early), bytearray()
        if len(early) > EARLY_DATA:
            self._sink.resume_reading()
        if early:
            self.feed(early)

    def _refuse(self, status: int) -> None:
        """Answer the handshake with an empty response."""
        self._due = NEVER
        self._log(status)
        self.phase = _REFUSED
        body = b"Internal Server Error" if status == 500 else b""
        self._sink.write_response(status, _FAILURE_HEADERS, body, False)
        self._inbox.end(ABNORMAL, "")

    async def _deny(self, kind: object, message: Message) -> None:
        """Answer the handshake with the application's own response, as any request is answered."""
        denial = self._denial
        if denial is None:
            self.phase = _DENYING
            denial = self._denial = Denial(self._sink, self._context, self._scope)
        status = await denial.send(kind, message)
        if status is not None:
            self._log(status)
        if denial.complete and self.phase is _DENYING:
            self._due = NEVER
            self.phase = _REFUSED
            self._inbox.end(ABNORMAL, "")

    def _deny_no_more(self, status: int = 500) -> None:
        """The application left before its response was complete."""
        if self._denial is not None and self._denial.streams:
            self.phase = _REFUSED
            self._sink.break_off()
        else:
            self._refuse(status)

    def _expire(self) -> None:
        """The handshake isn't answered yet, and had to be."""
        self._due = NEVER
        logger.error("%s: not answered within %g s; ending it", self.describe(), self._context.request_timeout or 0)
        if self.phase is _CONNECTING or self.phase is _DENYING:
            self._deny_no_more(503)
        if self.task is not None:
            self.task.cancel("the handshake has taken longer than it may")

    def _log(self, status: int | None) -> None:
        log = self._context.websocket_log
        if log is not None:
            log(client_label(self._scope), path_label(self._scope), status)

    def _complain(self, failure: FrameError) -> None:
        client, path = client_label(self._scope), path_label(self._scope)
        message = '%s - "WebSocket %s" failed: %s (close code %d)'
        self._context.complaints.complain(Kind.FAILED_WEBSOCKET, message, client, path, failure.reason, failure.code)

    # Messages.

    def _control_received(self, event: Event) -> None:
        if isinstance(event, Pong):
            self._pings.pong_received(event.payload)
        elif isinstance(event, Close):
            self._closed(event.code, event.reason)
            self._outbox.flush(self._engine.reply())
            self._sink.close_within(CLOSE_TIMEOUT)  # for a peer that says good-bye and never reads the rest
            self._sink.close()

    def _read_on(self) -> None:
        """Go on with what was read, and then with reading: the application has made room, or others had their turn."""
        if self._inbox.full and self.phase is not _CLOSING:
            return
        if self._engine.stopped:
            self.feed(b"")
        if self._engine.stopped or (self._inbox.full and self.phase is not _CLOSING):
            return
        if self.phase is _LOST:
            self._closed(ABNORMAL, "")
        self._sink.resume_reading()

    # The end.

    def _close(self, code: int, reason: str) -> None:
        """Send a close frame; the peer answers with its own, or is cut off (RFC 6455, section 7.1.1)."""
        if len(reason.encode("utf-8", "replace")) > MAX_REASON:
            logger.warning("%s: the reason of its close is cut: it has room for 123 octets", self.describe())
        frame = self._engine.encode_close(code, reason)
        self.phase = _CLOSING
        self._pings.stop()
        self._outbox.flush(frame)
        self._sink.close_within(CLOSE_TIMEOUT)
        # The peer's answer must be heard, however many messages the application has left unread.
        self._sink.resume_reading()
        self._inbox.end(code, reason)
        if self._engine.stopped:
            self.feed(b"")

    def _fail(self, code: int, reason: str) -> None:
        """Fail the connection (RFC 6455, section 7.1.7)."""
        frame = self._engine.encode_close(code, reason)
        self._closed(code, reason)
        self._outbox.flush(self._engine.reply() + frame)
        self._sink.linger()

    def _closed(self, code: int, reason: str) -> None:
        if self.phase is _CLOSED:
            return
        counted = self.phase is _REFUSED or self.phase is _LOST
        self.phase = _CLOSED
        self._pings.end()
        self._inbox.end(code, reason)
        if not counted:
            self._context.request_ended()

    def _application_raised(self, exc: BaseException) -> None:
        cancelled = isinstance(exc, asyncio.CancelledError)
        # What another session's `send` raised is this application's failure; its own says that there is no one left.
        if (cancelled or isinstance(exc, ClientDisconnected)) and self.phase in (_REFUSED, _CLOSING, _LOST, _CLOSED):
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
        if self._inbox.full:
            # Reading is paused: the pong may wait behind messages that the application hasn't made room for.
            self._pings.restart()
            return
        self._fail(INTERNAL_ERROR, "keepalive ping timeout")
