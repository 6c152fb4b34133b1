"""Bodies: where they end and what is in them (RFC 9112, sections 6 and 7)."""

import itertools
import random

import pytest

from monoceros.errors import RequestError
from monoceros.wire.body import BodyReader, ChunkedReader, LengthReader
from tests.doubles.requests import bytewise, two_way_cuts

BUDGET = 100


def read(reader: BodyReader, pieces: list[bytes] | tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """Feed the pieces; return the content and what follows the body."""
    content = rest = b""
    for piece in pieces:
        if reader.ended:
            rest += piece
        else:
            more, rest = reader.feed(piece)
            content += more
            assert not rest or reader.ended
    return content, rest


def refusal(data: bytes, budget: int = BUDGET) -> RequestError:
    with pytest.raises(RequestError) as caught:
        ChunkedReader(budget).feed(data)
    assert caught.value.status == 400
    return caught.value


def test_a_body_of_known_length_ends_with_its_last_octet() -> None:
    """RFC 9112, section 6.2."""
    reader = LengthReader(5)
    assert reader.feed(b"ab") == (b"ab", b"")
    assert not reader.ended
    assert reader.feed(b"cde") == (b"cde", b"")
    assert reader.ended


def test_what_follows_a_body_of_known_length_is_left() -> None:
    """RFC 9112, section 9.3.2."""
    reader = LengthReader(2)
    assert reader.feed(b"abGET /") == (b"ab", b"GET /")
    assert reader.ended


def test_a_chunked_body_is_the_same_in_whatever_pieces_it_comes() -> None:
    """RFC 9112, section 7.1."""
    data = b'3;a="x;\\"y"\r\nabc\r\n00a;b\r\n0123456789\r\n0;c=d\r\nX: y\r\nZ:\r\n\r\nGET'
    expected = (b"abc0123456789", b"GET")
    assert read(ChunkedReader(BUDGET), [data]) == expected
    assert read(ChunkedReader(BUDGET), bytewise(data)) == expected
    for pieces in two_way_cuts(data):
        assert read(ChunkedReader(BUDGET), pieces) == expected


def test_the_content_of_a_chunk_is_handed_on_before_the_chunk_is_complete() -> None:
    reader = ChunkedReader(BUDGET)
    assert reader.feed(b"a\r\n123") == (b"123", b"")
    assert reader.feed(b"4567890") == (b"4567890", b"")
    assert not reader.ended


def test_chunks_up_to_64_bits_are_taken() -> None:
    """RFC 9112, section 7.1: large sizes must be anticipated, without an overflow."""
    reader = ChunkedReader(BUDGET)
    assert reader.feed(b"FFFFFFFFFFFFFFFF\r\nabc") == (b"abc", b"")
    refusal(b"1FFFFFFFFFFFFFFFF\r\n")


@pytest.mark.parametrize(
    "extension",
    [b"", b";a", b";a;b", b"; a", b";\ta", b";a=b", b';a="b c"', b';a="\\""', b';a=""', b';a="\t\xe9"', b";a=b;c"],
)
def test_extensions_are_judged_and_dropped(extension: bytes) -> None:
    """RFC 9112, section 7.1.1."""
    assert read(ChunkedReader(BUDGET), [b"1" + extension + b"\r\nx\r\n0\r\n\r\n"]) == (b"x", b"")


TOKEN = b"!#$%&'*+-.^_`|~09AZaz"


def test_the_grammar_of_tokens_and_quoted_strings_is_known_to_the_octet() -> None:
    """RFC 9110, sections 5.6.2 and 5.6.4; RFC 9112, section 7.1.1."""
    for octet in range(256):
        mark = bytes([octet])
        token = mark in TOKEN or mark.isalnum()
        quoted = mark in b"\t " or (octet >= 0x21 and mark not in b'"\\\x7f')
        escaped = mark == b"\t" or (octet >= 0x20 and octet != 0x7F)
        for extension, good in (
            (b";" + mark, token),
            (b";a=" + mark, token),
            (b';a="' + mark + b'"', quoted),
            (b';a="\\' + mark + b'"', escaped),
        ):
            data = b"1" + extension + b"\r\nx\r\n0\r\n\r\n"
            if good:
                assert read(ChunkedReader(BUDGET), [data]) == (b"x", b""), data
            else:
                refusal(data)


def test_the_grammar_of_trailers_is_known_to_the_octet() -> None:
    """RFC 9110, sections 5.1 and 5.5."""
    for octet in range(256):
        mark = bytes([octet])
        token = mark in TOKEN or mark.isalnum()
        for trailer, good in (
            (b"a" + mark + b"b: c", token or mark == b":"),
            (mark + b"a: c", token),
            (b"a: b" + mark + b"c", mark == b"\t" or (octet >= 0x20 and octet != 0x7F)),
        ):
            data = b"0\r\n" + trailer + b"\r\n\r\n"
            if good:
                assert read(ChunkedReader(BUDGET), [data]) == (b"", b""), data
            else:
                refusal(data)


def test_the_grammar_of_sizes_is_known_to_the_octet() -> None:
    """RFC 9112, section 7.1."""
    for octet in range(256):
        mark = bytes([octet])
        reader = ChunkedReader(BUDGET)
        if mark in b"0123456789abcdefABCDEF":
            assert reader.feed(b"1" + mark + b"\r\nx") == (b"x", b"")
        elif mark not in b"\r\n;":
            refusal(b"1" + mark + b"\r\nx")
            refusal(b"1" + mark)


@pytest.mark.parametrize(
    "extension",
    [
        b";",
        b" ;a",
        b"\t",
        b" ",
        b";a=",
        b";=b",
        b";a =b",
        b";a= b",
        b';a="b',
        b';a="b\\"',
        b';a="\\\x01"',
        b";a\x00",
        b",a",
        b";a\r",
    ],
)
def test_an_extension_off_the_grammar_is_refused(extension: bytes) -> None:
    """RFC 9112, section 7.1.1; of its bad white space only that behind a semicolon is taken."""
    refusal(b"1" + extension + b"\r\nx\r\n0\r\n\r\n")


@pytest.mark.parametrize("size", [b"", b"-1", b"+1", b"0x1", b"g", b"1_0", b"1 ", b" 1", b"\xb9", b"0" * 17, b"1\r"])
def test_a_size_off_the_grammar_is_refused(size: bytes) -> None:
    """RFC 9112, section 7.1."""
    assert "chunk size" in refusal(size + b"\r\nx\r\n0\r\n\r\n").reason


@pytest.mark.parametrize("beginning", [b"g", b"0" * 17, b"1 ", b"1,", b"-", b"1\rx"])
def test_a_size_that_cannot_become_one_is_refused_before_its_line_ends(beginning: bytes) -> None:
    refusal(beginning)


@pytest.mark.parametrize("end", [b"\n", b"x\r\n", b"\rx", b"\r\r\n", b"\n\n"])
def test_a_chunk_must_end_with_cr_lf(end: bytes) -> None:
    """RFC 9112, section 7.1."""
    assert "CR LF" in refusal(b"1\r\nx" + end).reason


@pytest.mark.parametrize("trailer", [b"X", b": y", b"X : y", b" X: y", b"X: \x00", b"X: y\x7f", b"X: y\rz", b"HOST: y"])
def test_a_trailer_off_the_grammar_is_refused(trailer: bytes) -> None:
    """RFC 9112, sections 5 and 7.1.2."""
    refusal(b"0\r\n" + trailer + b"\r\n\r\n")


@pytest.mark.parametrize("end", [b"\n", b"X: y\n\r\n", b"\r\r\n", b"\rX"])
def test_the_end_of_a_chunked_body_must_be_an_empty_line(end: bytes) -> None:
    """RFC 9112, section 7.1."""
    refusal(b"0\r\n" + end)


def test_extensions_and_trailers_share_one_budget() -> None:
    """RFC 9112, section 7.1.1: a server ought to limit the total of them."""
    within = b"1;" + b"a" * 49 + b"\r\nx\r\n0\r\nX:" + b"y" * 46 + b"\r\n\r\n"
    assert read(ChunkedReader(BUDGET), [within]) == (b"x", b"")
    assert "over the limit" in refusal(within.replace(b"yy", b"yyy", 1)).reason
    assert "over the limit" in refusal(b"1;a\r\nx\r\n" * 51).reason


def test_sizes_cost_no_budget() -> None:
    reader = ChunkedReader(0)
    assert read(reader, bytewise(b"0001\r\nx\r\n" * 50 + b"0\r\n\r\n")) == (b"x" * 50, b"")
    assert reader.ended


@pytest.mark.parametrize(
    "data", [b"1;" + b"a" * 200, b"0\r\nX: " + b"y" * 200, b"1;a\r\nx\r\n" * 49 + b"1;" + b"a" * 30]
)
def test_a_line_without_end_is_refused_at_the_budget(data: bytes) -> None:
    """What a peer makes a server hold is bounded."""
    assert "over the limit" in refusal(data).reason


def test_the_budget_is_the_same_in_whatever_pieces_a_body_comes() -> None:
    for spare in (0, 1):
        data = b"1;" + b"a" * (BUDGET - spare) + b"\r\nx\r\n0\r\n\r\n"
        outcomes = set()
        for pieces in [(data,), tuple(bytewise(data)), *two_way_cuts(data)]:
            try:
                outcomes.add(read(ChunkedReader(BUDGET), pieces))
            except RequestError:
                outcomes.add((b"refused", b""))
        assert outcomes == {(b"x", b"") if spare else (b"refused", b"")}


def test_content_may_be_as_large_as_the_limit_and_no_larger() -> None:
    """RFC 9110, section 15.5.14."""
    data = b"2\r\nab\r\n001\r\nc\r\n0\r\n\r\n"
    for pieces in [(data,), tuple(bytewise(data)), *two_way_cuts(data)]:
        assert read(ChunkedReader(BUDGET, 3), pieces) == (b"abc", b"")
        for limit in (0, 1, 2):
            with pytest.raises(RequestError, match=f"over the limit of {limit} octets") as caught:
                read(ChunkedReader(BUDGET, limit), pieces)
            assert caught.value.status == 413


def test_a_chunk_that_will_be_too_large_is_not_waited_for() -> None:
    """RFC 9110, section 15.5.14."""
    reader = ChunkedReader(BUDGET, 1000)
    with pytest.raises(RequestError):
        reader.feed(b"3e9\r\n")


def test_random_bodies_come_back_as_they_were_chunked() -> None:
    choice = random.Random(1)
    for _ in range(200):
        content = choice.randbytes(choice.randrange(60))
        data, at = b"", 0
        while at < len(content):
            size = choice.randint(1, 9)
            piece = content[at : at + size]
            data += b"%x\r\n%b\r\n" % (len(piece), piece)
            at += size
        data += b"0\r\n\r\n"
        cuts = sorted(choice.randrange(len(data) + 1) for _ in range(3))
        bounds = [0, *cuts, len(data)]
        pieces = [data[a:b] for a, b in itertools.pairwise(bounds)]
        assert read(ChunkedReader(BUDGET), pieces) == (content, b"")
