"""The access log in a format of the user's: fast on handlers that only write, through `logging` elsewhere."""

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monoceros.errors import UsageError
from monoceros.logs.atoms import compile_format
from monoceros.logs.direct import Surroundings
from monoceros.logs.formatted import FormattedLog, LineFormatter, open_formatted_log, show_lines_alone
from monoceros.logs.formatters import ACCESS_FORMAT, AccessFormatter
from monoceros.logs.setup import LOGGING_CONFIG, configure
from monoceros.logs.told import Told
from tests.doubles.told import FakeTold
from tests.logs.conftest import Said, Turns, drain, handler_of, new_logger, text_stream

TEXT = '%(h)s "%(r)s" %(s)s'
LINE = b'127.0.0.1 "GET /items/a%20b?q=1 HTTP/1.1" 200\n'


def plain_logger(descriptor: int, formatter: logging.Formatter | None = None) -> logging.Logger:
    """A logger as Gunicorn's access logger is, writing to the descriptor."""
    logger = new_logger()
    handler = logging.StreamHandler(text_stream(descriptor))
    handler.setFormatter(formatter or logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    return logger


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


@pytest.mark.parametrize("formatter", [LineFormatter(), logging.Formatter("%(message)s")], ids=["ours", "plain"])
def test_lines_of_a_turn_are_written_at_its_end_without_a_record(
    pipe: tuple[int, int], turns: Turns, records: list[logging.LogRecord], formatter: logging.Formatter
) -> None:
    log = FormattedLog(Surroundings(turns.append, plain_logger(pipe[1], formatter), new_logger()), compile_format(TEXT))
    log.log(FakeTold())
    log.log(FakeTold())
    assert len(turns) == 1
    assert drain(pipe[0]) == b""
    turns.run()
    assert drain(pipe[0]) == LINE * 2
    assert records == []


@pytest.mark.parametrize(
    "formatter",
    [
        logging.Formatter("%(asctime)s %(message)s"),
        logging.Formatter("{message}", style="{"),
        AccessFormatter(ACCESS_FORMAT),
        type("Own", (logging.Formatter,), {})("%(message)s"),
    ],
    ids=["another format", "another style", "the default look", "another class"],
)
def test_a_formatter_that_shows_more_than_the_line_gets_a_record(
    pipe: tuple[int, int], turns: Turns, records: list[logging.LogRecord], formatter: logging.Formatter
) -> None:
    log = FormattedLog(Surroundings(turns.append, plain_logger(pipe[1], formatter), new_logger()), compile_format(TEXT))
    log.log(FakeTold())
    assert turns == []
    assert [record.getMessage() for record in records] == [LINE.decode().rstrip()]
    assert LINE.rstrip() in drain(pipe[0])


def test_what_is_not_fast_goes_where_it_is_wanted(turns: Turns, said: Said, records: list[logging.LogRecord]) -> None:
    logger = new_logger()
    logger.addHandler(said)
    relayed: list[Told] = []
    log = FormattedLog(Surroundings(turns.append, logger, new_logger()), compile_format(TEXT), relayed.append)
    told = FakeTold()
    log.log(told)
    assert relayed == [told]
    assert records == []


def test_nothing_is_made_for_nobody(turns: Turns) -> None:
    log = FormattedLog(Surroundings(turns.append, new_logger(), new_logger()), compile_format(TEXT))
    told = FakeTold()
    log.log(told)
    assert not told.asked


def test_once_touched_it_goes_through_logging_until_put_back(
    pipe: tuple[int, int], turns: Turns, said: Said, records: list[logging.LogRecord]
) -> None:
    logger = plain_logger(pipe[1])
    log = FormattedLog(Surroundings(turns.append, logger, new_logger()), compile_format(TEXT))
    logger.addHandler(said)
    log.review()
    log.log(FakeTold())
    assert len(records) == 1
    logger.removeHandler(said)
    log.review()
    log.log(FakeTold())
    log.close()
    assert len(records) == 1
    assert drain(pipe[0]) == LINE * 2


def test_a_format_that_can_not_be_compiled_opens_no_log(turns: Turns) -> None:
    with pytest.raises(UsageError, match="no atom"):
        open_formatted_log(turns.append, "%(z)s")


def test_a_lines_formatter_keeps_any_record_on_one_line() -> None:
    record = logging.LogRecord("a", logging.INFO, "", 0, "%s\n\x1b[2Jé", ("x",), None)
    assert LineFormatter().format(record) == "x\\x0a\\x1b[2Jé"
    record.exc_text = "Traceback\n\x1b[2J"
    assert LineFormatter().format(record).splitlines() == ["x\\x0a\\x1b[2Jé", "Traceback", "\\x1b[2J"]


def test_only_the_default_look_gives_way_to_a_format() -> None:
    own, colourless = logging.Formatter("%(message)s!"), AccessFormatter("%(message)s")
    logger = new_logger()
    for formatter in (own, colourless, AccessFormatter(ACCESS_FORMAT), None):
        handler = logging.StreamHandler(io.StringIO())
        handler.setFormatter(formatter)
        logger.addHandler(handler)
    show_lines_alone(logger)
    kinds = [handler.formatter for handler in logger.handlers]
    assert kinds[:2] == [own, colourless]
    assert all(isinstance(kind, LineFormatter) for kind in kinds[2:])


SCRIPT = """
import sys
from monoceros.logs.formatted import open_formatted_log
from monoceros.logs.setup import LOGGING_CONFIG, configure
from tests.doubles.told import FakeTold

configure(LOGGING_CONFIG, access_log_format=sys.argv[1], access_log_file=sys.argv[2] or None)
turns = []
log = open_formatted_log(turns.append, sys.argv[1])
log.log(FakeTold())
turns.pop()()
log.close()
"""


@pytest.mark.parametrize("to_file", [False, True], ids=["standard output", "file"])
def test_a_process_configured_with_a_format_has_a_fast_log(tmp_path: Path, to_file: bool) -> None:
    path = tmp_path / "access.log"
    for text in (TEXT, "json"):
        arguments = [sys.executable, "-c", SCRIPT, text, str(path) if to_file else ""]
        done = subprocess.run(arguments, capture_output=True, check=True, timeout=20)
        assert done.stderr == b""
        written = path.read_bytes() if to_file else done.stdout
        path.unlink(missing_ok=True)
        if text == TEXT:
            assert written == LINE
        else:
            assert json.loads(written)["status"] == 200


def test_a_configuration_with_a_malformed_format_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"access_log_format .*%\(z\)s"):
        configure(LOGGING_CONFIG, access_log_format="%(z)s", access_log_file=tmp_path / "access.log")
    assert os.listdir(tmp_path) == []


def test_the_handler_of_a_format_writes_to_its_stream_alone(pipe: tuple[int, int], turns: Turns) -> None:
    """What an application logs there goes the same way, in order."""
    logger = plain_logger(pipe[1], LineFormatter())
    log = FormattedLog(Surroundings(turns.append, logger, new_logger()), compile_format(TEXT))
    log.log(FakeTold())
    turns.run()
    logger.info("said by the application")
    handler_of(logger).flush()
    assert drain(pipe[0]) == LINE + b"said by the application\n"
