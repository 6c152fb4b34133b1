"""Whether a connection still holds what its peer hasn't taken: closing it for good would cut a response.

Under TLS the loops don't say: what is encrypted has left the buffer that a transport tells of, for one below that it
doesn't. But that one fills only while the kernel takes no more, and the kernel says how much it holds.
"""

import asyncio
import sys

try:
    import fcntl
    import termios
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

ROOM = 4096
"""Octets: a kernel that holds fewer of them takes more, so that none wait elsewhere."""


def holds_unsent(transport: asyncio.Transport) -> bool:
    """Tell whether octets that were written wait in this process for a peer that reads slowly."""
    if transport.get_write_buffer_size() > 0:
        return True
    return transport.get_extra_info("sslcontext") is not None and _queued(transport) >= ROOM


def _queued(transport: asyncio.Transport) -> int:
    """Return the octets that the kernel holds for the peer; 0 where it doesn't say so for sockets."""
    sock = transport.get_extra_info("socket")
    if sys.platform != "linux" or sock is None:
        return 0
    try:
        answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):
        return 0  # closed
    return int.from_bytes(answer, sys.byteorder)
