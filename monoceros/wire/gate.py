"""What every frame engine does itself (RFC 6455, sections 5 to 7): frame heads, control frames, plain messages.

An engine has two readers. This file judges the head of every frame, answers control frames, and takes a message that
is one frame and came in one piece straight out of the bytes fed: nearly all traffic. The others, fragmented or still
arriving, are the codec library's, which sees data frames with good heads only; so is compression.

What it is fed it may hold: it stops when it has given as many messages as were asked for, and goes on when it is asked
again. Each byte is copied a fixed number of times, however it is cut.

The rule it keeps: which bytes are refused, and with which close code, is decided here and not by a library. The
libraries don't agree: `websockets` takes lengths that aren't minimal and refuses a close amid a fragmented message;
`wsproto` refuses close code 1014, forgets that a message is compressed when a ping comes between its fragments, and
inflates without a limit.
"""

import sys
from abc import ABC, abstractmethod
from io import StringIO
from typing import Final

from monoceros.errors import FrameError
from monoceros.wire.engine import EngineFailure, EngineOptions, Event, Pong, State
from monoceros.wire.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    CONTROL,
    FIN,
    KNOWN_OPCODES,
    MASK,
    MAX_CONTROL,
    MAX_MEDIUM,
    MAX_SMALL,
    MEDIUM,
    MEDIUM_LENGTH,
    NOT_UTF8,
    OPCODE,
    PING,
    PONG,
    PROTOCOL_ERROR,
    RSV,
    RSV1,
    SMALL_BINARY_HEADS,
    SMALL_TEXT_HEADS,
    TEXT,
    TOO_BIG,
    WHOLE_BINARY,
    WHOLE_TEXT,
    close_payload,
    decode_text,
    encode_frame,
    medium_head,
    parse_close,
)

# RFC 6455, section 5.5.1: "The application MUST NOT send any more data frames after sending a Close frame."
AFTER_CLOSE: Final = "the application sent a message after the WebSocket was closed"

WHOLE: Final = (WHOLE_TEXT, WHOLE_BINARY)
INCOMPLETE: Final = -1

BATCH: Final = 65536
"""Octets of messages, inflated, after which `feed` stops if it was given a limit. One message may exceed it."""

STEPS: Final = 2048
"""Frames, or halves of those that the library gets, after which it stops as well: milliseconds of the loop's time."""

MAX_OWED: Final = 16384
"""Octets of answers to pings that are held; of more, the latest are."""


# As globals they are found twice as fast, and the first is looked at for every message.
OPEN: Final = State.OPEN
CLOSING: Final = State.CLOSING
FAILED: Final = State.FAILED
CLOSED: Final = State.CLOSED


