"""The table: which settings of Gunicorn's become which options, and what wins when several places name one option."""

from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config as GunicornConfig

from monoceros.config import Config
from monoceros.errors import UsageError
from monoceros.options.table import KEYWORDS
from monoceros.workers.settings import (
    ARBITERS,
    SETTINGS,
    UNLIMITED,
    config_options,
    drain_seconds,
    last_seconds,
    was_given,
)


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


def test_every_line_names_a_setting_and_an_option_that_exist() -> None:
    known = GunicornConfig().settings
    assert [line.name for line in SETTINGS if line.name not in known] == []
    assert [line.option for line in SETTINGS if line.option not in KEYWORDS] == []
    assert {line.option for line in SETTINGS} & ARBITERS <= {"timeout_worker"}


def test_without_any_settings_gunicorns_defaults_count_where_the_table_says_so(tmp_path: Path) -> None:
    options, warnings = options_of(configured(), tmp_path)
    assert options == {
        "workers": 1,
        "log_config": None,
        "timeout_keep_alive": 2,
        "backlog": 2048,
        "timeout_graceful_shutdown": 27.0,
        "timeout_worker": 30,
    }
    assert warnings == []


@pytest.mark.parametrize(
    ("name", "value", "option", "expected"),
    [
        ("keepalive", 75, "timeout_keep_alive", 75),
        ("backlog", 64, "backlog", 64),
        ("graceful_timeout", 10, "timeout_graceful_shutdown", 7.0),
        ("timeout", 0, "timeout_worker", 0),
        ("max_requests", 1000, "limit_max_requests", 1000),
        ("max_requests_jitter", 50, "limit_max_requests_jitter", 50),
        ("forwarded_allow_ips", "10.0.0.0/8,192.0.2.1", "forwarded_allow_ips", ["10.0.0.0/8", "192.0.2.1"]),
        ("root_path", "/api", "root_path", "/api"),
        ("limit_request_line", 200, "limit_request_line", 200),
        ("limit_request_line", 0, "limit_request_line", UNLIMITED),
        ("limit_request_fields", 10, "limit_request_fields", 10),
        ("limit_request_field_size", 100_000, "limit_request_head", 165_536),
        ("asgi_lifespan", "off", "lifespan", "off"),
        ("websocket_max_message_size", 1024, "ws_max_size", 1024),
    ],
)
def test_a_setting_that_was_given_becomes_an_option(
    tmp_path: Path, name: str, value: object, option: str, expected: object
) -> None:
    options, _ = options_of(configured(**{name: value}), tmp_path)
    assert options[option] == expected
    assert getattr(Config(None, **options), option) == expected


def test_a_short_field_leaves_the_size_of_the_head_as_it_is(tmp_path: Path) -> None:
    assert "limit_request_head" not in options_of(configured(limit_request_field_size=1000), tmp_path)[0]


def test_tls_settings_count_together_with_a_certificate(tmp_path: Path) -> None:
    cfg = configured(certfile="cert.pem", keyfile="key.pem", ca_certs="ca.pem", cert_reqs=2, ciphers="HIGH")
    options, _ = options_of(cfg, tmp_path)
    assert {name: value for name, value in options.items() if name.startswith("ssl_")} == {
        "ssl_certfile": "cert.pem",
        "ssl_keyfile": "key.pem",
        "ssl_ca_certs": "ca.pem",
        "ssl_cert_reqs": 2,
        "ssl_ciphers": "HIGH",
    }
    assert "ssl_ciphers" not in options_of(configured(ciphers="HIGH"), tmp_path)[0]


def test_the_hook_for_the_tls_context_gets_gunicorns_configuration(tmp_path: Path) -> None:
    cfg = configured(certfile="cert.pem", ssl_context=lambda conf, make_default: (conf, make_default()))
    factory = options_of(cfg, tmp_path)[0]["ssl_context_factory"]
    assert factory("our Config", lambda: "context") == (cfg, "context")


def test_a_setting_that_a_release_of_gunicorn_does_not_have_is_passed_over(tmp_path: Path) -> None:
    cfg = configured()
    del cfg.settings["root_path"]
    assert "root_path" not in options_of(cfg, tmp_path)[0]


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


def test_what_is_gunicorns_affair_is_not_read_and_says_so(tmp_path: Path) -> None:
    options, warnings = options_of(configured(), tmp_path, {"MONOCEROS_PORT": "80", "MONOCEROS_APP": "other:app"})
    assert "port" not in options
    assert "app" not in options
    assert [warning.partition(" ")[0] for warning in warnings] == ["MONOCEROS_APP", "MONOCEROS_PORT"]


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


@pytest.mark.parametrize("patience", [0, 1, 3, 30, 600])
def test_a_drain_ends_before_the_arbiters_patience(patience: float) -> None:
    assert 0.7 * patience <= drain_seconds(patience) <= last_seconds(patience) <= patience
    assert drain_seconds(30) == 27
    assert last_seconds(30) == 29
