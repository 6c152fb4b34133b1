"""Logging configured from a dict, from files of every kind, and refused with a reason."""

import configparser
import copy
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn.config

from monoceros.errors import UsageError
from monoceros.logs.access import ACCESS_MESSAGE
from monoceros.logs.formatters import AccessFormatter, ColourizedFormatter, DefaultFormatter
from monoceros.logs.setup import LOG_LEVELS, LOGGING_CONFIG, configure

NAMES = ("monoceros", "monoceros.error", "monoceros.access", "monoceros.asgi")

INI = """
[loggers]
keys = root, error
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
handlers =
[logger_error]
qualname = monoceros.error
level = ERROR
propagate = 0
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain
[formatter_plain]
class = monoceros.logging.DefaultFormatter
format = %(levelprefix)s %(message)s
"""

MAPPING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"default": {"()": "monoceros.logging.DefaultFormatter", "fmt": "%(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "default"}},
    "loggers": {"monoceros.error": {"level": "ERROR", "handlers": ["console"]}},
}

TOML = """
version = 1
disable_existing_loggers = false
formatters.default = {"()" = "monoceros.logging.DefaultFormatter", fmt = "%(message)s"}
handlers.console = {class = "logging.StreamHandler", formatter = "default"}
loggers."monoceros.error" = {level = "ERROR", handlers = ["console"]}
"""

YAML = """
version: 1
disable_existing_loggers: false
formatters: {default: {"()": monoceros.logging.DefaultFormatter, fmt: "%(message)s"}}
handlers: {console: {class: logging.StreamHandler, formatter: default}}
loggers: {monoceros.error: {level: ERROR, handlers: [console]}}
"""


@pytest.fixture(autouse=True)
def fresh_loggers() -> Iterator[None]:
    """The server's loggers as a new process has them, and the process's own put back afterwards."""
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in NAMES)]
    saved = [(logger, logger.level, logger.handlers[:], logger.propagate, logger.disabled) for logger in loggers]
    for logger in loggers[1:]:
        logger.handlers, logger.propagate, logger.disabled = [], True, False
        logger.setLevel(logging.NOTSET)
    yield
    for logger, level, handlers, propagate, disabled in saved:
        logger.handlers, logger.propagate, logger.disabled = handlers, propagate, disabled
        logger.setLevel(level)


def formatter_of(name: str) -> logging.Formatter:
    formatter = logging.getLogger(name).handlers[0].formatter
    assert formatter is not None
    return formatter


def test_the_default_config_is_the_incumbents_with_our_names() -> None:
    theirs = json.dumps(uvicorn.config.LOGGING_CONFIG).replace("uvicorn", "monoceros")
    assert json.loads(theirs) == LOGGING_CONFIG
    assert uvicorn.config.LOG_LEVELS == LOG_LEVELS


def test_the_default_config_sets_up_every_logger_of_the_server() -> None:
    configure(LOGGING_CONFIG)
    assert type(formatter_of("monoceros")) is DefaultFormatter
    access = formatter_of("monoceros.access")
    assert isinstance(access, AccessFormatter)
    assert access.has_default_look()
    assert not logging.getLogger("monoceros.access").propagate
    for name in ("monoceros.error", "monoceros.asgi"):
        assert logging.getLogger(name).isEnabledFor(logging.INFO)
        assert logging.getLogger(name).hasHandlers()


def test_without_a_config_logging_is_left_alone() -> None:
    before = {name: dict(vars(logging.getLogger(name))) for name in NAMES}
    configure(None)
    assert {name: dict(vars(logging.getLogger(name))) for name in NAMES} == before
    assert logging.getLevelName(5) == "TRACE"


