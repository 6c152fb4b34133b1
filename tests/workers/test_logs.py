"""Our loggers under Gunicorn's logger."""

import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config as GunicornConfig
from gunicorn.glogging import Logger
from gunicorn.instrument.statsd import Statsd

from monoceros.workers.logs import (
    access_options,
    counter_of,
    error_log,
    log_like_gunicorn,
    logs_plainly,
    owner_of_accesses,
)

NAMES = ("monoceros.error", "monoceros.asgi", "monoceros.access", "gunicorn.error", "gunicorn.access")


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Each test begins and ends with loggers as they were."""
    found = [logging.getLogger(name) for name in NAMES]
    kept = [(logger.handlers, logger.level, logger.propagate) for logger in found]
    for logger in found:
        logger.handlers, logger.propagate = [], True
    yield
    for logger, (handlers, level, propagate) in zip(found, kept, strict=True):
        for handler in {*logger.handlers} - {*handlers}:
            handler.close()
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def gunicorns(**settings: Any) -> Logger:
    cfg = GunicornConfig()
    for name, value in settings.items():
        cfg.set(name, value)
    return Logger(cfg)


def test_errors_and_accesses_go_to_gunicorns_files_in_its_levels(tmp_path: Path) -> None:
    error, access = tmp_path / "error.log", tmp_path / "access.log"
    assert log_like_gunicorn(gunicorns(errorlog=str(error), accesslog=str(access), loglevel="warning"))
    logging.getLogger("monoceros.error").info("not this")
    logging.getLogger("monoceros.error").warning("but this")
    logging.getLogger("monoceros.access").info('%s - "%s %s HTTP/%s" %d', "127.0.0.1:5", "GET", "/", "1.1", 200)
    assert error.read_text().endswith("[WARNING] but this\n")
    assert error.read_text().count("\n") == 1
    assert access.read_text() == '127.0.0.1:5 - "GET / HTTP/1.1" 200\n'


def test_without_an_access_log_of_gunicorns_there_is_none() -> None:
    assert not log_like_gunicorn(gunicorns())
    assert not logging.getLogger("monoceros.access").propagate


def test_a_logger_that_only_quacks_is_replaced_by_gunicorns_names() -> None:
    assert error_log(SimpleNamespace()) is logging.getLogger("gunicorn.error")
    handler = logging.NullHandler()
    logging.getLogger("gunicorn.access").addHandler(handler)
    assert log_like_gunicorn(SimpleNamespace())
    assert logging.getLogger("monoceros.access").handlers == [handler]


def test_lines_propagate_where_gunicorns_only_do_that() -> None:
    theirs = logging.getLogger("gunicorn.error")
    theirs.propagate = True
    log_like_gunicorn(SimpleNamespace())
    assert logging.getLogger("monoceros.error").propagate
    theirs.addHandler(logging.NullHandler())
    log_like_gunicorn(SimpleNamespace())
    assert not logging.getLogger("monoceros.error").propagate


class OwnDate(Logger):  # type: ignore[misc]
    def now(self) -> str:
        """A date of the user's."""
        return "today"


def options(log: Any, *given: dict[str, Any]) -> dict[str, Any]:
    others, overrides = [*given, {}, {}][:2]
    return access_options(log, log.cfg, others, overrides)


def test_the_access_log_is_gunicorns_and_its_lines_are_the_incumbents_until_a_format_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])  # the tests' own, to which some Gunicorns propagate
    monkeypatch.setattr(logging.getLogger("gunicorn.access"), "handlers", [])  # those of a former test's
    assert options(gunicorns()) == {"access_log": False}
    assert options(gunicorns(accesslog="-")) == {"access_log": True}
    given = gunicorns(accesslog="-", access_log_format="%(m)s %(U)s")
    assert options(given) == {"access_log": True, "access_log_format": "%(m)s %(U)s"}


def test_a_format_is_what_was_said_last_by_who_counts_most() -> None:
    """CONFIG_KWARGS, then a setting that was given, then the environment."""
    default, given = gunicorns(), gunicorns(access_log_format="%(h)s")
    written = {"access_log_format": "json", "access_log": False}
    assert options(default, written) == written
    assert options(given, written)["access_log_format"] == "%(h)s"
    assert (
        options(given, written | {"access_log_format": None}, {"access_log_format": None})["access_log_format"] is None
    )


def test_a_logger_with_a_hand_in_accesses_has_the_access_log_for_itself() -> None:
    cfg = gunicorns(accesslog="-", access_log_format="%(own)s").cfg
    log = OwnDate(cfg)
    assert not logs_plainly(log)
    assert owner_of_accesses(log) == f"{__name__}.OwnDate"
    assert owner_of_accesses(gunicorns()) is None
    assert options(log, {"access_log": True}) == {"access_log": False, "access_log_format": None}


def test_only_what_makes_access_lines_decides_whether_they_are_plain() -> None:
    class OtherErrors(Logger):  # type: ignore[misc]
        def error(self, *args: object, **kwargs: object) -> None:
            """No concern of the access log's."""

    assert logs_plainly(gunicorns())
    assert logs_plainly(OtherErrors(GunicornConfig()))
    assert logs_plainly(SimpleNamespace())
    assert not logs_plainly(SimpleNamespace(access=print))


class UnsentStatsd(Statsd):  # type: ignore[misc]
    """Sends nothing: it keeps the names of its metrics."""

    def __init__(self, cfg: Any) -> None:
        Logger.__init__(self, cfg)
        self.prefix = ""
        self.names: list[str] = []

    def _sock_send(self, msg: str) -> None:
        self.names.append(msg.partition(":")[0])


class OldStatsd(Logger):  # type: ignore[misc]
    """As up to Gunicorn 23: without timers."""

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)
        self.told: list[tuple[str, float]] = []

    def histogram(self, name: str, value: float) -> None:
        self.told.append((name, value))

    def increment(self, name: str, value: float) -> None:
        self.told.append((name, value))


OldStatsd.__module__ = "gunicorn.instrument.statsd"


def test_a_class_of_gunicorns_own_has_no_hand_of_a_users_in_it() -> None:
    cfg = gunicorns(accesslog="-", access_log_format="json").cfg
    assert logs_plainly(UnsentStatsd(cfg))
    assert options(UnsentStatsd(cfg)) == {"access_log": True, "access_log_format": "json"}
    overrides = {"access_log_format": "%(m)s"}
    assert options(UnsentStatsd(cfg), {}, overrides)["access_log_format"] == "%(m)s"


def test_only_a_statsd_logger_that_is_plain_needs_a_request_counted() -> None:
    class OwnAccess(UnsentStatsd):
        def access(self, *args: object) -> None:
            """Counts for itself."""

    class OwnIncrement(Logger):  # type: ignore[misc]
        def increment(self, *args: object) -> None:
            """No metric of Gunicorn's."""

    for log in (gunicorns(), SimpleNamespace(), OwnAccess(GunicornConfig()), OwnIncrement(GunicornConfig())):
        assert counter_of(log) is None
    log = UnsentStatsd(GunicornConfig())
    count = counter_of(log)
    assert count is not None
    count(200, 1.5)
    assert log.names == ["gunicorn.request.duration", "gunicorn.requests", "gunicorn.request.status.200"]


def test_a_duration_is_a_histogram_where_gunicorn_has_no_timers() -> None:
    log = OldStatsd(GunicornConfig())
    count = counter_of(log)
    assert count is not None
    count(200, 1.5)
    assert log.told[0] == ("gunicorn.request.duration", 1500)
