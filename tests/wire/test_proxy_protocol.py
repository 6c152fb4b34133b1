"""The PROXY protocol's two forms, as HAProxy's specification (proxy-protocol.txt) has them.

Tables of what is taken and what is refused, and properties: how a header is cut makes no difference, what follows it is
handed back, and nothing but a RequestError escapes.
"""

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monoceros.errors import RequestError
from monoceros.wire.proxy_protocol import LONGEST_LINE, SIGNATURE, Accepted, Ends, ProxyHeader, ProxyHeaderReader

V1, V2, AUTO = Accepted.V1, Accepted.V2, Accepted.AUTO
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LINE = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"
FOUR = Ends(("192.0.2.1", 56324), ("198.51.100.1", 443))


def block(command: int, protocol: int, rest: bytes = b"", length: int | None = None) -> bytes:
    """A header of version 2; its length is the right one, unless another is given."""
    return SIGNATURE + struct.pack("!BBH", command, protocol, len(rest) if length is None else length) + rest


def addresses(source: str, destination: str, *ports: int) -> bytes:
    packed = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    return packed + struct.pack("!HH", *ports)


def paths(source: bytes, destination: bytes) -> bytes:
    return source.ljust(108, b"\0") + destination.ljust(108, b"\0")


BLOCK = block(0x21, 0x11, addresses("192.0.2.1", "198.51.100.1", 56324, 443))
TLV = b"\x04\x00\x03abc"


def read(data: bytes, accepted: Accepted = AUTO) -> ProxyHeader | None:
    return ProxyHeaderReader(accepted).feed(data)


def refusal(data: bytes, accepted: Accepted = AUTO) -> str:
    with pytest.raises(RequestError) as caught:
        read(data, accepted)
    assert caught.value.status == 400
    return caught.value.reason


@pytest.mark.parametrize(
    ("line", "ends"),
    [
        (LINE, FOUR),
        (b"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", Ends(("0.0.0.0", 0), ("255.255.255.255", 65535))),
        (b"PROXY TCP6 2001:DB8::1 ::1 1 2\r\n", Ends(("2001:db8::1", 1), ("::1", 2))),
        (b"PROXY TCP6 " + b" ".join([b":".join([b"ffff"] * 8)] * 2) + b" 65535 65535\r\n", None),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN whatever \x00 \n stands here\r\n", None),
        (b"PROXY UNKNOWN ".ljust(LONGEST_LINE - 2, b"f") + b"\r\n", None),
    ],
)
def test_a_line_names_both_ends(line: bytes, ends: Ends | None) -> None:
    """Section 2.1. For UNKNOWN, the real connection's ends count, whatever else the line says."""
    if line.startswith(b"PROXY TCP6 ffff"):
        longest = ":".join(["ffff"] * 8)
        ends = Ends((longest, 65535), (longest, 65535))
    assert read(line + REQUEST) == read(line + REQUEST, V1) == ProxyHeader(ends, REQUEST)


@pytest.mark.parametrize(
    "line",
    [
        b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n",
        b"PROXY  TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
        b"PROXY TCP4 192.0.2.1  198.51.100.1 56324 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 9\r\n",
        b"PROXY\tTCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
        b"proxy TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
        b"PROXY tcp4 192.0.2.1 198.51.100.1 56324 443\r\n",
        b"PROXY TCP5 192.0.2.1 198.51.100.1 56324 443\r\n",
        b"PROXY UDP4 192.0.2.1 198.51.100.1 56324 443\r\n",
        b"PROXY UNKNOWNS\r\n",
        b"PROXY unknown\r\n",
        b"PROXY \r\n",
        b"PROXY\r\n",
        b"PROXYTCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
        b"PROXY TCP4 192.0.2.01 198.51.100.1 56324 443\r\n",
        b"PROXY TCP4 192.0.2.256 198.51.100.1 56324 443\r\n",
        b"PROXY TCP4 192.0.2 198.51.100.1 56324 443\r\n",
        b"PROXY TCP4 192.0.2.1.1 198.51.100.1 56324 443\r\n",
        b"PROXY TCP4 ::1 ::1 56324 443\r\n",
        b"PROXY TCP6 192.0.2.1 198.51.100.1 56324 443\r\n",
        b"PROXY TCP6 ::1 1::2::3 56324 443\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 56324 443\r\n",
        b"PROXY TCP6 [::1] ::1 56324 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 056324 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 1 65536\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 1 \xd9\xa1\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n" + REQUEST,
        b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r" + REQUEST,
    ],
)
def test_a_line_that_is_not_exactly_right_is_refused(line: bytes) -> None:
    """Section 2.1: "Any sequence which does not exactly match the protocol must be discarded"."""
    assert "PROXY" in refusal(line)


