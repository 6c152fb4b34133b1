"""What wins when several places name one option of a worker, and what the user is told."""

from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import KNOWN_SETTINGS
from gunicorn.config import Config as GunicornConfig

from monoceros.config import Config
from monoceros.errors import UsageError
from monoceros.options.table import KEYWORDS
from monoceros.workers.gathering import ARBITERS, config_options, refusals, was_given
from monoceros.workers.settings import SETTINGS, Fate

INSTALLED = {setting.name for setting in KNOWN_SETTINGS}

# A value of each refused setting that isn't its default.
REFUSED = {
    "asgi_disconnect_grace_period": 10,
    "casefold_http_method": True,
    "http2_cleartext": "upgrade",
    "http2_initial_window_size": 70_000,
    "http2_max_concurrent_streams": 10,
    "http2_max_frame_size": 20_000,
    "http2_max_header_list_size": 1000,
    "http_protocols": "h2,h1",
    "permit_obsolete_folding": True,
    "permit_unconventional_http_method": True,
    "permit_unconventional_http_version": True,
    "protocol": "uwsgi",
    "sendfile": True,
    "ssl_version": "TLSv1_2",
    "strip_header_spaces": True,
    "suppress_ragged_eofs": False,
    "threads": 4,
    "tmp_upload_dir": "/tmp",
    "uwsgi_allow_ips": "*",
}


def configured(**settings: Any) -> Any:
    """A configuration of Gunicorn's in which some settings were given."""
    cfg = GunicornConfig()
    for name, value in settings.items():
        cfg.set(name, value)
    return cfg


def options_of(
    cfg: Any, directory: Path, environ: dict[str, str] | None = None, **overrides: Any
) -> tuple[dict[str, Any], list[str]]:
    return config_options(cfg, overrides, environ or {}, directory)


def test_the_options_that_are_gunicorns_affair_exist_and_no_setting_sets_them() -> None:
    assert [name for name in ARBITERS if name not in KEYWORDS and name not in ("app", "app_dir")] == []
    assert {line.option for line in SETTINGS} & set(ARBITERS) <= {"timeout_worker"}
    known = {line.name for line in SETTINGS}
    assert [its for its in ARBITERS.values() if its.partition(",")[0] not in known] == []


def test_without_any_settings_gunicorns_defaults_count_where_the_table_says_so(tmp_path: Path) -> None:
    options, warnings = options_of(configured(), tmp_path)
    assert options == {
        "workers": 1,
        "log_config": None,
        "timeout_keep_alive": 2,
        "backlog": 2048,
        "timeout_graceful_shutdown": 27.0,
        "timeout_worker": 30,
        "forwarded_allow_ips": ["127.0.0.1", "::1", "unix:"],
        "proxy_allow_ips": ["127.0.0.1", "::1", "unix:"],
        "forwarder_headers": ["SCRIPT_NAME", "PATH_INFO"],
        "header_map": "drop",
    }
    assert warnings == []
    Config(None, **options)


@pytest.mark.parametrize(
    ("name", "value", "option", "expected"),
    [
        ("keepalive", 75, "timeout_keep_alive", 75),
        ("backlog", 64, "backlog", 64),
        ("graceful_timeout", 10, "timeout_graceful_shutdown", 7.0),
        ("timeout", 0, "timeout_worker", 0),
        ("max_requests", 1000, "limit_max_requests", 1000),
        ("max_requests_jitter", 50, "limit_max_requests_jitter", 50),
        ("limit_request_fields", 10, "limit_request_fields", 10),
        ("root_path", "/api", "root_path", "/api"),
        ("worker_connections", 50, "limit_connections", 50),
        ("secure_scheme_headers", {"X-SCHEME": "tls"}, "secure_scheme_headers", {"X-SCHEME": "tls"}),
        ("header_map", "refuse", "header_map", "refuse"),
        ("proxy_protocol", True, "proxy_protocol", "auto"),
        ("asgi_loop", "asyncio", "loop", "asyncio"),
        ("asgi_lifespan", "off", "lifespan", "off"),
        ("http_parser", "python", "http", "h11"),
        ("websocket_max_message_size", 1024, "ws_max_size", 1024),
    ],
)
def test_a_setting_that_was_given_becomes_an_option(
    tmp_path: Path, name: str, value: object, option: str, expected: object
) -> None:
    if name not in INSTALLED:
        assert option not in options_of(configured(), tmp_path)[0], "a setting that this Gunicorn doesn't have"
        return
    options, warnings = options_of(configured(**{name: value}), tmp_path)
    assert options[option] == expected
    assert getattr(Config(None, **options), option) == expected
    assert warnings == []