@pytest.mark.parametrize("use_colors", [True, False, None])
def test_colours_are_set_without_touching_the_callers_dict(use_colors: bool | None) -> None:
    config = copy.deepcopy(LOGGING_CONFIG)
    configure(config, use_colors=use_colors)
    assert config == LOGGING_CONFIG
    for name in ("monoceros", "monoceros.access"):
        formatter = formatter_of(name)
        assert isinstance(formatter, ColourizedFormatter)
        assert formatter.use_colors is bool(use_colors)  # standard output is no terminal here


class Passing(DefaultFormatter):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)


class Foreign(logging.Formatter):
    def __init__(self, **kwargs: Any) -> None:
        assert not kwargs
        super().__init__()


@pytest.mark.parametrize(
    "entry",
    [
        {"format": "%(message)s"},
        {"()": Foreign},
        {"()": f"{__name__}.Foreign"},
        {"()": f"ext://{__name__}.Foreign"},
        {"()": "logging.Formatter", "fmt": "%(message)s"},
    ],
)
def test_colours_are_not_forced_on_formatters_that_have_none(entry: dict[str, Any]) -> None:
    config = {**MAPPING, "formatters": {"default": entry}}
    configure(config, use_colors=True)
    assert not isinstance(formatter_of("monoceros.error"), ColourizedFormatter)


@pytest.mark.parametrize("factory", [Passing, f"{__name__}.Passing", f"ext://{__name__}.Passing"])
def test_colours_reach_a_subclass(factory: object) -> None:
    configure({**MAPPING, "formatters": {"default": {"()": factory}}}, use_colors=True)
    formatter = formatter_of("monoceros.error")
    assert isinstance(formatter, Passing)
    assert formatter.use_colors


def test_colours_need_no_formatters() -> None:
    configure({"version": 1, "disable_existing_loggers": False}, use_colors=True)
    configure({"version": 1, "disable_existing_loggers": False, "formatters": {}}, use_colors=True)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.json", json.dumps(MAPPING)),
        ("log.JSON", json.dumps(MAPPING)),
        ("log.toml", TOML),
        ("log.yaml", YAML),
        ("log.yml", YAML),
        ("log.ini", INI),
        ("logging.conf", INI),
    ],
)
def test_a_file_of_each_kind_is_applied(name: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content)
    for log_config in (path, str(path)):
        logging.getLogger("monoceros.error").handlers = []
        configure(log_config, use_colors=True)
        assert logging.getLogger("monoceros.error").level == logging.ERROR
        formatter = formatter_of("monoceros.error")
        assert isinstance(formatter, DefaultFormatter)
        assert formatter.use_colors is (content is not INI)


def test_an_ini_configuration_may_be_a_parser_or_an_open_file() -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(INI)
    for log_config in (parser, io.StringIO(INI)):
        logging.getLogger("monoceros.error").handlers = []
        configure(log_config)
        assert isinstance(formatter_of("monoceros.error"), DefaultFormatter)


def test_an_ini_file_disables_no_logger_of_the_application(tmp_path: Path) -> None:
    application = logging.getLogger("logs-test-application")
    (tmp_path / "log.ini").write_text(INI)
    configure(tmp_path / "log.ini")
    assert not application.disabled


@pytest.mark.parametrize(
    ("name", "content", "wrong"),
    [
        ("log.json", "{", "isn't valid JSON: Expecting property name"),
        ("log.json", "[1]", "holds a list, not a mapping"),
        ("log.toml", "a =", "isn't valid TOML: Invalid value"),
        ("log.yaml", "a: [", "isn't valid YAML: expected the node content, but found '<stream end>', in line 1"),
        ("log.yml", "", "holds a NoneType, not a mapping"),
        ("log.ini", "no section", "isn't valid ini: no section begins before line 1"),
        ("log.ini", "", "can't be applied: 'formatters' is missing"),
        ("log.ini", INI.replace("sys.stderr", "no_such"), "can't be applied: name 'no_such' is not defined"),
        ("log.json", "{}", "can't be applied: dictionary doesn't specify a version"),
        ("log.json", json.dumps({**MAPPING, "handlers": {"console": {"class": "no.Such"}}}), "No module named 'no'"),
        ("log.json", json.dumps({**MAPPING, "formatters": {"default": {"()": "no.Such"}}}), "No module named 'no'"),
        ("log.json", "\udcff", "isn't UTF-8 text"),
    ],
)
@pytest.mark.parametrize("use_colors", [None, True])
def test_a_file_that_cannot_be_used_is_named_with_what_is_wrong(
    name: str, content: str, wrong: str, use_colors: bool | None, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError) as caught:
        configure(path, use_colors=use_colors)
    message = str(caught.value)
    assert message.startswith(f"log_config: {path} ")
    assert wrong in message
    assert "Accepted are" in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["missing.ini", "missing.json", "."])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"log_config: .* can't be read: (No such file|Is a directory)"):
        configure(str(tmp_path / name))