def test_a_line_has_its_end_within_107_octets() -> None:
    """Section 2.1: "the receiver should declare the line invalid"."""
    long = b"PROXY UNKNOWN ".ljust(LONGEST_LINE - 1, b"f")
    assert "no end within 107 octets" in refusal(long + b"\r\n")
    assert read(long) is None
    assert "no end within 107 octets" in refusal(long + b"\r")


@pytest.mark.parametrize(
    ("header", "ends"),
    [
        (BLOCK, FOUR),
        (
            block(0x21, 0x21, addresses("2001:db8::1", "::1", 1, 65535)),
            Ends(("2001:db8::1", 1), ("::1", 65535)),
        ),
        (block(0x21, 0x31, paths(b"", b"/run/a.sock")), Ends("", "/run/a.sock")),
        (block(0x21, 0x31, paths(b"\xff", b"x" * 108)), Ends("\ufffd", "x" * 108)),
        (block(0x21, 0x11, addresses("192.0.2.1", "198.51.100.1", 56324, 443) + TLV), FOUR),
        (block(0x20, 0x00), None),
        (block(0x20, 0x11, addresses("192.0.2.1", "198.51.100.1", 1, 2)), None),
        (block(0x20, 0xFF, TLV), None),
        (block(0x21, 0x00), None),
        (block(0x21, 0x00, TLV), None),
        (block(0x21, 0x10, b"1"), None),
        (block(0x21, 0x01, b"1"), None),
        (block(0x21, 0x12, addresses("192.0.2.1", "198.51.100.1", 1, 2)), None),
        (block(0x21, 0x32, paths(b"", b"")), None),
        (block(0x21, 0x00, b"x" * 65535), None),
    ],
)
def test_a_block_names_both_ends(header: bytes, ends: Ends | None) -> None:
    """Section 2.2. For LOCAL, UNSPEC and datagrams, the real ends count; what follows the addresses is skipped."""
    assert read(header + REQUEST) == read(header + REQUEST, V2) == ProxyHeader(ends, REQUEST)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (block(0x11, 0x11), "version or command (0x11)"),
        (block(0x31, 0x11), "version or command (0x31)"),
        (block(0x22, 0x11), "version or command (0x22)"),
        (block(0x2F, 0x00), "version or command (0x2f)"),
        (block(0x21, 0x41), "family or transport (0x41)"),
        (block(0x21, 0x13), "family or transport (0x13)"),
        (block(0x21, 0xFF), "family or transport (0xff)"),
        (block(0x21, 0x11), "too short for its addresses"),
        (block(0x21, 0x11, b"x" * 11), "too short for its addresses"),
        (block(0x21, 0x21, b"x" * 35), "too short for its addresses"),
        (block(0x21, 0x31, b"x" * 215), "too short for its addresses"),
        (SIGNATURE[:-1] + b"\r" + BLOCK[12:], "doesn't begin with a PROXY header"),
    ],
)
def test_a_block_that_is_not_right_is_refused(header: bytes, reason: str) -> None:
    """Section 2.2: receivers must drop connections that present unexpected values."""
    assert reason in refusal(header)


def test_an_unknown_version_is_refused_before_its_addresses_come() -> None:
    assert "version or command" in refusal(block(0x31, 0x11, length=65535))


@pytest.mark.parametrize("data", [REQUEST, b"\x16\x03\x01", b"P\r\n", b"\r\n\r\n\r\n", b"\0", b"PRI * HTTP/2.0\r\n"])
def test_a_connection_without_a_header_is_refused_at_once(data: bytes) -> None:
    """Section 2: a receiver "MUST not try to guess whether the protocol header is present or not"."""
    for accepted in Accepted:
        assert "doesn't begin with a PROXY header" in refusal(data, accepted)


def test_only_the_version_that_was_asked_for_is_taken() -> None:
    assert refusal(BLOCK, V1) == "it doesn't begin with a PROXY header of v1"
    assert refusal(LINE, V2) == "it doesn't begin with a PROXY header of v2"
    assert "of v" not in refusal(REQUEST)


