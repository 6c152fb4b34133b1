"""An HTTP/1.1 connection that tells an observer of its requests.

A server makes its connections of this class only if there is an observer, so that nothing of it costs anything without.
The rules it keeps: each request that begins ends once, in whatever way, and a head that is refused is told as well; a
response for which its transport had no room ends when the transport has taken it, or the connection is gone; what an
observer raises is logged, and changes nothing for the peer.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from monoceros.asgi import Headers
from monoceros.errors import beheaded
from monoceros.protocol.connection import WRITE_BUFFER
from monoceros.protocol.context import Context
from monoceros.protocol.exchange import Exchange
from monoceros.protocol.http1 import HTTP1Connection
from monoceros.protocol.metered import MeteredTransport
from monoceros.protocol.phase import Phase
from monoceros.wire.reader import Reading
from monoceros.wire.response import BODILESS

logger = logging.getLogger("monoceros.error")

LONGEST_LINE = 4096
"""Octets of a refused request line that are told; what comes in it is the peer's choice."""

HIGH_WATER = 65536
"""Octets that a transport may hold before it pauses writing, while it is to say when it holds none: its usual limit."""

_UNFINISHED = frozenset({Phase.CONNECTING, Phase.DENYING, Phase.OPEN})


class Departure(NamedTuple):
    """An answer that was written, and of which the transport still holds a part.

    Attributes:
        exchange: whose it is.
        begin: octets that had been written to the connection before it.
        end: and with it.
    """

    exchange: Exchange
    begin: int
    end: int


