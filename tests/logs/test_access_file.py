"""The access log on a file: as fast as on standard output, rotated under the server, and on a disk that is full."""

import io
import logging
import logging.handlers
import os
import pty
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from monoceros.logs.access import AccessLog
from monoceros.logs.direct import Surroundings
from monoceros.logs.formatters import ACCESS_FORMAT, AccessFormatter
from monoceros.logs.reopen import reopen_log_files
from tests.logs.conftest import Said, Turns, new_logger

LINE = 'INFO:     127.0.0.1:5000 - "GET / HTTP/1.1" 200 OK\n'


class Desk:
    """An access log that `logging.FileHandler` gives its file, and all around it."""

    def __init__(self, handler: logging.FileHandler, turns: Turns, error_logger: logging.Logger) -> None:
        handler.setFormatter(AccessFormatter(ACCESS_FORMAT, use_colors=False))
        self.handler = handler
        self.path = Path(handler.baseFilename)
        self.turns = turns
        self.logger = new_logger()
        self.logger.handlers = [handler]
        self.log = AccessLog(Surroundings(turns.append, self.logger, error_logger))

    def access(self, count: int = 1) -> None:
        for _ in range(count):
            self.log.log("127.0.0.1:5000", "GET", "/", "1.1", 200)

    def is_fast(self) -> bool:
        """Whether a line waits for the end of the turn."""
        self.access()
        waits = bool(self.turns)
        self.turns.run()
        return waits


OpenDesk: TypeAlias = Callable[..., Desk]


@pytest.fixture
def open_desk(tmp_path: Path, turns: Turns, error_logger: logging.Logger) -> Iterator[OpenDesk]:
    """Opens desks. Not one already open: pytest adds handlers to the loggers it finds when a test begins."""
    desks: list[Desk] = []

    def opened(handler: logging.FileHandler | None = None) -> Desk:
        desks.append(Desk(handler or logging.FileHandler(tmp_path / "access.log"), turns, error_logger))
        return desks[-1]

    yield opened
    for desk in desks:
        desk.log.close()
        desk.logger.handlers.clear()
        desk.handler.close()


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """Every record that `logging` makes."""
    made: list[logging.LogRecord] = []
    factory = logging.getLogRecordFactory()

    def keep(*args: object, **kwargs: object) -> logging.LogRecord:
        made.append(factory(*args, **kwargs))
        return made[-1]

    logging.setLogRecordFactory(keep)
    yield made
    logging.setLogRecordFactory(factory)


def stream_of(desk: Desk) -> io.TextIOWrapper:
    assert desk.handler.stream is not None
    return desk.handler.stream


def test_a_line_on_file_makes_no_record(open_desk: OpenDesk, records: list[logging.LogRecord]) -> None:
    desk = open_desk()
    desk.access(3)
    assert len(desk.turns) == 1
    desk.turns.run()
    assert records == []
    assert desk.path.read_text() == LINE * 3


def test_a_class_derived_from_the_file_handler_gets_its_records(tmp_path: Path, open_desk: OpenDesk) -> None:
    for kind in (logging.handlers.WatchedFileHandler, logging.handlers.RotatingFileHandler):
        path = tmp_path / kind.__name__
        assert not open_desk(kind(path)).is_fast()
        assert path.read_text() == LINE


def test_a_file_that_is_opened_late_is_fast_from_the_next_review_on(tmp_path: Path, open_desk: OpenDesk) -> None:
    desk = open_desk(logging.FileHandler(tmp_path / "access.log", delay=True))
    assert not desk.is_fast()
    desk.log.review()
    assert desk.is_fast()
    assert desk.path.read_text() == LINE * 2


def test_a_rotation_between_two_lines_loses_and_tears_none(open_desk: OpenDesk) -> None:
    desk = open_desk()
    desk.access(2)
    desk.turns.run()
    former = desk.path.rename(desk.path.with_suffix(".1"))
    desk.access()
    desk.turns.run()
    desk.access()
    assert str(desk.path) in reopen_log_files()
    desk.turns.run()
    desk.access()
    desk.log.review()
    desk.access()
    desk.turns.run()
    assert former.read_text() == LINE * 3
    assert desk.path.read_text() == LINE * 3
    assert desk.is_fast()


