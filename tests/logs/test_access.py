"""The access log: fast where nobody can tell, through `logging` elsewhere, silent where nobody listens."""

import io
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from monoceros.logs.access import ACCESS_MESSAGE, AccessLog
from monoceros.logs.direct import Surroundings
from monoceros.logs.formatters import ACCESS_FORMAT, AccessFormatter
from tests.logs.conftest import Said, Turns, access_logger, drain, fill, handler_of, new_logger, run_within

LINE = b'INFO:     127.0.0.1:5000 - "GET /items?q=1 HTTP/1.1" 200 OK\n'


class Desk(NamedTuple):
    """An access log that writes to a file, and all around it."""

    log: AccessLog
    logger: logging.Logger
    handler: "logging.StreamHandler[io.TextIOWrapper]"
    path: Path
    turns: Turns
    said: Said

    def access(self, path: str = "/items?q=1", status: int = 200) -> None:
        self.log.log("127.0.0.1:5000", "GET", path, "1.1", status)

    def written(self) -> bytes:
        """What came to the file since the last call, at the end of this turn of the loop."""
        self.turns.run()
        content = self.path.read_bytes()
        os.truncate(self.path, 0)
        return content


@pytest.fixture
def open_desk(tmp_path: Path, turns: Turns, error_logger: logging.Logger, said: Said) -> Iterator[Callable[[], Desk]]:
    """Opens a desk. Not one already open: pytest adds handlers to the loggers it finds when a test begins."""
    path = tmp_path / "access.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def opened() -> Desk:
        logger = access_logger(descriptor)
        handler = handler_of(logger)
        return Desk(AccessLog(Surroundings(turns.append, logger, error_logger)), logger, handler, path, turns, said)

    yield opened
    os.close(descriptor)


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


def test_a_line_is_written_at_the_end_of_the_turn_without_a_record(
    open_desk: Callable[[], Desk], records: list[logging.LogRecord]
) -> None:
    desk = open_desk()
    desk.access()
    assert desk.path.read_bytes() == b""
    assert desk.written() == LINE
    assert records == []


def test_the_lines_of_one_turn_are_one_write(open_desk: Callable[[], Desk]) -> None:
    desk = open_desk()
    for _ in range(3):
        desk.access()
    assert len(desk.turns) == 1
    assert desk.written() == LINE * 3
    desk.access()
    assert len(desk.turns) == 1
    assert desk.written() == LINE


def test_a_fast_line_is_one_python_call(open_desk: Callable[[], Desk]) -> None:
    desk = open_desk()
    desk.access()
    calls: list[str] = []
    line = desk.log.log
    sys.setprofile(lambda frame, event, arg: calls.append(frame.f_code.co_name) if event == "call" else None)
    line("127.0.0.1:5000", "GET", "/", "1.1", 200)
    line("127.0.0.1:5000", "GET", "/", "1.1", 200)
    sys.setprofile(None)
    assert calls == ["log", "log"]


def test_the_log_itself_may_be_called(open_desk: Callable[[], Desk]) -> None:
    desk = open_desk()
    desk.log("127.0.0.1:5000", "GET", "/items?q=1", "1.1", 200)
    assert desk.written() == LINE


@pytest.mark.parametrize("use_colors", [True, False])
def test_fast_lines_look_as_the_formatter_shows_them(use_colors: bool, turns: Turns, pipe: tuple[int, int]) -> None:
    formatter = AccessFormatter(ACCESS_FORMAT, use_colors=use_colors)
    log = AccessLog(Surroundings(turns.append, access_logger(pipe[1], use_colors=use_colors), new_logger()))
    paths = ["/", "/a?b=%20c", "/\x1b[31m\r\n", "/é\x9b\u202e", '/"\\']
    accesses = [("127.0.0.1:1", "GET", path, "1.1", status) for path in paths for status in (101, 200, 302, 404, 500)]
    accesses += [("", "PRI", "*", "2", 999), ("[::1]:1\n", "M\x00", "/", "1.0\x7f", 42), ("x", "y", "z", "3", 299)]
    for access in [*accesses, *accesses]:
        log.log(*access)
        record = logging.LogRecord("monoceros.access", logging.INFO, "", 0, ACCESS_MESSAGE, access, None)
        turns.run()
        assert drain(pipe[0]).decode("ascii") == formatter.format(record) + "\n"


