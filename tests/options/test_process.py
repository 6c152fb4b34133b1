"""The options of a process: values that mean something particular."""

import pytest

from monoceros.errors import UsageError
from monoceros.logs.setup import LOG_LEVELS as LEVELS_OF_LOGGING
from monoceros.options.option import Origin, Source
from monoceros.options.process import LOG_LEVELS
from monoceros.options.table import KEYWORDS


def read(name: str, value: object) -> object:
    return KEYWORDS[name].read(value, Source(Origin.KEYWORD, name))


@pytest.mark.parametrize(
    ("name", "value", "instead"),
    [
        ("http", "zttp", "use auto, h11 or httptools"),
        ("loop", "zuvloop", "use uvloop"),
        ("http2", True, "let a proxy in front of this server speak it"),
    ],
)
def test_what_the_incumbent_has_and_we_lack_is_refused_with_what_to_use(name: str, value: object, instead: str) -> None:
    with pytest.raises(UsageError, match=instead):
        read(name, value)


@pytest.mark.parametrize("value", ["auto", "none", "websockets", "websockets-sansio", "wsproto", "module:Class"])
def test_every_websocket_library_of_the_incumbents_is_accepted(value: str) -> None:
    assert read("ws", value) == value


def test_no_websocket_protocol_in_python_is_none() -> None:
    assert read("ws", None) == "none"


def test_the_loop_none_is_asyncios_default() -> None:
    assert read("loop", "none") == "none"


def test_a_class_is_a_protocol() -> None:
    class Protocol:
        pass

    assert read("http", Protocol) is Protocol
    assert read("ws", Protocol) is Protocol


def test_no_host_is_every_address() -> None:
    assert read("host", None) == ""


def test_the_log_levels_are_those_of_the_logging_configuration() -> None:
    """The table may not import it, so it names them itself."""
    assert list(LEVELS_OF_LOGGING) == list(LOG_LEVELS)
