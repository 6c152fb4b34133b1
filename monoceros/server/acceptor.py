"""Accepting connections: a bounded number at a time, so that it can pause, resume, and stop without losing any.

asyncio's own servers can do neither on uvloop, and call `listen` again with a backlog of their own.
"""

import asyncio
import errno
import logging
import ssl
from collections.abc import Callable, Sequence
from socket import socket

logger = logging.getLogger("monoceros.error")

BATCH = 16
"""Connections accepted in one turn of the loop. Few, for the next turn belongs to those that are open."""

TLS_HANDSHAKE_TIMEOUT = 10
"""Seconds a TLS handshake may take."""

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
        make_protocol: makes the protocol of one connection.
        tls: the TLS context, or None.
        tls_shutdown_timeout: seconds the end of a TLS connection may take; None leaves it to the loop.

    Attributes:
        sockets: the listeners, as they are now.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sockets: Sequence[socket],
        make_protocol: Callable[[], asyncio.BaseProtocol],
        tls: ssl.SSLContext | None = None,
        tls_shutdown_timeout: float | None = None,
    ) -> None:
        self._loop = loop
        self._make_protocol = make_protocol
        self._tls = tls
        self._handshake_timeout = TLS_HANDSHAKE_TIMEOUT if tls is not None else None
        self._shutdown_timeout = tls_shutdown_timeout if tls is not None else None
        self._opening: set[asyncio.Task[None]] = set()
        self._accepting = False
        self._exhausted = False
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
        if not self._accepting:
            self._accepting = True
            for sock in self.sockets:
                self._loop.add_reader(sock.fileno(), self._accept, sock, BATCH)

    def pause(self) -> None:
        """Accept no more; `start` goes on."""
        if self._accepting:
            self._accepting = False
            for sock in self.sockets:
                self._loop.remove_reader(sock.fileno())

    def add(self, sock: socket) -> None:
        """Accept on one more listener, as on the others."""
        self.sockets += (sock,)
        if self._accepting:
            self._loop.add_reader(sock.fileno(), self._accept, sock, BATCH)

    def remove(self, sock: socket) -> None:
        """Accept no more on a listener that others go on with: what waits in its backlog is theirs."""
        self.sockets = tuple(each for each in self.sockets if each is not sock)
        if self._accepting:
            self._loop.remove_reader(sock.fileno())

    def tick(self) -> None:
        """A second has passed: try again, if there was no descriptor left. Whoever calls `finish` does so by itself."""
        if self._finishing:
            return
        if self._exhausted:
            self._exhausted = False
            self.start()
        else:
            self._said_so = False

    def finish(self) -> bool:
        """Accept no more, after those that wait in the backlog: closing would reset them.

        Returns whether none wait any more, and the listeners may be closed. If there was no descriptor left for one,
        call it again, once another connection may have ended.
        """
        self._finishing = True
        self.pause()
        self._exhausted = False
        for sock in () if self._finished else self.sockets:
            self._accept(sock, 1 << 16)
        self._finished = not self._exhausted
        return self._finished

    def abandon(self) -> None:
        """Wait no longer for TLS handshakes."""
        for task in self._opening:
            task.cancel()

    def _accept(self, sock: socket, most: int) -> None:
        for _ in range(most):
            try:
                connection, _address = sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as exc:
                self._accept_failed(exc)
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._open(connection))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._make_protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._handshake_timeout,
                ssl_shutdown_timeout=self._shutdown_timeout,
            )
        except OSError as exc:
            # A peer that doesn't finish its TLS handshake: everyday business on an open port.
            logger.debug("A connection wasn't opened: %s", exc)
            connection.close()

    def _accept_failed(self, exc: OSError) -> None:
        if exc.errno not in _EXHAUSTED:
            logger.error("Accepting a connection failed: %s", exc)
            return
        if not self._said_so:
            logger.error("Accepting pauses: %s", exc)
        self._exhausted = self._said_so = True
        self.pause()
