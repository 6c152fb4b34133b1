"""A transport without a socket, and the peer at its other end.

It is as strict as the strictest loop: a write after `write_eof` or after `connection_lost` raises. What the peer sends
while reading is paused waits, as it would in the kernel.
"""

import asyncio
from collections import deque
from typing import Any

PEER, SERVER = ("127.0.0.1", 50000), ("127.0.0.1", 8000)


class FakeTransport(asyncio.Transport):
    """The double.

    Arguments:
        loop: where callbacks are scheduled.
        peername, sockname: as the socket would give them.
        tls: pretend to be encrypted: there is no half-closed state.
        high_water: octets the peer hasn't read above which writing is paused.

    Attributes:
        writes: each write, in order.
        lost_writes: what was written after `close`, which no peer gets.
        pauses: how often reading was paused.
        reading: reading isn't paused.
        eof_written: `write_eof` was called.
        aborted: `abort` was called, or the peer vanished.
        gone: `connection_lost` was called.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        peername: object = PEER,
        sockname: object = SERVER,
        tls: bool = False,
        high_water: int = 65536,
    ) -> None:
        extra: dict[str, object] = {"peername": peername, "sockname": sockname}
        if tls:
            extra["sslcontext"] = object()
        super().__init__(extra)
        self._loop = loop
        self._tls = tls
        # The loops let TLS hold eight times as much, unless they are told.
        self._high_water = high_water * 8 if tls else high_water
        self._low_water = self._high_water // 4
        self._incoming: deque[bytes | None] = deque()
        self._unread = 0
        self._peer_reads = True
        self._paused_protocol = False
        self._closing = False
        self._protocol: asyncio.Protocol
        self._taken = 0
        self.writes: list[bytes] = []
        self.lost_writes: list[bytes] = []
        self.pauses = 0
        self.reading = True
        self.eof_written = False
        self.aborted = False
        self.gone = False

    # The peer.

    def connect(self, protocol: asyncio.Protocol) -> None:
        """Give the connection to its protocol."""
        self._protocol = protocol
        protocol.connection_made(self)

    def peer_sends(self, data: bytes) -> None:
        """Send; what can't be read now is read later."""
        self._incoming.append(data)
        self._deliver()

    def peer_ends(self) -> None:
        """Send no more (FIN), but go on reading."""
        self._incoming.append(None)
        self._deliver()

    def peer_vanishes(self, exc: Exception | None = None) -> None:
        """Be gone (RST)."""
        self._closing = self.aborted = True
        self._lose(exc)

    def peer_stops_reading(self) -> None:
        """Leave what is written from now on unread."""
        self._peer_reads = False

    def peer_takes(self, octets: int) -> None:
        """Read a little of what was left unread."""
        self._unread = max(0, self._unread - octets)
        if self._paused_protocol and self._unread <= self._low_water:
            self._paused_protocol = False
            self._protocol.resume_writing()
        if self._closing and not self._unread:
            self._loop.call_soon(self._lose, None)

    def peer_reads(self) -> None:
        """Read all, and whatever comes."""
        self._peer_reads = True
        self.peer_takes(self._unread)

    def take(self) -> bytes:
        """Return what was written since the last call."""
        taken, self._taken = self._taken, len(self.writes)
        return b"".join(self.writes[taken:])

    def _deliver(self) -> None:
        while self._incoming and self.reading and not self._closing:
            data = self._incoming.popleft()
            if data is not None:
                self._protocol.data_received(data)
            elif not self._protocol.eof_received():
                self.close()

    def _lose(self, exc: Exception | None) -> None:
        if not self.gone:
            self.gone = True
            self._protocol.connection_lost(exc)

    # asyncio.Transport

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.gone:
            raise RuntimeError("unable to perform operation on a transport that is closed")
        if self.eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        assert isinstance(data, bytes), f"{type(data).__name__} would be copied"
        if self._closing:
            self.lost_writes.append(data)
            return
        self.writes.append(data)
        if not self._peer_reads:
            self._unread += len(data)
            if self._unread > self._high_water and not self._paused_protocol:
                self._paused_protocol = True
                self._protocol.pause_writing()

    def write_eof(self) -> None:
        assert not self._tls, "there is no half-closed state in TLS"
        self.eof_written = True

    def can_write_eof(self) -> bool:
        return not self._tls

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            if not self._unread:
                self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        if not self.gone:
            self._closing = self.aborted = True
            self._loop.call_soon(self._lose, None)

    def pause_reading(self) -> None:
        assert self.reading, "reading is paused already"
        self.reading = False
        self.pauses += 1

    def is_reading(self) -> bool:
        return self.reading

    def resume_reading(self) -> None:
        assert not self.reading, "reading isn't paused"
        self.reading = True
        self._loop.call_soon(self._deliver)

    def get_write_buffer_size(self) -> int:
        return self._unread

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low_water, self._high_water

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert not self.gone
        self._high_water = 65536 if high is None else high
        self._low_water = self._high_water // 4 if low is None else low

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    def get_protocol(self) -> Any:
        return self._protocol
