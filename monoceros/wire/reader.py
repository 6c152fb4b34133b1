"""The requests of one HTTP/1.1 connection, read from its bytes: heads, bodies, and what waits behind them.

Bytes go in by `feed`; a `RequestSink` is told of requests and bodies. A pipelined request waits until `resume`: the one
before it has been answered (RFC 9112, section 9.3.2). Knows no transport, no application and no time.
"""

from enum import Enum
from typing import Protocol

from monoceros.errors import RequestError
from monoceros.wire.body import BodyReader, ChunkedReader, LengthReader
from monoceros.wire.framing import (
    CHUNKED,
    END_OF_HEAD,
    PLAIN,
    Traits,
    judge_head,
    judge_partial_head,
)
from monoceros.wire.limits import RequestLimits
from monoceros.wire.plain import read_plain, request_lines


class FieldParser(Protocol):
    """Reads the fields of a head that has been judged. One file per library."""

    def parse_fields(self, head: bytes, start: int) -> list[tuple[bytes, bytes]]:
        """Return the fields that begin at offset `start`, with names in lower case."""


class RequestSink(Protocol):
    """Who is told of requests: the connection."""

    def request_received(
        self, method: str, target: bytes, traits: Traits, fields: list[tuple[bytes, bytes]], content: bytes = b""
    ) -> None:
        """A request head is there; and all its content, if that came with it and isn't empty.

        The fields aren't the sink's to change: the same list is told of again if they come again.
        """

    def body_received(self, data: bytes) -> None:
        """Content of its body came; never empty."""

    def body_ended(self) -> None:
        """Its body is complete. Not told of a request without one (`traits.length == 0`), or with all its content."""

    def input_waits(self) -> None:
        """Bytes came that must wait for `resume`: reading should pause."""


class Reading(Enum):
    """What the reader expects next."""

    HEAD = "a request head"
    BODY = "the body of a request"
    ANSWER = "the answer to a request, before the next head is looked at"
    NOTHING = "nothing: what still comes is dropped"


# RFC 9112, section 2.2: at least one empty line before a request line is ignored. Between requests two are: one that an
# old client puts behind its content, and one that it puts before a request. Not a stream of them.
_EMPTY_LINE = b"\r\n"
_EMPTY_LINES = _EMPTY_LINE + _EMPTY_LINE

# Who sends one request after another mostly sends the same fields with each: those of the last plain head are known,
# and judged once. Where they differ each time, only the first few of a round of heads are compared and remembered.
_KNOWN_LENGTH = 1024  # octets, at most: each connection holds them
_TRIES, _ROUND = 4, 20
_COPIED = 4096  # octets, at most, in which a head must lie to be known: content isn't copied for it

_HEAD, _BODY, _ANSWER, _NOTHING = Reading.HEAD, Reading.BODY, Reading.ANSWER, Reading.NOTHING


class _Nobody:
    """The sink of a reader that was released: it is told nothing any more."""

    def request_received(
        self, method: str, target: bytes, traits: Traits, fields: list[tuple[bytes, bytes]], content: bytes = b""
    ) -> None:
        """See RequestSink."""

    def body_received(self, data: bytes) -> None:
        """See RequestSink."""

    def body_ended(self) -> None:
        """See RequestSink."""

    def input_waits(self) -> None:
        """See RequestSink."""


_NOBODY = _Nobody()


