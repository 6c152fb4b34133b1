"""Where a request body ends, and what is in it (RFC 9112, sections 6 and 7), for every parser alike.

A reader of a body is fed bytes and returns what it decoded of them; what follows the body it leaves. Chunk sizes, line
ends, extensions and trailers are judged on the raw bytes: strictly, and within a budget.
"""

import re
from typing import Protocol

from monoceros.errors import RequestError
from monoceros.wire.fields import TOKEN


class BodyReader(Protocol):
    """Reads one body. `ended` turns true with its last octet."""

    ended: bool

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the content in `data`, and what follows the body.

        Raises:
            RequestError: 400, if the body is malformed; 413, if it is over the limit.
        """


class LengthReader:
    """A body of a known length (RFC 9112, section 6.2)."""

    __slots__ = ("ended", "remaining")

    def __init__(self, length: int) -> None:
        self.remaining = length
        self.ended = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """See BodyReader."""
        remaining = self.remaining - len(data)
        if remaining > 0:
            self.remaining = remaining
            return data, b""
        self.remaining = 0
        self.ended = True
        if remaining == 0:
            return data, b""
        return data[:remaining], data[remaining:]


# chunk-size and chunk-ext (RFC 9112, section 7.1.1). 16 hexadecimal digits are as many as 64 bits hold. The bad white
# space of the grammar is allowed after the semicolon only: before it, it has hidden a size from other servers.
_QUOTED = rb'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t -~\x80-\xff])*+"'
_EXTENSION = rb"(?:;[ \t]*" + TOKEN + rb"++(?:=(?:" + TOKEN + rb"++|" + _QUOTED + rb"))?)*+"
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(" + _EXTENSION + rb")\r\n")
_UNCOUNTED = 16 + len(b"\r\n")
"""Octets of a size line that the budget doesn't count."""
# Never in a trailer: what frames or routes a message (RFC 9110, section 6.5.1). Who merges trailers would obey it.
_TRAILER_LINE = re.compile(
    rb"(?!(?i:content-length|transfer-encoding|host):)" + TOKEN + rb"++:[^\x00-\x08\x0a-\x1f\x7f]*+\r\n"
)

_SIZE, _DATA, _DATA_END, _TRAILERS = range(4)


class ChunkedReader:
    """A body with `Transfer-Encoding: chunked` (RFC 9112, section 7.1). Trailer fields are judged and dropped.

    Arguments:
        budget: octets of chunk extensions and trailer fields taken together that one body may carry.
        limit: octets of content that it may have, or None for any number.
    """

    __slots__ = ("_budget", "_left", "_limit", "_line", "_remaining", "_state", "ended")

    def __init__(self, budget: int, limit: int | None = None) -> None:
        self._budget = budget
        self._limit = self._left = limit
        self._state = _SIZE
        self._remaining = 0
        self._line = b""
        self.ended = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """See BodyReader."""
        content: list[bytes] = []
        data = self._line + data
        self._line = b""
        at = 0
        size = len(data)
        while at < size:
            if self._state == _DATA:
                piece = data[at : at + self._remaining]
                at += len(piece)
                self._remaining -= len(piece)
                content.append(piece)
                if self._remaining == 0:
                    self._state = _DATA_END
            elif self._state == _DATA_END:
                ahead = data[at : at + 2]
                if ahead == b"\r\n":
                    self._state = _SIZE
                    at += 2
                elif ahead == b"\r":
                    self._line = ahead
                    break
                else:
                    raise RequestError(400, "chunk data doesn't end with CR LF")
            else:
                end = data.find(b"\n", at) + 1
                if end == 0:
                    self._keep_partial_line(data[at:])
                    break
                self._take_line(data[at:end])
                at = end
                if self.ended:
                    break
        return b"".join(content), data[at:] if self.ended else b""

    def _take_line(self, line: bytes) -> None:
        if self._state == _SIZE:
            match = _SIZE_LINE.fullmatch(line)
            if match is None:
                raise RequestError(400, "malformed chunk size")
            self._spend(len(match[2]))
            self._remaining = int(match[1], 16)
            if self._left is not None:
                self._left -= self._remaining
                if self._left < 0:
                    raise RequestError(413, f"content over the limit of {self._limit} octets")
            self._state = _DATA if self._remaining else _TRAILERS
        elif line == b"\r\n":
            self.ended = True
        else:
            if _TRAILER_LINE.fullmatch(line) is None:
                raise RequestError(400, "malformed trailer field")
            self._spend(len(line))

    def _keep_partial_line(self, line: bytes) -> None:
        """Hold the beginning of a line until its end is there, and refuse what can't become one."""
        if len(line) > self._budget + _UNCOUNTED:
            raise _over_budget()
        if b"\r" in line[:-1]:
            raise RequestError(400, "a bare CR in a chunked body")
        if self._state == _SIZE and re.match(rb"[0-9A-Fa-f]{1,16}(?:\r?\Z|;|\Z)", line) is None:
            raise RequestError(400, "malformed chunk size")
        self._line = line

    def _spend(self, octets: int) -> None:
        self._budget -= octets
        if self._budget < 0:
            raise _over_budget()


def _over_budget() -> RequestError:
    return RequestError(400, "chunk extensions and trailers over the limit")
