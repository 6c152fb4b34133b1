"""The frame engine over the `websockets` library, the default one.

The library joins and inflates what `GatedEngine` leaves to it, unmasks in C, negotiates and applies compression
(RFC 7692). It neither shakes hands nor answers here, and its logger leads nowhere: what it sees, the session logs.
"""

import zlib
from codecs import IncrementalDecoder, getincrementaldecoder
from typing import Final, cast

from websockets.exceptions import InvalidHandshake, NegotiationError, PayloadTooBig, ProtocolError
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.headers import build_extension, parse_extension
from websockets.protocol import Protocol, Side
from websockets.typing import LoggerLike

from monoceros.wire.engine import EngineOptions, Event
from monoceros.wire.frames import AFTER_FINAL_BLOCK, NOT_UTF8, PROTOCOL_ERROR, TOO_BIG, decode_text
from monoceros.wire.gate import GatedEngine

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

# Windows of 4 KiB and a small hash table: zlib keeps about 45 KiB per connection, with its defaults about 300.
DEFLATE: Final = ServerPerMessageDeflateFactory(
    server_max_window_bits=12,
    client_max_window_bits=12,
    compress_settings={"memLevel": 5},
)

_Utf8Decoder = getincrementaldecoder("utf-8")


class _Silence:
    """The part of a logger that the library calls."""

    def isEnabledFor(self, level: int) -> bool:
        return False

    def error(self, message: str, *arguments: object, exc_info: bool = False) -> None:
        """An exception the library didn't expect: `_decode` raises it."""


_SILENCE = cast(LoggerLike, _Silence())


class WebsocketsEngine(GatedEngine):
    """A FrameEngine: see `monoceros.wire.engine`."""

    __slots__ = ("_extension", "_forget", "_protocol", "_utf8")

    _unmask = staticmethod(apply_mask)

    def __init__(self, options: EngineOptions) -> None:
        super().__init__(options)
        # One byte more than allowed, so that a message of exactly the allowed size isn't mistaken for a longer one:
        # the library stops inflating at its limit without looking whether anything is left.
        self._protocol = Protocol(Side.SERVER, max_size=options.max_size + 1, logger=_SILENCE)
        self._extension: PerMessageDeflate | None = None
        self._forget = False  # the client compresses without context takeover
        self._utf8: IncrementalDecoder | None = None  # while the fragments of a text message arrive

    def negotiate(self, offered: bytes) -> str | None:
        """See FrameEngine."""
        if not self._offer_deflate or not offered:
            return None
        try:
            offers = parse_extension(offered.decode("latin-1"))
        except InvalidHandshake:
            return None
        for name, parameters in offers:
            if name != DEFLATE.name:
                continue
            try:
                agreed, extension = DEFLATE.process_request_params(parameters, [])
            except (NegotiationError, ValueError):  # older versions leave a window of 8 bits to zlib, which can't
                continue
            # The library drops a stream without context takeover before it can be asked how it ended: we do it.
            self._forget = extension.remote_no_context_takeover
            extension.remote_no_context_takeover = False
            extension.decoder = zlib.decompressobj(wbits=-extension.remote_max_window_bits)
            self._protocol.extensions = [extension]
            self._extension = extension
            self._deflate = True
            return build_extension([(name, agreed)])
        return None

    def _decode(self, chunk: bytes, events: list[Event]) -> None:
        protocol = self._protocol
        protocol.receive_data(chunk)
        if protocol.parser_exc is not None:
            raise self._translated(protocol.parser_exc)
        for frame in protocol.events_received():
            assert isinstance(frame, Frame)
            self._frame_received(frame, events)

    def _inflate(self, payload: bytes) -> bytes:
        assert self._extension is not None
        try:
            frame = self._extension.decode(Frame(Opcode.BINARY, payload, rsv1=True), max_size=self._max_size + 1)
        except (PayloadTooBig, ProtocolError) as error:
            raise self._translated(error) from error
        return self._inflated(frame)

    def _frame_received(self, frame: Frame, events: list[Event]) -> None:
        data = self._inflated(frame) if self._compressed else bytes(frame.data)
        if frame.opcode is Opcode.TEXT:
            if frame.fin:
                events.append(decode_text(data))
                return
            self._utf8 = _Utf8Decoder()
        if self._utf8 is None:
            self._part_received(data, frame.fin, events)
            return
        try:
            text = self._utf8.decode(data, frame.fin)
        except UnicodeDecodeError as error:
            raise self._refusal(NOT_UTF8) from error
        if frame.fin:
            self._utf8 = None
        self._part_received(text, frame.fin, events)

    def _inflated(self, frame: Frame) -> bytes:
        """Return a frame's payload once it's known to fit and to be whole."""
        data = bytes(frame.data)
        self._room -= len(data)
        if self._room < 0:
            raise self._refusal(TOO_BIG)
        assert self._extension is not None
        decoder = self._extension.decoder
        # After a block with the BFINAL bit (RFC 7692, section 7.2.3.4) the library would go on with a stream that
        # gives nothing and keeps all it is fed: the message ends there too, and the next has a new stream.
        if decoder.eof and decoder.unused_data not in AFTER_FINAL_BLOCK:
            raise self._refusal(PROTOCOL_ERROR)
        if frame.fin and (decoder.eof or self._forget):
            self._extension.decoder = zlib.decompressobj(wbits=-self._extension.remote_max_window_bits)
        return data

    def _translated(self, error: Exception) -> Exception:
        """Return the error that the library's means to the peer. One that it didn't expect itself stays as it is."""
        if isinstance(error, PayloadTooBig):
            return self._refusal(TOO_BIG)
        if isinstance(error, ProtocolError):
            return self._refusal(PROTOCOL_ERROR)
        return error

    def _encode_compressed(self, message: str | bytes) -> bytes:
        assert self._extension is not None
        frame = Frame(Opcode.TEXT, message.encode()) if isinstance(message, str) else Frame(Opcode.BINARY, message)
        return frame.serialize(mask=False, extensions=[self._extension])
