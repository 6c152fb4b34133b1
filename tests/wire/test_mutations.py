"""Thousands of seeded mutations of request heads and of whole connections.

The invariants: a head that `read_plain` reads is accepted by `judge_head`, which says the same of it; both parsers find
the same fields, and so did `read_plain`; any bytes, in any pieces, give requests or one RequestError, the same over
both parsers, and nothing else escapes.
"""

import random
from collections.abc import Iterator

import pytest

from monoceros.errors import RequestError
from monoceros.wire.framing import END_OF_HEAD, judge_head
from monoceros.wire.h11_parser import H11Parser
from monoceros.wire.httptools_parser import HttptoolsParser
from monoceros.wire.plain import read_plain
from tests.doubles.requests import LIMITS, PARSERS, Conversation

HEADS = 20000
CONNECTIONS = 4000

LINES = [
    *(method + b" " for method in (b"GET", b"POST", b"HEAD", b"OPTIONS", b"PURGE", b"SPLICE", b"get", b"")),
    *(b"GET " + target for target in (b"/", b"/a?b=c", b"*", b"http://a/", b"/#f", b"/\\", b"/\xe9", b"/ ")),
]
VERSIONS = [b"HTTP/1.1"] * 8 + [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1"]
FIELDS = [
    *[b"Host: a.example", b"host: a:80", b"HOST: [::1]", b"Host: a, b", b"Host:", b"Host: a "],
    *[b"Accept: */*", b"Cookie: a=b; c=d", b"X:", b"X: \t", b"X:  y \t", b"X: caf\xc3\xa9\xff", b"X-Y_Z: 1", b"X\t: y"],
    *[
        b"Connection: keep-alive",
        b"connection: close",
        b"Connection: Upgrade",
        b"Connection: x, Close ",
        b"Connection:",
    ],
    *[b"Proxy-Connection: close", b"Proxy-Connection: upgrade", b"Keep-Alive: 5", b"TE: trailers", b"Trailer: X"],
    *[b"Upgrade: websocket", b"Upgrade: h2c", b"Upgrade-Insecure-Requests: 1", b"HTTP2-Settings: AA"],
    *[b"Expect: 100-continue", b"Expect: 100-Continue ", b"Expect: x", b"Expected: x"],
    *[
        b"Content-Type: a/b",
        b"content-type: c/d",
        b"Content-Length: 0",
        *[b"Content-Length: 3"] * 3,
        b"content-length: 03 ",
        b"Content-Length: -3",
        b"Content_Length: 3",
    ],
    *[b"Content-Length: 10000000000000000000", b"content-length: 3"],
    *[b"Transfer-Encoding: chunked", b"transfer-encoding: Chunked", b"Transfer-Encoding: gzip, chunked", b"TE : x"],
    *[b" folded", b"", b"no colon", b": y"],
]
BODIES = [b"", b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n", b"0\r\n\r\n", b"\r\n"]
SPICE = b'\r\n\r\n\0\t  :;,"\\#%\x7f\x80\xff\x0b\x0c_-019aAzZ{/?*\x1b'


def made_head(choice: random.Random) -> bytes:
    """Return a head that is mostly good, often plain, sometimes neither."""
    line = choice.choice(LINES) if choice.random() < 0.4 else b"GET /"
    if line.endswith(b" ") and choice.random() < 0.9:
        line += b"/"
    version = choice.choice(VERSIONS) if choice.random() < 0.4 else b"HTTP/1.1"
    fields = [choice.choice(FIELDS[:2])] if choice.random() < 0.9 else []
    fields += choice.choices(FIELDS[6:], k=choice.randrange(5))
    if choice.random() < 0.1:
        fields.append(choice.choice(FIELDS[:6]))
    return b"\r\n".join([line + b" " + version, *fields, b"", b""])


def spoilt(data: bytes, choice: random.Random) -> bytes:
    """Return `data` with up to three octets put in, taken out or changed."""
    octets = bytearray(data)
    for _ in range(choice.randrange(4)):
        at = choice.randrange(len(octets))
        kind = choice.randrange(3)
        if kind == 0:
            octets.insert(at, choice.choice(SPICE))
        elif kind == 1 and len(octets) > 1:
            del octets[at]
        else:
            octets[at] = choice.choice(SPICE)
    return bytes(octets)


def heads(seed: int) -> Iterator[bytes]:
    choice = random.Random(seed)
    for _ in range(HEADS):
        yield spoilt(made_head(choice), choice)


@pytest.mark.parametrize("seed", range(2))
def test_what_is_matched_as_plain_is_judged_the_same(seed: int) -> None:
    plain = framed = 0
    for data in heads(seed):
        read = read_plain(data, LIMITS.fields) if data.endswith(END_OF_HEAD) else None
        if read is not None:
            plain += 1
            method, target, start, traits = judge_head(data, LIMITS)
            assert (*read[:2], read[3]) == (method, target, traits), data
            framed += traits.length > 0
            assert data[start - 2 : start] == b"\r\n"
    assert plain > HEADS / 40
    assert framed > HEADS / 400


@pytest.mark.parametrize("seed", range(2))
def test_both_parsers_find_the_same_fields_in_every_head_that_is_let_pass(seed: int) -> None:
    """RFC 9112, section 11.2: where two readers of a message differ, requests are smuggled."""
    httptools, h11 = HttptoolsParser(), H11Parser()
    passed = 0
    for data in heads(seed):
        try:
            start = judge_head(data, LIMITS).fields_start
        except RequestError:
            continue
        passed += 1
        fields = h11.parse_fields(data, start)
        assert httptools.parse_fields(data, start) == fields, data
        read = read_plain(data, LIMITS.fields)
        assert read is None or read[2] == fields, data
        assert all(value == value.strip(b" \t") and name == name.lower() for name, value in fields), data
    assert passed > HEADS / 10


def in_pieces(data: bytes, choice: random.Random) -> list[bytes]:
    pieces = []
    while data:
        size = choice.choice((1, 2, 5, 20, 100, 1000))
        pieces.append(data[:size])
        data = data[size:]
    return pieces


@pytest.mark.parametrize("seed", range(2))
def test_any_bytes_give_requests_or_a_refusal_and_nothing_else(seed: int) -> None:
    """The same over both parsers and in whatever pieces the bytes come."""
    choice = random.Random(seed)
    requests = refusals = 0
    for _ in range(CONNECTIONS):
        data = b"".join(made_head(choice) + choice.choice(BODIES) for _ in range(choice.randrange(1, 4)))
        data = spoilt(data, choice)
        whole = Conversation(HttptoolsParser()).send([data])
        requests += len(whole.sink.requests)
        refusals += whole.refusal is not None
        for make in PARSERS.values():
            held = Conversation(make()).send(in_pieces(data, choice))
            assert (held.refusal is None) == (whole.refusal is None), data
            assert len(held.sink.requests) == len(whole.sink.requests), data
            for one, other in zip(held.sink.requests, whole.sink.requests, strict=True):
                # Of a body that turns out bad, the part before is told of or not, as the pieces fall.
                assert one == other or not (one.ended or other.ended), data
    assert requests > CONNECTIONS / 5
    assert refusals > CONNECTIONS / 4


@pytest.mark.parametrize("seed", range(2))
def test_noise_is_refused_or_waits_for_more(seed: int) -> None:
    choice = random.Random(seed)
    for _ in range(CONNECTIONS):
        data = choice.randbytes(choice.randrange(1, 60)) + choice.choice((b"", b"\r\n", b"\r\n\r\n"))
        for make in PARSERS.values():
            held = Conversation(make()).send(in_pieces(data, choice))
            assert not held.sink.requests, data
            assert held.status in (None, 400), data
