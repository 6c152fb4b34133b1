"""One connection of the load: it finds where an answer begins and ends, and tells its user how it went.

It may not know what an answer should say, nor how many connections there are. The rule it keeps: an answer is what its
Content-Length says, no more and no less, and whatever else comes is told, not skipped.
"""

import asyncio
import enum
import re
from typing import NamedTuple, Protocol, cast

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nconnection: close\r\n", re.IGNORECASE)
STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class Kind(enum.StrEnum):
    """The ways in which a request gets lost."""

    REFUSED = "connection refused"
    RESET = "connection reset"
    UNANSWERED = "closed before an answer"
    CUT = "closed within an answer"
    IDLE = "closed while idle, without notice"
    LATE = "no answer in time"
    STATUS = "not a 200"
    BODY = "another body than expected"
    MALFORMED = "not an answer"


class Answer(NamedTuple):
    """A complete answer.

    Attributes:
        status: of the status line.
        last: it carries `Connection: close`.
        body: its content.
    """

    status: int
    last: bool
    body: bytes


class User(Protocol):
    """Whoever sends requests over a connection, one after the other."""

    def answered(self, answer: Answer) -> None:
        """A complete answer came."""

    def broken(self, kind: Kind, detail: str) -> None:
        """The connection has ended, or is of no use any more, and the user didn't end it."""


class Connection(asyncio.Protocol):
    """A connection that reads answers.

    Arguments:
        user: is told of them.

    Attributes:
        served: complete answers so far.
        expecting: a request has begun, and its answer hasn't come.
        received: bytes of that answer that have come.
    """

    def __init__(self, user: User) -> None:
        self._user = user
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self._over = False
        self.served = 0
        self.expecting = False

    @property
    def received(self) -> int:
        return len(self._data)

    def write(self, data: bytes) -> None:
        """Send a request, or a part of one."""
        assert self._transport is not None
        self.expecting = True
        self._transport.write(data)

    def end(self) -> None:
        """Close it at once. The user hears nothing more of it."""
        self._over = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        how = "end of stream" if exc is None else str(exc) or type(exc).__name__
        if not self.expecting:
            self._break(Kind.IDLE, how)
        elif exc is not None:
            self._break(Kind.RESET, how)
        else:
            self._break(Kind.CUT if self._data else Kind.UNANSWERED, how)

    def data_received(self, data: bytes) -> None:
        self._data = data = self._data + data if self._data else data
        if not self.expecting:
            self._break(Kind.MALFORMED, f"came without a request: {data[:80]!r}")
            return
        head = data.find(b"\r\n\r\n")
        if head < 0:
            return
        length = LENGTH.search(data, 0, head + 2)
        status = STATUS_LINE.match(data)
        if length is None or status is None:
            self._break(Kind.MALFORMED, f"no status or no Content-Length in {data[:80]!r}")
            return
        begins = head + 4
        missing = begins + int(length[1]) - len(data)
        if missing > 0:
            return
        if missing < 0:
            self._break(Kind.MALFORMED, f"{-missing} bytes more than its Content-Length")
            return
        self.expecting = False
        self.served += 1
        self._data = b""
        last = CLOSE.search(data, 0, head + 2) is not None
        self._user.answered(Answer(int(status[1]), last, data[begins:]))

    def _break(self, kind: Kind, detail: str) -> None:
        if not self._over:
            self.end()
            self._user.broken(kind, detail)
