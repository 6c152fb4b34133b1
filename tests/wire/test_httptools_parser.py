"""Fields as httptools reads them; `tests.wire.test_mutations` compares both parsers over thousands of heads."""

import pytest

from monoceros.errors import RequestError
from monoceros.wire.framing import METHODS
from monoceros.wire.httptools_parser import HttptoolsParser

LINE = b"GET / HTTP/1.1\r\n"
HOST = b"Host: a\r\n"


def parse(*lines: bytes, parser: HttptoolsParser | None = None) -> list[tuple[bytes, bytes]]:
    head = LINE + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    return (parser or HttptoolsParser()).parse_fields(head, len(LINE))


def test_fields_come_in_order_with_names_in_lower_case_and_values_as_they_are() -> None:
    """RFC 9110, sections 5.1 and 5.3."""
    assert parse(b"Host: A", b"X-B: C\tD", b"x-b:\xff") == [(b"host", b"A"), (b"x-b", b"C\tD"), (b"x-b", b"\xff")]


def test_white_space_around_a_value_is_taken_off() -> None:
    """RFC 9112, section 5.1."""
    assert parse(b"X: \t a b \t ", b"Y: \t", b"Z:") == [(b"x", b"a b"), (b"y", b""), (b"z", b"")]


def test_lists_of_fields_are_not_shared_between_heads() -> None:
    parser = HttptoolsParser()
    first, second = parse(b"Host: a", parser=parser), parse(b"Host: b", parser=parser)
    assert (first, second) == ([(b"host", b"a")], [(b"host", b"b")])


@pytest.mark.parametrize(
    "field",
    [
        b"Content-Length: 5",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Proxy-Connection: close",
        b"Connection: upgrade\r\nUpgrade: h2c",
        b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 5",
    ],
)
def test_what_one_head_says_of_its_message_is_forgotten_with_the_next(field: bytes) -> None:
    """llhttp would wait for the content, or refuse to go on."""
    parser = HttptoolsParser()
    for _ in range(2):
        assert parse(b"Host: a", *field.split(b"\r\n"), parser=parser)[0] == (b"host", b"a")
        assert parse(b"Host: a", parser=parser) == [(b"host", b"a")]


@pytest.mark.parametrize("method", METHODS)
def test_no_known_method_is_refused(method: bytes) -> None:
    """llhttp lists fewer than the registry."""
    head = method + b" / HTTP/1.1\r\n" + HOST + b"\r\n"
    assert HttptoolsParser().parse_fields(head, head.index(b"Host")) == [(b"host", b"a")]


def test_a_fault_that_framing_let_pass_would_be_a_bad_request() -> None:
    parser = HttptoolsParser()
    with pytest.raises(RequestError, match="malformed header field") as caught:
        parse(b"X\x01: y", parser=parser)
    assert caught.value.status == 400
    assert parse(b"Host: a", parser=parser) == [(b"host", b"a")]
