"""What each kind of option accepts, from text and from Python, and what it refuses."""

import io
import ssl
from configparser import RawConfigParser
from pathlib import Path

import pytest

from monoceros.options import kinds
from monoceros.options.option import Kind, Refused

SWITCH = kinds.switch()
TRISTATE = kinds.switch(optional=True)
PORT = kinds.integer(0, 65535)
LIMIT = kinds.limit()
SECONDS = kinds.seconds()
DEADLINE = kinds.seconds(optional=True)
CHOICE = kinds.choice("on", "off")
CHOICES = kinds.choices("on", "off", "over")
PARSER = kinds.implementation(("auto", "h11"), custom="module:Class", classes=True, refused={"zttp": "use h11"})
LOOP = kinds.implementation(("auto", "uvloop"), custom="module:factory")
ENGINE = kinds.implementation(("auto", "none"), custom="module:Class", classes=True, none=True)
TEXT = kinds.text()
NAME = kinds.text(optional=True)
PREFIX = kinds.text(empty=True)
FILE = kinds.path()
DIRECTORIES = kinds.paths()
PATTERNS = kinds.patterns()
TRUSTED = kinds.trusted()
LEVEL = kinds.log_level(("error", "info", "trace"))
UNSET = object()
LOG_CONFIG = kinds.log_config(UNSET)
CALLBACK = kinds.function("Any")


@pytest.mark.parametrize("word", ["1", "true", "YES", "On", " t ", "y"])
def test_a_switch_is_on(word: str) -> None:
    assert SWITCH.convert(word) is True


@pytest.mark.parametrize("word", ["0", "false", "No", "OFF", "f", "n"])
def test_a_switch_is_off(word: str) -> None:
    assert SWITCH.convert(word) is False


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (SWITCH, True, True),
        (SWITCH, 0, False),
        (TRISTATE, None, None),
        (TRISTATE, False, False),
        (PORT, "0", 0),
        (PORT, 65535, 65535),
        (PORT, ssl.CERT_REQUIRED, 2),
        (kinds.integer(optional=True), "None", None),
        (LIMIT, 0, None),
        (LIMIT, "0", None),
        (LIMIT, "7", 7),
        (LIMIT, None, None),
        (SECONDS, "5", 5),
        (SECONDS, "0.25", 0.25),
        (SECONDS, 0, 0),
        (DEADLINE, "none", None),
        (DEADLINE, None, None),
        (CHOICE, "off", "off"),
        (CHOICES, "Off, ON", ["off", "on"]),
        (CHOICES, ["over"], ["over"]),
        (CHOICES, [], []),
        (CHOICES, None, None),
        (PARSER, "h11", "h11"),
        (PARSER, "package.module:Class", "package.module:Class"),
        (PARSER, dict, dict),
        (LOOP, "loops:make", "loops:make"),
        (ENGINE, None, "none"),
        (TEXT, "x", "x"),
        (NAME, "", None),
        (NAME, None, None),
        (PREFIX, "", ""),
        (PREFIX, None, ""),
        (FILE, "a/b", "a/b"),
        (FILE, Path("a"), Path("a")),
        (FILE, "", None),
        (DIRECTORIES, "src", ["src"]),
        (DIRECTORIES, ("a", Path("b")), ["a", Path("b")]),
        (DIRECTORIES, None, []),
        (PATTERNS, ["*.html"], ["*.html"]),
        (TRUSTED, "*", "*"),
        (TRUSTED, "", ""),
        (TRUSTED, None, None),
        (TRUSTED, ["10.0.0.0/8"], ["10.0.0.0/8"]),
        (LEVEL, "INFO", "info"),
        (LEVEL, "Trace", "trace"),
        (LEVEL, 15, 15),
        (LEVEL, "15", 15),
        (LEVEL, None, None),
        (LOG_CONFIG, "log.ini", "log.ini"),
        (LOG_CONFIG, {"version": 1}, {"version": 1}),
        (LOG_CONFIG, None, None),
        (LOG_CONFIG, UNSET, UNSET),
        (CALLBACK, print, print),
        (CALLBACK, None, None),
    ],
)
def test_a_value_is_accepted(kind: Kind, given: object, value: object) -> None:
    converted = kind.convert(given)
    assert converted == value
    assert type(converted) is type(value) or isinstance(given, ssl.VerifyMode)


