"""What an application may put into a message, and what it is told otherwise."""

from http import HTTPStatus

import pytest

from monoceros.protocol.messages import (
    checked_bytes,
    checked_headers,
    checked_status,
    checked_text,
    close_of,
    content_of,
    extension_note,
)


def test_a_status_may_be_an_enumeration() -> None:
    status = checked_status(HTTPStatus.IM_A_TEAPOT)
    assert (status, type(status)) == (418, int)


@pytest.mark.parametrize("status", [199, 600, "200", None, 200.0])
def test_a_status_is_final(status: object) -> None:
    with pytest.raises(RuntimeError, match="a final status is a number from 200 to 599"):
        checked_status(status)


def test_headers_that_can_be_read_once_become_a_list() -> None:
    assert checked_headers(iter([(b"a", b"b")])) == [(b"a", b"b")]


@pytest.mark.parametrize("headers", [None, 1, "a: b", b"a: b", {b"a": b"b"}])
def test_headers_are_pairs(headers: object) -> None:
    with pytest.raises(RuntimeError, match="ASGI asks for a list of pairs of bytes"):
        checked_headers(headers)


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("http.response.trailers", " ('http.response.trailers' belongs to an extension that scope['extensions']"),
        ("http.response.push", " ('http.response.push' belongs to an extension"),
        ("http.response.body", ""),
        ("http.response.bdoy", ""),
        (None, ""),
        (["http.response.push"], ""),
    ],
)
def test_a_message_of_an_extension_is_named_as_one(kind: object, note: str) -> None:
    assert extension_note(kind).startswith(note)
    assert bool(extension_note(kind)) is bool(note)


@pytest.mark.parametrize("value", [b"ab", bytearray(b"ab"), memoryview(b"ab")])
def test_octets_come_in_three_types(value: object) -> None:
    assert checked_bytes(value, "body") == b"ab"


@pytest.mark.parametrize("value", ["ab", None, 3, [97]])
def test_other_types_are_no_octets(value: object) -> None:
    with pytest.raises(RuntimeError, match=f"sent 'body' of type {type(value).__name__}; ASGI asks for bytes"):
        checked_bytes(value, "body")


def test_text_is_str() -> None:
    assert checked_text("ab", "text") == "ab"
    with pytest.raises(RuntimeError, match="sent 'text' of type bytes; ASGI asks for str"):
        checked_text(b"ab", "text")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({}, (1000, "")),
        ({"code": None, "reason": None}, (1000, "")),
        ({"code": 3000, "reason": "a"}, (3000, "a")),
    ],
)
def test_a_close_has_a_code_and_may_have_a_reason(message: dict[str, object], expected: tuple[int, str]) -> None:
    assert close_of(message) == expected


@pytest.mark.parametrize("message", [{"code": "1000"}, {"reason": b"a"}])
def test_a_close_of_other_types_is_none(message: dict[str, object]) -> None:
    with pytest.raises(RuntimeError, match="ASGI asks for"):
        close_of(message)


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"text": "a"}, "a"),
        ({"text": "", "bytes": None}, ""),
        ({"bytes": b""}, b""),
        ({"bytes": bytearray(b"a"), "text": "b"}, b"a"),
    ],
)
def test_of_octets_and_text_the_octets_count(message: dict[str, object], content: str | bytes) -> None:
    assert content_of(message) == content


def test_a_message_has_content() -> None:
    with pytest.raises(RuntimeError, match="with neither 'bytes' nor 'text'"):
        content_of({"bytes": None})
