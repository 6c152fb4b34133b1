"""The short way of the usual response: it says what the long way says, or nothing; and what it remembers."""

import itertools
import random
from typing import Any

import pytest

from monoceros.wire.response import default_fields, encode_head, encode_whole
from tests.wire.test_response import CODED, DATE, DEFAULTS, NONE, TEXT, declared


@pytest.mark.parametrize(
    "headers",
    [
        [(b"server", b"mine")],
        [(b"date", b"never")],
        [(b"connection", b"close")],
        [(b"connection", b"keep-alive")],
        [CODED],
        [declared(4)],
        [declared(5), declared(4)],
        [(b"content-length", b"05")],
    ],
)
def test_what_is_unusual_is_left_to_be_judged(headers: list[tuple[bytes, bytes]]) -> None:
    assert encode_whole(200, headers, DEFAULTS, b"hello") is None


@pytest.mark.parametrize("status", [204, 205, 304])
def test_a_status_without_content_is_unusual(status: int) -> None:
    """RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5."""
    assert encode_whole(status, [], DEFAULTS, b"") is None


USUAL: list[Any] = [
    TEXT,
    [b"content-type", b"text/html"],
    (b"cache-control", b"no-store"),
    (b"CACHE-CONTROL", b"no-store"),
    (b"x-a", b""),
    (b"x-b", b"\xff\t"),
    (b"x-c", bytearray(b"c")),
    (b"cache-control", memoryview(b"d")),
    (b"vary", memoryview(bytearray(b"e"))),
    (b"set-cookie", b"f"),
    declared(5),
    (b"content-length", b"5"),
]
UNUSUAL: list[Any] = [
    (b"connection", b"close"),
    (b"server", b"mine"),
    (b"date", b"never"),
    declared(4),
    CODED,
    (b"vary", b"a\nb"),
    (b"vary", "a"),
    (b"vary", 5),
    ("vary", b"a"),
    (b"", b""),
    (b"a",),
    None,
]


def test_the_short_way_says_what_the_long_way_says_or_nothing() -> None:
    """Over every pair of headers, and thousands of seeded lists; sent twice, for the short way remembers lines."""
    choice = random.Random(1)
    lists: list[list[Any]] = [list(pair) for pair in itertools.product([*USUAL, *UNUSUAL], repeat=2)]
    lists += [choice.choices(USUAL, k=choice.randrange(6)) for _ in range(2000)]
    answered = 0
    for headers in lists * 2:
        whole = encode_whole(200, headers, DEFAULTS, b"hello")
        if whole is not None:
            answered += 1
            head, *framing = encode_head(200, headers, DEFAULTS, 5, True, True, False)
            assert whole == head + b"hello", headers
            assert framing == [5, False, False]
            last = encode_head(200, headers, DEFAULTS, 5, False, True, False)
            assert encode_whole(200, headers, DEFAULTS, b"hello", persists=False) == last[0] + b"hello", headers
            assert last[1:] == (5, False, True)
        else:
            assert any(
                type(header) is not tuple or header in UNUSUAL or type(header[1]) is not bytes for header in headers
            )
    assert answered > 1000


def test_what_the_short_way_remembers_is_bounded_and_checked_each_time_anew() -> None:
    for number in range(2000):
        value = b"max-age=%d" % number
        assert encode_whole(200, [(b"cache-control", value)], NONE, b"x" * number) == (
            b"HTTP/1.1 200 OK\r\ncache-control: %b\r\ncontent-length: %d\r\n\r\n%b" % (value, number, b"x" * number)
        )
        assert encode_whole(200, [(b"cache-control", value + b"\n")], NONE, b"") is None


def test_heads_are_remembered_with_the_default_fields_they_have_and_in_bounds() -> None:
    """The default fields are rendered once a second; what was said with the former ones goes with them."""
    first, second = (default_fields(date, None) for date in ("Thu, 01 Jan 1970 00:00:00 GMT", DATE))
    for defaults in (first, second):
        for number in [*range(600), *range(600)]:
            assert encode_whole(200, [(b"x-number", b"%d" % number)], defaults, b"x") == (
                b"HTTP/1.1 200 OK\r\n%bx-number: %d\r\ncontent-length: 1\r\n\r\nx" % (defaults.lines, number)
            )
            last = encode_whole(200, [(b"x-number", b"%d" % number)], defaults, b"x", persists=False)
            assert last is not None
            assert last.endswith(b"\r\nx-number: %d\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx" % number)
        assert len(defaults.heads) == 256


def test_a_long_head_is_not_remembered() -> None:
    defaults = default_fields(None, None)
    for _ in range(2):
        assert encode_whole(200, [(b"x", bytes(2100).replace(b"\0", b"y"))], defaults, b"") is not None
    assert not defaults.heads


@pytest.mark.parametrize("other", [(201, [USUAL[0]], b"x"), (200, [], b"x"), (200, [USUAL[0]], b"xy")])
def test_a_head_is_said_again_only_of_the_same(other: tuple[int, list[tuple[bytes, bytes]], bytes]) -> None:
    defaults = default_fields(None, None)
    first = encode_whole(200, [USUAL[0]], defaults, b"x")
    assert first is not None
    assert encode_whole(200, [USUAL[0]], defaults, b"y") == first[:-1] + b"y"
    status, headers, body = other
    assert encode_whole(status, headers, defaults, body) == encode_whole(status, headers, NONE, body) != first
