"""Fields as h11 reads them; `tests.wire.test_mutations` compares both parsers over thousands of heads."""

import pytest

from monoceros.errors import RequestError
from monoceros.wire.framing import METHODS
from monoceros.wire.h11_parser import H11Parser

LINE = b"GET / HTTP/1.1\r\n"


def parse(*lines: bytes, line: bytes = LINE) -> list[tuple[bytes, bytes]]:
    return H11Parser().parse_fields(line + b"".join(field + b"\r\n" for field in lines) + b"\r\n", len(line))


def test_fields_come_in_order_with_names_in_lower_case_and_values_as_they_are() -> None:
    """RFC 9110, sections 5.1 and 5.3."""
    assert parse(b"Host: A", b"X-B: C\tD", b"x-b:\xff") == [(b"host", b"A"), (b"x-b", b"C\tD"), (b"x-b", b"\xff")]


def test_white_space_around_a_value_is_taken_off() -> None:
    """RFC 9112, section 5.1."""
    assert parse(b"Host: a", b"X: \t a b \t ", b"Y: \t", b"Z:")[1:] == [(b"x", b"a b"), (b"y", b""), (b"z", b"")]


@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b"CHUNKED"])
def test_the_transfer_coding_is_shown_as_it_came(value: bytes) -> None:
    """h11 puts it in lower case; the application sees the same over both parsers."""
    fields = parse(b"Host: a", b"Transfer-Encoding:\t" + value, b"X: Transfer-Encoding: y")
    assert fields == [(b"host", b"a"), (b"transfer-encoding", value), (b"x", b"Transfer-Encoding: y")]


def test_a_request_of_http_1_0_may_go_without_host() -> None:
    """RFC 9112, section 3.2."""
    assert parse(b"X: y", line=b"GET / HTTP/1.0\r\n") == [(b"x", b"y")]
    assert parse(line=b"GET / HTTP/1.0\r\n") == []


@pytest.mark.parametrize("method", METHODS)
def test_no_known_method_is_refused(method: bytes) -> None:
    assert parse(b"Host: a", line=method + b" / HTTP/1.1\r\n") == [(b"host", b"a")]


def test_a_head_of_any_size_that_framing_let_pass_is_read() -> None:
    """The limits are those of `framing`, not h11's."""
    assert parse(b"Host: a", *[b"X: " + b"y" * 32000] * 4)[4] == (b"x", b"y" * 32000)


@pytest.mark.parametrize("field", [b"X\x01: y", b"Host: b"])
def test_a_fault_that_framing_let_pass_would_be_a_bad_request(field: bytes) -> None:
    with pytest.raises(RequestError, match="malformed header field") as caught:
        parse(b"Host: a", field)
    assert caught.value.status == 400
