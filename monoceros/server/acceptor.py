"""Accepting connections: a bounded number at a time, so that it can pause, resume, and stop without losing any.

asyncio's own servers can do neither on uvloop, and call `listen` again with a backlog of their own. The rules it keeps:
a connection that can't be held now waits in the backlog; it isn't accepted to be turned away. One that other workers
should take is taken nevertheless if they don't.
"""

import asyncio
import errno
import logging
import select
import ssl
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from socket import socket
from typing import Any

from monoceros.errors import RequestError
from monoceros.protocol.complaints import Complaints, Kind
from monoceros.server.fair_share import ABSENT, FairShare
from monoceros.server.pressure import PATIENCE, SHARE
from monoceros.server.proxied import ProxyHeaders

logger = logging.getLogger("monoceros.error")

BATCH = 16
"""Connections accepted in one turn of the loop. Few, for the next turn belongs to those that are open."""

LOOK = 0.001
"""Seconds between two looks whether others have gone first: the least that event loops count."""

LOOKS = 8
"""Looks until it is enough: more than a turn of a busy loop, and nothing that a client would notice. They are counted
instead of the time, for a machine that is late with one worker is late with the others."""

TLS_SHUTDOWN_TIMEOUT = 3600
"""Seconds from the close of a TLS connection of ours to its end. The loop doesn't look whether a response is still
being read then, and would cut it; the deadline of the connection comes long before to one that isn't."""

