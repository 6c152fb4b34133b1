"""What peers do wrong, in the log: told at once, until it is a flood.

Knows one logger, and counts; no connection and no clock, for the server's tick is its second. The rules it keeps:
nothing is passed over in silence, for what isn't told is counted and the count is told; and what isn't told costs
nothing but that count.
"""

import logging
from enum import Enum

from monoceros.logs.lines import excerpt

logger = logging.getLogger("monoceros.error")

AT_ONCE = 10
"""Complaints of a kind that are told in one second. All that a client under development does wrong is seen; and a peer
that sends nothing but malformed requests writes about 100 MB a day, instead of that in a minute."""


class Kind(Enum):
    """What is complained of, in the words of a summary."""

    INVALID_REQUEST = "invalid HTTP requests"
    LATE_REQUEST = "HTTP requests that didn't come in time"
    UNREAD_RESPONSE = "responses that their clients didn't read in time"
    BUSY = "requests answered 503, for there were too many"
    PLAIN_HANDSHAKE = "WebSocket handshakes answered as plain HTTP"
    FAILED_WEBSOCKET = "WebSockets that failed"
    REFUSED_CONNECTION = "connections that were refused"
    MADE_ROOM = "connections that were closed to make room"
    FAILED_ACCEPT = "connections that couldn't be accepted"


class Complaints:
    """Those of one server. Not thread-safe: all calls belong on the event loop's thread."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = dict.fromkeys(Kind, 0)

    def complain(self, kind: Kind, message: str, *args: object) -> None:
        """Log a warning, or only count it if there were too many of its kind in this second.

        Arguments:
            kind: what it is.
            message: a %-format. The same for all of a kind that a user may look for.
            args: its values. Text among them may be the peer's: it is shown escaped, and its beginning only.
        """
        self._counts[kind] += 1
        if self._counts[kind] <= AT_ONCE:
            logger.warning(message, *[excerpt(value) if isinstance(value, str) else value for value in args])

    def tick(self) -> None:
        """A second has passed, or the server ends: tell how many weren't told."""
        for kind, count in self._counts.items():
            if count:
                self._counts[kind] = 0
            if count > AT_ONCE:
                logger.warning("%d more like this in the last second: %s", count - AT_ONCE, kind.value)
