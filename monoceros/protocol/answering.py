"""The answering side of an HTTP/1.1 connection: the sink of its cycle (`ResponseSink`) or session (`WebSocketSink`).

Knows the request that is being served, and writes; reads nothing. The rule it keeps: no answer is cut off by its own
closing (RFC 9112, section 9.6).
"""

from collections.abc import Iterable

from monoceros.asgi import Headers, Scope
from monoceros.errors import RequestError
from monoceros.protocol.complaints import Kind
from monoceros.protocol.connection import Connection
from monoceros.protocol.content import COPIED, ContentStream, write_content
from monoceros.protocol.context import Context
from monoceros.protocol.cycle import HTTPCycle, Response
from monoceros.protocol.scope import client_label
from monoceros.protocol.session import WebSocketSession
from monoceros.wire.framing import PLAIN, Traits
from monoceros.wire.reader import Reading, RequestReader
from monoceros.wire.response import BODILESS, CONTINUE, LAST_CHUNK, encode_head, encode_switch, encode_whole

LINGER = 5
"""Seconds for which input is still taken, and dropped, after the last response: a close would reset the connection, and
a reset can overtake the response (RFC 9112, section 9.6)."""

_BODY = Reading.BODY
_TEXT = (b"content-type", b"text/plain; charset=utf-8")


class Answering(Connection):
    """See the module. `HTTP1Connection` is the whole."""

    __slots__ = (
        "_closing",
        "_content",
        "_cycle",
        "_delimited",
        "_method",
        "_reader",
        "_scope",
        "_session",
        "_target",
        "_traits",
    )

    _reader: RequestReader
    _scope: Scope
    _target: bytes
    _traits: Traits

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._cycle: HTTPCycle | None = None
        self._session: WebSocketSession | None = None
        self._content: ContentStream | None = None
        self._closing = False
        self._delimited = True
        self._method = ""

    def write_response(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes, more: bool
    ) -> int | None:
        """See ResponseSink."""
        context = self._context
        traits = self._traits
        method = self._method
        persists = traits.keep_alive
        if (
            not more
            and (traits is PLAIN or (traits.http_version == "1.1" and not self._is_special()))
            and method != "HEAD"
            and len(body) <= COPIED
            and (context.lasting or not persists)
            and not self._closing
        ):
            response = encode_whole(status, headers, context.defaults, body, persists)
            if response is not None:
                if context.access_log is not None:
                    self._log(status)
                self._transport.write(response)
                self._closing = not persists
                self._answered()
                return None
        head, length, chunked, self._closing = encode_head(
            status,
            headers,
            context.defaults,
            None if more else len(body),
            persists and self._may_persist(),
            traits.http_version == "1.1",
            method == "HEAD",
        )
        self._delimited = chunked or length is not None
        empty = not body or method == "HEAD" or status in BODILESS
        if more and length is not None and method != "HEAD" and status not in BODILESS:
            length -= len(body)
            if length < 0:
                raise RuntimeError(f"the application sent {-length} octets of content more than it declared")
        if context.access_log is not None and self._session is None:
            self._log(status)
        if more:
            content = self._content = ContentStream(self._transport, context.turn, chunked, head)
            content.add(b"" if empty else body)
            return length
        if empty:
            self._transport.write(head + LAST_CHUNK if chunked else head)
        elif len(body) <= COPIED and not chunked:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            write_content(self._transport, body, False, chunked)
        self._answered()
        return length

    def write_body(self, body: bytes, more: bool) -> None:
        """See ResponseSink."""
        content = self._content
        assert content is not None
        if not more:
            self._content = None
            content.end(body)
            self._answered()
            return
        content.add(body)
        if self._transport.is_closing():
            self.write_paused = True  # the peer is gone: who never waits would keep the loop from telling

    def write_continue(self) -> None:
        """See ResponseSink."""
        self._transport.write(CONTINUE)

    def break_off(self) -> None:
        """See ResponseSink."""
        self._closing = True
        self._cycle = None
        self._reader.stop()
        if self._content is not None:
            self._content.flush()
            self._content = None
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

    def frames_are_held(self) -> None:
        """See WebSocketSink."""
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

    def _answered(self) -> None:
        """A response is complete: be ready for the next request, or close."""
        context = self._context
        self._cycle = None
        context.requests += 1
        if context.requests == context.request_limit:
            context.limit_reached()
        if not self._closing:
            self.deadline = context.tick + context.keep_alive
            if self._reading_paused:
                self.resume_reading()
            try:
                self._reader.resume()
            except RequestError as exc:
                self._refuse(exc)
            return
        session, self._session = self._session, None
        behind = session is not None and session.has_input  # of the handshake that was denied
        if behind or self._reader.state is _BODY or self._reader.has_input:
            self.linger()
        else:
            self.close()

    def _refuse(self, exc: RequestError) -> None:
        """Answer what can't be served, and close (RFC 9112, section 2.2)."""
        kind = Kind.LATE_REQUEST if exc.status == 408 else Kind.INVALID_REQUEST
        where = " from " if self.client else ""
        self._context.complaints.complain(kind, "Invalid HTTP request received%s%s: %s", where, self.client, exc.reason)
        cycle, self._cycle = self._cycle, None
        if cycle is not None:
            cycle.disconnect()
            if cycle.response in (Response.STREAMING, Response.COMPLETE):
                self.break_off()
                return
        elif self._reader.skips_body:
            self.linger()  # its request was answered: a second response would be taken for that of the next one
            return
        self._write_refusal(exc.status, [_TEXT, *getattr(exc, "headers", ())], exc.reason.encode() + b"\n")

    def _write_refusal(self, status: int, headers: Headers, body: bytes) -> None:
        head, *_ = encode_head(status, headers, self._context.defaults, len(body), False, True, False)
        self._transport.write(head + body)
        self.linger()

    def _answer_busy(self) -> None:
        context = self._context
        context.complaints.complain(
            Kind.BUSY, "Concurrency limit of %s exceeded: answering 503", context.limit_concurrency
        )
        # A peer that pipelines requests and doesn't read would fill the memory with these; and behind an upgrade may
        # come what isn't HTTP.
        self._closing = self._closing or self.write_paused or self._traits.upgrade
        self.write_response(503, [_TEXT, (b"retry-after", b"1")], b"Service Unavailable", False)
