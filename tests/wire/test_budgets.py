"""What an endless stream of small things may cost (RFC 9112, sections 2.2 and 7.1.1; RFC 9110, section 17.5).

The invariant: a peer that never comes to the point is refused after a bounded number of octets, whatever it sends them
in; until then a connection holds no more than its limits say.
"""

import itertools
from collections.abc import Iterator

import pytest

from monoceros.wire.limits import RequestLimits
from tests.doubles.requests import PARSERS, Conversation

LIMITS = RequestLimits(line=100, fields=20, field_size=200, head=1000)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = GET[:-2]
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

# What a peer begins with, what it goes on with for ever, the status it gets, and after how many octets at the latest.
STREAMS = {
    "empty lines at first": (b"", b"\r\n", 400, 4),
    "empty lines between requests": (GET, b"\r\n", 400, 6),
    "a method": (b"", b"A", 400, 101),
    "a target": (b"GET /", b"a", 414, 101),
    "an absolute target": (b"GET http://", b"a", 414, 101),
    "a query": (b"GET /?", b"a=b&", 414, 104),
    "the name of a field": (HEAD, b"a", 431, 201),
    "the value of a field": (HEAD + b"A: ", b"a", 431, 201),
    "white space of a field": (HEAD + b"A: ", b" ", 431, 201),
    "fields": (HEAD, b"a:\r\n", 431, 4 * 20),
    "large fields": (HEAD, b"a:" + b"b" * 196 + b"\r\n", 431, 1000),
    "connection options": (HEAD + b"Connection: ", b",", 431, 201),
    "the name of an extension": (CHUNKED + b"1;", b"a", 400, 1020),
    "the value of an extension": (CHUNKED + b"1;a=", b"a", 400, 1020),
    "a quoted value": (CHUNKED + b'1;a="', b"\\a", 400, 1020),
    "white space of an extension": (CHUNKED + b"1;", b" ", 400, 1020),
    "extensions": (CHUNKED + b"1", b";a", 400, 1020),
    "chunks with an extension": (CHUNKED, b"1;a\r\nx\r\n", 400, 500 * 8 + 8),
    "chunks with a quoted extension": (CHUNKED, b'1;a="b"\r\nx\r\n', 400, 1000 // 6 * 12 + 24),
    "zeros before a size": (CHUNKED, b"0", 400, 17),
    "digits of a size": (CHUNKED, b"F", 400, 17),
    "trailers": (CHUNKED + b"0\r\n", b"a:\r\n", 400, 1004),
    "the name of a trailer": (CHUNKED + b"0\r\n", b"a", 400, 1020),
    "the value of a trailer": (CHUNKED + b"0\r\na:", b" ", 400, 1020),
    "white space behind a size": (CHUNKED + b"1", b" ", 400, 1),
    "line ends behind a chunk": (CHUNKED + b"1\r\nx\r\n", b"\r\n", 400, 2),
}


def endless(unit: bytes, size: int) -> Iterator[bytes]:
    """Yield an endless stream of a unit, in pieces of a size."""
    octets = itertools.cycle(unit)
    while True:
        yield bytes(itertools.islice(octets, size))


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("size", [1, 7, 500])
@pytest.mark.parametrize("name", STREAMS)
def test_an_endless_stream_of_small_things_is_refused(parser: str, size: int, name: str) -> None:
    start, unit, status, most = STREAMS[name]
    held = Conversation(PARSERS[parser](), LIMITS).send([start])
    sent = 0
    for piece in endless(unit, size):
        held.send([piece])
        if held.refusal is not None:
            break
        sent += len(piece)
        assert sent <= most, "it goes on for ever"
    assert held.status == status


@pytest.mark.parametrize("parser", PARSERS)
def test_the_padding_of_sizes_is_bounded_by_the_content_it_comes_with(parser: str) -> None:
    """RFC 9112, section 7.1. At most 15 zeros come with each octet, so that no budget need count them."""
    held = Conversation(PARSERS[parser](), LIMITS)
    held.send([CHUNKED, *[b"0" * 15 + b"1\r\nx\r\n"] * 5000, b"0\r\n\r\n"])
    assert held.refusal is None
    assert held.sink.requests[0].body == b"x" * 5000
    limited = LIMITS._replace(body=100)
    held = Conversation(PARSERS[parser](), limited).send([CHUNKED, *[b"0" * 15 + b"1\r\nx\r\n"] * 101])
    assert (held.status, held.sink.requests[0].body) == (413, b"x" * 100)


@pytest.mark.parametrize("parser", PARSERS)
def test_each_body_and_each_head_has_a_budget_of_its_own(parser: str) -> None:
    chunks = CHUNKED + b"1;a\r\nx\r\n" * 400 + b"0\r\nA: b\r\n\r\n"
    held = Conversation(PARSERS[parser](), LIMITS).send([chunks] * 5)
    assert held.refusal is None
    assert len(held.sink.requests) == 5