class GatedEngine(ABC):
    """The reader of frame heads, control frames and plain messages: see the module's docstring.

    An engine adds what it does with its library: `negotiate`, `_decode`, `_inflate`, `_encode_compressed` and, if it
    has a faster one, `_unmask`. `_decode` gets the bytes of data frames, never of more than one at a time; what it
    decodes goes to `_part_received`, and what it refuses is raised by way of `_refusal`.
    """

    __slots__ = (
        "_at",
        "_compressed",
        "_deflate",
        "_fragments",
        "_held",
        "_in_message",
        "_left",
        "_max_fragments",
        "_max_size",
        "_offer_deflate",
        "_parts",
        "_room",
        "_state",
        "_wire_room",
        "owed",
        "stopped",
    )

    def __init__(self, options: EngineOptions) -> None:
        self._max_size = options.max_size
        self._offer_deflate = options.per_message_deflate
        self._deflate = False  # negotiated
        self._state = OPEN
        # What was fed and not read: the beginning of a frame, at most 131 bytes; or, if `feed` has stopped, all of it.
        self._held = b""
        self._at = 0  # where in it to go on
        self.stopped = False
        self._left = 0  # bytes of the current frame that the library hasn't seen yet
        self._in_message = False  # between the fragments of a message
        self._compressed = False  # the current message
        self._room = self._max_size  # bytes by which the current message may still grow
        self._wire_room = self._max_size  # the same for what comes of it before it is inflated
        self._max_fragments = options.max_fragments
        self._fragments = 0  # of the current message
        self._parts: StringIO | bytearray | None = None
        self.owed = bytearray()

    @abstractmethod
    def negotiate(self, offered: bytes) -> str | None:
        """See FrameEngine."""

    @abstractmethod
    def _decode(self, chunk: bytes, events: list[Event]) -> None:
        """Hand bytes of a data frame to the library, and what comes out of it to `_part_received`."""

    @abstractmethod
    def _inflate(self, payload: bytes) -> bytes:
        """Return the payload of a compressed message that came in one frame."""

    @abstractmethod
    def _encode_compressed(self, message: str | bytes) -> bytes:
        """Return the frame of a compressed message."""

    @staticmethod
    def _unmask(data: bytes | memoryview, mask: bytes) -> bytes:
        # RFC 6455, section 5.3. One long integer: the whole payload in a few calls, where a loop would take one a byte.
        length = len(data)
        repeated = (mask * (length // 4 + 1))[:length]
        both = int.from_bytes(data, sys.byteorder) ^ int.from_bytes(repeated, sys.byteorder)
        return both.to_bytes(length, sys.byteorder)

    def feed(self, data: bytes, limit: int | None = None) -> list[Event]:
        """See FrameEngine."""
        state = self._state
        if not self._held and not self._left and state is OPEN and not self._in_message:
            # One plain message, alone and not large: nearly all that ever comes.
            length = len(data) - 6
            if length <= MAX_SMALL:
                start = 6
                whole = length >= 0 and data[1] == MASK + length
            else:
                start = 8
                length -= 2
                whole = length > MAX_SMALL and data[1] == MEDIUM_LENGTH and data[2] << 8 | data[3] == length
            if whole and length <= self._max_size:
                if data[0] == WHOLE_TEXT:
                    try:
                        return [str(self._unmask(data[start:], data[start - 4 : start]), "utf-8")]
                    except UnicodeDecodeError:
                        pass  # once more, then, the long way, which says what is wrong
                elif data[0] == WHOLE_BINARY:
                    return [self._unmask(data[start:], data[start - 4 : start])]
        elif state is FAILED or state is CLOSED:
            return []
        at = 0
        if self._held:
            if self.stopped and not data:
                data, at = self._held, self._at
            else:
                data = self._held[self._at :] + data
            self._held = b""
        self._at = 0
        self.stopped = False
        events: list[Event] = []
        try:
            self._read(data, at, events, limit)
        except FrameError as error:
            # RFC 6455, section 7.1.7: after _Fail the WebSocket Connection_, data of the peer must not be processed.
            self._state = FAILED if self._state is OPEN else CLOSED
            self._parts = None
            raise EngineFailure(error.code, error.reason, events) from error
        return events

    def reply(self) -> bytes:
        """See FrameEngine."""
        if not self.owed:
            return b""
        owed, self.owed = self.owed, bytearray()
        return bytes(owed)

    def encode_text(self, text: str) -> bytes:
        """See FrameEngine."""
        if self._state is not OPEN:
            raise RuntimeError(AFTER_CLOSE)
        try:
            if self._deflate:
                return self._encode_compressed(text)
            payload = text.encode()
        except UnicodeEncodeError as error:
            raise RuntimeError("the application sent text with a lone surrogate, which UTF-8 can't carry") from error
        length = len(payload)
        if length <= MAX_SMALL:
            return SMALL_TEXT_HEADS[length] + payload
        if length <= MAX_MEDIUM:
            return medium_head(WHOLE_TEXT, MEDIUM, length) + payload
        return encode_frame(WHOLE_TEXT, payload)

    def encode_binary(self, data: bytes) -> bytes:
        """See FrameEngine."""
        if self._state is not OPEN:
            raise RuntimeError(AFTER_CLOSE)
        if self._deflate:
            return self._encode_compressed(data)
        length = len(data)
        if length <= MAX_SMALL:
            return SMALL_BINARY_HEADS[length] + data
        if length <= MAX_MEDIUM:
            return medium_head(WHOLE_BINARY, MEDIUM, length) + data
        return encode_frame(WHOLE_BINARY, data)

    def encode_ping(self, payload: bytes) -> bytes:
        """See FrameEngine."""
        if len(payload) > MAX_CONTROL:
            raise ValueError(f"a ping's payload has at most {MAX_CONTROL} bytes, this one has {len(payload)}")
        return encode_frame(FIN | PING, payload) if self._state is OPEN else b""

    def encode_close(self, code: int, reason: str) -> bytes:
        """See FrameEngine."""
        if self._state is CLOSING or self._state is CLOSED:
            return b""
        frame = encode_frame(FIN | CLOSE, close_payload(code, reason))
        self._state = CLOSING if self._state is OPEN else CLOSED
        return frame

    def _read(self, data: bytes, at: int, events: list[Event], limit: int | None) -> None:
        end = len(data)
        given, octets, steps = 0, BATCH, STEPS
        while at < end:
            if limit is not None:
                if len(events) > given:
                    given, last = len(events), events[-1]
                    octets -= len(last) if type(last) is bytes or type(last) is str else 0
                steps -= 1
                if given >= limit or octets <= 0 or not steps:
                    self.stopped = True
                    self._held, self._at = data, at
                    return
            if self._left:
                chunk = data[at : at + self._left]
                at += len(chunk)
                self._left -= len(chunk)
                if self._state is OPEN:
                    self._decode(chunk, events)
                continue
            if end - at < 2:
                break
            first = data[at]
            length = data[at + 1] - MASK  # negative if unmasked: left to _begin_frame
            if (
                first in WHOLE
                and 0 <= length <= MAX_SMALL
                and length <= self._max_size
                and (stop := at + 6 + length) <= end
                and self._state is OPEN
                and not self._in_message
            ):
                payload = self._unmask(data[at + 6 : stop], data[at + 2 : at + 6])
                events.append(decode_text(payload) if first == WHOLE_TEXT else payload)
                at = stop
                continue
            begun = self._begin_frame(data, at, events)
            if self._state is CLOSED:
                # RFC 6455, section 5.5.1: whatever follows a Close frame isn't looked at.
                return
            if begun == INCOMPLETE:
                break
            at = begun
        self._held = data[at:]

    def _begin_frame(self, data: bytes, at: int, events: list[Event]) -> int:
        """Judge the frame that begins at `at`. Return where to go on, or INCOMPLETE if more bytes are needed."""
        first, length, body = data[at], data[at + 1] & 0x7F, at + 6
        self._judge(first, data[at + 1])
        if length > MAX_SMALL:
            width = 2 if length == MEDIUM else 8
            body += width
            if len(data) < at + 2 + width:
                return INCOMPLETE
            length = int.from_bytes(data[at + 2 : at + 2 + width], "big")
            # RFC 6455, section 5.2: "the minimal number of bytes MUST be used to encode the length", and of eight
            # bytes "the most significant bit MUST be 0".
            if length <= (MAX_SMALL if width == 2 else MAX_MEDIUM) or length >> 63:
                raise FrameError(PROTOCOL_ERROR, "a frame's length isn't in its shortest form")
        if not first & CONTROL:
            return self._begin_data(data, at, body, length, events)
        stop = body + length
        if stop > len(data):
            return INCOMPLETE
        self._control_received(first & OPCODE, self._unmask(data[body:stop], data[body - 4 : body]), events)
        return stop

    def _judge(self, first: int, second: int) -> None:
        """Raise FrameError if the first two bytes of a frame can't begin one here."""
        opcode = first & OPCODE
        if opcode not in KNOWN_OPCODES:
            raise FrameError(PROTOCOL_ERROR, f"opcode {opcode:#x} is reserved")
        # RFC 7692, section 6.1: RSV1 marks the first frame of a compressed message, and no other.
        allowed = RSV1 if self._deflate and opcode in (TEXT, BINARY) else 0
        if first & RSV & ~allowed:
            raise FrameError(PROTOCOL_ERROR, "a reserved bit is set")
        # RFC 6455, section 5.1: "The server MUST close the connection upon receiving a frame that is not masked."
        if not second & MASK:
            raise FrameError(PROTOCOL_ERROR, "a frame from a client must be masked")
        if opcode & CONTROL:
            # RFC 6455, section 5.5: control frames have at most 125 bytes and "MUST NOT be fragmented".
            if not first & FIN:
                raise FrameError(PROTOCOL_ERROR, "a control frame is fragmented")
            if second & 0x7F > MAX_CONTROL:
                raise FrameError(PROTOCOL_ERROR, "a control frame has more than 125 bytes")
        # RFC 6455, section 5.4: the fragments of one message aren't interleaved with those of another.
        elif (opcode == CONTINUATION) is not self._in_message:
            wrong = "a new message begins within another" if self._in_message else "there is no message to continue"
            raise FrameError(PROTOCOL_ERROR, wrong)

    def _begin_data(self, data: bytes, at: int, body: int, length: int, events: list[Event]) -> int:
        first, stop = data[at], body + length
        self._in_message = not first & FIN
        if self._state is not OPEN:
            self._left = stop - at
            return at
        if first & OPCODE != CONTINUATION:
            self._compressed = bool(first & RSV1)
            self._room = self._wire_room = self._max_size
            self._fragments = 0
        if length > self._room or length > self._wire_room:
            raise self._refusal(TOO_BIG)
        self._wire_room -= length
        # Fragments may be empty: they cost work, and their number isn't limited by the size of their message.
        self._fragments += 1
        if self._fragments > self._max_fragments:
            raise FrameError(TOO_BIG, f"the message has more than {self._max_fragments} fragments")
        if stop <= len(data) and first & ~RSV1 in WHOLE:
            payload = self._unmask(memoryview(data)[body:stop], data[body - 4 : body])
            if self._compressed:
                payload = self._inflate(payload)
            events.append(decode_text(payload) if first & OPCODE == TEXT else payload)
            return stop
        if not self._compressed:
            self._room -= length
        self._left = stop - at
        return at

    def _control_received(self, opcode: int, payload: bytes, events: list[Event]) -> None:
        if opcode == PING:
            # RFC 6455, section 5.5.2: "an endpoint MUST send a Pong frame in response", with the same payload. If it
            # "has not yet sent Pong frame(s) in response to previous Ping frame(s)", it may leave those out (5.5.3).
            if len(self.owed) > MAX_OWED:
                self.owed.clear()
            self.owed += encode_frame(FIN | PONG, payload)
        elif opcode == PONG:
            events.append(Pong(payload))
        else:
            events.append(parse_close(payload))
            if self._state is OPEN:
                # RFC 6455, section 5.5.1: "the endpoint typically echos the status code it received."
                self.owed += encode_frame(FIN | CLOSE, payload[:2])
            self._state = CLOSED

    def _part_received(self, part: str | bytes, last: bool, events: list[Event]) -> None:
        """Add what the library decoded to the message. The parts are joined at once: many tiny ones cost no more."""
        parts = self._parts
        if last and parts is None:
            events.append(part)
            return
        if parts is None:
            parts = self._parts = StringIO() if isinstance(part, str) else bytearray()
        if isinstance(parts, StringIO):
            assert isinstance(part, str)
            parts.write(part)
        else:
            assert isinstance(part, bytes)
            parts += part
        if last:
            events.append(parts.getvalue() if isinstance(parts, StringIO) else bytes(parts))
            self._parts = None

    def _refusal(self, code: int) -> FrameError:
        """Return the error for what only the payload shows, in the same words for every library."""
        if code == TOO_BIG:
            return FrameError(TOO_BIG, f"the message has more than {self._max_size} bytes")
        if code == NOT_UTF8:
            return FrameError(NOT_UTF8, "a text message isn't UTF-8")
        return FrameError(PROTOCOL_ERROR, "a compressed message can't be inflated")
