"""Whether a peer has sent what nobody has read yet: closing its connection now would answer a request by a reset.

The loop reads what has arrived in its next turn: octets in the kernel came in this one, or while the loop was busy with
something else.
"""

import asyncio
import sys

from monoceros.server.unsent import queued

if sys.platform != "win32":
    import termios


def holds_unread(transport: asyncio.Transport) -> bool:
    """Tell whether octets of the peer wait in the kernel. Under TLS they needn't be a request."""
    return sys.platform != "win32" and queued(transport, termios.FIONREAD) > 0
