"""Shared memory in which each worker writes how it is, and the master reads it: no message, no system call.

A page is a mapping of a file without a name, of 64 records. It can't grow under the workers that were forked with it,
so a master that needs more records adds a page, which the workers forked afterwards inherit; a master that executes
anew maps the same files again. The rule it keeps: a record has one writer, and each field is one aligned double, which
is written and read whole.
"""

import mmap
import os
import time
from collections.abc import Iterable, Sequence
from enum import IntEnum

from monoceros.service.anonymous import anonymous_file

FIELDS = 8  # doubles a record: 64 bytes, a cache line, so that two workers never write to the same one
RECORDS = 64  # records a page: 4096 bytes

FRESH = 3.0
"""Seconds after its last beat in which a worker counts as one that turns: it beats each second."""


class Stage(IntEnum):
    """What a worker is doing, as it says itself."""

    UNUSED = 0
    STARTING = 1
    SERVING = 2
    DRAINING = 3


class _Number:
    """A field of a record, as a descriptor of its class."""

    def __init__(self, index: int) -> None:
        self._index = index

    def __get__(self, record: "Record", _: object) -> float:
        return record.fields[self._index]

    def __set__(self, record: "Record", value: float) -> None:
        record.fields[self._index] = float(value)


class Record:
    """One worker's line on the board.

    Arguments:
        number: which one it is.
        fields: its part of the page.
        board: all records that there are so far.

    Attributes:
        beat: the last sign of life, in seconds of the monotonic clock, which all processes of a machine share.
        requests: requests taken so far.
        connections: connections that are open.
        in_flight: requests and WebSockets that are being served.
        lag: seconds that the event loop's last tick came late.
        rss: the memory it holds, in octets.
        held: connections that it has taken and not lost, as `show` was told: of this moment, for its siblings.
    """

    def __init__(self, number: int, fields: "memoryview[float]", board: "Sequence[Record]" = ()) -> None:
        self.number = number
        self.fields = fields
        self._board = board

    @property
    def stage(self) -> Stage:
        return Stage(int(self.fields[0]))

    @stage.setter
    def stage(self, stage: Stage) -> None:
        self.fields[0] = float(stage)

    beat = _Number(1)
    requests = _Number(2)
    connections = _Number(3)
    in_flight = _Number(4)
    lag = _Number(5)
    rss = _Number(6)
    held = _Number(7)

    def show(self, held: int) -> None:
        """Tell the siblings how many connections are held."""
        self.fields[7] = held

    def others(self) -> "list[Record]":
        """Return the records of the siblings that serve, and whose event loops turn. They have the same listeners."""
        since = time.monotonic() - FRESH
        return [
            record
            for record in self._board
            if record.fields[0] == Stage.SERVING and record.fields[1] >= since and record is not self
        ]

    def clear(self) -> None:
        """Forget the worker."""
        for index in range(FIELDS):
            self.fields[index] = 0.0


class Scoreboard:
    """All records, and the list of the free ones. Only the master takes and gives back.

    Arguments:
        pages: descriptors of the pages of a former self, in their order.
    """

    def __init__(self, pages: Iterable[int] = ()) -> None:
        self.pages: list[int] = []
        self._records: list[Record] = []
        self._free: list[Record] = []
        for page in pages or (_new_page(),):
            self._map(page)

    def take(self) -> Record:
        """A cleared record for a worker that is about to be forked."""
        if not self._free:
            self._map(_new_page())
        return self._free.pop()

    def retake(self, number: int) -> Record:
        """The record of a worker that a former self forked."""
        record = self._records[number]
        self._free.remove(record)
        return record

    def give_back(self, record: Record) -> None:
        """Return the record of a worker whose exit has been collected: it can't write any more."""
        record.clear()
        self._free.append(record)

    def close(self) -> None:
        """Let go of the files; what is mapped stays so."""
        for page in self.pages:
            os.close(page)
        self.pages.clear()

    def _map(self, descriptor: int) -> None:
        page = memoryview(mmap.mmap(descriptor, RECORDS * FIELDS * 8)).cast("d")
        first = len(self._records)
        records = [
            Record(first + index, page[index * FIELDS : (index + 1) * FIELDS], self._records)
            for index in range(RECORDS)
        ]
        self.pages.append(descriptor)
        self._records += records
        self._free = records[::-1] + self._free


def _new_page() -> int:
    """Make a file of a page's size that has no name, and return its descriptor."""
    descriptor = anonymous_file()
    os.ftruncate(descriptor, RECORDS * FIELDS * 8)
    return descriptor
