"""Where a response goes: the seam between a cycle or a session and what carries it."""

from collections.abc import Iterable
from typing import Protocol


class ResponseSink(Protocol):
    """Implemented by an HTTP/1.1 connection, and by any stream that carries one request.

    Attributes:
        write_paused: the peer reads too slowly; `drain` waits for it.
    """

    write_paused: bool

    def write_response(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes, more: bool
    ) -> int | None:
        """Write a response head and the first or only part of its content.

        Returns:
            The number of octets of content still to come, or None if it isn't declared.

        Raises:
            RuntimeError: the application's fields can't be sent; nothing was written.
        """

    def write_body(self, body: bytes, more: bool) -> None:
        """Write more content; the last of it if not `more`."""

    def write_continue(self) -> None:
        """Write `100 Continue` (RFC 9110, section 15.2.1)."""

    def break_off(self) -> None:
        """Give this response up: the peer must notice that it isn't complete."""

    def pause_reading(self) -> None:
        """Enough has been received for now."""

    def resume_reading(self) -> None:
        """More can be received."""

    async def drain(self) -> None:
        """Wait until writing isn't paused any more, or the peer is gone."""


class WebSocketSink(ResponseSink, Protocol):
    """What a session needs besides: the switch to frames, and an end."""

    def accept_websocket(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Write the head that switches to WebSocket (RFC 6455, section 4.2.2).

        Raises:
            RuntimeError: the application's fields can't be sent; nothing was written.
        """

    def write_frames(self, data: bytes) -> None:
        """Write encoded frames."""

    def frames_are_held(self) -> None:
        """Frames wait to be written: pause writing if the peer is gone, or who never waits would keep that from him."""

    def close_within(self, seconds: float) -> None:
        """Close the connection if the peer hasn't done so in `seconds`."""

    def linger(self) -> None:
        """Close once the peer has had time to read what was written; until then, drop what it sends."""

    def abort(self) -> None:
        """Close the connection at once."""

    def close(self) -> None:
        """Close the connection, after what was written."""
