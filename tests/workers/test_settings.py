"""The table of Gunicorn's settings: complete for the installed release, and right in what it converts."""

from collections import Counter
from typing import Any

import pytest
from gunicorn.config import KNOWN_SETTINGS
from gunicorn.config import Config as GunicornConfig

from monoceros.options.table import KEYWORDS
from monoceros.resources.proxy import UNIX_PEERS as TRUSTED_UNIX_PEERS
from monoceros.workers.settings import (
    SETTINGS,
    SKIP,
    UNIX_PEERS,
    UNLIMITED,
    Fate,
    Setting,
    drain_seconds,
    last_seconds,
)


def lines_of(name: str) -> list[Setting]:
    return [line for line in SETTINGS if line.name == name]


def converted(option: str, value: Any, **settings: Any) -> Any:
    """What becomes of a value on the line of an option, beside other settings."""
    cfg = GunicornConfig()
    for name, given in settings.items():
        cfg.set(name, given)
    (line,) = (line for line in SETTINGS if line.option == option)
    return line.convert(value, cfg)


@pytest.mark.parametrize("name", sorted(setting.name for setting in KNOWN_SETTINGS))
def test_every_setting_of_the_installed_gunicorn_has_its_line(name: str) -> None:
    assert lines_of(name), f"{name} is new in this Gunicorn: say in the table what becomes of it"


def test_a_setting_has_one_fate_and_sets_each_option_once() -> None:
    fates = {(line.name, line.fate) for line in SETTINGS}
    assert len(fates) == len({line.name for line in SETTINGS})
    assert [key for key, count in Counter((line.name, line.option) for line in SETTINGS).items() if count > 1] == []
    options = [line.option for line in SETTINGS if line.option]
    assert len(options) == len(set(options))


@pytest.mark.parametrize("line", SETTINGS, ids=lambda line: f"{line.name}-{line.option}")
def test_a_line_names_an_option_that_exists_or_says_who_acts(line: Setting) -> None:
    if line.fate is Fate.OPTION:
        assert line.option in KEYWORDS
    else:
        assert line.remark
    assert not line.remark.endswith(".")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("timeout_graceful_shutdown", 10, 7.0),
        ("limit_request_line", 200, 200),
        ("limit_request_line", 0, UNLIMITED),
        ("limit_request_fields", 0, UNLIMITED),
        ("limit_request_field_size", 0, UNLIMITED),
        ("limit_request_head", 1000, SKIP),
        ("limit_request_head", 100_000, 165_536),
        ("limit_request_head", 0, UNLIMITED + 65_536),
        ("forwarded_allow_ips", ["10.0.0.0/8"], ["10.0.0.0/8", "unix:"]),
        ("forwarded_allow_ips", "10.0.0.1, ::1", ["10.0.0.1", "::1", "unix:"]),
        ("proxy_allow_ips", ["*"], ["*", "unix:"]),
        ("proxy_protocol", True, "auto"),
        ("proxy_protocol", False, "off"),
        ("proxy_protocol", "v2", "v2"),
        ("http", "fast", "httptools"),
        ("http", "python", "h11"),
        ("http", "auto", "auto"),
        ("ws_max_size", 0, UNLIMITED),
        ("ws_max_size", 1024, 1024),
    ],
)
def test_a_value_is_converted(option: str, value: object, expected: object) -> None:
    assert converted(option, value) == expected


def test_unix_peers_are_called_as_the_proxies_call_them() -> None:
    assert UNIX_PEERS == TRUSTED_UNIX_PEERS


@pytest.mark.parametrize("option", ["ssl_certfile", "ssl_keyfile", "ssl_ca_certs", "ssl_cert_reqs", "ssl_ciphers"])
def test_tls_settings_count_together_with_a_certificate(option: str) -> None:
    assert converted(option, "value", certfile="cert.pem") == "value"
    assert converted(option, "value") is SKIP


@pytest.mark.parametrize("patience", [0, 1, 3, 30, 600])
def test_a_drain_ends_before_the_arbiters_patience(patience: float) -> None:
    assert 0.7 * patience <= drain_seconds(patience) <= last_seconds(patience) <= patience
    assert drain_seconds(30) == 27
    assert last_seconds(30) == 29