class ObservedConnection(HTTP1Connection):
    """See the module.

    Arguments:
        context: has an observer.
    """

    __slots__ = ("_begin", "_departures", "_exchange", "_left_at", "_meter", "_observer", "_peer", "_seen")

    _meter: MeteredTransport

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        assert context.observer is not None
        self._observer = context.observer
        self._exchange: Exchange | None = None
        # Octets that had been written to the connection before the answer to this request.
        self._begin = 0
        self._departures: list[Departure] = []
        # When nothing of them was seen in the transport, which is believed at a second look.
        self._left_at: float | None = None
        self._peer: tuple[Any, ...] | None = None
        # The head being read, from its beginning on; None where that was missed.
        self._seen: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See HTTP1Connection."""
        super().connection_made(transport)
        self._transport = self._meter = MeteredTransport(self._transport)
        address = transport.get_extra_info("peername")
        self._peer = (address[0], address[1]) if isinstance(address, tuple) else None

    def data_received(self, data: bytes) -> None:
        """See HTTP1Connection. Keeps the beginning of a head, for that of a refused one is all that is known of it."""
        if self._exchange is None and self._session is None:
            if self._reader.idle:
                self._seen = data
            elif self._seen is not None and len(self._seen) < LONGEST_LINE and self._reader.state is Reading.HEAD:
                self._seen += data
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """See HTTP1Connection."""
        departures, self._departures = self._departures, []
        if exc is not None or self._meter.aborted:
            self._left_at = None  # it was but one look
            for departure in departures:
                departure.exchange.cut_off = True
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._left_at = None
            exchange.cut_off = self._session is None or self._session.phase in _UNFINISHED
            departures.append(self._departure(exchange))
        if departures:
            delivered = self._observer.delivered(self._meter)
            for departure in departures:
                if delivered is not None and delivered < departure.end:
                    departure.exchange.lose(departure.end - delivered, departure.end - departure.begin)
                self._tell_end(departure.exchange, self._observer.clock() if self._left_at is None else self._left_at)
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """See Connection. With departures under way, the transport has got rid of all that it held."""
        self._depart(None)
        super().resume_writing()

    def second_passed(self) -> None:
        """See HTTP1Connection. Looks whether departures are over where no transport says so."""
        self._look()
        super().second_passed()
        if self._departures:
            self._context.watched.add(self)

    # ResponseSink and WebSocketSink

    def write_response(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes, more: bool
    ) -> int | None:
        """See ResponseSink."""
        exchange = self._exchange
        if exchange is None:
            return super().write_response(status, headers, body, more)
        exchange.answered(status, headers, self._context.defaults, None if more else len(body))
        empty = exchange.method == "HEAD" or status in BODILESS or self._transport.is_closing()
        exchange.octets = 0 if empty else len(body)
        self._begin = self._meter.written
        try:
            left = super().write_response(status, headers, body, more)
        except RuntimeError:
            exchange.unanswered()
            raise
        if more and self._closing:
            exchange.closes()
        return left

    def write_body(self, body: bytes, more: bool) -> None:
        """See ResponseSink."""
        if self._exchange is not None and not self._transport.is_closing():
            self._exchange.octets += len(body)
        super().write_body(body, more)

    def break_off(self) -> None:
        """See ResponseSink."""
        if self._exchange is not None:
            self._exchange.cut_off = True
        self._end()
        super().break_off()

    def accept_websocket(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """See WebSocketSink."""
        exchange = self._exchange
        if exchange is not None:
            exchange.switched(headers, self._context.defaults)
            self._begin = self._meter.written
        try:
            super().accept_websocket(headers)
        except RuntimeError:
            if exchange is not None:
                exchange.unanswered()
            raise

    def write_frames(self, data: bytes) -> None:
        """See WebSocketSink."""
        if self._exchange is not None and not self._transport.is_closing():
            self._exchange.octets += len(data)
        super().write_frames(data)

    # The life of a request.

    def _request_begun(self) -> None:
        self._seen = None
        self._look()  # who asks again has probably got the former answer
        observer = self._observer
        scope = self._scope
        exchange = self._exchange = Exchange(
            scope,
            method=self._method,
            target=self._target,
            version=self._traits.http_version,
            fields=scope["headers"],
            peer=self._peer,
            ends=self.ends,
            root_path=scope["root_path"],
            began_at=observer.clock(),
        )
        for tell in observer.began:
            _tell(tell, exchange)

    def _answered(self) -> None:
        if self._closing and self._exchange is not None:
            self._exchange.closes()
        self._end()
        super()._answered()

    def _write_refusal(self, status: int, headers: Headers, body: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            exchange = self._exchange = self._refused_exchange()
        exchange.answered(status, headers, self._context.defaults, len(body))
        exchange.octets = len(body)
        exchange.closes()
        self._begin = self._meter.written
        super()._write_refusal(status, headers, body)
        self._end()

    def _refused_exchange(self) -> Exchange:
        """What is known of a request whose head was refused: at best, its first line."""
        line = (self._seen or b"").lstrip(b"\r\n").partition(b"\n")[0].rstrip(b"\r")[:LONGEST_LINE]
        self._seen = None
        method, target, version = b"", b"", b""
        words = line.split(b" ")
        if len(words) == 3 and words[2].startswith(b"HTTP/"):
            method, target, version = words[0], words[1], words[2].removeprefix(b"HTTP/")
        return Exchange(
            self._template.copy(),
            method=method.decode("latin-1"),
            target=target,
            version=version.decode("latin-1"),
            peer=self._peer,
            ends=self.ends,
            root_path=self._context.root_path,
            line=line,
            refused=True,
            began_at=self._observer.clock(),
        )

    def _end(self) -> None:
        """The application has written all it will."""
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        closing = self._transport.is_closing()
        if closing:
            exchange.cut_off = True  # a transport that closes takes nothing
        if closing or self.write_paused or self._may_hold():
            self._departures.append(self._departure(exchange))
            self._meter.set_write_buffer_limits(high=HIGH_WATER, low=0)  # so that writing is resumed when it has left
            self._context.watched.add(self)
            self._left_at = None
            self._look()
        else:
            self._tell_end(exchange, self._observer.clock())

    def _departure(self, exchange: Exchange) -> Departure:
        # Content that was held, or in the middle of which the transport began to close, was counted and not written.
        exchange.octets = min(exchange.octets, self._meter.written - self._begin)
        return Departure(exchange, self._begin, self._meter.written)

    def _may_hold(self) -> bool:
        """Tell whether the transport may hold much of the answer and not say so, as those of TLS do."""
        size = self._meter.written - self._begin
        return size > HIGH_WATER and self._transport.get_extra_info("sslcontext") is not None

    def _look(self) -> None:
        """See whether anything of the departures is left, if the transport doesn't say.

        Two looks must find nothing: a peer may have emptied the kernel's buffer in the moment of one, before the loop
        could fill it again.
        """
        if not self._departures or self.write_paused:
            return
        if self._context.holds_unsent(self._transport):
            self._left_at = None
        elif self._left_at is None:
            self._left_at = self._observer.clock()
        else:
            self._depart(self._left_at)

    def _depart(self, left_at: float | None) -> None:
        """Departures are over: at a time that is known, or just now."""
        departures, self._departures = self._departures, []
        if departures:
            self._meter.set_write_buffer_limits(WRITE_BUFFER)
        for departure in departures:
            self._tell_end(departure.exchange, self._observer.clock() if left_at is None else left_at)

    def _tell_end(self, exchange: Exchange, now: float) -> None:
        exchange.end(now)
        for tell in self._observer.ended:
            _tell(tell, exchange)


def _tell(function: Callable[[Exchange], None], exchange: Exchange) -> None:
    """Call an observer. What it raises would come out of `send`, as if the answer weren't written."""
    try:
        function(exchange)
    except Exception as exc:  # it reads the scope, into which an application may have written anything
        line = exchange.request_line.decode("latin-1")
        logger.error("Who is told of requests failed at %a; the request goes on", line, exc_info=beheaded(exc))
