"""Whether a connection still holds what its peer hasn't taken: closing it for good would cut a response.

Under TLS the loops don't say: what is encrypted has left the buffer that a transport tells of, for one below that it
doesn't. But that one fills only while the kernel takes no more, and the kernel says how much it holds.
"""

import asyncio
import sys
from socket import AF_INET, AF_INET6, IPPROTO_TCP, fromfd, socket

if sys.platform != "win32":
    import fcntl
    import termios
if sys.platform == "linux":
    from socket import TCP_NOTSENT_LOWAT

MOST_UNSENT = 131072
"""Octets that the kernel takes of a response ahead of what the network does. Left to itself it takes megabytes for a
client that doesn't read, and the memory that all connections share for this runs out under a thousand of them."""

ROOM = 4096
"""Octets: a kernel that holds fewer of them takes more, so that none wait elsewhere."""


def holds_unsent(transport: asyncio.Transport) -> bool:
    """Tell whether octets that were written wait in this process for a peer that reads slowly."""
    if transport.get_write_buffer_size() > 0:
        return True
    # Only Linux says so for sockets.
    encrypted = transport.get_extra_info("sslcontext") is not None
    return encrypted and sys.platform == "linux" and queued(transport, termios.TIOCOUTQ) >= ROOM


def unsent(transport: asyncio.Transport) -> int:
    """Return the octets that the peer hasn't taken yet: in this process, and where the kernel tells, in the kernel."""
    queued_here = transport.get_write_buffer_size()
    return queued_here + (queued(transport, termios.TIOCOUTQ) if sys.platform == "linux" else 0)


def is_over_tcp(sock: socket) -> bool:
    """Tell whether a stream socket is one of TCP, and not a unix socket."""
    return sock.family in (AF_INET, AF_INET6)


def bound_unsent(listener: socket) -> None:
    """Have the kernel take no more than MOST_UNSENT ahead for the connections that a listener will accept.

    Other systems than Linux don't pass the option on to them.
    """
    if sys.platform == "linux" and is_over_tcp(listener):
        listener.setsockopt(IPPROTO_TCP, TCP_NOTSENT_LOWAT, MOST_UNSENT)


def hand_over(transport: asyncio.Transport) -> None:
    """Have the kernel take all it can of what a transport holds: it goes on sending when this process has ended."""
    sock = transport.get_extra_info("socket")
    if sys.platform != "linux" or sock is None or not is_over_tcp(sock) or sock.fileno() < 0:
        return
    with fromfd(sock.fileno(), sock.family, sock.type) as own:
        own.setsockopt(IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0)  # as if it had never been set


def queued(transport: asyncio.Transport, direction: int) -> int:
    """Return the octets that the kernel holds of a connection; 0 if that can't be told.

    Arguments:
        transport: the connection's.
        direction: termios.TIOCOUTQ for those on their way to the peer, FIONREAD for those that came from it.
    """
    sock = transport.get_extra_info("socket")
    if sys.platform == "win32" or sock is None:
        return 0
    try:
        answer = fcntl.ioctl(sock.fileno(), direction, bytes(4))
    except (OSError, ValueError):
        return 0  # closed
    return int.from_bytes(answer, sys.byteorder)
