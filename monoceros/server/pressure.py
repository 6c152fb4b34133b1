"""Making room: when a server holds as many connections as it may, those go that have waited longest for their peers.

Knows what a connection says of its wait, and no socket. The rule it keeps: one whose application is at work never goes;
of the others the idle ones go first, then unfinished heads, then stalled content, the longest wait first.
"""

from collections.abc import Callable, Iterable
from operator import itemgetter

from monoceros.protocol.complaints import Complaints, Kind
from monoceros.protocol.context import Closable

PATIENCE = 2
"""Ticks that a peer has in any case: one that has just connected, or been answered, is about to send a request."""

SHARE = 32
"""One of so many connections goes at once: to look at all of them for each that comes would be quadratic work."""


class Pressure:
    """Relieves one server.

    Arguments:
        limit: how many connections may be held.
        connections: gives those that are.
        complaints: is told of those that had to go.
    """

    def __init__(self, limit: int, connections: Callable[[], Iterable[Closable]], complaints: Complaints) -> None:
        self._share = max(1, limit // SHARE)
        self._connections = connections
        self._complaints = complaints

    def relieve(self) -> int:
        """Close some connections that wait for their peers. Return how many."""
        waiting = []
        for connection in self._connections():
            wait = connection.waits()
            if wait is not None and wait[1] >= PATIENCE:
                waiting.append((wait[0], -wait[1], connection))
        gone = 0
        waiting.sort(key=itemgetter(0, 1))
        for kind, _, connection in waiting:
            if gone == self._share:
                break
            if connection.make_way():
                gone += 1
                self._complaints.complain(
                    Kind.MADE_ROOM, "A connection was closed to make room (%s)", kind.name.lower()
                )
        return gone