HEADERS = st.one_of(
    st.builds(
        lambda source, destination, ports: (
            f"PROXY TCP4 {source} {destination} {ports[0]} {ports[1]}\r\n".encode(),
            Ends((str(source), ports[0]), (str(destination), ports[1])),
        ),
        st.ip_addresses(v=4),
        st.ip_addresses(v=4),
        st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
    ),
    st.builds(
        lambda source, destination, ports, more: (
            block(0x21, 0x21, addresses(str(source), str(destination), *ports) + more),
            Ends((str(source), ports[0]), (str(destination), ports[1])),
        ),
        st.ip_addresses(v=6),
        st.ip_addresses(v=6),
        st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
        st.binary(max_size=40),
    ),
)


@given(HEADERS, st.binary(max_size=40))
def test_a_header_is_read_the_same_however_it_is_cut(header: tuple[bytes, Ends], rest: bytes) -> None:
    """At every place in two, and octet by octet; until it is whole, all that came is part of it."""
    data, ends = header
    for cut in range(len(data)):
        reader = ProxyHeaderReader(AUTO)
        assert reader.feed(data[:cut]) is None
        assert reader.feed(data[cut:] + rest) == ProxyHeader(ends, rest)
    reader = ProxyHeaderReader(AUTO)
    found = [reader.feed(data[at : at + 1]) for at in range(len(data))]
    assert found == [*[None] * (len(data) - 1), ProxyHeader(ends, b"")]


def fed_by_octets(data: bytes, accepted: Accepted) -> ProxyHeader | None:
    """What came of bytes that came one by one: None if they were refused, all of them as the rest if incomplete."""
    reader = ProxyHeaderReader(accepted)
    for at in range(len(data)):
        try:
            header = reader.feed(data[at : at + 1])
        except RequestError:
            return None
        if header is not None:
            return header._replace(rest=data[at + 1 :])
    return ProxyHeader(None, data)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=100).map(lambda rest: b"PROXY TCP" + rest),
        st.binary(max_size=100).map(lambda rest: SIGNATURE + rest),
    ),
    st.sampled_from(Accepted),
)
def test_any_bytes_are_a_header_or_refused_or_incomplete(data: bytes, accepted: Accepted) -> None:
    """How it comes makes no difference; what is incomplete is never more than a header may be."""
    found = fed_by_octets(data, accepted)
    try:
        header = read(data, accepted)
    except RequestError:
        assert found is None
        return
    if header is None:
        assert found == ProxyHeader(None, data)
        assert len(data) < LONGEST_LINE or data.startswith(SIGNATURE)
    else:
        assert found == header


WHOLE = [
    LINE,
    b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n",
    b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
    BLOCK,
    block(0x21, 0x21, addresses("2001:db8::1", "::1", 1, 2) + TLV),
    block(0x21, 0x31, paths(b"/a", b"/b")),
    block(0x20, 0x00, TLV),
]


@given(st.sampled_from(WHOLE), st.data(), st.sampled_from(Accepted))
def test_a_damaged_header_is_judged_the_same_however_it_comes(
    header: bytes, data: st.DataObject, accepted: Accepted
) -> None:
    """Octets changed, left out, put in: it is taken, refused or incomplete, and nothing but a RequestError escapes."""
    damaged = bytearray(header)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    sent = bytes(damaged) + REQUEST
    found = fed_by_octets(sent, accepted)
    try:
        header_read = read(sent, accepted)
    except RequestError:
        assert found is None
        return
    assert found == (ProxyHeader(None, sent) if header_read is None else header_read)
    if header_read is not None:
        assert sent.endswith(header_read.rest)
        for end in header_read.ends or ():
            if isinstance(end, tuple):
                ipaddress.ip_address(end[0])
                assert 0 <= end[1] <= 65535


@given(st.binary(max_size=4 * LONGEST_LINE).map(lambda rest: b"PROXY " + rest))
def test_no_line_is_waited_for_beyond_the_longest(data: bytes) -> None:
    """Section 2.1: it has an end within 107 octets, or is refused; so no more than that is held for a peer."""
    reader = ProxyHeaderReader(V1)
    for at in range(LONGEST_LINE):
        try:
            if reader.feed(data[at : at + 1]) is not None:
                return
        except RequestError:
            return
    assert len(data) < LONGEST_LINE
