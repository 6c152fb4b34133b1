"""The open connections of a server that may hold only so many: a set that says when it has become smaller.

Knows nothing of what is in it: connections of ours, or of a protocol class of the user's own. The rule it keeps: each
connection that leaves is told at once, for another one waits in the backlog.
"""

from collections.abc import Callable
from typing import Any


class Crowd(set[Any]):
    """The set.

    Arguments:
        left: called after a connection has left.
    """

    def __init__(self, left: Callable[[], None]) -> None:
        super().__init__()
        self._left = left

    def discard(self, element: Any) -> None:
        """Take a connection out, if it is there."""
        super().discard(element)
        self._left()

    def remove(self, element: Any) -> None:
        """Take a connection out.

        Raises:
            KeyError: it isn't there.
        """
        super().remove(element)
        self._left()
