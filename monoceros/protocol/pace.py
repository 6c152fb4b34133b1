"""How long a slow peer is waited for: each second costs it one, and octets it moves earn some back.

Knows no clock: it is told of each second. The rule it keeps: neither a trickle of octets nor a burst before a pause
buys more time than a steady peer has; so a connection can't be held with less than the least rate.
"""

LEAST_RATE = 240
"""Octets a second that a peer must move on the average: what a modem of 2400 bit/s carried."""


class Pace:
    """What a peer has left of its time.

    Arguments:
        limit: seconds in which it may move nothing at all; infinite for any number.

    Attributes:
        waited: seconds that it has used up: 0 for one that keeps up with the least rate.
    """

    __slots__ = ("_limit", "waited")

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self.waited = 0.0

    def second_passed(self, octets: int) -> bool:
        """Count a second in which the peer moved so many octets. Return whether its time is up."""
        self.waited = max(0.0, self.waited + 1 - octets / LEAST_RATE)
        return self.waited >= self._limit
