"""The access log where a formatter shows the message alone, as Gunicorn's does: fast, and the very same lines."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from monoceros.logs.access import ACCESS_MESSAGE, AccessLog
from monoceros.logs.direct import Surroundings
from monoceros.logs.formatters import shows_message_only
from tests.logs.conftest import Turns, new_logger


@pytest.fixture
def file(tmp_path: Path) -> Iterator[logging.FileHandler]:
    """A handler as Gunicorn makes it."""
    handler = logging.FileHandler(tmp_path / "access.log")
    handler.setFormatter(logging.Formatter("%(message)s", "%Y"))
    yield handler
    handler.close()


@pytest.mark.parametrize("path", ["/items?q=1", "/\x1b", "/\u00e9"])
@pytest.mark.parametrize("status", [200, 404, 599])
def test_a_line_is_the_record_s_message_without_a_record(
    file: logging.FileHandler, turns: Turns, error_logger: logging.Logger, path: str, status: int
) -> None:
    logger = new_logger()
    logger.addHandler(file)
    log = AccessLog(Surroundings(turns.append, logger, error_logger))
    for _ in range(2):
        log.log("127.0.0.1:5000", "GET", path, "1.1", status)
    assert Path(file.baseFilename).read_text() == "", "a record would be there at once"
    turns.run()
    shown = path.encode("ascii", "backslashreplace").decode().replace("\x1b", "\\x1b")
    line = ACCESS_MESSAGE % ("127.0.0.1:5000", "GET", shown, "1.1", status)
    assert Path(file.baseFilename).read_text() == f"{line}\n" * 2
    log.close()


@pytest.mark.parametrize(
    ("formatter", "only"),
    [
        (logging.Formatter(), True),
        (logging.Formatter("%(message)s", "%H"), True),
        (logging.Formatter("%(levelname)s %(message)s"), False),
        (logging.Formatter("{message}", style="{"), False),
        (type("Own", (logging.Formatter,), {})(), False),
    ],
)
def test_only_a_formatter_of_loggings_own_is_known_to_add_nothing(formatter: logging.Formatter, only: bool) -> None:
    assert shows_message_only(formatter) is only