def test_a_closed_handlers_descriptor_is_not_written_to_for_it_may_be_a_clients(
    open_desk: OpenDesk, said: Said
) -> None:
    desk = open_desk()
    descriptor = stream_of(desk).fileno()
    here, there = socket.socketpair()
    desk.access(2)
    desk.handler.close()  # as `logging.config.dictConfig` does with all there are
    os.dup2(here.fileno(), descriptor)
    try:
        desk.turns.run()
        desk.access()
        there.setblocking(False)
        with pytest.raises(BlockingIOError):
            there.recv(1)
    finally:
        os.close(descriptor)
        here.close()
        there.close()
    assert desk.path.read_text() == LINE
    assert said.messages == [f"Access log: 2 lines dropped, because {desk.path} took no data."]
    desk.log.review()
    assert desk.is_fast()


def test_a_stream_that_was_detached_is_no_error_of_the_loop(
    open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    desk = open_desk()
    desk.access()
    descriptor = stream_of(desk).fileno()
    binary = stream_of(desk).detach()
    desk.turns.run()
    desk.access()
    assert desk.turns == []
    assert said.messages == [f"Access log: 1 lines dropped, because descriptor {descriptor} took no data."]
    desk.handler.stream = io.TextIOWrapper(binary)


def test_a_full_disk_drops_lines_and_says_how_many_once_there_is_room(
    tmp_path: Path, open_desk: OpenDesk, said: Said
) -> None:
    path = tmp_path / "access.log"
    path.symlink_to("/dev/full")
    desk = open_desk(logging.FileHandler(path))
    for _ in range(3):
        assert desk.is_fast()
        desk.log.review()
    assert said.messages == []
    path.unlink()
    reopen_log_files()
    assert desk.is_fast()
    desk.log.review()
    assert said.messages == [f"Access log: 3 lines dropped, because {path} took no data."]
    assert path.read_text() == LINE


SCRIPT = """
import sys
from monoceros.logs.access import open_access_log
from monoceros.logs.reopen import reopen_log_files
from monoceros.logs.setup import LOGGING_CONFIG, configure

configure(LOGGING_CONFIG, use_colors=eval(sys.argv[2]), access_log_file=sys.argv[1])
turns = []
log = open_access_log(turns.append)
log.log("127.0.0.1:5000", "GET", "/", "1.1", 200)
turns.pop()()
assert not turns
print(reopen_log_files())
"""


@pytest.mark.parametrize("use_colors", [None, True])
def test_the_option_makes_it_fast_and_colourless_though_standard_output_is_a_terminal(
    use_colors: bool | None, tmp_path: Path
) -> None:
    path = tmp_path / "access.log"
    master, terminal = pty.openpty()
    command = [sys.executable, "-c", SCRIPT, str(path), str(use_colors)]
    done = subprocess.run(command, stdout=terminal, stderr=subprocess.PIPE, check=True, timeout=20)
    os.close(terminal)
    assert os.read(master, 4096).decode() == f"['{path}']\r\n"
    os.close(master)
    assert done.stderr == b""
    assert path.read_text() == LINE


LOGS_ON = """
import copy, logging, os, sys
from monoceros.logs.access import open_access_log
from monoceros.logs.setup import LOGGING_CONFIG, configure

config = copy.deepcopy(LOGGING_CONFIG)
if sys.argv[1] == "full file":
    config["handlers"]["default"] = {"class": "logging.FileHandler", "filename": "/dev/full", "formatter": "default"}
configure(config, access_log_file="/dev/full")
if sys.argv[1] == "full":
    os.dup2(os.open("/dev/full", os.O_WRONLY), 2)
elif sys.argv[1] == "broken pipe":
    reader, writer = os.pipe()
    os.dup2(writer, 2)
    os.close(writer)
    os.close(reader)
elif sys.argv[1] == "closed":
    os.close(2)
turns = []
access_log, log = open_access_log(turns.append), logging.getLogger("monoceros.error")
for number in range(2000):
    log.info("line %d", number)
    access_log.log("", "GET", "/", "1.1", 200)
    turns.pop()()
try:
    {}["key"]
except KeyError:
    log.exception("traceback")
access_log.review()
logging.getLogger("monoceros.access").info("no access")
access_log.close()
print("serves")
"""


@pytest.mark.parametrize("standard_error", ["full", "full file", "broken pipe", "closed", "closed at the start"])
def test_no_log_that_takes_nothing_ends_the_process(standard_error: str) -> None:
    """The standard library prints why a line can't be written: to standard error, which may be the one that can't."""
    shell = ["sh", "-c", 'exec "$@" 2>&-', "sh"] if standard_error == "closed at the start" else []
    command = [*shell, sys.executable, "-c", LOGS_ON, standard_error]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=True)
    assert done.stdout == b"serves\n"
