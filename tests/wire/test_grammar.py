"""The grammar of a request head (RFC 9112, sections 2 to 5). The corpus holds a file per malformed head."""

import pytest

from monoceros.errors import RequestError
from monoceros.wire.grammar import FIELD_LINES, HEAD, check_line_so_far, fault
from tests.doubles.requests import LIMITS

LINE = b"OPTIONS /a?b#c HTTP/1.1"


def test_a_head_is_a_request_line_field_lines_and_an_empty_line() -> None:
    """RFC 9112, section 2.1."""
    match = HEAD.fullmatch(LINE + b"\r\nHost: a\r\nX:\r\n\r\n")
    assert match is not None
    assert match.groups() == (b"OPTIONS", b"/a?b#c", b"1")
    assert HEAD.fullmatch(LINE + b"\r\n\r\n")
    assert not HEAD.fullmatch(LINE + b"\r\nHost: a\r\n")
    assert not HEAD.fullmatch(LINE + b"\r\nHost: a\r\n\r\nx")


@pytest.mark.parametrize("target", [b"/#", b"#", b"/a#b?c", b"http://a#b", b"*#"])
def test_no_target_has_a_fragment_before_its_query(target: bytes) -> None:
    """RFC 9112, section 3.2."""
    head = b"GET " + target + b" HTTP/1.1\r\n\r\n"
    assert not HEAD.fullmatch(head)
    assert "fragment" in fault(head, LIMITS).reason


@pytest.mark.parametrize(
    "line", [b" : y", b"X : y", b" X: y", b": y", b"X", b"X: \x0b", b"X: \x7f", b"X: a\nb", b"X: a\rb"]
)
def test_what_is_no_field_line_is_none_among_others(line: bytes) -> None:
    """RFC 9112, section 5."""
    good = b"Host: a\r\n"
    assert FIELD_LINES.fullmatch(good + b"X: \t \xff~\r\n" + good)
    assert not FIELD_LINES.fullmatch(good + line + b"\r\n" + good)


TOKEN = b"!#$%&'*+-.^_`|~"


def test_the_grammar_of_a_head_is_known_to_the_octet() -> None:
    """RFC 9112, sections 3 and 5; RFC 9110, sections 5.1, 5.5 and 5.6.2."""
    for octet in range(256):
        mark = bytes([octet])
        token = mark.isalnum() or mark in TOKEN
        visible = 0x21 <= octet <= 0x7E
        for head, good in (
            (b"G" + mark + b"T / HTTP/1.1\r\n\r\n", token),
            (mark + b"ET / HTTP/1.1\r\n\r\n", token),
            (b"GET /" + mark + b" HTTP/1.1\r\n\r\n", visible and mark != b"#"),
            (b"GET /?" + mark + b" HTTP/1.1\r\n\r\n", visible),
            (b"GET / HTTP/1." + mark + b"\r\n\r\n", mark in b"01"),
            (b"GET / HTTP/1.1\r\n" + mark + b"a: b\r\n\r\n", token),
            (b"GET / HTTP/1.1\r\na" + mark + b": b\r\n\r\n", token or mark == b":"),
            (b"GET / HTTP/1.1\r\na: " + mark + b"\r\n\r\n", octet in b"\t " or (octet > 0x20 and octet != 0x7F)),
        ):
            assert bool(HEAD.fullmatch(head)) is good, head
            fields = head.partition(b"\r\n")[2][:-2]
            if fields:
                assert bool(FIELD_LINES.fullmatch(fields)) is good, head


def test_every_part_of_a_request_line_may_be_the_beginning_of_one() -> None:
    """RFC 9112, section 3."""
    for end in range(1, len(LINE) + 1):
        check_line_so_far(LINE[:end], LIMITS)
    check_line_so_far(LINE + b"\r", LIMITS)


@pytest.mark.parametrize("octet", [b"\x00", b"\n", b"\x7f", b"\xff", b"\r\r"])
def test_no_part_of_a_request_line_may_be_followed_by_what_is_in_none(octet: bytes) -> None:
    """RFC 9112, section 3."""
    for end in range(len(LINE) + 1):
        with pytest.raises(RequestError) as caught:
            check_line_so_far(LINE[:end] + octet, LIMITS)
        assert caught.value.status == 400


@pytest.mark.parametrize(("size", "status"), [(0, None), (1, 414)])
def test_a_line_may_be_as_long_as_the_limit(size: int, status: int | None) -> None:
    """RFC 9112, section 3."""
    limits = LIMITS._replace(line=len(LINE))
    line = LINE.replace(b"?", b"?" + b"x" * size)
    if status is None:
        check_line_so_far(line, limits)
        assert fault(line + b"\r\nX\r\n\r\n", limits).status == 400
    else:
        with pytest.raises(RequestError) as caught:
            check_line_so_far(line, limits)
        assert caught.value.status == fault(line + b"\r\n\r\n", limits).status == status


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"GET /\nX: \x00\r\n\r\n", "bare CR or LF"),
        (b"GET /\rX HTTP/1.1\r\n\r\n", "bare CR or LF"),
        (b"GET / HTTP/1.1\r\nX: a\nb\r\n\r\n", "bare CR or LF"),
        (b"GET / HTTP/1.1\r\nX: a\rb\r\n\r\n", "bare CR or LF"),
        (b"GET / HTTP/3.0\r\nX\r\n\r\n", "HTTP version 3.0"),
        (b"GET /\r\nX\r\n\r\n", "malformed request line"),
        (b"M" * 32 + b" / HTTP/1.1\r\nX\r\n\r\n", "malformed field line"),
        (b"M" * 33 + b" / HTTP/1.1\r\n\r\n", "unknown method"),
        (b"GET / HTTP/1.1\r\nX: y\r\n folded\r\nY\r\n\r\n", "a folded field line"),
        (b"GET / HTTP/1.1\r\nX: y\r\n\tfolded\r\n\r\n", "a folded field line"),
        (b"GET / HTTP/1.1\r\nX: y\r\nY\r\n folded\r\n\r\n", "malformed field line"),
    ],
)
def test_the_first_fault_is_the_one_that_is_told(head: bytes, reason: str) -> None:
    assert reason in fault(head, LIMITS).reason


def test_a_head_may_be_as_large_as_the_limit() -> None:
    """RFC 6585, section 5."""
    head = b"GET / HTTP/1.1\r\nX\r\n\r\n"
    assert fault(head, LIMITS._replace(head=len(head))).status == 400
    assert fault(head, LIMITS._replace(head=len(head) - 1)).status == 431