class RequestReader:
    """Reads requests and tells the sink.

    Arguments:
        sink: who is told.
        parser: reads the fields of each head.
        limits: how large a request may be.
    """

    __slots__ = (
        "_answered",
        "_body",
        "_buffer",
        "_empty_lines",
        "_feeding",
        "_known_block",
        "_known_fields",
        "_known_size",
        "_known_traits",
        "_last",
        "_limits",
        "_misses",
        "_most_fields",
        "_parser",
        "_plain_size",
        "_scanned",
        "_sink",
        "state",
    )

    def __init__(self, sink: RequestSink, parser: FieldParser, limits: RequestLimits) -> None:
        self._sink = sink
        self._parser = parser
        self._limits = limits
        self._most_fields = limits.fields
        self._plain_size = min(limits.line, limits.field_size, limits.head)
        self._body: BodyReader | None = None
        self._buffer = b""
        self._empty_lines = _EMPTY_LINE
        self._feeding = False
        self._known_block: bytes | None = None
        self._known_fields: list[tuple[bytes, bytes]] = []
        self._known_size = 0
        self._known_traits = PLAIN
        self._misses = 0
        self._last = False
        self._scanned = 0
        self._answered = False
        self.state = _HEAD

    @property
    def idle(self) -> bool:
        """No request is being read, and no octet of a next one has come."""
        return self.state is _HEAD and not self.has_input

    @property
    def has_input(self) -> bool:
        """Bytes wait: of an incomplete head, or of a pipelined request. Empty lines aren't of either yet."""
        return not self._empty_lines.startswith(self._buffer)

    @property
    def skips_body(self) -> bool:
        """The body of a request that was answered already is being read, or broke off."""
        return self._body is not None and self._answered

    def feed(self, data: bytes) -> None:
        """Take bytes from the peer.

        Raises:
            RequestError: a request must be refused; the reader then drops whatever still comes.
        """
        try:
            # The usual case first: one whole plain head, and at most its content.
            if self.state is _HEAD and not self._buffer:
                request = None
                if self._misses < _TRIES:
                    # To take its beginning apart costs less than to look for the line's end and to compare from there.
                    line, _, block = data[:_COPIED].partition(b"\r\n")
                    known = self._known_block
                    if block == known or block[: self._known_size] == known:
                        end = len(line) + 2 + self._known_size
                        if end <= self._plain_size:
                            request = request_lines[line]
                if request is not None:
                    self._misses = 0
                    method, target = request
                    fields = self._known_fields
                    traits = self._known_traits
                else:
                    end = len(data) if data.endswith(END_OF_HEAD) else data.find(END_OF_HEAD) + 4
                    plain = read_plain(data[:end], self._most_fields) if 4 <= end <= self._plain_size else None
                    if plain is None:
                        self._feed(data)
                        return
                    method, target, fields, traits = plain
                    self._misses = (self._misses + 1) % _ROUND
                    if self._misses <= _TRIES:
                        self._remember(data[:end].partition(b"\r\n")[2], fields, traits)
                if traits is PLAIN and end == len(data):
                    self.state = _ANSWER
                    self._empty_lines = _EMPTY_LINES
                    self._sink.request_received(method, target, PLAIN, fields)
                    return
                if self._take_plain(method, target, fields, traits, data[end:]):
                    return
            self._feed(data)
        except RequestError:
            self.stop()
            raise

    def resume(self) -> None:
        """The request before has been answered: go on, at once or when the rest of its body was read.

        Raises:
            RequestError: a request that waited must be refused.
        """
        if self.state is _ANSWER:
            self.state = _HEAD
            if self._buffer and not self._feeding:
                self.feed(b"")
        elif self.state is _BODY:
            self._answered = True

    def stop(self) -> bytes:
        """Read no more requests. Return the bytes that no request has claimed, for another protocol to read."""
        rest, self._buffer = self._buffer, b""
        self.state = _NOTHING
        return rest

    def release(self) -> None:
        """Read no more and forget the sink: each knows the other, and a collector comes late for what they hold."""
        self.stop()
        self._sink = _NOBODY

    def _feed(self, data: bytes) -> None:
        # RFC 9112, section 9.6: a client MUST NOT send more behind `Connection: close`. One that does is refused if it
        # is seen at once; no answer that is being made is broken off for it.
        served = self.state is _ANSWER
        self._buffer = self._buffer + data if self._buffer else data
        # A sink may answer, and so resume, while it is told of a request: this loop goes on then, not a second one.
        self._feeding = True
        try:
            while self._buffer:
                if self.state is _BODY:
                    self._read_body()
                elif self._last or self.state is not _HEAD:
                    break
                elif not self._read_head():
                    return
        finally:
            self._feeding = False
        if self.state is _NOTHING:
            self._buffer = b""
        elif self.has_input:
            if self._last and not served:
                raise RequestError(400, "data behind a request after which the connection closes")
            self._sink.input_waits()

    def _read_head(self) -> bool:
        """Read one head off the buffer. Return whether a whole one was there."""
        data = self._buffer
        # They are kept until something follows, lest it be forgotten that there were some.
        if self._empty_lines.startswith(data):
            return False
        known = self._empty_lines if data.startswith(self._empty_lines) else _EMPTY_LINE
        data = self._buffer = data.removeprefix(known)
        end = data.find(END_OF_HEAD, max(0, self._scanned - 3)) + 4
        if end < 4:
            judge_partial_head(data, self._scanned, self._limits)
            self._scanned = len(data)
            return False
        self._scanned = 0
        self._buffer = data[end:]
        self._head_received(data[:end])
        return True

    def _remember(self, block: bytes, fields: list[tuple[bytes, bytes]], traits: Traits) -> None:
        """Know the fields of a plain head, should the next one have the same."""
        if len(block) <= _KNOWN_LENGTH:
            self._known_block = block
            self._known_size = len(block)
            self._known_fields = fields
            self._known_traits = traits

    def _take_plain(
        self, method: str, target: bytes, fields: list[tuple[bytes, bytes]], traits: Traits, rest: bytes
    ) -> bool:
        """Take a plain head and what came behind it. Return False if that isn't its content, or is too much."""
        length = traits.length
        if len(rest) > length or (self._limits.body is not None and length > self._limits.body):
            return False
        if len(rest) == length:
            self._head_taken(traits, 0)
            self._sink.request_received(method, target, traits, fields, rest)
        else:
            self._head_taken(traits, length)
            self._sink.request_received(method, target, traits, fields)
            if rest:
                self._feed(rest)
        return True

    def _head_received(self, data: bytes) -> None:
        method, target, start, traits = judge_head(data, self._limits)
        fields = self._parser.parse_fields(data, start)
        self._head_taken(traits, traits.length)
        self._sink.request_received(method, target, traits, fields)

    def _head_taken(self, traits: Traits, length: int) -> None:
        """Expect what must follow a head: octets of its body, or CHUNKED."""
        self._empty_lines = _EMPTY_LINES
        if not traits.keep_alive:
            self._last = True
            self._plain_size = 0
        if length == 0:
            self.state = _ANSWER
        else:
            self.state = _BODY
            self._body = (
                ChunkedReader(self._limits.head, self._limits.body) if length == CHUNKED else LengthReader(length)
            )
            self._answered = False

    def _read_body(self) -> None:
        body = self._body
        assert body is not None
        data, self._buffer = self._buffer, b""
        content, self._buffer = body.feed(data)
        if content:
            self._sink.body_received(content)
        if body.ended and self.state is _BODY:
            self._body = None
            self.state = _HEAD if self._answered else _ANSWER
            self._sink.body_ended()