def test_a_wrong_mapping_or_parser_is_refused() -> None:
    with pytest.raises(UsageError, match="log_config: the mapping can't be applied: Unsupported version"):
        configure({"version": 2})
    with pytest.raises(UsageError, match="log_config: the ini configuration can't be applied"):
        configure(configparser.ConfigParser())
    with pytest.raises(UsageError, match="log_config: 7 is neither a dict nor a file"):
        configure(7)  # type: ignore[arg-type]


def test_yaml_without_pyyaml_names_the_extra(tmp_path: Path) -> None:
    path = tmp_path / "log.yaml"
    path.write_text(YAML)
    script = (
        "import sys; sys.modules['yaml'] = None\n"
        "from monoceros.errors import UsageError\n"
        "from monoceros.logs.setup import configure\n"
        "try: configure(sys.argv[1])\n"
        "except UsageError as exc: print(exc)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, check=True, timeout=20)
    assert b"monoceros[yaml]" in done.stdout


@pytest.mark.parametrize(("given", "level"), [("trace", 5), ("WARNING", 30), ("Info", 20), (15, 15), (0, 0)])
def test_a_level_by_name_or_number_is_set_on_the_servers_loggers(given: str | int, level: int) -> None:
    configure(LOGGING_CONFIG, log_level=given)
    for name in ("monoceros.error", "monoceros.access", "monoceros.asgi"):
        assert logging.getLogger(name).level == level
    assert logging.getLogger("monoceros").level == logging.INFO


def test_an_unknown_level_is_refused_before_anything_changes() -> None:
    with pytest.raises(UsageError, match="log_level: 'loud' isn't one of critical, error, warning, info, debug, trace"):
        configure(LOGGING_CONFIG, log_level="loud")
    assert logging.getLogger("monoceros").handlers == []


def test_without_an_access_log_the_access_logger_has_nowhere_to_go() -> None:
    configure(LOGGING_CONFIG, access_log=False)
    assert not logging.getLogger("monoceros.access").hasHandlers()
    assert logging.getLogger("monoceros.error").hasHandlers()
    configure(None, access_log=False)
    assert not logging.getLogger("monoceros.access").propagate


def test_handlers_may_hold_what_cannot_be_copied() -> None:
    stream = io.TextIOWrapper(io.BytesIO())
    handler = {"class": "logging.StreamHandler", "formatter": "default", "stream": stream}
    configure({**MAPPING, "handlers": {"console": handler}}, use_colors=True)
    first = logging.getLogger("monoceros.error").handlers[0]
    assert isinstance(first, logging.StreamHandler)
    assert first.stream is stream


@pytest.fixture
def access_file(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "access.log"
    for handler in logging.getLogger("monoceros.access").handlers:
        handler.close()


def log_access() -> None:
    logging.getLogger("monoceros.access").info(ACCESS_MESSAGE, "1.2.3.4:5", "GET", "/", "1.1", 404)


def test_the_access_log_is_appended_to_a_file_and_goes_nowhere_else(
    access_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    access_file.write_text("before\n")
    configure(LOGGING_CONFIG, use_colors=True, access_log_file=access_file)
    log_access()
    assert access_file.read_text() == 'before\nINFO:     1.2.3.4:5 - "GET / HTTP/1.1" 404 Not Found\n'
    assert capsys.readouterr() == ("", "")
    assert type(logging.getLogger("monoceros.access").handlers[0]) is logging.FileHandler


def test_a_file_keeps_the_format_of_the_handler_it_takes_the_place_of(access_file: Path) -> None:
    config = copy.deepcopy(LOGGING_CONFIG)
    config["formatters"]["access"]["fmt"] = "%(status_code)s %(client_addr)s"
    config["loggers"]["monoceros"]["handlers"] = ["access"]
    configure(config, use_colors=True, access_log_file=str(access_file))
    log_access()
    assert access_file.read_text() == "404 Not Found 1.2.3.4:5\n"
    shared = formatter_of("monoceros")
    assert isinstance(shared, AccessFormatter)
    assert shared.use_colors
    config["formatters"]["access"] = {"format": "plain %(message)s"}
    configure(config, access_log_file=access_file)
    log_access()
    assert access_file.read_text().splitlines()[1:] == ['plain 1.2.3.4:5 - "GET / HTTP/1.1" 404']


@pytest.mark.parametrize("config", [None, {"version": 1}, {"version": 1, "root": {"level": "ERROR"}}, MAPPING])
def test_a_config_that_says_nothing_of_accesses_is_enough_for_the_file(
    config: dict[str, Any] | None, access_file: Path
) -> None:
    configure(config, access_log_file=access_file)
    assert not logging.getLogger("monoceros.access").propagate
    log_access()
    assert access_file.read_text() == 'INFO:     1.2.3.4:5 - "GET / HTTP/1.1" 404 Not Found\n'


def test_a_level_that_somebody_chose_holds_for_the_file(access_file: Path) -> None:
    configure(LOGGING_CONFIG, log_level="warning", access_log_file=access_file)
    log_access()
    configure({"version": 1, "loggers": {"monoceros.access": {"level": "ERROR"}}}, access_log_file=access_file)
    log_access()
    assert access_file.read_text() == ""


def test_configured_again_the_former_file_is_closed(access_file: Path, tmp_path: Path) -> None:
    configure(None, access_log_file=tmp_path / "former.log")
    (former,) = logging.getLogger("monoceros.access").handlers
    assert isinstance(former, logging.FileHandler)
    configure(None, access_log_file=access_file)
    assert former.stream is None
    log_access()
    assert (tmp_path / "former.log").read_text() == ""
    assert access_file.read_text().count("\n") == 1


def test_a_handler_of_the_users_stays_open_for_other_loggers(access_file: Path, tmp_path: Path) -> None:
    config = copy.deepcopy(LOGGING_CONFIG)
    config["handlers"]["access"] = {"class": "logging.FileHandler", "filename": str(tmp_path / "app.log"), "mode": "w"}
    config["loggers"]["monoceros"]["handlers"] = ["access"]
    configure(config, access_log_file=access_file)
    logging.getLogger("monoceros.error").info("still written")
    assert (tmp_path / "app.log").read_text() == "still written\n"
    logging.getLogger("monoceros").handlers[0].close()


@pytest.mark.parametrize(
    ("name", "reason"), [("no/such", "No such file"), (".", "Is a directory"), ("\0", "embedded null")]
)
def test_a_file_for_accesses_that_cannot_be_opened_is_named(name: str, reason: str, tmp_path: Path) -> None:
    path = os.path.join(tmp_path, name)
    with pytest.raises(UsageError) as caught:
        configure(LOGGING_CONFIG, access_log_file=path)
    assert f"access_log_file (--access-log-file): {path!r} can't be opened: {reason}" in str(caught.value)
    configure(LOGGING_CONFIG, access_log=False, access_log_file=path)
