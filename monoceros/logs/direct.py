"""Lines that go straight to the stream of a logger, for a fraction of a LogRecord's price.

Knows a logger, text and a descriptor. May not know asyncio: the server hands it the loop's `call_soon` and calls
`review` at each tick. The rules it keeps: a line goes straight only where `logging` would write the very same; once
somebody touches the logger, its handler or its formatter, lines go through `logging`; no reader of the log makes the
server wait.

    fast     one handler that only writes, with a formatter whose look is known: collect, one write per turn of the loop
    relayed  anything else that logs at INFO
    silent   the logger isn't enabled for INFO or has no handler; or the stream of the fast way is gone
"""

import contextlib
import io
import logging
import os
import select
from collections.abc import Callable, Hashable
from typing import NamedTuple

from monoceros.logs.writer import LineWriter

_PLAIN_HANDLERS = frozenset({logging.StreamHandler, logging.FileHandler})  # what is derived from them may do more

_OVERRIDABLE = frozenset({"emit", "filter", "format", "handle"})


class _Shape(NamedTuple):
    """All that fast lines depend on. Equal shapes: nothing changed since the last review."""

    look: Hashable
    stream: io.TextIOWrapper
    descriptor: int
    file: tuple[int, int]  # device and inode: a log that is reopened (logs/reopen.py) keeps its descriptor


class Surroundings(NamedTuple):
    """What a log is given by its server.

    Attributes:
        call_soon: runs a function in the next turn of the event loop.
        access_logger: where accesses are logged.
        error_logger: where it is said that lines were dropped or can't be written.
    """

    call_soon: Callable[[Callable[[], None]], object]
    access_logger: logging.Logger
    error_logger: logging.Logger


class DirectLog:
    """Collects lines and writes them. Not thread-safe: all calls belong on the event loop's thread.

    Arguments:
        surroundings: the loop and the loggers.
    """

    __slots__ = (
        "_access_logger",
        "_call_soon",
        "_closed",
        "_error_logger",
        "_lines",
        "_relayed",
        "_shape",
        "_writer",
    )

    def __init__(self, surroundings: Surroundings) -> None:
        self._call_soon, self._access_logger, self._error_logger = surroundings
        self._lines: list[str] = []
        self._shape: _Shape | None = None
        self._writer: LineWriter | None = None
        self._relayed = False
        self._closed = False
        self.review()

    def review(self) -> None:
        """Look at the logger again, and say how many lines were dropped. The server calls it once a second."""
        if self._closed:
            return
        shape = self._shape_of(self._access_logger)
        self.flush()
        if shape != self._shape:
            self._end_writing()
            self._begin_writing(shape)
        elif self._writer is not None and self._writer.takes_data():
            self._report_dropped(self._writer)
        self._relayed = (
            shape is None and self._access_logger.isEnabledFor(logging.INFO) and self._access_logger.hasHandlers()
        )

    def flush(self) -> None:
        """Write the collected lines now. Never raises for what the descriptor says: it ends the log instead."""
        writer, shape = self._writer, self._shape
        if writer is None or shape is None:
            return
        try:
            closed = shape.stream.closed
        except ValueError:  # detached
            closed = True
        if closed:
            # A file's handler was closed, as `dictConfig` does it: the number may be a client's connection by now.
            self._lose_stream(writer)
            return
        data = "".join(self._lines).encode("ascii", "backslashreplace")
        self._lines.clear()
        try:
            writer.write(data)
        except OSError as exc:
            self._give_up(exc)

    def close(self) -> None:
        """Write what is left and say what was dropped. A request that ends after this goes through `logging`."""
        self.flush()
        self._relayed = self._relayed or self._writer is not None
        self._closed = True
        self._end_writing()

    def _look_of(self, formatter: logging.Formatter) -> Hashable | None:
        """All that a line's look depends on, or None if only the formatter itself can make lines."""
        raise NotImplementedError

    def _begin_writing(self, shape: _Shape | None) -> None:
        self._shape = shape
        if shape is None:
            return
        with contextlib.suppress(OSError, ValueError):
            shape.stream.flush()  # what was printed before comes before
        try:
            self._writer = LineWriter(shape.descriptor)
        except OSError as exc:
            self._give_up(exc)

    def _end_writing(self) -> None:
        self._lines.clear()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            self._report_dropped(writer)

    def _lose_stream(self, writer: LineWriter) -> None:
        writer.dropped += len(self._lines)
        self._end_writing()
        self.review()

    def _report_dropped(self, writer: LineWriter) -> None:
        if writer.dropped:
            count, writer.dropped = writer.dropped, 0
            self._error_logger.warning("Access log: %d lines dropped, because %s took no data.", count, self._place())

    def _give_up(self, exc: OSError) -> None:
        self._end_writing()
        self._error_logger.error("Access log ended: can't write to %s: %s.", self._place(), exc.strerror or exc)

    def _place(self) -> str:
        if self._shape is None:
            return "its stream"
        with contextlib.suppress(ValueError):  # detached
            if isinstance(self._shape.stream.name, str):
                return self._shape.stream.name
        return f"descriptor {self._shape.descriptor}"

    def _shape_of(self, logger: logging.Logger) -> _Shape | None:
        """What fast lines depend on, or None as soon as anything may do more than write them."""
        if (
            type(logger) is not logging.Logger
            or not logger.isEnabledFor(logging.INFO)
            or logger.propagate
            or logger.filters
            or len(logger.handlers) != 1
        ):
            return None
        handler = logger.handlers[0]
        if (
            not isinstance(handler, logging.StreamHandler)
            or type(handler) not in _PLAIN_HANDLERS
            or handler.level > logging.INFO
            or handler.filters
            or handler.terminator != "\n"
            or not _OVERRIDABLE.isdisjoint(vars(handler))
        ):
            return None
        look = None if handler.formatter is None else self._look_of(handler.formatter)
        if look is None:
            return None
        descriptor = _descriptor_of(handler.stream)
        return None if descriptor is None else _Shape(look, handler.stream, *descriptor)


def _descriptor_of(stream: object) -> tuple[int, tuple[int, int]] | None:
    """The descriptor that a text stream ends in and the file behind it, if the stream only encodes what it is given.

    Streams that compress, copy or capture have a descriptor as well, and are left alone.
    """
    if type(stream) is not io.TextIOWrapper or not hasattr(select, "poll"):
        return None
    try:
        binary = stream.buffer
        raw = binary.raw if type(binary) is io.BufferedWriter else binary
        if type(raw) is not io.FileIO or "A".encode(stream.encoding) != b"A":
            return None
        status = os.fstat(stream.fileno())
        return stream.fileno(), (status.st_dev, status.st_ino)
    except (OSError, ValueError):  # closed or detached
        return None
