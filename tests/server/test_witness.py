"""Who is told of a server's requests: an access log with a format, and whoever runs the server."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monoceros.config import Config
from monoceros.logs.access import AccessLog
from monoceros.logs.formatted import FormattedLog
from monoceros.protocol.exchange import Exchange
from monoceros.protocol.http1 import HTTP1Connection
from monoceros.protocol.observed import ObservedConnection
from monoceros.server.server import Server
from monoceros.server.witness import Witness, connection_of, observer_of, open_log
from tests.doubles.applications import hello
from tests.doubles.served import Served
from tests.doubles.stage import Stage, staged

NOBODY = Witness()


@pytest.fixture
def access_logger() -> Iterator[logging.Logger]:
    """Ours, put back as it was."""
    logger = logging.getLogger("monoceros.access")
    kept = (logger.handlers, logger.level, logger.propagate)
    yield logger
    for handler in {*logger.handlers} - {*kept[0]}:
        handler.close()
    logger.handlers, level, logger.propagate = kept
    logger.setLevel(level)


@pytest.fixture
def stage() -> Iterator[Stage]:
    yield from staged()


def call_soon(function: Callable[[], None]) -> None:
    """The turn doesn't come."""


def config(**options: Any) -> Config:
    return Config(hello, log_config=None, **options)


def test_the_log_is_of_the_kind_that_the_options_ask_for(access_logger: logging.Logger) -> None:
    assert open_log(config(access_log=False, access_log_format="%(h)s"), call_soon, NOBODY) is None
    assert isinstance(open_log(config(), call_soon, NOBODY), AccessLog)
    assert isinstance(open_log(config(access_log_format="%(h)s"), call_soon, NOBODY), FormattedLog)


def test_if_nobody_wants_to_know_connections_are_plain(stage: Stage, access_logger: logging.Logger) -> None:
    assert observer_of(None, NOBODY) is None
    assert observer_of(open_log(config(), call_soon, NOBODY), NOBODY) is None
    assert type(connection_of(stage.context)) is HTTP1Connection


def test_who_wants_to_know_is_told_after_the_log(stage: Stage, access_logger: logging.Logger) -> None:
    told: list[str] = []
    witness = Witness(
        began=lambda exchange: told.append("began"),
        ended=lambda exchange: told.append("ended"),
        relay=lambda exchange: told.append("line"),
        access_logger=logging.getLogger("a-logger-of-its-own"),
    )
    assert witness.access_logger is not None
    witness.access_logger.setLevel(logging.INFO)
    witness.access_logger.addHandler(logging.NullHandler())
    stage.context.observer = observer_of(open_log(config(access_log_format="%(h)s"), call_soon, witness), witness)
    connection = connection_of(stage.context)
    assert type(connection) is ObservedConnection
    stage.connect().send()
    assert told == ["began"]
    stage.call.answer()
    assert told == ["began", "line", "ended"]


def test_a_beginning_alone_may_be_wanted(stage: Stage) -> None:
    began: list[Exchange] = []
    stage.context.observer = observer_of(None, Witness(began=began.append))
    stage.connect().send()
    stage.call.answer()
    assert len(began) == 1


def test_a_server_logs_in_the_format_and_tells_its_witness(access_logger: logging.Logger, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    access_logger.handlers = []  # pytest may have its own there
    options = {"access_log_file": path, "access_log_format": "%(m)s %(U)s %(s)s %(B)s %({server}o)s", "log_level": 20}
    server = Server(config(port=0, lifespan="off", **options))
    ended: list[Exchange] = []
    server.witness = Witness(ended=ended.append)
    served = Served(server, None)
    served.start()
    try:
        served.get("/there")
        served.ask(b"nonsense\r\n\r\n")
    finally:
        server.drain(hurry=True)
        served.join()
    assert path.read_text().splitlines() == ["GET /there 200 13 monoceros", f"- - 400 {ended[1].octets} monoceros"]
    assert [each.status for each in ended] == [200, 400]
