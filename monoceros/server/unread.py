"""What has come from a peer and nobody has read yet: octets, or a reset.

The loop reads what has arrived in its next turn: octets in the kernel came in this one, or while the loop was busy with
something else. Closing the connection now would answer a request by a reset. But while reading is paused the loop hears
of nothing, not even that the peer is gone.
"""

import asyncio
import select
import sys

from monoceros.server.unsent import queued

if sys.platform != "win32":
    import termios


def holds_unread(transport: asyncio.Transport) -> bool:
    """Tell whether octets of the peer wait in the kernel. Under TLS they needn't be a request."""
    return sys.platform != "win32" and queued(transport, termios.FIONREAD) > 0


def has_vanished(transport: asyncio.Transport) -> bool:
    """Tell whether the peer has reset the connection."""
    sock = transport.get_extra_info("socket")
    if sys.platform == "win32" or sock is None or sock.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(sock.fileno(), 0)  # errors are told unasked
    return any(event & select.POLLERR for _, event in poll.poll(0))
