"""What the tests of the logs share: streams to write to, loggers of their own, and the event loop's part."""

import io
import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterator

import pytest

from monoceros.logs.formatters import ACCESS_FORMAT, AccessFormatter

_numbers = itertools.count()


class Turns(list[Callable[[], None]]):
    """What was put off until the event loop's next turn."""

    def run(self) -> None:
        while self:
            self.pop(0)()


class Said(logging.Handler):
    """Keeps the messages of its logger."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def text_stream(descriptor: int) -> io.TextIOWrapper:
    """A stream of the type of sys.stdout, over a descriptor that stays the caller's."""
    return io.TextIOWrapper(io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False)), encoding="utf-8")


def new_logger() -> logging.Logger:
    """A logger as `LOGGING_CONFIG` leaves ours, under a name nobody else uses, without its handler."""
    logger = logging.getLogger(f"logs-test-{next(_numbers)}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger


def access_logger(descriptor: int, *, use_colors: bool = False) -> logging.Logger:
    """A logger as `LOGGING_CONFIG` leaves "monoceros.access", writing to the descriptor."""
    logger = new_logger()
    handler = logging.StreamHandler(text_stream(descriptor))
    handler.setFormatter(AccessFormatter(ACCESS_FORMAT, use_colors=use_colors))
    logger.addHandler(handler)
    return logger


def handler_of(logger: logging.Logger) -> "logging.StreamHandler[io.TextIOWrapper]":
    """The handler that `access_logger` gave it."""
    handler = logger.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    return handler


def run_within(seconds: float, function: Callable[[], object]) -> bool:
    """Whether the function returns: one that waits for a reader is left behind in its thread."""
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def fill(descriptor: int) -> int:
    """Write until nothing fits; returns the number of bytes. The descriptor is as blocking afterwards as before."""
    count = 0
    os.set_blocking(descriptor, False)
    try:
        while True:
            count += os.write(descriptor, b"." * 4096)
    except BlockingIOError:
        return count
    finally:
        os.set_blocking(descriptor, True)


def drain(descriptor: int) -> bytes:
    """Read what is there, without waiting for more."""
    pieces: list[bytes] = []
    os.set_blocking(descriptor, False)
    try:
        while piece := os.read(descriptor, 65536):
            pieces.append(piece)
    except BlockingIOError:
        pass
    finally:
        os.set_blocking(descriptor, True)
    return b"".join(pieces)


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def error_logger(said: Said) -> logging.Logger:
    logger = new_logger()
    logger.addHandler(said)
    return logger


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for descriptor in ends:
        try:
            os.close(descriptor)
        except OSError:
            continue  # the test closed it to see what happens
