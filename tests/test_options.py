"""Every option, from every source it may be set by; and which source counts."""

import os
from pathlib import Path

import pytest

from monoceros.options.option import Option, Place
from monoceros.options.sources import from_keywords, gather, settle
from monoceros.options.table import OPTIONS

# Two values of each option, as text; the first is not its default.
SAMPLES: dict[str, tuple[str, str]] = {
    "host": ("::1", "0.0.0.0"),
    "port": ("9000", "9001"),
    "uds": ("/tmp/a.sock", "/tmp/b.sock"),
    "fd": ("3", "4"),
    "loop": ("asyncio", "uvloop"),
    "http": ("h11", "httptools"),
    "http2": ("off", "no"),
    "ws": ("none", "wsproto"),
    "ws_max_size": ("1024", "2048"),
    "ws_max_queue": ("1", "2"),
    "ws_ping_interval": ("none", "0.5"),
    "ws_ping_timeout": ("none", "0.5"),
    "ws_per_message_deflate": ("false", "true"),
    "lifespan": ("on", "off"),
    "env_file": ("a", "b"),
    "log_config": ("a", "b"),
    "log_level": ("DEBUG", "trace"),
    "access_log": ("off", "on"),
    "access_log_format": ("%(s)s", "json"),
    "use_colors": ("on", "off"),
    "interface": ("asgi3", "wsgi"),
    "reload": ("on", "off"),
    "reload_dirs": ("a", "b"),
    "reload_delay": ("0.5", "1"),
    "reload_includes": ("*.html", "*.css"),
    "reload_excludes": ("*.html", "*.css"),
    "workers": ("2", "3"),
    "proxy_headers": ("off", "on"),
    "server_header": ("off", "on"),
    "date_header": ("off", "on"),
    "forwarded_allow_ips": ("*", "10.0.0.1"),
    "root_path": ("/a", "/b"),
    "limit_concurrency": ("10", "20"),
    "limit_max_requests": ("10", "20"),
    "limit_max_requests_jitter": ("10", "20"),
    "backlog": ("10", "20"),
    "timeout_keep_alive": ("10", "20.5"),
    "timeout_graceful_shutdown": ("none", "0"),
    "timeout_worker_healthcheck": ("10", "20"),
    "ssl_keyfile": ("a.pem", "b.pem"),
    "ssl_certfile": ("a.pem", "b.pem"),
    "ssl_keyfile_password": ("secret", "other"),
    "ssl_version": ("2", "17"),
    "ssl_cert_reqs": ("1", "2"),
    "ssl_ca_certs": ("a.pem", "b.pem"),
    "ssl_ciphers": ("HIGH", "LOW"),
    "headers": ("X-A:1", "X-B:2"),
    "factory": ("on", "off"),
    "h11_max_incomplete_event_size": ("1024", "2048"),
    "reset_contextvars": ("on", "off"),
    "drain_notice": ("1", "2"),
    "timeout_worker": ("1", "2"),
    "timeout_worker_start": ("1", "2"),
    "timeout_request_header": ("1", "2"),
    "timeout_request_body": ("1", "2"),
    "timeout_request": ("1", "2"),
    "timeout_write": ("1", "2"),
    "timeout_tls_handshake": ("1", "2"),
    "limit_request_line": ("1", "2"),
    "limit_request_fields": ("1", "2"),
    "limit_request_field_size": ("1", "2"),
    "limit_request_head": ("1", "2"),
    "limit_request_body": ("1", "2"),
    "limit_connections": ("10", "20"),
    "ws_max_fragments": ("1000", "2000"),
    "forwarded_headers": ("forwarded", "x-forwarded-for"),
    "proxy_protocol": ("v1", "auto"),
    "proxy_allow_ips": ("*", "10.0.0.1"),
    "bind": ("[::1]:9000", "unix:/tmp/a.sock"),
    "uds_permissions": ("660", "600"),
    "reuse_port": ("on", "off"),
    "worker_max_rss": ("100", "200"),
    "worker_lifetime": ("10", "20.5"),
    "preload": ("on", "off"),
    "drain_delay": ("1", "2"),
    "access_log_file": ("a", "b"),
    "pid_file": ("a", "b"),
    "user": ("a", "10"),
    "group": ("a", "10"),
    "umask": ("027", "22"),
    "chdir": ("a", "b"),
    "proc_name": ("a", "b"),
    "app": ("a:app", "b:app"),
    "app_dir": ("a", "b"),
}

