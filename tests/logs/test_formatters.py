"""How records look: compared with the incumbent's formatters, byte for byte, and what ours does beyond them."""

import http
import io
import logging
import sys
from decimal import Decimal
from typing import Any, Literal

import pytest
import uvicorn.logging

from monoceros.logs.formatters import (
    ACCESS_FORMAT,
    DEFAULT_FORMAT,
    AccessFormatter,
    ColourizedFormatter,
    DefaultFormatter,
)
from monoceros.logs.lines import escape

Style = Literal["%", "{", "$"]

LEVELS = [5, logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL, 25]
STATUSES = [100, 101, 103, 199, 200, 204, 299, 302, 399, 404, 418, 499, 500, 503, 599, 600, 999, 0]


def make_record(msg: str = "hello %s", *args: object, level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    name = "TRACE" if level == 5 else logging.getLevelName(level)
    record = logging.LogRecord("monoceros.error", level, __file__, 1, msg, args, None)
    record.levelname = name
    vars(record).update(extra)
    return record


def access_record(*args: object) -> logging.LogRecord:
    return make_record('%s - "%s %s HTTP/%s" %d', *args)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("use_colors", [True, False])
@pytest.mark.parametrize("level", LEVELS)
def test_a_line_of_any_level_looks_like_the_incumbents(level: int, use_colors: bool) -> None:
    for extra in ({}, {"color_message": "\x1b[1mhello\x1b[0m %s"}):
        record = make_record("hello %s", "world", level=level, **extra)
        theirs = uvicorn.logging.DefaultFormatter(DEFAULT_FORMAT, use_colors=use_colors).format(record)
        assert DefaultFormatter(DEFAULT_FORMAT, use_colors=use_colors).format(record) == theirs


@pytest.mark.parametrize("use_colors", [True, False])
@pytest.mark.parametrize("status", STATUSES)
def test_an_access_of_any_status_looks_like_the_incumbents(status: int, use_colors: bool) -> None:
    record = access_record("127.0.0.1:5000", "GET", "/items?q=1", "1.1", status)
    theirs = uvicorn.logging.AccessFormatter(ACCESS_FORMAT, use_colors=use_colors).format(record)
    assert AccessFormatter(ACCESS_FORMAT, use_colors=use_colors).format(record) == theirs


@pytest.mark.parametrize("use_colors", [True, False])
@pytest.mark.parametrize(
    ("fmt", "datefmt", "style"),
    [
        ("%(client_addr)s|%(request_line)s|%(status_code)s|%(levelprefix)s", None, "%"),
        ("%(asctime)s %(name)s %(levelname)s %(message)s %(levelprefix)s", None, "%"),
        ("%(asctime)s %(levelprefix)s %(request_line)s", "%d/%b/%Y:%H:%M:%S", "%"),
        ("{levelprefix} {client_addr} - {request_line!r} {status_code:>40} {message}", None, "{"),
        ("$levelprefix $client_addr $request_line ${status_code}", None, "$"),
        (None, None, "%"),
    ],
)
def test_a_format_of_the_users_own_gives_what_the_incumbent_gives(
    fmt: str | None, datefmt: str | None, style: Style, use_colors: bool
) -> None:
    record = access_record("127.0.0.1:5000", "GET", "/items?q=1", "1.1", 200)
    theirs = uvicorn.logging.AccessFormatter(fmt, datefmt, style, use_colors).format(record)
    assert AccessFormatter(fmt, datefmt, style, use_colors).format(record) == theirs


def test_a_traceback_follows_the_message_as_with_the_incumbent() -> None:
    try:
        raise KeyError("gone")
    except KeyError:
        record = make_record("it failed", level=logging.ERROR)
        record.exc_info = sys.exc_info()
    theirs = uvicorn.logging.DefaultFormatter(DEFAULT_FORMAT, use_colors=True).format(record)
    assert DefaultFormatter(DEFAULT_FORMAT, use_colors=True).format(record) == theirs


def test_the_public_names_are_the_incumbents() -> None:
    for ours, theirs in (
        (ColourizedFormatter, uvicorn.logging.ColourizedFormatter),
        (DefaultFormatter, uvicorn.logging.DefaultFormatter),
        (AccessFormatter, uvicorn.logging.AccessFormatter),
    ):
        missing = {name for name in dir(theirs) if not name.startswith("_")} - set(dir(ours))
        assert not missing


def test_a_subclass_may_repaint_levels_and_statuses() -> None:
    class Loud(AccessFormatter):
        def get_status_code(self, status_code: int) -> str:
            return f"<{status_code}>"

        def color_level_name(self, level_name: str, level_no: int) -> str:
            return level_name.lower()

    record = access_record("", "GET", "/", "1.1", 200)
    assert Loud(ACCESS_FORMAT, use_colors=True).format(record) == 'info:      - "\x1b[1mGET / HTTP/1.1\x1b[0m" <200>'


def test_the_record_is_left_as_it_was_for_the_next_handler() -> None:
    record = make_record("hello %s", "\x1b", color_message="\x1b[1m%s")
    record.message = record.getMessage()
    before = dict(vars(record))
    for formatter in (DefaultFormatter(use_colors=True), AccessFormatter(use_colors=True)):
        formatter.formatMessage(record)
    assert vars(record) == before


@pytest.mark.parametrize(
    ("formatter", "stream"),
    [(ColourizedFormatter, "stdout"), (AccessFormatter, "stdout"), (DefaultFormatter, "stderr")],
)
def test_colours_are_used_by_default_on_a_terminal(
    formatter: type[ColourizedFormatter], stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.StringIO())
    assert not formatter().use_colors
    monkeypatch.setattr(sys, stream, Terminal())
    assert formatter().use_colors
    assert not formatter(use_colors=False).use_colors
    monkeypatch.setattr(sys, stream, None)
    assert not formatter().use_colors


@pytest.mark.parametrize("use_colors", [True, False])
def test_no_control_byte_in_any_part_of_an_access_reaches_the_output(use_colors: bool) -> None:
    evil = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
    shown = "".join(f"\\x{ord(character):02x}" for character in evil)
    clean = AccessFormatter(f"{ACCESS_FORMAT} %(message)s", use_colors=use_colors)
    for position in range(4):
        args: list[Any] = ["client", "GET", "/", "1.1", 200]
        args[position] = "@"
        expected = clean.format(access_record(*args)).replace("@", shown)
        args[position] = evil
        assert clean.format(access_record(*args)) == expected


@pytest.mark.parametrize("args", [(), ("only one",), ("a", "b", "c", "d", "e"), ("a", "b", "c", "d", None)])
def test_an_access_record_of_another_shape_is_shown_by_its_message(args: tuple[object, ...]) -> None:
    record = make_record("cache" + " %s" * len(args), *args)
    expected = " ".join(["INFO:     cache", *map(str, args)])
    assert AccessFormatter(ACCESS_FORMAT, use_colors=False).format(record) == expected
    record.args = None
    assert AccessFormatter("%(message)s", use_colors=False).format(record).startswith("cache")


def test_args_by_name_are_no_access() -> None:
    record = make_record("%(who)s", {"who": "me\x1b"})
    assert AccessFormatter(ACCESS_FORMAT, use_colors=False).format(record) == "INFO:     me\\x1b"


@pytest.mark.parametrize("args", [("/\x1b[2J\n",), (ValueError("/\x1b[2J\n"),)])
def test_control_bytes_in_a_message_of_another_shape_are_escaped(args: tuple[object, ...]) -> None:
    formatter = AccessFormatter(ACCESS_FORMAT, use_colors=True)
    plain = make_record("żle: %s", *args)
    assert formatter.format(plain) == "\x1b[32mINFO\x1b[0m:     żle: /\\x1b[2J\\x0a"
    coloured = make_record("żle: %s", *args, color_message="\x1b[31mżle\x1b[0m: %s")
    assert formatter.format(coloured) == "\x1b[32mINFO\x1b[0m:     \x1b[31mżle\x1b[0m: /\\x1b[2J\\x0a"


CONTROLS = "".join(map(chr, (*range(9), *range(11, 0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0x202E, 0xDC80)))


def failed(message: str) -> logging.LogRecord:
    """The record of an exception with a text."""
    try:
        raise ValueError(message)
    except ValueError:
        record = make_record("it failed", level=logging.ERROR)
        record.exc_info = sys.exc_info()
        return record


@pytest.mark.parametrize("use_colors", [True, False])
def test_no_control_byte_in_a_message_or_an_exception_reaches_the_output(use_colors: bool) -> None:
    """Lines and tabs stay: tracebacks have them."""
    formatter = DefaultFormatter(DEFAULT_FORMAT, use_colors=use_colors)
    for record in (make_record(f"żle:\t\n{CONTROLS}"), make_record("%s", f"żle:\t\n{CONTROLS}"), failed(CONTROLS)):
        shown = formatter.format(record).replace("\x1b[32mINFO\x1b[0m", "").replace("\x1b[31mERROR\x1b[0m", "")
        assert {character for character in shown if not character.isprintable()} <= {"\t", "\n"}
        assert escape(CONTROLS) in shown
    assert formatter.format(make_record("żle:\t\n1")).endswith("żle:\t\n1")


def test_a_traceback_that_another_formatter_has_made_is_escaped_as_well() -> None:
    """`logging` keeps it on the record."""
    record = failed("\x1b[2J")
    theirs = logging.Formatter().format(record)
    assert "\x1b[2J" in theirs
    record.stack_info = "Stack\x1b:\n  line"
    shown = DefaultFormatter(use_colors=False).format(record)
    assert shown == theirs.replace("\x1b", "\\x1b") + "\nStack\\x1b:\n  line"
    assert record.exc_text is not None
    assert "\x1b" in record.exc_text, "it isn't ours to change"


def test_what_is_filled_into_a_coloured_message_brings_no_codes_of_its_own() -> None:
    record = make_record("%s %r", "\x1b[2J", Decimal("1"), color_message="\x1b[1m%s\x1b[0m %r")
    assert DefaultFormatter("%(message)s", use_colors=True).format(record) == "\x1b[1m\\x1b[2J\x1b[0m Decimal('1')"


def test_numbers_and_names_are_filled_into_a_coloured_message_as_usual() -> None:
    formatter = AccessFormatter("%(message)s", use_colors=True)
    record = make_record("%d %.1f", 7, Decimal("0.5"), color_message="\x1b[1m%d\x1b[0m %.1f")
    assert formatter.format(record) == "\x1b[1m7\x1b[0m 0.5"
    named = make_record("%(n)d %(who)s", {"n": 7, "who": "\x9b"}, color_message="%(n)d \x1b[1m%(who)s")
    assert formatter.format(named) == "7 \x1b[1m\\x9b"
    assert formatter.format(make_record("none", color_message="\x1b[1mnone")) == "\x1b[1mnone"


def test_a_field_that_no_record_has_is_still_an_error_for_an_access() -> None:
    with pytest.raises(ValueError, match="no_such_field"):
        AccessFormatter("%(no_such_field)s").format(access_record("", "GET", "/", "1.1", 200))


def test_only_the_default_format_has_the_default_look() -> None:
    class Mine(AccessFormatter):
        pass

    assert AccessFormatter(ACCESS_FORMAT).has_default_look()
    assert AccessFormatter(ACCESS_FORMAT, use_colors=True).has_default_look()
    assert not AccessFormatter(ACCESS_FORMAT, datefmt="%H").has_default_look()
    assert not AccessFormatter("{levelprefix}", style="{").has_default_look()
    assert not AccessFormatter("%(message)s").has_default_look()
    assert not Mine(ACCESS_FORMAT).has_default_look()


def test_a_status_may_be_an_enum_member_or_text() -> None:
    formatter = AccessFormatter("%(status_code)s", use_colors=False)
    for status in (http.HTTPStatus.NOT_FOUND, "404"):
        record = make_record("%s %s %s %s %s", "", "GET", "/", "1.1", status)
        assert formatter.format(record) == "404 Not Found"
