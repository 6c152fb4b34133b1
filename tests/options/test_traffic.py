"""The options of what is answered and how long is waited: values that mean something particular."""

import ssl

import pytest

from monoceros.errors import UsageError
from monoceros.options.option import Origin, Source
from monoceros.options.table import KEYWORDS


def read(name: str, value: object) -> object:
    return KEYWORDS[name].read(value, Source(Origin.KEYWORD, name))


def test_a_graceful_stop_has_a_deadline_that_can_be_taken_away() -> None:
    option = KEYWORDS["timeout_graceful_shutdown"]
    assert option.default == 30
    assert read("timeout_graceful_shutdown", "none") is None
    assert read("timeout_graceful_shutdown", "0") == 0


def test_no_requests_at_most_is_no_limit() -> None:
    assert read("limit_max_requests", 0) is None


def test_no_connections_at_most_is_no_limit() -> None:
    assert read("limit_connections", "0") is None
    assert read("limit_connections", "100") == 100


def test_load_balancers_may_connect_from_this_machine_unless_others_are_named() -> None:
    assert KEYWORDS["proxy_allow_ips"].otherwise == "127.0.0.1,::1"
    assert read("proxy_allow_ips", ["10.0.0.0/8", "unix:"]) == ["10.0.0.0/8", "unix:"]


def test_the_fields_of_proxies_that_count_are_the_incumbents_unless_others_are_named() -> None:
    option = KEYWORDS["forwarded_headers"]
    assert option.default is None
    assert option.otherwise == ["x-forwarded-for", "x-forwarded-proto"]
    assert read("forwarded_headers", "X-Forwarded-For, x-forwarded-prefix") == ["x-forwarded-for", "x-forwarded-prefix"]
    assert read("forwarded_headers", ["Forwarded"]) == ["forwarded"]
    with pytest.raises(UsageError, match="one or several of x-forwarded-for, .* or forwarded, separated by commas"):
        read("forwarded_headers", "x-real-ip")


def test_a_version_of_the_proxy_protocol_has_a_name() -> None:
    with pytest.raises(UsageError, match="one of off, v1, v2 or auto is accepted"):
        read("proxy_protocol", True)


def test_no_requests_at_once_is_refused() -> None:
    """A server that answers every request with 503 is a mistake."""
    with pytest.raises(UsageError, match="an integer of at least 1, or none, is accepted"):
        read("limit_concurrency", 0)


@pytest.mark.parametrize("name", ["timeout_keep_alive", "timeout_worker", "timeout_worker_start", "drain_notice"])
def test_a_duration_may_be_a_fraction_of_a_second(name: str) -> None:
    assert read(name, "0.5") == 0.5


def test_constants_of_the_ssl_module_are_numbers() -> None:
    assert read("ssl_cert_reqs", ssl.CERT_REQUIRED) == 2
    assert read("ssl_version", ssl.PROTOCOL_TLS_SERVER) == int(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(UsageError, match="from 0 to 2"):
        read("ssl_cert_reqs", 3)


def test_the_password_is_a_secret() -> None:
    assert [option.name for option in KEYWORDS.values() if option.secret] == ["ssl_keyfile_password"]


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("proxy_protocol", "off"),
        ("header_map", "dangerous"),
    ],
)
def test_an_option_of_ours_has_its_default(name: str, default: object) -> None:
    assert KEYWORDS[name].default == default
