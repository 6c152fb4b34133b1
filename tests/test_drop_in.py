"""The drop-in promise, held against the incumbent itself: the same names, the same order, the same defaults."""

import asyncio
import contextlib
import inspect
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import uvicorn
import uvicorn.config

import monoceros
import monoceros.config
from monoceros.options.option import Place
from monoceros.options.sources import FLAGS, gather
from monoceros.options.table import KEYWORDS, NAMES
from tests.options.restored import restored_logging as restored_logging

# Defaults that differ on purpose; docs/settings.md says how to have the incumbent's.
OURS = {"timeout_graceful_shutdown": 30, "log_config": monoceros.config.LOGGING_CONFIG}

# What its command line shows as a default, where the value comes from elsewhere in ours.
SHOWN_DIFFERENTLY = {"log_config"}

# Command lines as its users write them.
LINES = """
main:app
main:app --reload
main:app --host 0.0.0.0 --port 80
main:app --port 0
main:app --port=8001 --log-level debug
main:app --uds /tmp/uvicorn.sock
main:app --fd 0
--factory main:create_app
main:create_app --factory --reload
main:app --reload --reload-dir . --reload-dir ./
main:app --reload --reload-include '*.html' --reload-include 'static/*.css'
main:app --reload --reload-exclude 'dir1' --reload-exclude '*.tmp' --reload-delay 0.5
main:app --workers 4
main:app --workers 4 --limit-max-requests 1000 --limit-max-requests-jitter 100
main:app --loop uvloop --http httptools
main:app --loop asyncio --http h11 --ws websockets
main:app --loop none
main:app --loop my_module:make_loop
main:app --http my_module:MyProtocol --ws none
main:app --ws wsproto --ws-max-size 1048576 --ws-max-queue 64
main:app --ws websockets-sansio --ws-ping-interval 5.5 --ws-ping-timeout 10
main:app --ws-per-message-deflate false
main:app --ws-per-message-deflate True
main:app --lifespan on
main:app --lifespan off --interface asgi3
wsgi:app --interface wsgi
main:app --env-file present.env
main:app --log-config present.ini --log-level trace
main:app --access-log --use-colors
main:app --no-access-log --no-use-colors
main:app --proxy-headers --forwarded-allow-ips '*'
main:app --forwarded-allow-ips '10.0.0.0/8,127.0.0.1,unix:' --root-path /api
main:app --server-header --date-header
main:app --no-proxy-headers --no-server-header --no-date-header
main:app --header X-Frame-Options:DENY --header 'Strict-Transport-Security: max-age=31536000; includeSubDomains'
main:app --limit-concurrency 1000 --backlog 4096
main:app --timeout-keep-alive 65 --timeout-graceful-shutdown 60 --timeout-worker-healthcheck 15
main:app --ssl-keyfile key.pem --ssl-certfile cert.pem
main:app --ssl-keyfile key.pem --ssl-certfile cert.pem --ssl-keyfile-password secret --ssl-version 17
main:app --ssl-cert-reqs 2 --ssl-ca-certs ca.pem --ssl-ciphers TLSv1.2
main:app --app-dir ./src
main:app --h11-max-incomplete-event-size 131072
main:app --reset-contextvars
""".strip().splitlines()

THEIR_FLAGS = {
    flag: parameter
    for parameter in uvicorn.main.params
    for flag in (*parameter.opts, *parameter.secondary_opts)
    if isinstance(parameter, click.Option)
}


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


# Python.


def test_config_takes_the_same_arguments_in_the_same_order() -> None:
    theirs, ours = parameters(uvicorn.Config), parameters(monoceros.Config)
    assert list(ours)[: len(theirs)] == list(theirs)
    assert all(ours[name].kind is theirs[name].kind for name in theirs)


def test_what_config_takes_beyond_that_is_given_by_name_and_has_a_default() -> None:
    added = [each for name, each in parameters(monoceros.Config).items() if name not in parameters(uvicorn.Config)]
    assert added
    assert all(each.kind is inspect.Parameter.KEYWORD_ONLY for each in added)
    assert all(each.default is not inspect.Parameter.empty for each in added)


@pytest.mark.parametrize("function", ["Config", "run"])
def test_the_defaults_are_the_same_but_for_those_that_are_documented(function: str) -> None:
    theirs, ours = parameters(getattr(uvicorn, function)), parameters(getattr(monoceros, function))
    assert set(theirs) <= set(ours)
    for name, parameter in theirs.items():
        assert ours[name].default == OURS.get(name, parameter.default), name


def test_a_default_that_differs_is_documented() -> None:
    assert KEYWORDS["timeout_graceful_shutdown"].difference


def test_run_takes_options_by_name_only() -> None:
    positional = [name for name, each in parameters(monoceros.run).items() if each.kind is not each.KEYWORD_ONLY]
    assert positional == ["app"]


def test_the_package_has_the_same_names() -> None:
    for name in uvicorn.__all__:
        assert hasattr(monoceros, name)


@pytest.mark.parametrize("name", ["LOGGING_CONFIG", "LOG_LEVELS", "STARTUP_FAILURE", "SSL_PROTOCOL_VERSION"])
def test_the_config_module_has_the_names_that_programs_import(name: str) -> None:
    assert isinstance(getattr(uvicorn.config, name), type(getattr(monoceros.config, name)))


def test_the_logging_configuration_has_the_same_shape() -> None:
    """Programs change it in place."""
    ours, theirs = monoceros.config.LOGGING_CONFIG, uvicorn.config.LOGGING_CONFIG
    assert ours.keys() == theirs.keys()
    assert ours["formatters"].keys() == theirs["formatters"].keys()
    assert ours["handlers"].keys() == theirs["handlers"].keys()
    assert [name.replace("monoceros", "uvicorn") for name in ours["loggers"]] == list(theirs["loggers"])


