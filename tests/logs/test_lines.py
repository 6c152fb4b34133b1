"""Text on its way into a log line."""

import logging

import pytest

from monoceros.logs.lines import (
    EXCERPT,
    escape,
    escape_lines,
    escape_unprintable,
    excerpt,
    websocket_accepted,
    websocket_refused,
)
from tests.logs.conftest import Said


@pytest.mark.parametrize("text", ["", "/items/42?q=%C3%A9", '/"quoted"', "/back\\slash", " ~"])
def test_visible_ascii_is_logged_as_it_is(text: str) -> None:
    assert escape(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("a\r\nb", "a\\x0d\\x0ab"),
        ("\x00\x7f\x80\x9b", "\\x00\\x7f\\x80\\x9b"),
        ("é", "\\xe9"),
        ("\u202e", "\\u202e"),
        ("🦄", "\\U0001f984"),
        ("\udcff", "\\udcff"),
    ],
)
def test_anything_else_from_the_wire_is_escaped(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_no_code_point_of_c0_and_c1_is_let_through() -> None:
    for code in (*range(0x20), *range(0x7F, 0xA0)):
        assert escape(f"/{chr(code)}") == escape_unprintable(f"/{chr(code)}") == f"/\\x{code:02x}"


def test_escaping_twice_is_escaping_once() -> None:
    assert escape(escape("\x1b\u202e")) == escape("\x1b\u202e")


def test_letters_of_any_script_stay_in_a_persons_text() -> None:
    assert escape_unprintable("zażółć 日本 🦄") == "zażółć 日本 🦄"
    assert escape_unprintable("zażółć\n\u202e\x9b") == "zażółć\\x0a\\u202e\\x9b"


def test_several_lines_stay_several_lines() -> None:
    assert escape_lines("zażółć") == "zażółć"
    assert escape_lines("a:\n\tb\r\n\x1b\u2028\n") == "a:\n\tb\\x0d\n\\x1b\\u2028\n"


def test_of_a_long_text_the_beginning_is_shown_and_its_length_told() -> None:
    assert excerpt("\x1b" + "a" * (EXCERPT - 1)) == "\\x1b" + "a" * (EXCERPT - 1)
    assert excerpt("\x1b" + "a" * EXCERPT) == "\\x1b" + "a" * (EXCERPT - 1) + f"... ({EXCERPT + 1} characters)"


def test_an_accepted_handshake_leaves_one_line(error_logger: logging.Logger, said: Said) -> None:
    websocket_accepted(error_logger, "127.0.0.1:5000", "/chat?room=1")
    websocket_accepted(error_logger, "", "/\x1b[2J")
    assert said.messages == [
        '127.0.0.1:5000 - "WebSocket /chat?room=1" [accepted]',
        ' - "WebSocket /\\x1b[2J" [accepted]',
    ]


def test_a_refused_handshake_leaves_its_status(error_logger: logging.Logger, said: Said) -> None:
    websocket_refused(error_logger, "127.0.0.1:5000", "/chat", 403)
    websocket_refused(error_logger, "x\ny", "/\r\n", 500)
    assert said.messages == ['127.0.0.1:5000 - "WebSocket /chat" 403', 'x\\x0ay - "WebSocket /\\x0d\\x0a" 500']
