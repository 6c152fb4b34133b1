"""The invariant of a PROXY header, whatever a connection begins with:

Any bytes give a header, a refusal with status 400, or the wish for more; nothing else escapes. In whatever pieces they
come, the answer is the same. What follows the header is handed back untouched. No more is asked for once the longest
header would be over. The ends that are named are such as a socket would name.

The first octet of an input chooses the versions that are taken and the pieces; the rest is what the peer sends.
"""

import ipaddress
import random
from collections.abc import Iterator
from pathlib import Path

from monoceros.errors import RequestError
from monoceros.wire.proxy_protocol import LONGEST_LINE, SIGNATURE, Accepted, Endpoint, ProxyHeader, ProxyHeaderReader
from tests.fuzz.running import run_module

CORPUS = Path(__file__).parent / "corpus" / "proxy_header"

MUTATIONS = 10000
"""Tried by the suite: some four seconds."""

VERSIONS = tuple(Accepted)
LONGEST_BLOCK = 16 + 65535
LONGEST_PATH = 108 * len("\ufffd".encode())


def fed(accepted: Accepted, pieces: list[bytes]) -> tuple[ProxyHeader | RequestError | None, int]:
    """Return what a reader says of pieces, and how many octets it was given until then."""
    reader = ProxyHeaderReader(accepted)
    given = 0
    for piece in pieces:
        given += len(piece)
        try:
            header = reader.feed(piece)
        except RequestError as refusal:
            return refusal, given
        if header is not None:
            return header, given
        assert given < (LONGEST_BLOCK if accepted is not Accepted.V1 else LONGEST_LINE), "it never has enough"
    return None, given


def cut(data: bytes, seed: int) -> list[bytes]:
    """Return the pieces of a connection's first bytes; seed 0 makes one of every octet."""
    choice = random.Random(seed)
    pieces = []
    while data:
        size = choice.choice((1, 2, 3, 7, 12, 16, 100)) if seed else 1
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def check_end(end: Endpoint) -> None:
    """See that an end is an address and a port, or the path of a unix socket."""
    if isinstance(end, tuple):
        host, port = end
        assert str(ipaddress.ip_address(host)) == host
        assert 0 <= port <= 65535
    else:
        assert len(end.encode()) <= LONGEST_PATH


def check(data: bytes) -> None:
    """One input. Raises AssertionError where the invariant doesn't hold, and whatever else escapes."""
    chosen, sent = (data or b"\0")[0], data[1:]
    accepted = VERSIONS[chosen % len(VERSIONS)]
    whole, _ = fed(accepted, [sent] if len(sent) < LONGEST_LINE else cut(sent, 1))
    apart, given = fed(accepted, cut(sent, chosen // len(VERSIONS)))
    match whole, apart:
        case ProxyHeader(), ProxyHeader():
            assert apart.ends == whole.ends
            used = given - len(apart.rest)
            assert sent[used:given] == apart.rest, "what follows the header was changed"
            assert len(SIGNATURE) <= used <= LONGEST_BLOCK
            for end in whole.ends or ():
                check_end(end)
        case RequestError(), RequestError():
            assert whole.status == apart.status == 400
        case _:
            assert whole is apart is None, f"whole: {whole}; in pieces: {apart}"


def seeds() -> Iterator[bytes]:
    """Headers of all kinds; the first octet says that both versions are taken, and that octets come singly."""
    choice = bytes([VERSIONS.index(Accepted.AUTO)])
    lines = [
        b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET / HTTP/1.1\r\n\r\n",
        b"PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 65535 0\r\n",
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n",
    ]
    yield from (choice + line for line in lines)
    blocks = [
        b"\x20\x00\x00\x00",
        b"\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb",
        b"\x21\x21\x00\x24" + bytes(range(36)),
        b"\x21\x31\x00\xd8" + b"/run/client.sock".ljust(108, b"\0") + b"/run/server.sock".ljust(108, b"\0"),
        b"\x21\x11\x00\x10\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb\x04\x00\x01\x00",
        b"\x21\x12\x00\x0c" + bytes(12),
        b"\x21\x00\x00\x00",
    ]
    yield from (choice + SIGNATURE + block + b"GET / HTTP/1.1\r\n" for block in blocks)


if __name__ == "__main__":
    run_module(__file__)
