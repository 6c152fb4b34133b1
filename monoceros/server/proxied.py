"""Connections that a load balancer opens with a PROXY header: it is read off the socket before anything else is.

Knows sockets and the loop; not what is served. Nothing is read beyond the header: what follows is TLS's, or HTTP's. The
rule it keeps: an address is taken from allowed peers alone, and from these a header must come.
"""

import asyncio
from collections.abc import Callable
from socket import MSG_PEEK, socket

from monoceros.errors import RequestError
from monoceros.wire.proxy_protocol import Accepted, Ends, ProxyHeaderReader

HEADER_TIMEOUT = 10.0
"""Seconds in which a header must come. It is sent with the first packet; the specification asks for 3 at least."""

_PEEKED = 4096  # octets looked at in one go: more than a header has, unless it carries certificates


class ProxyHeaders:
    """Reads the headers of a server's connections.

    Arguments:
        accepted: the versions that are taken.
        allows: tells whether the peer at an address may send one; it is given None for a peer of a unix socket.
        timeout: seconds in which a header must come.
    """

    def __init__(
        self, accepted: Accepted, allows: Callable[[str | None], bool], timeout: float = HEADER_TIMEOUT
    ) -> None:
        self._accepted = accepted
        self._allows = allows
        self._timeout = timeout

    async def read(self, connection: socket, host: str | None) -> Ends | None:
        """Read the header of a connection, and nothing else.

        Arguments:
            connection: an accepted, non-blocking socket.
            host: the address of its peer; None for a peer of a unix socket.

        Returns:
            The ends of the connection that was forwarded; None if those of this one count.

        Raises:
            RequestError: the connection must be refused: for its peer, for its header, or because none came in time.
            OSError: the peer is gone.
        """
        if not self._allows(host):
            raise RequestError(403, "its peer is not in --proxy-allow-ips")
        reader = ProxyHeaderReader(self._accepted)
        try:
            async with asyncio.timeout(self._timeout):
                while True:
                    seen = await _peek(connection)
                    if not seen:
                        raise ConnectionAbortedError("the peer closed before its PROXY header was complete")
                    header = reader.feed(seen)
                    _skip(connection, len(seen) if header is None else len(seen) - len(header.rest))
                    if header is not None:
                        return header.ends
        except TimeoutError:
            raise RequestError(408, f"no PROXY header came within {self._timeout:g} s") from None


async def _peek(connection: socket) -> bytes:
    """Return what has come, and leave it where it is: who wants to see more has to take it first."""
    while True:
        try:
            return connection.recv(_PEEKED, MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            await _readable(connection)


async def _readable(connection: socket) -> None:
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()
    loop.add_reader(connection.fileno(), _wake, waiter)
    try:
        await waiter
    finally:
        loop.remove_reader(connection.fileno())


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


def _skip(connection: socket, size: int) -> None:
    """Take so many octets, all of which have come."""
    while size:
        taken = len(connection.recv(size))
        if not taken:  # a reset can throw away what had come
            raise ConnectionAbortedError("the peer is gone with what it had sent")
        size -= taken
