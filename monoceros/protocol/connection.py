"""What every connection has, whatever it speaks: a transport, back-pressure both ways, one deadline."""

import asyncio

from monoceros.protocol.context import NEVER, Context, Wait
from monoceros.protocol.pace import Pace
from monoceros.protocol.scope import client_label, connection_scope
from monoceros.wire.proxy_protocol import Ends

STRANGER = "unknown"
"""A host that no list of trusted ones has, unless it has all: RFC 7239, section 6, has the word."""

GOODBYE = 5
"""Seconds that the peer of a TLS connection has to agree to its end, counted from when it has read all: a client that
keeps the connection for later may look at it only then."""

WRITE_BUFFER = 65536
"""Octets that a transport holds of a response before writing pauses: what the loops set for plain text. For TLS they
set eight times as much, and of what is encrypted they hold as much again."""


class Connection(asyncio.Protocol):
    """The base of the protocols that the server makes for each connection it accepts.

    Attributes:
        client: the peer's address as the log shows it.
        deadline: the tick at which `deadline_passed` is due.
        ends: those of the connection that was forwarded on this one, as a PROXY header names them; None for its own.
            Set before the connection is made.
        write_paused: the peer reads too slowly; `drain` waits for it.
    """

    __slots__ = (
        "_context",
        "_download",
        "_drained",
        "_filter_names",
        "_reading_paused",
        "_rewrite",
        "_spared",
        "_template",
        "_transport",
        "_unsent",
        "client",
        "deadline",
        "ends",
        "write_paused",
    )

    _transport: asyncio.Transport

    def __init__(self, context: Context) -> None:
        self._context = context
        self._download: Pace | None = None
        self._drained: asyncio.Future[None] | None = None
        self._reading_paused = False
        self._spared = -1
        self._unsent = 0
        self.write_paused = False
        self.deadline = NEVER
        self.ends: Ends | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection that was accepted."""
        context = self._context
        self._transport = transport  # type: ignore[assignment]
        if transport.get_extra_info("sslcontext"):
            self._transport.set_write_buffer_limits(WRITE_BUFFER)
        self._template = connection_scope(transport, context.root_path, self.ends)
        peer = self._template["client"]
        # Without an address is a peer of a unix socket; but also one whose reset came before it was accepted, and whom
        # a PROXY header names without one. Those are strangers.
        local = self._template["server"]
        over_unix = self.ends is None and (local is None or local[1] is None)
        host = peer[0] if peer else None if over_unix else STRANGER
        self._rewrite = context.rewriter(host)
        self._filter_names = context.name_filter(host)
        self.client = client_label(self._template)
        context.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: whoever waits to write is let go."""
        self._context.connections.discard(self)
        self._context.watched.discard(self)
        self.deadline = NEVER
        self.resume_writing()

    def deadline_passed(self) -> None:
        """`deadline` is not after the tick of the context."""
        raise NotImplementedError

    def second_passed(self) -> None:
        """A second has passed in which this connection was among those watched."""
        raise NotImplementedError

    def waits(self) -> tuple[Wait, float] | None:
        """Tell what is waited for, and for how many seconds already; None if an application is at work."""
        raise NotImplementedError

    def make_way(self) -> bool:
        """Close what waits for its peer, for others need the place. Return whether that is done."""
        raise NotImplementedError

    def begin_drain(self) -> None:
        """If nothing is being served: wait for a request no longer than a connection is kept alive. May be repeated."""
        raise NotImplementedError

    def close_if_idle(self) -> None:
        """Close, if nothing is being served."""
        raise NotImplementedError

    def cut_off(self) -> None:
        """A drain in a hurry: wait no longer for a peer to close what it was told to."""
        raise NotImplementedError

    def abort(self) -> None:
        """Close at once; what wasn't written is lost."""
        self._transport.abort()

    def pause_writing(self) -> None:
        """The transport holds more than it should: the peer is watched."""
        self.write_paused = True
        self._context.watched.add(self)

    def resume_writing(self) -> None:
        """The transport takes more again."""
        self.write_paused = False
        self._download = None  # it has taken so much at once that its time begins anew
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def _reads_too_slowly(self) -> bool:
        """Tell whether the peer has used up its time to take what was written. Called once a second."""
        before, self._unsent = self._unsent, self._context.unsent(self._transport)
        if self._download is None:
            self._download = Pace(self._context.write_timeout)
            return False
        return self._download.second_passed(max(0, before - self._unsent))

    async def drain(self) -> None:
        """Wait until writing isn't paused any more, or the peer is gone."""
        while self.write_paused:
            if self._drained is None:
                self._drained = self._context.loop.create_future()
            # Shielded, for several tasks of an application may wait, and one be cancelled.
            await asyncio.shield(self._drained)

    def pause_reading(self) -> None:
        """Enough has been received for now. Nobody is told then that the peer is gone: it is watched."""
        if not self._reading_paused and not self._transport.is_closing():
            self._reading_paused = True
            self._context.watched.add(self)
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """More can be received."""
        if self._reading_paused:
            self._reading_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def end_writing(self) -> None:
        """Let the peer know that no more will come, where that can be said without closing."""
        if self._transport.can_write_eof() and not self._transport.is_closing():
            try:
                self._transport.write_eof()
            except OSError:
                self._transport.abort()  # the peer has reset the connection, and the loop hasn't heard of it yet

    def spare(self) -> bool:
        """Put off the close of an idle connection until the next tick, if a request has arrived and isn't read yet.

        Closing would reset it. Returns whether it is put off: never twice in a row, for under TLS what has arrived may
        be no more than the peer's own goodbye.
        """
        now = self._context.tick
        if now == self._spared or self._transport.is_closing() or not self._context.holds_unread(self._transport):
            return False
        self.deadline = self._spared = now + 1
        return True

    def close(self) -> None:
        """Close the connection, after what was written. Whoever calls looks after it: `deadline_passed` comes."""
        if not self._transport.is_closing():  # a second time, asyncio's TLS forgets what it would have to abort
            self._transport.close()
        if self.deadline == NEVER:
            self.deadline = self._context.in_seconds(GOODBYE)


def drop(data: bytes) -> None:
    """Take bytes that nobody waits for any more."""
