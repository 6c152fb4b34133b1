"""WebSocket frames of a client's, made once, and a reader of a server's (RFC 6455, section 5; RFC 7692).

Knows what an echo needs and no more: whole text messages of one frame out, text messages of any number of frames in.
"""

import struct
import zlib

from benchmarks.load.answers import LoadError

TEXT = 0x81
COMPRESSED = 0x40
KEY = b"\x37\xfa\x21\x3d"
"""The masking key: any will do for a client without scripts of strangers (RFC 6455, section 5.3)."""
TAIL = b"\x00\x00\xff\xff"
"""What ends a flushed block, and isn't sent (RFC 7692, section 7.2.1)."""


def payload(size: int) -> bytes:
    """Return a text that compresses about as JSON does.

    Arguments:
        size: in bytes.
    """
    items = b"".join(b'{"id": %d, "price": %d.%02d}, ' % (n, n * 7919 % 1000, n * 31 % 100) for n in range(size // 16))
    return (b"[" + items + b" " * size)[:size]


def deflated(text: bytes, window_bits: int) -> bytes:
    """Return a message compressed by itself, without what came before (RFC 7692, section 7.2.1).

    Arguments:
        text: the message.
        window_bits: the window agreed upon, 9 to 15.
    """
    compressor = zlib.compressobj(wbits=-window_bits)
    return (compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def client_frame(content: bytes, compressed: bool = False) -> bytes:
    """Return a masked text frame.

    Arguments:
        content: its payload, deflated if it is compressed.
        compressed: say so.
    """
    key = (KEY * (len(content) // 4 + 1))[: len(content)]
    masked = (int.from_bytes(content) ^ int.from_bytes(key)).to_bytes(len(content))
    return bytes([TEXT | (COMPRESSED if compressed else 0)]) + _length(len(content), 0x80) + KEY + masked


def server_frame(content: bytes) -> bytes:
    """Return the frame in which a server sends a text of one frame, without compression.

    Arguments:
        content: its payload.
    """
    return bytes([TEXT]) + _length(len(content), 0) + content


class FrameReader:
    """Reads the messages of a server from what arrives, however it is cut."""

    def __init__(self) -> None:
        self.data = b""
        self.pieces: list[bytes] = []
        self.deflated = False
        self.inflator = zlib.decompressobj(wbits=-15)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are whole now, uncompressed. Pings and pongs are passed over.

        Arguments:
            data: what was received.

        Raises:
            LoadError: the server closed, or sent what isn't a message.
        """
        self.data += data
        messages = []
        while (frame := self._next()) is not None:
            first, content = frame
            opcode = first & 0x0F
            if opcode in (0x9, 0xA):
                continue
            if opcode not in (0x0, 0x1):
                raise LoadError(f"a frame with opcode {opcode}: {content[:100]!r}")
            if opcode == 0x1:
                self.deflated = bool(first & COMPRESSED)
            self.pieces.append(content)
            if first & 0x80:
                messages.append(self._message())
        return messages

    def _next(self) -> tuple[int, bytes] | None:
        data = self.data
        if len(data) < 2:
            return None
        length, start = data[1], 2
        if length == 126:
            length, start = (struct.unpack_from("!H", data, 2)[0], 4) if len(data) >= 4 else (1 << 62, 4)
        elif length == 127:
            length, start = (struct.unpack_from("!Q", data, 2)[0], 10) if len(data) >= 10 else (1 << 62, 10)
        if len(data) < start + length:
            return None
        self.data = data[start + length :]
        return data[0], data[start : start + length]

    def _message(self) -> bytes:
        content = b"".join(self.pieces)
        self.pieces = []
        return self.inflator.decompress(content + TAIL) if self.deflated else content


def _length(size: int, mask: int) -> bytes:
    if size < 126:
        return bytes([mask | size])
    if size < 1 << 16:
        return bytes([mask | 126]) + struct.pack("!H", size)
    return bytes([mask | 127]) + struct.pack("!Q", size)
