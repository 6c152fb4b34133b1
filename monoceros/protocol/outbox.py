"""What waits for the end of a turn of the loop; above all frames: what a session sends in one turn leaves in one write.

Knows bytes, and who writes them. The rule it keeps: what is held is written in order, at the latest when the turn ends.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

HIGH_WATER = 65536
"""Octets above which frames are written at once."""

LARGE = 16384
"""Octets from which a frame isn't held: to join it with others would cost more than it spares."""


class Held(Protocol):
    """What holds octets to the end of a turn."""

    def flush(self) -> None:
        """Write what is held."""


class Turn:
    """The present turn of a loop, and the outboxes that have something when it ends. One per server.

    Arguments:
        loop: the event loop.
    """

    __slots__ = ("_loop", "_outboxes")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._outboxes: list[Held] = []

    def ends_with(self, outbox: Held) -> None:
        """Flush an outbox at the end of the turn."""
        # One callback serves all connections: each is a trip through the loop.
        if not self._outboxes:
            self._loop.call_soon(self._ended)
        self._outboxes.append(outbox)

    def _ended(self) -> None:
        outboxes, self._outboxes = self._outboxes, []
        for outbox in outboxes:
            outbox.flush()


class Outbox:
    """The frames of one session.

    Arguments:
        turn: of the loop on which the session lives.
        write: writes frames to the transport; it doesn't raise.

    Attributes:
        frames: those that are held; to be looked at only.
    """

    __slots__ = ("_octets", "_turn", "_write", "frames")

    def __init__(self, turn: Turn, write: Callable[[bytes], None]) -> None:
        self._turn = turn
        self._write = write
        self._octets = 0
        self.frames: list[bytes] = []

    def hold(self, frame: bytes) -> None:
        """Write a frame at the end of the turn, or at once if that is too much to hold."""
        if len(frame) >= LARGE:
            self.flush()
            self._write(frame)
            return
        if not self.frames:
            self._turn.ends_with(self)
        self.frames.append(frame)
        self._octets += len(frame)
        if self._octets > HIGH_WATER:
            self.flush()

    def flush(self, last: bytes = b"") -> None:
        """Write what is held, and `last` behind it."""
        if last:
            self.frames.append(last)
        if self.frames:
            held, self.frames = self.frames, []
            self._octets = 0
            self._write(held[0] if len(held) == 1 else b"".join(held))

    def close(self) -> None:
        """Write nothing any more, nor what is held: there is nobody left to read it."""
        self.frames.clear()
        self._octets = 0
        self._write = _drop


def _drop(frames: bytes) -> None:
    pass