# Out of descriptors or memory: more of the same would only burn CPU. Accepting pauses until the next tick.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Acceptor:
    """Accepts connections on listening, non-blocking sockets, and makes a protocol for each.

    Arguments:
        loop: the event loop.
        sockets: the first listeners. All are the caller's to close.
        make_protocol: makes the protocol of one connection; where a PROXY header names the ends of that, of these.
        tls: the TLS context, or None.
        tls_handshake_timeout: seconds a TLS handshake may take.
        tls_shutdown_timeout: seconds the end of a TLS connection may take; None leaves it to the loop.
        complaints: is told which connections are refused.
        proxied: reads the PROXY header of each connection, or None if there is none to read.
        limit: how many connections may be held at once, or None for any number.
        held: counts the connections that are open.
        relieve: is asked to close some connections that wait for their peers; returns how many it does.
        share: what it may take if other workers accept from the same listeners, or None if none do.

    Attributes:
        limit: how many connections may be held, or None; `finish` takes it away.
        sockets: the listeners, as they are now.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sockets: Sequence[socket],
        make_protocol: Callable[..., asyncio.BaseProtocol],
        tls: ssl.SSLContext | None = None,
        tls_handshake_timeout: float = 10,
        tls_shutdown_timeout: float | None = None,
        *,
        complaints: Complaints,
        proxied: ProxyHeaders | None = None,
        limit: int | None = None,
        held: Callable[[], int] = int,
        relieve: Callable[[], int] = int,
        share: FairShare | None = None,
    ) -> None:
        self._loop = loop
        self._make_protocol = make_protocol
        self._complaints = complaints
        self._tls = tls
        self._handshake_timeout = tls_handshake_timeout if tls is not None else None
        self._shutdown_timeout = tls_shutdown_timeout if tls is not None else None
        self._proxied = proxied
        self.limit = limit
        self._held = held
        self._relieve = relieve
        self._share = share
        self._reader = self._accept if share is None else self._accept_share
        # While others go first: the next look at them.
        self._giving_way: asyncio.TimerHandle | None = None
        # Connections that were held when none was being opened, and those that were accepted since.
        self._settled = self._since = 0
        # In the order in which they came, with the second of it.
        self._opening: dict[asyncio.Task[Any], tuple[socket, int]] = {}
        self._seconds = 0
        self._accepting = False
        self._exhausted = False
        self._full = False
        self._nobody_goes = False
        self._said_so = False
        self._finishing = False
        self._finished = False
        self.sockets = tuple(sockets)

    @property
    def opening(self) -> bool:
        """Connections were accepted that aren't protocols yet."""
        return bool(self._opening)

    def start(self) -> None:
        """Accept connections from now on."""
        self._stop_waiting()
        if not self._accepting:
            self._accepting = True
            for sock in self.sockets:
                self._loop.add_reader(sock.fileno(), self._reader, sock, BATCH)
            if self._share is not None:
                self._share.show(self._count())

    def pause(self) -> None:
        """Accept no more; `start` goes on."""
        self._exhausted = self._full = False
        self._stop_waiting()
        self._stop_reading()
        if self._share is not None:
            self._share.show(ABSENT)

    def add(self, sock: socket) -> None:
        """Accept on one more listener, as on the others."""
        self.sockets += (sock,)
        if self._accepting:
            self._loop.add_reader(sock.fileno(), self._reader, sock, BATCH)

    def remove(self, sock: socket) -> None:
        """Accept no more on a listener that others go on with: what waits in its backlog is theirs."""
        self.sockets = tuple(each for each in self.sockets if each is not sock)
        if self._accepting:
            self._loop.remove_reader(sock.fileno())

    def make_room(self) -> None:
        """A connection has ended: go on, if there were as many as may be, or no descriptor was left for one more."""
        if self._finishing:
            return
        if self._exhausted or (self._full and not self._is_full()):
            self._exhausted = self._full = False
            self.start()
        elif self._giving_way is not None:
            if self._room() > 0:
                self.start()
        elif self._share is not None and self._accepting and 2 * self._held() < self._share.shown:
            self._share.show(self._count())

    def tick(self) -> None:
        """A second has passed: try again, if there was no room. Whoever calls `finish` does so by itself."""
        self._seconds += 1
        self._nobody_goes = False
        if self._finishing:
            return
        if self._exhausted:
            self._exhausted = False
            self.start()
        elif not self._full:
            self._said_so = False
        elif self._somebody_waits():
            self._make_some_go()

    def finish(self) -> bool:
        """Accept no more, after those that wait in the backlog, be they too many: closing would reset them.

        Returns whether none wait any more, and the listeners may be closed. If there was no descriptor left for one,
        call it again, once another connection may have ended.
        """
        self._finishing = True
        self.limit = None
        self.pause()
        for sock in () if self._finished else self.sockets:
            self._accept(sock, 1 << 16)
        self._finished = not self._exhausted
        return self._finished

    def abandon(self) -> None:
        """Wait no longer for PROXY headers and TLS handshakes."""
        for task in self._opening:
            task.cancel()

    def _is_full(self) -> bool:
        # One that is just being opened may be counted twice, for a turn of the loop: never one too few.
        return self.limit is not None and len(self._opening) + self._held() >= self.limit

    def _stop_reading(self) -> None:
        if self._accepting:
            self._accepting = False
            for sock in self.sockets:
                self._loop.remove_reader(sock.fileno())

    def _accept_share(self, sock: socket, most: int) -> None:
        share = self._share
        assert share is not None
        held = self._count()
        room = share.room(held)
        if room <= 0:
            share.show(held)
            share.give_way(held)
            self._stop_reading()
            self._giving_way = self._loop.call_later(LOOK, self._look, 1)
            return
        before = self._since
        self._accept(sock, min(room, most))
        # All workers are woken by each connection, and come here: it is enough to show few of the other changes.
        if self._accepting:
            share.show(held + self._since - before)

    def _look(self, times: int) -> None:
        """Go on if others have gone first, or had the time to."""
        if self._room() <= 0 and self._somebody_waits():
            if times < LOOKS:
                self._giving_way = self._loop.call_later(LOOK, self._look, times + 1)
                return
            assert self._share is not None
            self._share.insist(self._count())
        self.start()

    def _stop_waiting(self) -> None:
        if self._giving_way is not None:
            self._giving_way.cancel()
            self._giving_way = None

    def _room(self) -> int:
        assert self._share is not None
        return self._share.room(self._count())

    def _count(self) -> int:
        """Return how many connections are held. One that is just being opened counts once, if that can be told."""
        held, opening = self._held(), len(self._opening)
        if not opening:
            self._settled, self._since = held, 0
        return min(self._settled + self._since, held + opening)

    def _accept(self, sock: socket, most: int) -> None:
        for _ in range(most):
            if self._is_full():
                if self._somebody_waits():
                    self._wait_for_room()
                return
            try:
                connection, address = sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as exc:
                self._accept_failed(exc)
                return
            connection.setblocking(False)
            # Made without the detour over the loop, and by itself if there is nothing to wait for: a connection that
            # serves one request costs little more than its opening.
            if self._tls is None and self._proxied is None:
                opening: Coroutine[Any, Any, object] = self._loop.connect_accepted_socket(
                    self._make_protocol, connection
                )
            else:
                opening = self._open(connection, address)
            task: asyncio.Task[Any] = asyncio.Task(opening, loop=self._loop, name="opening")
            self._opening[task] = connection, self._seconds
            self._since += 1
            task.add_done_callback(self._opened)

    def _opened(self, task: "asyncio.Task[Any]") -> None:
        connection, _ = self._opening.pop(task)
        if task.cancelled():
            connection.close()  # it may not have become a transport's, which would close it
        elif (exc := task.exception()) is not None:
            self._not_opened(connection, exc)
        self.make_room()

    def _not_opened(self, connection: socket, exc: BaseException) -> None:
        connection.close()
        if isinstance(exc, OSError):
            # A peer that doesn't finish its TLS handshake: everyday business on an open port.
            logger.debug("A connection wasn't opened: %s", exc)
            # In it are frames that have what has it, and the buffers of TLS. Thousands would wait for the collector.
            exc.__traceback__ = None
        else:
            self._loop.call_exception_handler({"message": "A connection wasn't opened", "exception": exc})

    def _wait_for_room(self) -> None:
        self.pause()
        self._full = True
        if not self._make_some_go() and not self._said_so:
            logger.warning("Accepting pauses: limit_connections is reached (%s)", self.limit)
            self._said_so = True

    def _make_some_go(self) -> bool:
        """Close what waits for its peer. Return whether there was any: then `make_room` is called soon."""
        if self._nobody_goes:
            return False  # how long somebody waits is counted in ticks
        if self._relieve():
            return True
        slow = [task for task, (_, second) in self._opening.items() if second + PATIENCE <= self._seconds]
        for task in slow[: 1 + len(slow) // SHARE]:
            task.cancel()
        self._nobody_goes = not slow
        return bool(slow)

    def _somebody_waits(self) -> bool:
        """Tell whether a connection waits in a backlog."""
        poll = select.poll()
        for sock in self.sockets:
            poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))

    async def _open(self, connection: socket, address: object) -> None:
        """Open a connection that has a PROXY header, or TLS."""
        make_protocol = self._make_protocol
        try:
            if self._proxied is not None:
                host = address[0] if isinstance(address, tuple) else None
                make_protocol = partial(make_protocol, await self._proxied.read(connection, host))
            await self._loop.connect_accepted_socket(
                make_protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._handshake_timeout,
                ssl_shutdown_timeout=self._shutdown_timeout,
            )
        except RequestError as exc:
            self._complaints.complain(
                Kind.REFUSED_CONNECTION, "A connection from %s was refused: %s", _named(address), exc.reason
            )
            connection.close()

    def _accept_failed(self, exc: OSError) -> None:
        if exc.errno not in _EXHAUSTED:
            self._complaints.complain(Kind.FAILED_ACCEPT, "Accepting a connection failed: %s", exc)
            return
        if not self._said_so:
            logger.error("Accepting pauses: %s", exc)
        self.pause()
        self._exhausted = self._said_so = True
        self._make_some_go()


def _named(address: object) -> str:
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "a unix socket"
