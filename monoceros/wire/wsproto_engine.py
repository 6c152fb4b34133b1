"""The frame engine over the `wsproto` library, for those who ask for it. Importing it needs that library.

The library unmasks, joins and inflates what `GatedEngine` leaves to it, negotiates and applies compression (RFC 7692).
What it lacks, a limit to inflation and strict offers, is in the extension here.
"""

import re
import zlib
from typing import Any, Final

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Message, TextMessage
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits

from monoceros.wire.engine import EngineOptions, Event
from monoceros.wire.frames import AFTER_FINAL_BLOCK, DEFLATE_TAIL
from monoceros.wire.gate import GatedEngine

# RFC 7692, section 7.1: an offer with an unknown parameter or a bad value MUST be declined. The library would take the
# one and stumble over the other. Bits of 8 are left out: zlib can't compress with them.
_OFFER: Final = re.compile(
    r"permessage-deflate(\s*;\s*("
    r"(server|client)_no_context_takeover|server_max_window_bits=(9|1[0-5])|client_max_window_bits(=(9|1[0-5]))?"
    r"))*"
)


def _acceptable(offer: str) -> bool:
    if _OFFER.fullmatch(offer) is None:
        return False
    names = [parameter.partition("=")[0].strip() for parameter in offer.split(";")]
    return len(names) == len(set(names))


class BoundedDeflate(PerMessageDeflate):
    """Permessage-deflate that inflates a message to no more than a limit and one byte.

    Arguments:
        limit: the largest message, in bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.room = limit  # bytes by which the current message may still grow; negative: it's too big
        self.compressed = False  # the current message
        self.inflater: Any = None  # zlib's decompression object has no public type

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        """Note whether a message begins, and a compressed one."""
        if opcode is not Opcode.CONTINUATION:
            self._start(compressed=rsv.rsv1)
        return RsvBits(True, False, False)

    def frame_inbound_payload_data(self, proto: FrameDecoder | FrameProtocol, data: bytes) -> bytes | CloseReason:
        """Inflate a piece of a frame."""
        return self._inflate(data) if self.compressed else data

    def frame_inbound_complete(self, proto: FrameDecoder | FrameProtocol, fin: bool) -> bytes | CloseReason | None:
        """Inflate what a message's end holds back."""
        return self._finish() if fin and self.compressed else None

    def inflate_message(self, payload: bytes) -> bytes | CloseReason:
        """Inflate a message that came in one frame, which the library hasn't seen."""
        self._start(compressed=True)
        begin = self._inflate(payload)
        if isinstance(begin, CloseReason):
            return begin
        rest = self._finish()
        return rest if isinstance(rest, CloseReason) else begin + rest

    def _start(self, *, compressed: bool) -> None:
        self.room = self.limit
        self.compressed = compressed
        if compressed and self.inflater is None:
            self.inflater = zlib.decompressobj(-self.client_max_window_bits)

    def _finish(self) -> bytes | CloseReason:
        rest = self._inflate(DEFLATE_TAIL)
        if self.client_no_context_takeover or self.inflater.eof:
            self.inflater = None
        return rest

    def _inflate(self, data: bytes) -> bytes | CloseReason:
        try:
            inflated: bytes = self.inflater.decompress(data, self.room + 1)
        except zlib.error:
            return CloseReason.PROTOCOL_ERROR
        # A stream that ended (RFC 7692, section 7.2.3.4) gives nothing more, and keeps all it is fed.
        if self.inflater.unused_data not in AFTER_FINAL_BLOCK:
            return CloseReason.PROTOCOL_ERROR
        self.room -= len(inflated)
        return inflated if self.room >= 0 else CloseReason.MESSAGE_TOO_BIG


class WsprotoEngine(GatedEngine):
    """A FrameEngine: see `monoceros.wire.engine`."""

    __slots__ = ("_connection", "_extension")

    def __init__(self, options: EngineOptions) -> None:
        super().__init__(options)
        self._connection = Connection(ConnectionType.SERVER)
        self._extension: BoundedDeflate | None = None

    def negotiate(self, offered: bytes) -> str | None:
        """See FrameEngine."""
        if not self._offer_deflate:
            return None
        for offer in offered.decode("latin-1").split(","):
            if not _acceptable(offer.strip()):
                continue
            self._extension = BoundedDeflate(self._max_size)
            agreed = self._extension.accept(offer.strip())
            self._connection = Connection(ConnectionType.SERVER, [self._extension])
            self._deflate = True
            return f"permessage-deflate; {agreed}" if agreed else "permessage-deflate"
        return None

    def _decode(self, chunk: bytes, events: list[Event]) -> None:
        self._connection.receive_data(chunk)
        for event in self._connection.events():
            if isinstance(event, CloseConnection):
                # The library never sees a close frame: this is how it tells of bad data.
                raise self._refusal(event.code)
            assert isinstance(event, Message)
            part = event.data if isinstance(event.data, str) else bytes(event.data)
            self._part_received(part, event.message_finished, events)
        if self._compressed and self._extension is not None:
            self._room = self._extension.room

    def _inflate(self, payload: bytes) -> bytes:
        assert self._extension is not None
        inflated = self._extension.inflate_message(payload)
        if isinstance(inflated, CloseReason):
            raise self._refusal(inflated)
        return inflated

    def _encode_compressed(self, message: str | bytes) -> bytes:
        event = TextMessage(data=message) if isinstance(message, str) else BytesMessage(data=message)
        return bytes(self._connection.send(event))