def test_any_number_of_statuses_is_logged_right(open_desk: Callable[[], Desk]) -> None:
    desk = open_desk()
    for status in (*range(100, 1000), *range(100, 1000)):
        desk.access(status=status)
    numbers = [int(line.split(b'" ')[1][:3]) for line in desk.written().splitlines()]
    assert numbers == [*range(100, 1000)] * 2


class TeeingHandler(logging.StreamHandler[io.TextIOWrapper]):
    pass


def _change_formatter(fmt: str, datefmt: str | None = None) -> Callable[[Desk], None]:
    return lambda desk: desk.handler.setFormatter(AccessFormatter(fmt, datefmt))


def _add_kin(desk: Desk) -> None:
    stream = desk.handler.stream
    desk.logger.handlers = [TeeingHandler(stream)]


def _override_emit(desk: Desk) -> None:
    vars(desk.handler)["emit"] = lambda record: logging.StreamHandler.emit(desk.handler, record)


TOUCHES: dict[str, Callable[[Desk], object]] = {
    "a filter on the logger": lambda desk: desk.logger.addFilter(lambda record: True),
    "a filter on the handler": lambda desk: desk.handler.addFilter(lambda record: True),
    "a second handler": lambda desk: desk.logger.addHandler(Said()),
    "a handler of another class": _add_kin,
    "an overridden method": _override_emit,
    "a handler's level": lambda desk: desk.handler.setLevel(logging.WARNING),
    "a terminator": lambda desk: setattr(desk.handler, "terminator", "\r\n"),
    "a format": _change_formatter("%(message)s"),
    "a date format": _change_formatter(ACCESS_FORMAT, "%H"),
    "a foreign formatter": lambda desk: desk.handler.setFormatter(logging.Formatter("> %(message)s")),
    "no formatter": lambda desk: desk.handler.setFormatter(None),
    "propagation": lambda desk: setattr(desk.logger, "propagate", True),
    "a stream without a descriptor": lambda desk: setattr(desk.handler, "stream", io.StringIO()),
}

SILENCES: dict[str, Callable[[Desk], object]] = {
    "the logger's level": lambda desk: desk.logger.setLevel(logging.WARNING),
    "a disabled logger": lambda desk: setattr(desk.logger, "disabled", True),
    "logging disabled": lambda desk: logging.disable(logging.INFO),
    "no handler": lambda desk: desk.logger.handlers.clear(),
}


def _restore(desk: Desk) -> None:
    """Everything back to what `access_logger` made of it."""
    logging.disable(logging.NOTSET)
    desk.logger.setLevel(logging.INFO)
    desk.logger.propagate = desk.logger.disabled = False
    desk.logger.filters.clear()
    desk.logger.handlers = [desk.handler]
    desk.handler.filters.clear()
    desk.handler.setLevel(logging.NOTSET)
    desk.handler.terminator = "\n"
    desk.handler.setFormatter(AccessFormatter(ACCESS_FORMAT, use_colors=False))
    vars(desk.handler).pop("emit", None)


@pytest.mark.parametrize("touch", TOUCHES)
def test_once_touched_it_goes_through_logging_until_put_back(
    touch: str, open_desk: Callable[[], Desk], records: list[logging.LogRecord]
) -> None:
    desk = open_desk()
    stream = desk.handler.stream
    desk.access()
    TOUCHES[touch](desk)
    desk.log.review()
    assert desk.written() == LINE
    assert records == []
    desk.access("/\x1b")
    assert [record.args for record in records] == [("127.0.0.1:5000", "GET", "/\\x1b", "1.1", 200)]
    assert records[0].getMessage() == '127.0.0.1:5000 - "GET /\\x1b HTTP/1.1" 200'
    desk.written()
    desk.handler.stream = stream
    _restore(desk)
    desk.log.review()
    desk.access()
    assert desk.written() == LINE
    assert len(records) == 1