def test_what_logging_reads_itself_is_passed_on() -> None:
    for given in (RawConfigParser(), io.StringIO(), Path("log.json")):
        assert LOG_CONFIG.convert(given) is given


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (SWITCH, "maybe"),
        (SWITCH, ""),
        (SWITCH, None),
        (SWITCH, 2),
        (SWITCH, 1.0),
        (TRISTATE, "none"),
        (PORT, "70000"),
        (PORT, "-1"),
        (PORT, "80.0"),
        (PORT, 80.0),
        (PORT, True),
        (PORT, None),
        (PORT, "none"),
        (LIMIT, -1),
        (SECONDS, "-0.1"),
        (SECONDS, "nan"),
        (SECONDS, "inf"),
        (SECONDS, float("inf")),
        (SECONDS, False),
        (SECONDS, "none"),
        (SECONDS, []),
        (DEADLINE, ""),
        (CHOICE, "ON"),
        (CHOICE, None),
        (CHOICE, []),
        (CHOICES, "on;off"),
        (CHOICES, "on,,off"),
        (CHOICES, ""),
        (CHOICES, [5]),
        (CHOICES, 5),
        (PARSER, "h12"),
        (PARSER, "module:"),
        (PARSER, ":Class"),
        (PARSER, None),
        (LOOP, dict),
        (TEXT, ""),
        (TEXT, None),
        (TEXT, 5),
        (NAME, 5),
        (PREFIX, b""),
        (FILE, 5),
        (DIRECTORIES, [""]),
        (DIRECTORIES, 5),
        (PATTERNS, [Path("a")]),
        (TRUSTED, [None]),
        (LEVEL, "loud"),
        (LEVEL, -1),
        (LEVEL, True),
        (LOG_CONFIG, ""),
        (LOG_CONFIG, 5),
        (CALLBACK, "print"),
    ],
)
def test_a_value_is_refused(kind: Kind, given: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        kind.convert(given)


def test_an_implementation_that_is_not_there_is_refused_with_what_to_use() -> None:
    with pytest.raises(Refused, match="zttp is not supported: use h11"):
        PARSER.convert("zttp")


def test_a_switch_that_may_only_stay_off_is_refused_when_on() -> None:
    kind = kinds.unsupported_switch("it is not there")
    assert kind.convert("false") is False
    with pytest.raises(Refused, match="it is not there"):
        kind.convert(True)
    with pytest.raises(ValueError, match="^$"):
        kind.convert("x")


@pytest.mark.parametrize(
    ("kind", "text", "values"),
    [
        (DIRECTORIES, "a:b c", ["a", "b c"]),
        (PATTERNS, "*.html, *.css *.js", ["*.html", "*.css", "*.js"]),
    ],
)
def test_a_variable_with_several_values_is_taken_apart(kind: Kind, text: str, values: list[str]) -> None:
    assert kind.multiple
    assert kind.split(text) == values


@pytest.mark.parametrize(
    ("kind", "accepted"),
    [
        (PORT, "an integer from 0 to 65535"),
        (kinds.integer(1, optional=True), "an integer of at least 1, or none,"),
        (DEADLINE, "a number of at least 0, or none,"),
        (CHOICE, "one of on or off"),
        (CHOICES, "one or several of on, off or over, separated by commas,"),
        (LOOP, "one of auto or uvloop, or module:factory,"),
    ],
)
def test_a_kind_says_what_it_accepts(kind: Kind, accepted: str) -> None:
    assert kind.accepted == accepted
