"""What an observer is told: one request and what became of it.

Knows no transport and no log. The rule it keeps: what costs something is worked out when it is asked for, and what was
sent is shown as it was sent, not as an application meant it.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from monoceros.asgi import Headers, Scope
from monoceros.errors import RequestError
from monoceros.wire.proxy_protocol import Ends
from monoceros.wire.response import DefaultFields, encode_head, encode_switch
from monoceros.wire.target import split_absolute

UNANSWERED = 499
"""The status of a request whose connection ended before it was answered: no status at all, but logs want a number, and
this is the one that nginx made customary."""


def _nothing_known(transport: asyncio.Transport) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Observer:
    """Who wants to know of requests. What one of them raises is logged, and the others are told all the same.

    Attributes:
        ended: told of each request that is over, whatever became of it.
        began: told of each request before an application is called.
        clock: tells the time in seconds.
        delivered: tells how many of the octets written to a transport have reached its peer; None if that isn't known.
    """

    ended: "tuple[Callable[[Exchange], None], ...]"
    began: "tuple[Callable[[Exchange], None], ...]" = ()
    clock: Callable[[], float] = time.perf_counter
    delivered: Callable[[asyncio.Transport], int | None] = _nothing_known


class Exchange:
    """One request and its response, or one WebSocket session.

    Arguments and attributes:
        method: as received; "" for a head that was refused before it was known.
        target: as received, query included; b"" likewise.
        version: "1.1" or "1.0"; "" likewise.
        fields: those of the request, with names in lower case.
        scope: what the application was given. It may have changed it.
        peer: the address at the other end of the connection; None where it has none.
        ends: those of the connection that was forwarded on this one, as a PROXY header names them; None without one.
        root_path: the path the application is mounted below.
        line: the request line of a refused head, as far as it came; b"" if none came.
        refused: the head was refused, and no application was asked.

    Attributes:
        status: of the response; 101 for a session; `UNANSWERED` if there was none. Before the end it may be 0.
        octets: of content that were written: none after a HEAD, chunk sizes not counted; of frames for a session. Those
            that are known not to have reached the peer don't count.
        seconds: from the head of the request until the transport has taken the end of the response, or the connection
            of the session has ended.
        cut_off: the response, or the session, wasn't complete when its connection ended.
        note: for the observer's own use.
    """

    __slots__ = (
        "_closes",
        "_defaults",
        "_headers",
        "_size",
        "_switches",
        "began_at",
        "cut_off",
        "ends",
        "fields",
        "line",
        "method",
        "note",
        "octets",
        "peer",
        "refused",
        "root_path",
        "scope",
        "seconds",
        "status",
        "target",
        "version",
    )

    _headers: Headers
    _defaults: DefaultFields
    _size: int | None

    def __init__(
        self,
        scope: Scope,
        *,
        method: str = "",
        target: bytes = b"",
        version: str = "",
        fields: Headers | None = None,
        peer: tuple[Any, ...] | None = None,
        ends: Ends | None = None,
        root_path: str = "",
        line: bytes = b"",
        refused: bool = False,
        began_at: float = 0.0,
    ) -> None:
        self.scope = scope
        self.method = method
        self.target = target
        self.version = version
        self.fields = fields if fields is not None else []
        self.peer = peer
        self.ends = ends
        self.root_path = root_path
        self.line = line
        self.refused = refused
        self.began_at = began_at
        self.status = self.octets = 0
        self.seconds = 0.0
        self.cut_off = self._closes = self._switches = False
        self.note: Any = None

    # What it is asked.

    @property
    def client(self) -> tuple[Any, ...] | None:
        """The client's address and port, as a trusted proxy names it; None if there is none."""
        found: tuple[Any, ...] | None = self.scope.get("client")
        return found

    @property
    def server(self) -> tuple[Any, ...] | None:
        """The address and port that were connected to, or (path, None)."""
        found: tuple[Any, ...] | None = self.scope.get("server")
        return found

    @property
    def scheme(self) -> str:
        """Of the URL: "http" or "https", for a session, too."""
        return "https" if self.scope.get("scheme") in ("https", "wss") else "http"

    @property
    def path(self) -> bytes:
        """The path of the target, without root path and as received: encoded."""
        return self._origin_form().partition(b"?")[0]

    @property
    def query(self) -> bytes:
        """What follows the first question mark of the target."""
        return self._origin_form().partition(b"?")[2]

    @property
    def request_line(self) -> bytes:
        """The line as received, as far as it is known."""
        if not self.method:
            return self.line
        return b"%b %b HTTP/%b" % (self.method.encode("latin-1"), self.target, self.version.encode())

    @property
    def response_fields(self) -> Headers:
        """The fields of the response as sent, the server's own included; none if there was no response."""
        if self.status in (0, UNANSWERED):
            return []
        if self._switches:
            head = encode_switch(self._headers, self._defaults)
        else:
            # Made once more, by what made the head that was sent, of what that one was made of.
            new, is_head = self.version != "1.0", self.method == "HEAD"
            head, *_ = encode_head(
                self.status, self._headers, self._defaults, self._size, not self._closes, new, is_head
            )
        fields = []
        for line in head.split(b"\r\n")[1:-2]:
            name, _, value = line.partition(b": ")
            fields.append((name, value))
        return fields

    # What the connection says.

    def answered(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], defaults: DefaultFields, size: int | None
    ) -> None:
        """A response head is about to be written.

        Arguments:
            status: the status code.
            headers: those of the application.
            defaults: those of the server at this time.
            size: octets of the content, if all of it is there.
        """
        self.status = status
        self._headers = list(headers)
        self._defaults = defaults
        self._size = size

    def switched(self, headers: Iterable[tuple[bytes, bytes]], defaults: DefaultFields) -> None:
        """A 101 response is about to be written; the arguments as `answered`."""
        self.answered(101, headers, defaults, None)
        self._switches = True

    def unanswered(self) -> None:
        """The head couldn't be written after all."""
        self.status = self.octets = 0
        self._switches = False

    def closes(self) -> None:
        """The head says that the connection ends with this response."""
        self._closes = True

    def lose(self, octets: int, whole: int) -> None:
        """The end of what was written is known not to have reached the peer.

        Arguments:
            octets: how many of it, framing included.
            whole: octets of the whole answer, with head and framing. What is between the content of chunks is taken to
                be spread evenly.
        """
        if any(name == b"transfer-encoding" for name, _ in self.response_fields):
            octets = octets * self.octets // max(whole, 1)
        self.octets = max(self.octets - octets, 0)

    def end(self, now: float) -> None:
        """It is over.

        Arguments:
            now: the time by the observer's clock.
        """
        self.seconds = max(now - self.began_at, 0.0)
        self.status = self.status or UNANSWERED

    def _origin_form(self) -> bytes:
        target = self.target
        if target[:1] in (b"/", b"*", b""):
            return target
        try:
            return split_absolute(target)[1]
        except RequestError:
            return target  # of a refused head