SETTABLE = [option for option in OPTIONS if Place.VARIABLE in option.places and Place.FILE in option.places]
WITH_FLAG = [option for option in SETTABLE if option.spellings]
KEYWORD = [option for option in SETTABLE if Place.KEYWORD in option.places]


def by_name(option: Option) -> str:
    return option.name


def converted(option: Option, text: str) -> object:
    return option.kind.convert(text)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with what the samples say exists."""
    for name in ("a", "b"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(directory: Path, key: str, text: str) -> None:
    (directory / "monoceros.toml").write_text(f'{key} = "{text}"', encoding="utf-8")


def test_every_option_that_text_can_set_is_tried_here() -> None:
    assert set(SAMPLES) == {option.name for option in SETTABLE}


@pytest.mark.parametrize("option", WITH_FLAG, ids=by_name)
def test_the_command_line_sets_an_option(option: Option, directory: Path) -> None:
    for flag in option.spellings:
        settings = gather({flag: SAMPLES[option.name][0]}, {}, directory)
        assert settings.values[option.name] == converted(option, SAMPLES[option.name][0])
        assert settings.sources[option.name] == f"command line {flag}"


@pytest.mark.parametrize("option", SETTABLE, ids=by_name)
def test_the_environment_sets_an_option(option: Option, directory: Path) -> None:
    for variable in option.variables:
        settings = gather({}, {variable: SAMPLES[option.name][0]}, directory)
        assert settings.values[option.name] == converted(option, SAMPLES[option.name][0])
        assert settings.sources[option.name] == f"environment {variable}"


@pytest.mark.parametrize("option", SETTABLE, ids=by_name)
def test_the_file_sets_an_option(option: Option, directory: Path) -> None:
    for name in option.names:
        for key in (name, name.replace("_", "-")):
            write(directory, key, SAMPLES[option.name][0])
            settings = gather({}, {}, directory)
            assert settings.values[option.name] == converted(option, SAMPLES[option.name][0])
            assert settings.sources[option.name] == "monoceros.toml"


@pytest.mark.parametrize("option", KEYWORD, ids=by_name)
def test_a_keyword_sets_an_option(option: Option) -> None:
    value = converted(option, SAMPLES[option.name][0])
    settings = settle(from_keywords({option.name: value}))
    assert settings.values[option.name] == value
    assert settings.sources[option.name] == "keyword"


@pytest.mark.parametrize("option", WITH_FLAG, ids=by_name)
def test_the_command_line_wins_over_the_environment_and_that_over_the_file(option: Option, directory: Path) -> None:
    first, second = SAMPLES[option.name]
    write(directory, option.name, first)
    environ = {option.variables[0]: second}
    assert gather({}, environ, directory).values[option.name] == converted(option, second)
    line = {option.spellings[0]: first}
    assert gather(line, environ, directory).values[option.name] == converted(option, first)


@pytest.mark.parametrize("option", OPTIONS, ids=by_name)
def test_an_option_that_nobody_sets_has_its_default(option: Option, tmp_path: Path) -> None:
    settings = gather({}, {}, tmp_path)
    assert settings.values[option.name] == option.default
    assert settings.sources[option.name] == "default"


def test_variables_of_the_tests_own_environment_are_not_read(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is handed in."""
    monkeypatch.setitem(os.environ, "MONOCEROS_PORT", "9")
    assert gather({}, {}, directory).values["port"] == 8000
