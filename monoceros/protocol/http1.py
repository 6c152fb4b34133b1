"""One HTTP/1.1 connection: what is between a transport and the requests on it.

It is the `RequestSink` of its reader, and by what it inherits the sink of its cycle or session. The rules it keeps: one
request at a time, in order (RFC 9112, section 9.3.2); one deadline.
"""

import asyncio
from collections.abc import Callable

from monoceros.asgi import Headers
from monoceros.errors import RequestError
from monoceros.protocol.answering import LINGER, Answering
from monoceros.protocol.complaints import Kind
from monoceros.protocol.connection import GOODBYE, drop
from monoceros.protocol.context import NEVER, Context, Wait
from monoceros.protocol.cycle import HTTPCycle
from monoceros.protocol.pace import Pace
from monoceros.protocol.scope import fill_scope, turn_into_websocket
from monoceros.protocol.session import WebSocketSession
from monoceros.wire.framing import PLAIN, Traits
from monoceros.wire.handshake import read_upgrade, wants_websocket
from monoceros.wire.reader import Reading, RequestReader

UNREAD_BODY = 1 << 20
"""Octets of a body that nobody read which are skipped to keep the connection; with more to come it is closed."""

_BODY, _ANSWER = Reading.BODY, Reading.ANSWER


class HTTP1Connection(Answering):
    """See the module."""

    __slots__ = ("_begun_at", "_feed", "_head_begun", "_received", "_silent", "_skipped", "_upload")

    _feed: Callable[[bytes], None]

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._begun_at = context.tick
        self._head_begun = False
        self._received = 0
        self._silent: Headers | None = None  # fields in which a trusted peer said nothing of its client
        self._skipped = 0
        self._upload: Pace | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection that was accepted; its first request must come in time."""
        super().connection_made(transport)
        # Not before: the reader knows this connection, and nobody would part them if a TLS handshake came to nothing.
        self._reader = RequestReader(self, self._context.make_parser(), self._context.limits)
        self._feed = self._reader.feed
        self._await_head()
        self._head_begun = False  # its time begins anew with its first octet

    def data_received(self, data: bytes) -> None:
        """Feed what the peer sent to the reader of requests, or of frames after a switch."""
        feed = self._feed
        try:
            feed(data)
        except RequestError as exc:
            self._refuse(exc)
        else:
            if self._cycle is None and not self._head_begun and self._session is None and self._reader.has_input:
                self._await_head()

    def eof_received(self) -> bool:
        """The peer will send no more. A response that is due is still written: True keeps the transport open for it."""
        cycle = self._cycle
        if self._content is not None:
            self._content.flush()
        if cycle is None or self._reader.state is not _ANSWER:
            self.deadline = self._context.in_seconds(GOODBYE)  # the transport closes by itself, if the peer lets it
            return False
        self._closing = True
        cycle.half_close()
        return not self._transport.get_extra_info("sslcontext")  # TLS has no half-closed state to stay in

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: whoever waits for the peer is told."""
        self._reader.release()
        self._feed = drop
        content, self._content = self._content, None
        if content is not None:
            content.drop()
        cycle, self._cycle = self._cycle, None
        if cycle is not None:
            cycle.disconnect()
        session, self._session = self._session, None
        if session is not None:
            session.connection_lost()
        super().connection_lost(exc)

    # RequestSink

    def request_received(
        self, method: str, target: bytes, traits: Traits, fields: list[tuple[bytes, bytes]], content: bytes = b""
    ) -> None:
        """Start the application for a request."""
        context = self._context
        scope = self._scope = self._template.copy()
        fill_scope(scope, method, target, context.root_path, fields)
        scope["state"] = context.state.copy()
        if self._rewrite is not None and fields is not self._silent and self._rewrite(scope):
            self._silent = fields
        plain = traits is PLAIN
        if not plain:
            scope["http_version"] = traits.http_version
            if traits.length and not content:
                self._upload = None
                self._received = self._skipped = 0
                context.watched.add(self)
            if self._filter_names is not None:
                self._filter_names(scope["headers"])
        self.deadline = NEVER
        self._head_begun = False
        self._method = method
        self._target = target
        self._traits = traits
        if context.observer is not None:
            self._request_begun()
        if context.limit_concurrency is not None and context.is_full():
            self._answer_busy()
        elif plain or not (traits.upgrade and self._start_session(fields)):
            ended, waits = plain or bool(content) or traits.length == 0, not plain and traits.expect_continue
            cycle = self._cycle = HTTPCycle(self, context, scope, ended, waits, content)
            context.running.add(cycle)
            create_task = context.create_task
            cycle.task = create_task(cycle.run())

    def body_received(self, data: bytes) -> None:
        """Hand content to the cycle, or skip what nobody will read."""
        self._received += len(data)
        if self._cycle is not None:
            self._cycle.body_received(data)
            return
        self._skipped += len(data)
        if self._skipped > UNREAD_BODY:
            self.linger()

    def body_ended(self) -> None:
        """Tell the cycle; or, if it has answered already, be ready for the next request."""
        self._upload = None
        if self._cycle is not None:
            self._cycle.body_ended()
        elif not self._closing:
            self.deadline = self._context.tick + self._context.keep_alive
            self.resume_reading()

    def input_waits(self) -> None:
        """A pipelined request waits: take no more until its turn."""
        self.pause_reading()

    # What the server calls.

    def deadline_passed(self) -> None:
        """Close an idle connection, one that lingers, or one whose request head didn't come in time."""
        self.deadline = NEVER
        closing = self._transport.is_closing()
        if self._session is not None:
            self._transport.abort()
        elif not self._closing and self._reader.has_input:
            self._give_up_request()
        elif not closing and self._reader.state is _BODY:
            return  # a body is skipped to keep the connection, and has its pace
        elif self._context.holds_unsent(self._transport):
            # The peer still reads a response: the connection is idle once it has.
            self.deadline = self._context.tick + max(self._context.keep_alive, 1)
            self._context.watched.add(self)
            if self._closing:
                self.pause_reading()  # what it still sends has been dropped for long enough
        elif closing:
            self._transport.abort()
        elif not self.spare():
            self.close()

    def second_passed(self) -> None:
        """Judge how fast the peer sends a body that is due, or takes what was written; and whether it is there."""
        context = self._context
        if self._reading_paused and context.has_vanished(self._transport):
            self._transport.abort()
            return
        uploading = self._reader.state is _BODY
        downloading = self.write_paused or (not self._serves() and context.holds_unsent(self._transport))
        if not uploading:
            self._upload = None
        if not downloading:
            self._download = None
        if not uploading and not downloading and not self._reading_paused:
            context.watched.discard(self)
        elif downloading and self._reads_too_slowly():
            context.complaints.complain(Kind.UNREAD_RESPONSE, "%s doesn't read what it is sent; closing", self.client)
            self._transport.abort()
        elif uploading and self._sends_too_slowly():
            self._give_up_request()

    def waits(self) -> tuple[Wait, float] | None:
        """See Connection."""
        served = self._serves()
        waited = 0.0
        if self._download is not None and (not served or self._drained is not None):
            waited = self._download.waited
        if self._upload is not None and (self._cycle is None or self._cycle.awaits_content):
            waited = max(waited, self._upload.waited)
        if waited >= 1:
            return Wait.STALLED, waited
        if served or self._download is not None or self._upload is not None:
            return None
        if not self._closing and (self._head_begun or not self._method):
            return Wait.HEAD, self._context.tick - self._begun_at
        patience = LINGER + 1 if self._closing else self._context.keep_alive
        return Wait.IDLE, self._context.tick + patience - self.deadline

    def make_way(self) -> bool:
        """See Connection. Who has sent a part of a request is told, as far as that can be."""
        if self._closing and self._cycle is None:
            pass  # it has been told already
        elif self._upload is not None or (self._head_begun and self._reader.has_input):
            self._give_up_request()
        elif self._download is None and self._context.holds_unsent(self._transport):
            self._context.watched.add(self)  # the peer reads, or a next time it will be known that it doesn't
            return False
        elif self._download is None and self.spare():
            return False
        if self._context.holds_unsent(self._transport) or self._transport.get_extra_info("sslcontext"):
            self._transport.abort()
        else:
            self._transport.close()
        return True

    def begin_drain(self) -> None:
        """If nothing is being served: wait for a request no longer than a connection is kept alive."""
        if self._context.holds_unsent(self._transport):
            self._context.hand_over(self._transport)
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

    def _serves(self) -> bool:
        """Tell whether an application is at work for this connection."""
        return self._cycle is not None or self._session is not None

    def _sends_too_slowly(self) -> bool:
        """Tell whether the peer has used up its time to send a body. Called once a second."""
        if self._upload is None:
            self._upload = Pace(self._context.body_timeout)
            self._received = 0
            return False
        # While the application takes nothing, or the peer waits for `100 Continue`, it isn't the peer that is late.
        if self._cycle is not None and not self._cycle.awaits_content:
            return False
        received, self._received = self._received, 0
        return self._upload.second_passed(received)

    def _give_up_request(self) -> None:
        """Wait no longer for the rest of a request: 408 (RFC 9110, section 15.5.9)."""
        self._reader.stop()
        self._refuse(RequestError(408, "the request didn't come in time"))

    def _request_begun(self) -> None:
        """There is an observer: see `ObservedConnection`."""

    def _await_head(self) -> None:
        """From its first octet on, a head must come within a time that no trickle extends."""
        self._head_begun = True
        self._begun_at = self._context.tick
        timeout = self._context.head_timeout
        self.deadline = self._context.tick + timeout if timeout else NEVER

    def _start_session(self, fields: list[tuple[bytes, bytes]]) -> bool:
        """Switch to WebSocket if the peer asks for that and it can be had."""
        if not wants_websocket(fields):
            return False  # RFC 9110, section 7.8: a protocol that isn't offered is ignored
        context = self._context
        if context.websocket is None:
            context.complaints.complain(
                Kind.PLAIN_HANDSHAKE, "WebSocket handshake answered as plain HTTP: WebSockets are off (--ws none)"
            )
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
