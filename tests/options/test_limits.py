"""The options that say how much is taken and how long is waited."""

import pytest

from monoceros.errors import UsageError
from monoceros.options.limits import LIMIT_OPTIONS
from monoceros.options.option import Origin, Source
from monoceros.options.table import KEYWORDS

DEFAULTS = {
    "drain_notice": 5,
    "timeout_worker": 60,
    "timeout_worker_start": 600,
    "timeout_request_header": 30,
    "timeout_request_body": 30,
    "timeout_request": None,
    "timeout_write": 60,
    "timeout_tls_handshake": 10,
    "limit_request_line": 8190,
    "limit_request_fields": 100,
    "limit_request_field_size": 32768,
    "limit_request_head": 65536,
    "limit_request_body": None,
    "limit_connections": None,
    "ws_max_fragments": 131072,
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_limit_has_its_default(name: str) -> None:
    assert KEYWORDS[name].default == DEFAULTS[name]


def test_no_limit_is_without_a_test_of_its_default() -> None:
    assert {option.name for option in LIMIT_OPTIONS} == set(DEFAULTS)


@pytest.mark.parametrize("text", ["0", "none"])
def test_a_request_may_take_any_time_unless_told_otherwise(text: str) -> None:
    assert KEYWORDS["timeout_request"].read(text, Source(Origin.COMMAND_LINE, "--timeout-request")) is None


def test_a_negative_time_is_refused() -> None:
    with pytest.raises(UsageError, match="timeout-write"):
        KEYWORDS["timeout_write"].read("-1", Source(Origin.COMMAND_LINE, "--timeout-write"))
