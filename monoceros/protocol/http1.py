"""One HTTP/1.1 connection: what is between a transport and the requests on it.

It is the `RequestSink` of its reader and the `ResponseSink` of its cycle or session. The rules it keeps: one request at
a time, in order (RFC 9112, section 9.3.2); no answer is cut off by its own closing (section 9.6); one deadline.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from monoceros.asgi import Headers, Scope
from monoceros.errors import RequestError
from monoceros.protocol.connection import GOODBYE, Connection, drop
from monoceros.protocol.content import COPIED, write_content
from monoceros.protocol.context import NEVER, Context
from monoceros.protocol.cycle import HTTPCycle, Response
from monoceros.protocol.scope import client_label, fill_scope, turn_into_websocket
from monoceros.protocol.session import WebSocketSession
from monoceros.wire.framing import PLAIN, Traits
from monoceros.wire.handshake import read_upgrade, wants_websocket
from monoceros.wire.reader import Reading, RequestReader
from monoceros.wire.response import BODILESS, CONTINUE, LAST_CHUNK, encode_head, encode_switch, encode_whole

logger = logging.getLogger("monoceros.error")

LINGER = 5
"""Seconds for which input is still taken, and dropped, after the last response: a close would reset the connection, and
a reset can overtake the response (RFC 9112, section 9.6)."""

UNREAD_BODY = 1 << 20
"""Octets of a body that nobody read which are skipped to keep the connection; with more to come it is closed."""

_BODY, _ANSWER = Reading.BODY, Reading.ANSWER
_PLAIN = (b"content-type", b"text/plain; charset=utf-8")


class HTTP1Connection(Connection):
    """See the module."""

    __slots__ = (
        "_chunked",
        "_closing",
        "_cycle",
        "_delimited",
        "_feed",
        "_head_begun",
        "_method",
        "_reader",
        "_scope",
        "_session",
        "_skipped",
        "_target",
        "_traits",
    )

    _method: str
    _target: bytes
    _traits: Traits
    _scope: Scope

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._reader = RequestReader(self, context.make_parser(), context.limits)
        self._feed: Callable[[bytes], None] = self._reader.feed
        self._cycle: HTTPCycle | None = None
        self._session: WebSocketSession | None = None
        self._chunked = False
        self._closing = False
        self._delimited = True
        self._head_begun = False
        self._skipped = 0

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection that was accepted; its first request must come in time."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Feed what the peer sent to the reader of requests, or of frames after a switch."""
        try:
            self._feed(data)
        except RequestError as exc:
            self._refuse(exc)
        else:
            if self._cycle is None and not self._head_begun and self._session is None and self._reader.has_input:
                self._await_head()

    def eof_received(self) -> bool:
        """The peer will send no more. A response that is due is still written: True keeps the transport open for it."""
        cycle = self._cycle
        if cycle is None or self._closing or self._reader.state is not _ANSWER:
            self.deadline = self._context.in_seconds(GOODBYE)  # the transport closes by itself, if the peer lets it
            return False
        self._closing = True
        cycle.half_close()
        return not self._transport.get_extra_info("sslcontext")  # TLS has no half-closed state to stay in

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: whoever waits for the peer is told."""
        self._reader.release()
        self._feed = drop
        cycle, self._cycle = self._cycle, None
        if cycle is not None:
            cycle.disconnect()
        session, self._session = self._session, None
        if session is not None:
            session.connection_lost()
        super().connection_lost(exc)

    # RequestSink

    def request_received(self, method: str, target: bytes, traits: Traits, fields: list[tuple[bytes, bytes]]) -> None:
        """Start the application for a request."""
        context = self._context
        scope = self._scope = self._template.copy()
        fill_scope(scope, method, target, context.root_path, fields)
        scope["state"] = context.state.copy()
        if self._rewrite is not None:
            self._rewrite(scope)
        self.deadline = NEVER
        self._head_begun = False
        self._method = method
        self._target = target
        self._traits = traits
        if traits is not PLAIN:
            scope["http_version"] = traits.http_version
        if context.observer is not None:
            self._request_begun()
        if context.limit_concurrency is not None and context.is_full():
            self._answer_busy()
        elif not (traits.upgrade and self._start_session(fields)):
            cycle = self._cycle = HTTPCycle(self, context, scope, traits.length == 0, traits.expect_continue)
            context.running.add(cycle)
            cycle.task = context.create_task(cycle.run())

    def body_received(self, data: bytes) -> None:
        """Hand content to the cycle, or skip what nobody will read."""
        if self._cycle is not None:
            self._cycle.body_received(data)
            return
        self._skipped += len(data)
        if self._skipped > UNREAD_BODY:
            self.linger()

    def body_ended(self) -> None:
        """Tell the cycle; or, if it has answered already, be ready for the next request."""
        if self._cycle is not None:
            self._cycle.body_ended()
        elif not self._closing:
            self._await_request()

    def input_waits(self) -> None:
        """A pipelined request waits: take no more until its turn."""
        self.pause_reading()

    # ResponseSink

    def write_response(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes, more: bool
    ) -> int | None:
        """See ResponseSink."""
        context = self._context
        traits = self._traits
        method = self._method
        usual = traits is PLAIN or (traits.keep_alive and traits.http_version == "1.1" and not self._is_special())
        if usual and not more and method != "HEAD" and context.lasting and len(body) <= COPIED:
            response = None if self._closing else encode_whole(status, headers, context.defaults, body)
            if response is not None:
                if context.access_log is not None:
                    self._log(status)
                self._transport.write(response)
                self._answered()
                return None
        head, length, self._chunked, self._closing = encode_head(
            status,
            headers,
            context.defaults,
            None if more else len(body),
            traits.keep_alive and self._may_persist(),
            traits.http_version == "1.1",
            method == "HEAD",
        )
        self._delimited = self._chunked or length is not None
        if more and length is not None and method != "HEAD" and status not in BODILESS:
            length -= len(body)
            if length < 0:
                raise RuntimeError(f"the application sent {-length} octets of content more than it declared")
        if context.access_log is not None and self._session is None:
            self._log(status)
        if not body or method == "HEAD" or status in BODILESS:
            self._transport.write(head + LAST_CHUNK if self._chunked and not more else head)
        elif len(body) <= COPIED and not self._chunked:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            write_content(self._transport, body, more, self._chunked)
        if not more:
            self._answered()
        return length

    def write_body(self, body: bytes, more: bool) -> None:
        """See ResponseSink."""
        if body:
            write_content(self._transport, body, more, self._chunked)
        elif self._chunked and not more:
            self._transport.write(LAST_CHUNK)
        if not more:
            self._answered()
        elif self._transport.is_closing():
            self.write_paused = True  # the peer is gone: who never waits would keep the loop from telling

    def write_continue(self) -> None:
        """See ResponseSink."""
        self._transport.write(CONTINUE)

    def break_off(self) -> None:
        """See ResponseSink."""
        self._closing = True
        self._cycle = None
        self._reader.stop()
        if self._delimited:
            self.close()
        else:
            # Its end is all that would tell this content from a complete one (RFC 9112, section 8).
            self._transport.abort()

    # WebSocketSink

    def accept_websocket(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """See WebSocketSink."""
        self._transport.write(encode_switch(headers, self._context.defaults))

    def write_frames(self, data: bytes) -> None:
        """See WebSocketSink."""
        self._transport.write(data)
        if self._transport.is_closing():
            self.write_paused = True

    def close_within(self, seconds: float) -> None:
        """See WebSocketSink."""
        self._closing = True
        self.deadline = self._context.in_seconds(seconds)

    def linger(self) -> None:
        """See WebSocketSink."""
        self._closing = True
        self._cycle = None
        self._reader.stop()
        self.deadline = self._context.in_seconds(LINGER)
        self.resume_reading()
        self.end_writing()

    # What the server calls.

    def deadline_passed(self) -> None:
        """Close an idle connection, one that lingers, or one whose request head didn't come in time."""
        self.deadline = NEVER
        if self._session is not None:
            self._transport.abort()
        elif not self._closing and self._reader.has_input:
            self._reader.stop()
            self._refuse(RequestError(408, "the request head didn't come in time"))
        elif self._context.holds_unsent(self._transport):
            # The peer still reads a response: the connection is idle once it has.
            self.deadline = self._context.tick + max(self._context.keep_alive, 1)
        elif self._transport.is_closing():
            self._transport.abort()
        elif not self.spare():
            self.close()

    def begin_drain(self) -> None:
        """If nothing is being served: wait for a request no longer than a connection is kept alive."""
        if not (self._cycle or self._session or self._closing or self._transport.is_closing()):
            # A browser connects ahead of need: what never sent a request isn't worth the time one would get.
            self.deadline = min(self.deadline, self._context.tick + max(self._context.keep_alive, 2))

    def close_if_idle(self) -> None:
        """Close, if nothing is being served."""
        if self._cycle is None and self._session is None and not self.spare():
            self.close()

    def cut_off(self) -> None:
        """A drain in a hurry: wait no longer for a peer's close, of its WebSocket or of TLS."""
        if self._session is not None or (self._cycle is None and not self._context.holds_unsent(self._transport)):
            self._transport.abort()

    # The life of the connection.

    def _is_special(self) -> bool:
        """Tell whether the response to this request isn't simply written."""
        return self._session is not None or self._traits.expect_continue

    def _may_persist(self) -> bool:
        """Tell whether the connection may outlive this response, where the usual answer doesn't hold."""
        context = self._context
        if self._closing or not context.keep_alive or self._session is not None:
            return False
        if not context.lasting and not self._reader.has_input:
            return False  # with a pipelined request waiting, this isn't the last response yet
        # After an unanswered `Expect: 100-continue` nobody could tell the content, which may come, from a request.
        withheld = self._traits.expect_continue and self._reader.state is _BODY
        return not (withheld and (self._cycle is None or self._cycle.expects_continue))

    def _log(self, status: int) -> None:
        log = self._context.access_log
        assert log is not None
        scope = self._scope
        client = self.client if scope["client"] is self._template["client"] else client_label(scope)
        log(client, self._method, self._target.decode("ascii"), self._traits.http_version, status)

    def _request_begun(self) -> None:
        """There is an observer: see `ObservedConnection`."""

    def _answered(self) -> None:
        """A response is complete."""
        context = self._context
        self._cycle = None
        context.requests += 1
        if context.requests == context.request_limit:
            context.limit_reached()
        if not self._closing:
            self._await_request()
        elif self._reader.state is _BODY or self._reader.has_input:
            self.linger()
        else:
            self.close()

    def _await_request(self) -> None:
        context = self._context
        self.deadline = context.tick + context.keep_alive
        self._skipped = 0
        if self._reading_paused:
            self.resume_reading()
        try:
            self._reader.resume()
        except RequestError as exc:
            self._refuse(exc)

    def _await_head(self) -> None:
        """From its first octet on, a head must come within a time that no trickle extends."""
        self._head_begun = True
        timeout = self._context.head_timeout
        self.deadline = self._context.tick + timeout if timeout else NEVER

    def _refuse(self, exc: RequestError) -> None:
        """Answer what can't be served, and close (RFC 9112, section 2.2)."""
        where = f" from {self.client}" if self.client else ""
        logger.warning("Invalid HTTP request received%s: %s", where, exc.reason)
        cycle, self._cycle = self._cycle, None
        if cycle is not None:
            cycle.disconnect()
            if cycle.response in (Response.STREAMING, Response.COMPLETE):
                self.break_off()
                return
        self._write_refusal(exc.status, [_PLAIN, *getattr(exc, "headers", ())], exc.reason.encode() + b"\n")

    def _write_refusal(self, status: int, headers: Headers, body: bytes) -> None:
        head, *_ = encode_head(status, headers, self._context.defaults, len(body), False, True, False)
        self._transport.write(head + body)
        self.linger()

    def _answer_busy(self) -> None:
        logger.warning("Concurrency limit of %s exceeded: answering 503", self._context.limit_concurrency)
        self.write_response(503, [_PLAIN, (b"retry-after", b"1")], b"Service Unavailable", False)

    def _start_session(self, fields: list[tuple[bytes, bytes]]) -> bool:
        """Switch to WebSocket if the peer asks for that and it can be had."""
        if not wants_websocket(fields):
            return False  # RFC 9110, section 7.8: a protocol that isn't offered is ignored
        context = self._context
        if context.websocket is None:
            logger.warning("WebSocket handshake answered as plain HTTP: WebSockets are off (--ws none)")
            return False
        handshake = read_upgrade(self._method, self._traits.http_version, fields)
        turn_into_websocket(self._scope, handshake.subprotocols)
        session = WebSocketSession(self, context, self._scope, handshake, context.websocket)
        self._session = session
        rest = self._reader.stop()
        self._feed = session.feed
        context.running.add(session)
        session.task = context.create_task(session.run())
        if rest:
            session.feed(rest)
        return True
