"""The PROXY protocol, versions 1 and 2: what a load balancer says of a connection before the connection begins.

Knows bytes and addresses; no socket, no trust and no time. The grammar is that of HAProxy's specification
(proxy-protocol.txt, sections 2.1 and 2.2). The rules it keeps: a header is there and is right, or the connection is
refused; whether one is there is never guessed; and what follows it is handed back untouched.
"""

import enum
import ipaddress
import re
import struct
from typing import Final, NamedTuple

from monoceros.errors import RequestError

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
"""Version 2 begins with it (section 2.2)."""

LONGEST_LINE: Final = 107
"""Octets of the longest line of version 1, its end included (section 2.1)."""

_PROXY: Final = b"PROXY "
_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN(?: .*)?\r\n", re.DOTALL)
# Section 2.1: "Heading zeroes are not permitted in front of numbers".
_PORT: Final = rb"(0|[1-9][0-9]{0,4})"
_ADDRESS: Final = rb"([0-9A-Fa-f:.]+)"
_LINE: Final = re.compile(rb"PROXY TCP([46]) " + rb" ".join((_ADDRESS, _ADDRESS, _PORT, _PORT)) + rb"\r\n")

_FIXED: Final = 16  # octets of a header of version 2 before its addresses
_LOCAL, _ON_BEHALF = 0x20, 0x21  # version and command
_INET, _INET6, _UNIX = 0x1, 0x2, 0x3  # families
_STREAM, _DATAGRAM = 0x1, 0x2  # transports
_PORTS: Final = struct.Struct("!HH")
_PATH: Final = 108  # octets of the address of a unix socket

Endpoint = tuple[str, int] | str
"""One end of a connection, as a socket would name it: host and port, or the path of a unix socket."""


class Accepted(enum.Enum):
    """The versions that are taken."""

    V1 = "v1"
    V2 = "v2"
    AUTO = "auto"


class Ends(NamedTuple):
    """The two ends of a connection that was forwarded."""

    source: Endpoint
    destination: Endpoint


class ProxyHeader(NamedTuple):
    """A complete header.

    Attributes:
        ends: the ends of the connection that was forwarded; None if those of the connection it came on count.
        rest: the bytes that follow the header.
    """

    ends: Ends | None
    rest: bytes


class ProxyHeaderReader:
    """Reads the header at the beginning of one connection.

    Arguments:
        accepted: the versions that are taken.
    """

    def __init__(self, accepted: Accepted) -> None:
        self._accepted = accepted
        self._buffer = bytearray()

    def feed(self, data: bytes) -> ProxyHeader | None:
        """Take bytes from the peer.

        Returns:
            The header; None if more of it has to come: all that was fed is part of it then.

        Raises:
            RequestError: the connection doesn't begin with a header, or with one that isn't right.
        """
        buffer = self._buffer
        buffer += data
        if self._accepted is not Accepted.V1 and SIGNATURE.startswith(buffer[: len(SIGNATURE)]):
            return _read_block(buffer)
        if self._accepted is not Accepted.V2 and _PROXY.startswith(buffer[: len(_PROXY)]):
            return _read_line(buffer)
        raise RequestError(400, "it doesn't begin with a PROXY header" + _named(self._accepted))


def _named(accepted: Accepted) -> str:
    return "" if accepted is Accepted.AUTO else f" of {accepted.value}"


def _read_line(buffer: bytearray) -> ProxyHeader | None:
    """Read a header of version 1 (section 2.1)."""
    end = buffer.find(b"\r\n", 0, LONGEST_LINE) + 2
    if end < 2:
        if len(buffer) >= LONGEST_LINE:
            raise RequestError(400, f"its PROXY line has no end within {LONGEST_LINE} octets")
        return None
    line, rest = bytes(buffer[:end]), bytes(buffer[end:])
    match = _LINE.fullmatch(line)
    if match is not None:
        family, *ends, source_port, destination_port = match.groups()
        kind = ipaddress.IPv4Address if family == b"4" else ipaddress.IPv6Address
        ports = int(source_port), int(destination_port)
        if max(ports) <= 65535:
            try:
                source, destination = (str(kind(end.decode())) for end in ends)
            except ValueError:
                raise RequestError(400, "its PROXY line has a malformed address") from None
            return ProxyHeader(Ends((source, ports[0]), (destination, ports[1])), rest)
    elif _UNKNOWN.fullmatch(line) is not None:
        return ProxyHeader(None, rest)
    raise RequestError(400, "its PROXY line is malformed")


def _read_block(buffer: bytearray) -> ProxyHeader | None:
    """Read a header of version 2 (section 2.2). What follows the addresses in it, TLVs, is skipped."""
    if len(buffer) < _FIXED:
        return None
    command, protocol, high, low = buffer[len(SIGNATURE) : _FIXED]
    if command not in (_LOCAL, _ON_BEHALF):
        raise RequestError(400, f"its PROXY header has an unknown version or command (0x{command:02x})")
    family, transport = protocol >> 4, protocol & 0xF
    if command == _ON_BEHALF and (family > _UNIX or transport > _DATAGRAM):
        raise RequestError(400, f"its PROXY header has an unknown family or transport (0x{protocol:02x})")
    end = _FIXED + (high << 8) + low
    if len(buffer) < end:
        return None
    # What isn't a stream from an address isn't ours to know: as with UNSPEC, the real ends count then.
    known = command == _ON_BEHALF and transport == _STREAM and family
    return ProxyHeader(_ends(family, bytes(buffer[_FIXED:end])) if known else None, bytes(buffer[end:]))


def _ends(family: int, block: bytes) -> Ends:
    """Read the addresses of a stream: first both addresses, then both ports."""
    width = {_INET: 4, _INET6: 16, _UNIX: _PATH}[family]
    ports = 0 if family == _UNIX else _PORTS.size
    if len(block) < 2 * width + ports:
        raise RequestError(400, "its PROXY header is too short for its addresses")
    source, destination = block[:width], block[width : 2 * width]
    if family == _UNIX:
        return Ends(_path(source), _path(destination))
    source_port, destination_port = _PORTS.unpack_from(block, 2 * width)
    kind = ipaddress.IPv4Address if family == _INET else ipaddress.IPv6Address
    return Ends((str(kind(source)), source_port), (str(kind(destination)), destination_port))


def _path(address: bytes) -> str:
    return address.rstrip(b"\0").decode("utf-8", "replace")
