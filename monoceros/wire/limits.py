"""How large a request may be. What is over a limit is refused as soon as that is known, and never held."""

from typing import NamedTuple

SMALL_HEAD = 400
"""Octets up to which no head can be over a limit of the default size."""


class RequestLimits(NamedTuple):
    """How large the parts of a request may be.

    Attributes:
        line: octets of the request line (414).
        fields: number of field lines (431).
        field_size: octets of one field line (431).
        head: octets of the whole head (431); of all chunk extensions and trailer fields of a body, too (400).
        body: octets of the content (413), or None for any number.
    """

    line: int = 8190
    fields: int = 100
    field_size: int = 32768
    head: int = 65536
    body: int | None = None

    def allows_small(self) -> bool:
        """Tell whether a head of SMALL_HEAD octets is within all limits, however it is made."""
        shortest = len(b"a:\r\n")
        return min(self.line, self.field_size, self.head, self.fields * shortest) >= SMALL_HEAD