def test_the_table_of_this_test_names_each_refused_setting() -> None:
    assert set(REFUSED) == {line.name for line in SETTINGS if line.fate is Fate.REFUSED}


@pytest.mark.parametrize("name", sorted(set(REFUSED) & INSTALLED))
def test_a_refused_setting_is_named_with_its_value_and_the_reason(tmp_path: Path, name: str) -> None:
    cfg = configured(**{name: REFUSED[name]})
    (line,) = (line for line in SETTINGS if line.name == name)
    expected = [f"Gunicorn's {name} = {cfg.settings[name].get()!r} has no effect: {line.remark}"]
    assert refusals(cfg) == expected
    assert options_of(cfg, tmp_path)[1] == expected


def test_a_refused_setting_at_its_default_is_not_worth_a_word() -> None:
    assert refusals(configured(threads=1, tmp_upload_dir=None, suppress_ragged_eofs=True)) == []


def test_the_hook_for_the_tls_context_gets_gunicorns_configuration(tmp_path: Path) -> None:
    cfg = configured(certfile="cert.pem", ssl_context=lambda conf, make_default: (conf, make_default()))
    factory = options_of(cfg, tmp_path)[0]["ssl_context_factory"]
    assert factory("our Config", lambda: "context") == (cfg, "context")


def test_a_setting_that_a_release_of_gunicorn_does_not_have_is_passed_over(tmp_path: Path) -> None:
    cfg = configured()
    del cfg.settings["max_requests"]
    del cfg.settings["threads"]
    options, warnings = options_of(cfg, tmp_path)
    assert ("limit_max_requests" in options, warnings) == (False, [])


def test_the_nearest_of_several_sources_wins(tmp_path: Path) -> None:
    (tmp_path / "monoceros.toml").write_text("timeout_keep_alive = 20\nws_max_queue = 20\ndrain_notice = 20\n")
    environ = {"MONOCEROS_TIMEOUT_KEEP_ALIVE": "30", "MONOCEROS_WS_MAX_QUEUE": "30"}
    options, warnings = options_of(configured(), tmp_path, environ)
    assert (options["timeout_keep_alive"], options["ws_max_queue"], options["drain_notice"]) == (30, 30, 20)
    assert warnings == []
    options, warnings = options_of(configured(keepalive=40), tmp_path, environ)
    assert options["timeout_keep_alive"] == 40
    assert warnings == [
        "MONOCEROS_TIMEOUT_KEEP_ALIVE (environment MONOCEROS_TIMEOUT_KEEP_ALIVE) is not read: "
        "Gunicorn's keepalive was given"
    ]
    options, _ = options_of(configured(keepalive=40), tmp_path, environ, timeout_keep_alive=50)
    assert options["timeout_keep_alive"] == 50


