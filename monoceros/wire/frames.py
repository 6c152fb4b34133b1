"""Frames and their parts (RFC 6455, sections 5 and 7): bits, codes, the bytes of a frame, what a close frame says.

Knows nothing of a connection's state. The rule it keeps: a close code is judged by one function, whoever sent it.
"""

from struct import Struct
from typing import Final, NamedTuple

from monoceros.errors import FrameError

# RFC 6455, section 5.2: FIN, RSV1-3 and the opcode share the first byte of a frame; MASK and the length the second.
FIN: Final = 0x80
RSV1: Final = 0x40
RSV: Final = 0x70
OPCODE: Final = 0x0F
MASK: Final = 0x80
CONTROL: Final = 0x08
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MAX_SMALL, MAX_MEDIUM = 125, 0xFFFF  # lengths: in seven bits, and in the two bytes that follow
MEDIUM: Final = 126  # in place of a length: it is in the two bytes that follow
MEDIUM_LENGTH: Final = MASK | MEDIUM
KNOWN_OPCODES: Final = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
WHOLE_TEXT: Final = FIN | TEXT
WHOLE_BINARY: Final = FIN | BINARY

NO_STATUS: Final = 1005
PROTOCOL_ERROR: Final = 1002
NOT_UTF8: Final = 1007
TOO_BIG: Final = 1009

MAX_CONTROL: Final = 125  # bytes of a control frame's payload (RFC 6455, section 5.5)
MAX_REASON: Final = MAX_CONTROL - 2  # the close code takes two of them

SMALL_TEXT_HEADS: Final = tuple(bytes((WHOLE_TEXT, length)) for length in range(MAX_SMALL + 1))
SMALL_BINARY_HEADS: Final = tuple(bytes((WHOLE_BINARY, length)) for length in range(MAX_SMALL + 1))

# RFC 7692, section 7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message."
DEFLATE_TAIL: Final = b"\x00\x00\xff\xff"
# What may follow a block with the BFINAL bit: nothing or a zero byte (RFC 7692, section 7.2.3.4), then the tail.
AFTER_FINAL_BLOCK: Final = frozenset((b"", b"\x00", DEFLATE_TAIL, b"\x00" + DEFLATE_TAIL))

# RFC 6455, section 5.2: "network byte order".
medium_head: Final = Struct("!BBH").pack
_large_head = Struct("!BBQ").pack


class Close(NamedTuple):
    """The peer's close frame (RFC 6455, section 5.5.1). An empty one has code 1005 and no reason."""

    code: int
    reason: str


def encode_frame(first: int, payload: bytes) -> bytes:
    """Return a frame as a server sends it, unmasked (RFC 6455, section 5.2).

    Arguments:
        first: the first byte: FIN, the reserved bits and the opcode.
        payload: its bytes.
    """
    length = len(payload)
    if length <= MAX_SMALL:
        return bytes((first, length)) + payload
    if length <= MAX_MEDIUM:
        return medium_head(first, MEDIUM, length) + payload
    return _large_head(first, 127, length) + payload


def decode_text(payload: bytes) -> str:
    """Return a text message. Raises FrameError 1007 if it isn't UTF-8 (RFC 6455, section 8.1)."""
    try:
        return str(payload, "utf-8")
    except UnicodeDecodeError as error:
        raise FrameError(NOT_UTF8, "a text message isn't UTF-8") from error


def sendable(code: int) -> bool:
    """Tell whether a close code may stand in a close frame (RFC 6455, section 7.4; 1012-1014 by IANA's registry)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def parse_close(payload: bytes) -> Close:
    """Return what a close frame says. Raises FrameError 1002 for a bad code, 1007 for a reason that isn't UTF-8."""
    if not payload:
        return Close(NO_STATUS, "")
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not sendable(code):
        raise FrameError(PROTOCOL_ERROR, "a close frame has no valid code")
    try:
        return Close(code, str(payload[2:], "utf-8"))
    except UnicodeDecodeError as error:
        raise FrameError(NOT_UTF8, "the reason of a close isn't UTF-8") from error


def close_payload(code: int, reason: str) -> bytes:
    """Return the payload of a close frame: see FrameEngine.encode_close."""
    if code == NO_STATUS:
        return b""
    if not sendable(code):
        raise RuntimeError(
            f"the application closed the WebSocket with code {code}; ASGI and RFC 6455, section 7.4, allow "
            "1000-1003, 1007-1014 and 3000-4999"
        )
    # Cut within a character, the rest of it is ignored: what is left ends at a character's border.
    text = reason.encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore")
    return code.to_bytes(2, "big") + text.encode()
