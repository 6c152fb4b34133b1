"""The seam between a WebSocket session and the codec of its frames: bytes in, messages out, and back.

A session knows `FrameEngine`, an engine is chosen by its import. Neither knows the transport or the clock: `feed` the
bytes that came, write what `reply` and `encode_*` return.

The rule it keeps: whatever the library below, the same frames give the same events and the same close code. Only how
soon a bad payload is noticed while its frame is still arriving differs, and so which fault of one with two is named.
"""

import enum
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from monoceros.errors import FrameError
from monoceros.wire.frames import Close


class Pong(NamedTuple):
    """The peer answered a ping, or sent a pong unasked (RFC 6455, section 5.5.3)."""

    payload: bytes


Event = str | bytes | Pong | Close
"""A text message, a binary message, or a control frame that the session wants to know of."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What a session asks of its engine.

    Arguments:
        max_size: the largest message accepted, in bytes after inflation. A compressed frame that's larger than this
            on the wire, all its fragments together, is refused as well.
        max_fragments: the largest number of frames in one message.
        per_message_deflate: whether compression (RFC 7692) is agreed to when the client offers it.
    """

    max_size: int = 16 * 1024 * 1024
    max_fragments: int = 131072
    per_message_deflate: bool = True


class State(enum.Enum):
    """Where a connection stands between its two close frames (RFC 6455, section 7.1)."""

    OPEN = enum.auto()
    CLOSING = enum.auto()  # our close was sent: messages are dropped, the peer's close is awaited
    FAILED = enum.auto()  # the peer broke the protocol: nothing is read any more, our close may still be sent
    CLOSED = enum.auto()  # nothing is read, nothing more is sent


class EngineFailure(FrameError):
    """What `feed` raises: a FrameError, with the events decoded before it.

    Arguments:
        code: the close code to send.
        reason: what is wrong, at most 123 bytes of UTF-8.
        events: the events of the same `feed` that came before the error, in order.
    """

    def __init__(self, code: int, reason: str, events: list[Event]) -> None:
        super().__init__(code, reason)
        self.events = events


class FrameEngine(Protocol):
    """What a WebSocket session knows of its engine. Engines are made by `Engine(EngineOptions(...))`.

    Attributes:
        owed: what `reply` would return.
        stopped: `feed` has reached its limit and holds the rest of what it was given: feed it b"" to go on.
    """

    owed: bytearray
    stopped: bool

    def negotiate(self, offered: bytes) -> str | None:
        """Agree on extensions, before the first `feed`.

        Arguments:
            offered: the client's Sec-WebSocket-Extensions, repeated fields joined by commas; may be empty.

        Returns the value of the answer's field, or None for no field. An offer that can't be understood is declined.
        """

    def feed(self, data: bytes, limit: int | None = None) -> list[Event]:
        """Decode bytes from the peer.

        Arguments:
            data: what came; b"" to go on after a stop.
            limit: events after which to stop, and to do so as well after 64 KiB of messages or some thousand frames;
                None for no limit.

        Returns complete messages and control events in order. After a Close, and after a failure, bytes are ignored.
        Raises EngineFailure, a FrameError, when the connection must fail with its code and reason.
        """

    def reply(self) -> bytes:
        """Return the bytes owed to the peer since the last call: pongs, and the answer to its close.

        Of more pings than are answered in 16 KiB, the latest are answered (RFC 6455, section 5.5.3).
        """

    def encode_text(self, text: str) -> bytes:
        """Return a text message's frame. Raises RuntimeError once a close was sent or received."""

    def encode_binary(self, data: bytes) -> bytes:
        """Return a binary message's frame. Raises RuntimeError once a close was sent or received."""

    def encode_ping(self, payload: bytes) -> bytes:
        """Return a ping, b"" once a close was sent or received. Raises ValueError for more than 125 bytes."""

    def encode_close(self, code: int, reason: str) -> bytes:
        """Return a close frame, b"" if one was sent or is owed already.

        Arguments:
            code: 1000-1003, 1007-1014, 3000-4999, or 1005 for a close frame without code and reason.
            reason: cut at a character's border to at most 123 bytes.

        Raises RuntimeError for any other code.
        """
