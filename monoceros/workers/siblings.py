"""What the workers of one arbiter know of each other: who starts, who serves, who leaves. No message, no arbiter.

Gunicorn starts a worker only when one is missing, and tells old ones to stop before the new ones are ready. So the
workers see to it themselves, by a page of shared memory that the arbiter makes before its first fork. The rules it
keeps: a seat is taken by the arbiter, before the fork, so that a worker counts as starting before it exists; after that
it is written by its worker alone; whoever dies without a word is found out by its pid and the time of its birth, for
the pid alone may be another's by then.
"""

import fcntl
import mmap
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import Self

SEATS = 512  # of 64 octets, a cache line: far more than the workers of one arbiter
FIELDS = 8  # stage, age, pid, birth, beat, held: one aligned 64-bit integer each, which is written and read whole

VACANCY = 5.0
"""Seconds for which the seat of a dead worker counts as one that is about to be filled. The arbiter forks as soon as it
has collected the exit; if it doesn't, it wants fewer workers."""


FRESH = 3.0
"""Seconds after its last beat in which a worker counts as one that turns: it beats each second."""


class Stage(IntEnum):
    """What a worker is doing."""

    FREE = 0
    STARTING = 1
    SERVING = 2
    LEAVING = 3


def birth_of(pid: int) -> int:
    """Return when a process began, in the kernel's ticks since its own start; 0 where that can't be told.

    Arguments:
        pid: the process; 0 for none.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0  # only Linux has it
    # The second field is the program's name in parentheses, and may have any in it; the 22nd is the time.
    return int(stat.rpartition(b")")[2].split()[19])


class Seat:
    """One worker's place on the page."""

    def __init__(self, fields: "memoryview[int]") -> None:
        self._fields = fields

    @classmethod
    def unseen(cls) -> Self:
        """Return one that isn't on any page: its worker sees the others, and they don't see it."""
        return cls(memoryview(bytearray(FIELDS * 8)).cast("q"))

    @property
    def is_free(self) -> bool:
        return not self._fields[0]

    @property
    def stage(self) -> Stage:
        return Stage(self._fields[0])

    @stage.setter
    def stage(self, stage: Stage) -> None:
        self._fields[0] = int(stage)

    @property
    def age(self) -> int:
        """The arbiter's number of the worker: the greater, the younger."""
        return self._fields[1]

    @property
    def pid(self) -> int:
        """0 between the seat's taking and the fork."""
        return self._fields[2]

    @pid.setter
    def pid(self, pid: int) -> None:
        self._fields[3] = birth_of(pid)
        self._fields[2] = pid

    @property
    def held(self) -> int:
        """Connections that its worker holds, of this moment."""
        return self._fields[5]

    def show(self, held: int) -> None:
        """Tell the siblings how many connections are held."""
        self._fields[5] = held

    def beat(self, now: float) -> None:
        """Tell the siblings that the event loop turns.

        Arguments:
            now: the time in seconds, of the clock that all processes of a machine share.
        """
        self._fields[4] = int(now * 1000)

    def turns(self, now: float) -> bool:
        """Whether its worker serves, and its event loop turns."""
        return self._fields[0] == Stage.SERVING and self._fields[4] >= (now - FRESH) * 1000

    @property
    def is_orphaned(self) -> bool:
        """Its worker is dead, and its exit collected: a zombie still is a process."""
        if not self.pid:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # somebody else's, or ours under another account
        born = birth_of(self.pid)
        return bool(born and self._fields[3]) and born != self._fields[3]

    def settle(self, age: int) -> None:
        """Give the seat to a worker that is about to be forked."""
        self.pid = 0
        self._fields[4] = self._fields[5] = 0
        self._fields[1] = age
        self.stage = Stage.STARTING


class Beside:
    """The siblings of one worker, which accept from the same listeners: the `Crew` of its server.

    Arguments:
        mine: the worker's seat.
        siblings: all seats.
    """

    def __init__(self, mine: Seat, siblings: "Siblings") -> None:
        self._siblings = siblings
        self._mine = mine
        self.show = mine.show

    def others(self) -> list[Seat]:
        """Return the seats of those that serve, and whose event loops turn."""
        return self._siblings.turning(self._mine)


class Siblings:
    """All seats, and the lock that makes one of several leave first.

    Arguments:
        directory: where the lock's file is made, which has no name; None for the system's directory of such files.
        clock: tells the time in seconds.

    Attributes:
        lock: the descriptor that is locked.
    """

    def __init__(self, directory: str | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._page = memoryview(mmap.mmap(-1, SEATS * FIELDS * 8)).cast("q")
        self._seats = [Seat(self._page[start : start + FIELDS]) for start in range(0, SEATS * FIELDS, FIELDS)]
        # Held by the process, not by the descriptor that all of them inherit; the kernel releases it at the exit.
        self.lock, path = tempfile.mkstemp(prefix="monoceros-", dir=directory)
        os.unlink(path)
        # By age, which no other worker of this arbiter's has again.
        self._vacant_since: dict[int, float] = {}

    def take(self, age: int) -> Seat:
        """Return a seat for a worker that is about to be forked. For the arbiter only.

        Arguments:
            age: the arbiter's number of the worker.
        """
        chosen = next((seat for seat in self._seats if seat.is_free), None)
        if chosen is None:
            return Seat.unseen()
        chosen.settle(age)
        # Now that the replacement shows, those whom it replaces needn't.
        for seat in self._seats:
            if not seat.is_free and seat.is_orphaned:
                seat.stage = Stage.FREE
        return chosen

    def younger_is_starting(self, mine: Seat) -> bool:
        """Whether a worker that the arbiter forked later isn't ready yet."""
        return any(
            seat.stage is Stage.STARTING and seat.age > mine.age and not seat.is_orphaned for seat in self._others(mine)
        )

    def turning(self, mine: Seat) -> list[Seat]:
        """Return the seats of the others that serve, and whose event loops turn."""
        now = self._clock()
        return [seat for seat in self._taken() if seat is not mine and seat.turns(now)]

    def leave_in_turn(self, mine: Seat) -> bool:
        """Leave if all the others serve; returns whether it is so. If not, ask again later."""
        try:
            fcntl.lockf(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        try:
            if not all(self._serves(seat) for seat in self._others(mine)):
                return False
            mine.stage = Stage.LEAVING
            return True
        finally:
            fcntl.lockf(self.lock, fcntl.LOCK_UN)

    def _others(self, mine: Seat) -> Iterator[Seat]:
        return (seat for seat in self._taken() if seat is not mine)

    def _taken(self) -> Iterator[Seat]:
        # All stages at once: this is asked a hundred times a second, and nearly all seats are free.
        stages = self._page[::FIELDS].tolist()
        return (seat for seat, stage in zip(self._seats, stages, strict=True) if stage)

    def _serves(self, seat: Seat) -> bool:
        """Whether a seat needn't be waited for: its worker serves, or nobody will take it again."""
        if not seat.is_orphaned:
            return seat.stage is Stage.SERVING
        now = self._clock()
        return now - self._vacant_since.setdefault(seat.age, now) >= VACANCY
