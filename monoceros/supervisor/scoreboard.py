"""Shared memory in which each worker writes how it is, and the master reads it: no message, no system call.

A page is one anonymous shared mapping of 64 records. It can't grow under the workers that were forked with it, so a
master that needs more records adds a page, which the workers forked afterwards inherit. The rule it keeps: a record has
one writer, and each field is one aligned double, which is written and read whole.
"""

import mmap
from enum import IntEnum

FIELDS = 8  # doubles a record: 64 bytes, a cache line, so that two workers never write to the same one
RECORDS = 64  # records a page: 4096 bytes


class Stage(IntEnum):
    """What a worker is doing, as it says itself."""

    UNUSED = 0
    STARTING = 1
    SERVING = 2
    DRAINING = 3


class Record:
    """One worker's line on the board."""

    def __init__(self, fields: "memoryview[float]") -> None:
        self._fields = fields

    @property
    def stage(self) -> Stage:
        return Stage(int(self._fields[0]))

    @stage.setter
    def stage(self, stage: Stage) -> None:
        self._fields[0] = float(stage)

    @property
    def beat(self) -> float:
        """The last sign of life, in seconds of the monotonic clock, which all processes of a machine share."""
        return self._fields[1]

    @beat.setter
    def beat(self, at: float) -> None:
        self._fields[1] = at

    @property
    def requests(self) -> int:
        """Requests taken so far."""
        return int(self._fields[2])

    @requests.setter
    def requests(self, count: int) -> None:
        self._fields[2] = float(count)

    def clear(self) -> None:
        for index in range(FIELDS):
            self._fields[index] = 0.0


class Scoreboard:
    """All records, and the list of the free ones. Only the master takes and gives back."""

    def __init__(self) -> None:
        self._free: list[Record] = []
        self._add_page()

    def take(self) -> Record:
        """A cleared record for a worker that is about to be forked."""
        if not self._free:
            self._add_page()
        return self._free.pop()

    def give_back(self, record: Record) -> None:
        """Return the record of a worker whose exit has been collected: it can't write any more."""
        record.clear()
        self._free.append(record)

    def _add_page(self) -> None:
        page = memoryview(mmap.mmap(-1, RECORDS * FIELDS * 8)).cast("d")
        records = [Record(page[start : start + FIELDS]) for start in range(0, RECORDS * FIELDS, FIELDS)]
        self._free = records[::-1] + self._free