def test_a_config_has_the_same_attributes_and_methods() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        """An application."""

    ours = monoceros.Config(application, log_config=None)
    theirs = uvicorn.Config(application, log_config=None)
    for config in (ours, theirs):
        config.load()
    missing = {name for name in dir(theirs) if not name.startswith("_")} - set(dir(ours))
    # The class of the lifespan is an inner part; the other is a stub that only says it was removed.
    assert missing == {"lifespan_class", "setup_event_loop"}


@pytest.mark.parametrize("name", sorted(set(parameters(uvicorn.Config)) - {"app", "env_file"}))
def test_a_config_holds_the_same_values_if_nothing_is_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS"):
        monkeypatch.delenv(variable, raising=False)
    ours, theirs = monoceros.Config("main:app"), uvicorn.Config("main:app")
    assert getattr(ours, name) == OURS.get(name, getattr(theirs, name))


def test_what_only_programs_set_is_taken_as_given() -> None:
    async def notify() -> None:
        """A callback."""

    class Protocol(asyncio.Protocol):
        """A protocol of the user's own."""

    given: dict[str, Any] = {
        "callback_notify": notify,
        "timeout_notify": 5,
        "http": Protocol,
        "ws": Protocol,
        "log_config": None,
        "ssl_context_factory": lambda config, default: default(),
        "headers": [("X-A", "1")],
        "http2": False,
    }
    config = monoceros.Config("main:app", **given)
    assert {name: getattr(config, name) for name in given} == given


# The command line.


@pytest.mark.parametrize("flag", sorted(THEIR_FLAGS))
def test_every_flag_of_its_command_is_one_of_ours(flag: str) -> None:
    ours = {flag for parameter in monoceros.main.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    assert flag in ours


@pytest.mark.parametrize("flag", sorted(flag for flag in THEIR_FLAGS if flag in FLAGS))
def test_every_flag_of_its_command_has_the_same_default(flag: str) -> None:
    """A default of theirs that click writes as None, or as an empty tuple, is "nobody set it"."""
    option, parameter = FLAGS[flag], THEIR_FLAGS[flag]
    if option.name in SHOWN_DIFFERENTLY:
        return
    theirs = parameter.get_default(click.Context(uvicorn.main))
    if theirs in ((), None) or not isinstance(theirs, (str, int, float)):
        theirs = None
    assert option.default == OURS.get(option.name, theirs)


@pytest.mark.parametrize("flag", sorted(flag for flag in THEIR_FLAGS if flag in FLAGS))
def test_every_flag_of_its_command_takes_a_value_where_ours_does(flag: str) -> None:
    option, parameter = FLAGS[flag], THEIR_FLAGS[flag]
    assert bool(option.kind.metavar) is not (parameter.is_flag or parameter.name == "version")
    assert option.kind.multiple is parameter.multiple
    if Place.KEYWORD in option.places:
        assert option.name == parameter.name


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_of_its_users_means_the_same(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both take the line apart, and each option that it sets has the same value."""
    monkeypatch.chdir(tmp_path)
    for name in ("present.env", "present.ini"):
        (tmp_path / name).touch()
    words = shlex.split(line)
    theirs = uvicorn.main.make_context("uvicorn", list(words))
    ours = monoceros.main.make_context("monoceros-serve", list(words))
    assert ours.params["app"] == theirs.params["app"]
    given = {
        flag: ours.params[name]
        for flag, name in ((flag, flag.removeprefix("--").replace("-", "_")) for flag in FLAGS)
        if ours.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
    values = gather(given, {}, tmp_path).values
    for flag in given:
        name = FLAGS[flag].name
        expected = theirs.params[name]
        if name == "headers":
            expected = [tuple(part.strip() for part in header.split(":", 1)) for header in expected]
        assert values[name] == (list(expected) if isinstance(expected, tuple) else expected), name


def test_every_option_of_its_command_is_tried_here() -> None:
    untried = {flag for flag, each in THEIR_FLAGS.items() if not any(opt in " ".join(LINES) for opt in each.opts)}
    assert untried == {"--version", "--http2"}


def test_every_variable_of_its_has_one_of_ours() -> None:
    for parameter in uvicorn.main.params:
        if parameter.name != "version":
            assert parameter.name in NAMES
            assert NAMES[parameter.name].variables


@pytest.mark.parametrize(
    "line",
    [
        "import monoceros; monoceros.config.LOGGING_CONFIG['formatters']['access']['fmt']",
        "import monoceros; monoceros.logging.DefaultFormatter",
        "from monoceros.server import Server, ServerState",
        "from monoceros.config import LOGGING_CONFIG, LOG_LEVELS, STARTUP_FAILURE, Config",
        "from monoceros import Config, Server, main, run",
    ],
)
def test_a_name_is_found_where_its_users_look_for_it(line: str) -> None:
    """In a fresh interpreter, for here everything has been imported already."""
    subprocess.run([sys.executable, "-c", line], check=True)


def test_a_subclass_may_leave_the_signals_alone() -> None:
    class Quiet(monoceros.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    before = signal.getsignal(signal.SIGTERM)
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        seen.append(signal.getsignal(signal.SIGTERM))
        server.should_exit = True
        await send({"type": "lifespan.startup.complete"})

    server = Quiet(monoceros.Config(app, port=0, log_config=None))
    server.run()
    assert seen == [before]
