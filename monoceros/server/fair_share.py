"""The fair share of one of several workers that accept from the same listeners: who is ahead lets others go first.

The system wakes all that wait for a connection, and whoever comes first takes it, and the next one, too: a burst may go
to one worker whole. Knows numbers of connections; no socket and no loop. The rules it keeps: the difference is a small
part of what each holds; nobody waits for workers that don't come, nor where waiting doesn't lessen the difference: what
comes then goes as soon as it came, and one that holds many idle ones must work, too.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

LEAD = 8
"""Connections that one may hold more than another in any case. With less, connections that end after one request, of
which few are open at a time, would cost more for the turns that are taken."""

PART = 4
"""And one of so many that the other holds, if that is more. Of many connections, each of two then holds 4 of 9."""

PATIENCE = 4 * LEAD
"""Times that one gives way without a lesser lead than before. Then it takes one connection at a time whenever it comes
first, until it isn't ahead any more."""

LISTED = 0.01
"""Seconds for which the list of the others stays as it is: it is read for each connection, and rarely changes."""

ABSENT = 1 << 53
"""The number of those who accept none, so never the fewest. A double holds it, too."""


class Peer(Protocol):
    """Another worker."""

    @property
    def held(self) -> float:
        """What it has shown last."""


class Crew(Protocol):
    """The workers that accept from the same listeners, as one of them sees it."""

    def show(self, held: int) -> None:
        """Let the others know how many connections this one holds, or ABSENT."""

    def others(self) -> Sequence[Peer]:
        """Return those of the others that serve, and whose event loops turn."""


class FairShare:
    """What one worker may take.

    Arguments:
        crew: the workers.
        clock: tells the time in seconds.

    Attributes:
        shown: the number of connections that the others know of.
    """

    def __init__(self, crew: Crew, clock: Callable[[], float]) -> None:
        self._crew = crew
        self._clock = clock
        self._others: Sequence[Peer] = ()
        self._until = clock()
        # What may be held beyond the share, for as long as the one that holds the fewest takes none.
        self._extra = 0
        self._step = 1
        self._stuck_at = 0
        # The least lead with which way was given, and how often it was since then.
        self._least_lead = ABSENT
        self._in_vain = 0
        self.shown = ABSENT

    def show(self, held: int) -> None:
        """Let the others know how many connections this one holds, or ABSENT."""
        self.shown = held
        self._crew.show(held)

    def room(self, held: int) -> int:
        """Return how many connections may be taken now. None, or fewer, if others should go first.

        Arguments:
            held: the connections of this worker.
        """
        return self._room(held, self._fewest())

    def give_way(self, held: int) -> None:
        """There was no room: others may go first.

        Arguments:
            held: the connections of this worker.
        """
        lead = held - self._fewest()
        if lead < self._least_lead:
            self._least_lead, self._in_vain = lead, 0
        else:
            self._in_vain += 1

    def insist(self, held: int) -> None:
        """Others haven't come. Make room, and more each time, until one of them has taken or lost a connection.

        Arguments:
            held: the connections of this worker.
        """
        fewest = self._fewest()
        room = self._room(held, fewest)
        self._extra += self._step - min(0, room)
        self._step *= 2
        self._stuck_at = fewest

    def _room(self, held: int, fewest: int) -> int:
        if fewest != self._stuck_at:
            self._extra, self._step = 0, 1
        share = fewest + max(LEAD, fewest // PART)
        if held < share:
            self._least_lead, self._in_vain = ABSENT, 0
        room = share + self._extra - held
        return max(room, 1) if self._in_vain >= PATIENCE else room

    def _fewest(self) -> int:
        now = self._clock()
        if now >= self._until:
            self._others = self._crew.others()
            self._until = now + LISTED
        return int(min([other.held for other in self._others], default=ABSENT))