@pytest.mark.parametrize("silence", SILENCES)
def test_it_is_silent_while_nobody_listens(
    silence: str, open_desk: Callable[[], Desk], records: list[logging.LogRecord]
) -> None:
    desk = open_desk()
    SILENCES[silence](desk)
    desk.log.review()
    desk.access()
    assert desk.turns == []
    assert desk.written() == b""
    _restore(desk)
    desk.log.review()
    desk.access()
    assert desk.written() == LINE
    assert records == []


def test_a_stream_that_does_more_than_encode_is_written_through(tmp_path: Path, turns: Turns) -> None:
    class Copying(io.TextIOWrapper):
        pass

    path = tmp_path / "access.log"
    opened: list[io.TextIOWrapper] = [
        Copying(io.BufferedWriter(io.FileIO(path, "a"))),
        io.TextIOWrapper(io.BufferedRandom(io.FileIO(path, "w+"))),
        io.TextIOWrapper(io.BufferedWriter(io.FileIO(path, "a")), encoding="utf-16"),
    ]
    for stream in opened:
        logger = access_logger(stream.fileno())
        handler = handler_of(logger)
        handler.stream = stream
        log = AccessLog(Surroundings(turns.append, logger, new_logger()))
        log.log("", "GET", "/", "1.1", 200)
        assert turns == []
        stream.close()
        log.review()


def test_an_unbuffered_stream_is_fast_as_well(turns: Turns, pipe: tuple[int, int]) -> None:
    logger = access_logger(pipe[1])
    handler = handler_of(logger)
    handler.stream = io.TextIOWrapper(io.FileIO(pipe[1], "w", closefd=False), write_through=True)  # as python -u has
    AccessLog(Surroundings(turns.append, logger, new_logger())).log("", "GET", "/", "1.1", 200)
    assert len(turns) == 1


def test_what_was_printed_before_the_start_comes_before(turns: Turns, pipe: tuple[int, int]) -> None:
    logger = access_logger(pipe[1])
    handler = handler_of(logger)
    handler.stream.write("printed\n")
    AccessLog(Surroundings(turns.append, logger, new_logger()))
    assert drain(pipe[0]) == b"printed\n"