def test_settings_of_gunicorns_log_win_over_what_the_environment_says_of_it(tmp_path: Path) -> None:
    """They are read from its logger, later; so the option isn't there."""
    environ = {"MONOCEROS_ACCESS_LOG": "false", "MONOCEROS_ACCESS_LOG_FORMAT": "json"}
    options, warnings = options_of(configured(), tmp_path, environ)
    assert (options["access_log"], options["access_log_format"], warnings) == (False, "json", [])
    options, warnings = options_of(configured(accesslog="-", access_log_format="%(h)s"), tmp_path, environ)
    assert {"access_log", "access_log_format"} & set(options) == set()
    assert warnings == [
        "MONOCEROS_ACCESS_LOG (environment MONOCEROS_ACCESS_LOG) is not read: Gunicorn's accesslog was given",
        "MONOCEROS_ACCESS_LOG_FORMAT (environment MONOCEROS_ACCESS_LOG_FORMAT) is not read: "
        "Gunicorn's access_log_format was given",
    ]
    options, _ = options_of(configured(accesslog="-"), tmp_path, environ, access_log=False)
    assert options["access_log"] is False


def test_who_says_of_the_log_what_gunicorn_says_is_told_nothing(tmp_path: Path) -> None:
    environ = {"MONOCEROS_ACCESS_LOG": "true", "MONOCEROS_ACCESS_LOG_FORMAT": "%(h)s"}
    assert options_of(configured(accesslog="-", access_log_format="%(h)s"), tmp_path, environ)[1] == []


def test_what_is_said_of_the_log_to_a_logger_with_an_access_of_its_own_is_named_with_it(tmp_path: Path) -> None:
    (tmp_path / "monoceros.toml").write_text('access_log_format = "json"\n')
    environ = {"MONOCEROS_ACCESS_LOG": "true"}
    kwargs = {"access_log_format": None, "root_path": "/api"}
    options, warnings = config_options(configured(accesslog="-"), kwargs, environ, tmp_path, "shop.JsonLogger")
    assert "access_log" not in options
    own = "the logger class shop.JsonLogger has an access() of its own, which is told of each request instead"
    why = f"is not read: {own}"
    assert warnings == [
        f"access_log_format (monoceros.toml) {why}",
        f"MONOCEROS_ACCESS_LOG (environment MONOCEROS_ACCESS_LOG) {why}",
        f"access_log_format of CONFIG_KWARGS {why}",
    ]
    assert config_options(configured(), {}, {}, tmp_path / "none", "shop.JsonLogger")[1] == []


def test_what_is_gunicorns_affair_is_not_read_and_says_what_sets_it(tmp_path: Path) -> None:
    options, warnings = options_of(configured(), tmp_path, {"MONOCEROS_PORT": "80", "MONOCEROS_APP": "other:app"})
    assert "port" not in options
    assert "app" not in options
    affair = "is not read: under Gunicorn, that is Gunicorn's affair, and set by"
    assert warnings == [
        f"MONOCEROS_APP (environment MONOCEROS_APP) {affair} wsgi_app",
        f"MONOCEROS_PORT (environment MONOCEROS_PORT) {affair} bind",
    ]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("worker_max_rss", "300", 300), ("worker_lifetime", "60", 60), ("drain_delay", "5", 5)],
)
def test_options_of_a_service_that_gunicorn_has_no_name_for_count(
    tmp_path: Path, name: str, text: str, value: int
) -> None:
    options, warnings = options_of(configured(), tmp_path, {f"MONOCEROS_{name.upper()}": text})
    assert (options[name], warnings) == (value, [])


def test_the_file_that_a_variable_names_is_read(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('root_path = "/other"\n')
    options, warnings = options_of(configured(), tmp_path, {"MONOCEROS_CONFIG": "other.toml"})
    assert (options["root_path"], warnings) == ("/other", [])


def test_a_wrong_value_in_the_environment_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="MONOCEROS_WS_MAX_SIZE: big"):
        options_of(configured(), tmp_path, {"MONOCEROS_WS_MAX_SIZE": "big"})


def test_a_setting_was_given_if_it_differs_from_its_default() -> None:
    settings = configured(keepalive=3, timeout=30).settings
    assert was_given(settings["keepalive"])
    assert not was_given(settings["timeout"])
    assert not was_given(settings["forwarded_allow_ips"])
    assert not was_given(settings["ssl_context"])