def test_a_descriptor_that_was_replaced_is_noticed(open_desk: Callable[[], Desk], turns: Turns, tmp_path: Path) -> None:
    desk = open_desk()
    desk.access()
    moved = os.open(tmp_path / "moved.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    reader, pipe_end = os.pipe()
    os.dup2(pipe_end, desk.handler.stream.fileno())
    desk.log.review()  # from here on it is a pipe, to be written without waiting
    fill(pipe_end)
    desk.access()
    assert run_within(20.0, turns.run)
    os.dup2(moved, desk.handler.stream.fileno())
    desk.log.review()
    desk.access()
    turns.run()
    assert (tmp_path / "moved.log").read_bytes() == LINE
    assert desk.said.messages[0].startswith("Access log: 1 lines dropped")
    for descriptor in (moved, reader, pipe_end):
        os.close(descriptor)


def test_dropped_lines_are_reported_once_when_the_pipe_takes_data_again(
    pipe: tuple[int, int], turns: Turns, error_logger: logging.Logger, said: Said
) -> None:
    log = AccessLog(Surroundings(turns.append, access_logger(pipe[1]), error_logger))
    fill(pipe[1])
    for _ in range(7):
        log.log("", "GET", "/", "1.1", 200)
    assert run_within(20.0, turns.run)
    log.review()
    assert said.messages == []
    drain(pipe[0])
    log.review()
    log.review()
    assert said.messages == [f"Access log: 7 lines dropped, because descriptor {pipe[1]} took no data."]


def test_dropped_lines_are_reported_at_the_close_at_the_latest(
    pipe: tuple[int, int], turns: Turns, error_logger: logging.Logger, said: Said
) -> None:
    log = AccessLog(Surroundings(turns.append, access_logger(pipe[1]), error_logger))
    fill(pipe[1])
    log.log("", "GET", "/", "1.1", 200)
    assert run_within(20.0, log.close)
    assert said.messages == [f"Access log: 1 lines dropped, because descriptor {pipe[1]} took no data."]


def test_a_reader_that_left_ends_the_log_and_is_said_once(
    pipe: tuple[int, int], turns: Turns, error_logger: logging.Logger, said: Said, records: list[logging.LogRecord]
) -> None:
    log = AccessLog(Surroundings(turns.append, access_logger(pipe[1]), error_logger))
    os.close(pipe[0])
    for _ in range(3):
        log.log("", "GET", "/", "1.1", 200)
        turns.run()
        log.review()
    log.close()
    log.log("", "GET", "/", "1.1", 200)
    assert said.messages == [f"Access log ended: can't write to descriptor {pipe[1]}: Broken pipe."]
    assert len(records) == 1


def test_a_descriptor_that_was_closed_ends_the_log_and_is_said_once(
    pipe: tuple[int, int], turns: Turns, error_logger: logging.Logger, said: Said
) -> None:
    log = AccessLog(Surroundings(turns.append, access_logger(pipe[1]), error_logger))
    os.close(pipe[1])
    log.log("", "GET", "/", "1.1", 200)
    turns.run()
    log.log("", "GET", "/", "1.1", 200)
    turns.run()
    assert said.messages == [f"Access log ended: can't write to descriptor {pipe[1]}: Bad file descriptor."]


def test_closing_writes_what_is_left_and_later_lines_go_through_logging(
    open_desk: Callable[[], Desk], records: list[logging.LogRecord]
) -> None:
    desk = open_desk()
    desk.access()
    desk.log.close()
    assert desk.path.read_bytes() == LINE
    desk.access()
    desk.log.review()
    desk.log.close()
    assert desk.path.read_bytes() == LINE * 2
    assert len(records) == 1


def test_a_terminal_gets_its_lines(turns: Turns) -> None:
    master, terminal = pty.openpty()
    log = AccessLog(Surroundings(turns.append, access_logger(terminal, use_colors=True), new_logger()))
    log.log("", "GET", "/\x1b[2J", "1.1", 200)
    log.close()
    shown = b""
    while not shown.endswith(b"\n"):
        shown += os.read(master, 1)
    assert shown == b'\x1b[32mINFO\x1b[0m:      - "\x1b[1mGET /\\x1b[2J HTTP/1.1\x1b[0m" \x1b[32m200 OK\x1b[0m\r\n'
    os.close(master)
    os.close(terminal)


def test_a_level_renamed_to_letters_beyond_ascii_does_not_stop_the_loop(open_desk: Callable[[], Desk]) -> None:
    desk = open_desk()
    logging.addLevelName(logging.INFO, "ZAŻÓŁĆ")
    try:
        desk.log.review()
        desk.access()
        assert desk.written().startswith(b"ZA\\u017b\\xd3\\u0141\\u0106:   127.0.0.1")
    finally:
        logging.addLevelName(logging.INFO, "INFO")


SCRIPT = """
import sys
from monoceros.logs.access import open_access_log
from monoceros.logs.setup import LOGGING_CONFIG, configure

configure(LOGGING_CONFIG)
turns = []
log = open_access_log(turns.append)
log.log("127.0.0.1:5000", "GET", "/items?q=1", "1.1", 200)
turns.pop()()
log.close()
"""


def test_a_process_configured_by_default_has_a_fast_log_on_standard_output() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True, timeout=20)
    assert done.stdout == LINE
    assert done.stderr == b""


def test_the_access_log_knows_no_event_loop() -> None:
    check = "import sys, monoceros.logs.access; sys.exit('asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], timeout=20, check=False).returncode == 0
