"""How much of what was written to a connection has reached its peer, as the kernel knows it.

When a connection breaks, the loops throw away what they hold of it before they say so. Of the two ends of what was
written, the kernel alone still tells the one that counts: what the peer acknowledged (RFC 9293, section 3.8).
"""

import asyncio
import socket
import struct
import sys

from monoceros.server.unsent import is_over_tcp, queued

if sys.platform == "linux":
    import termios

_CLOSED = 7  # TCP_CLOSE: the connection was reset, or both sides have ended it
_STATE_TO_ACKNOWLEDGED = struct.Struct("=B119xQ")
"""Of Linux's `struct tcp_info`: the state at its beginning, and `tcpi_bytes_acked`, which is there since 4.1."""


def delivered(transport: asyncio.Transport) -> int | None:
    """Return the octets that have reached the peer of a transport, or will without this process; None if unknown.

    Of a connection that is reset, these are those that the peer acknowledged; else the kernel will bring what it holds,
    too. Only Linux tells, only of TCP, and under TLS it counts other octets than those that were written here.
    """
    sock = transport.get_extra_info("socket")
    if sys.platform != "linux" or sock is None or not is_over_tcp(sock):
        return None
    if transport.get_extra_info("sslcontext") is not None:
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _STATE_TO_ACKNOWLEDGED.size)
    except OSError:
        return None  # closed
    if len(info) < _STATE_TO_ACKNOWLEDGED.size:
        return None
    state, acknowledged = _STATE_TO_ACKNOWLEDGED.unpack(info)
    if not acknowledged and state != _CLOSED:
        return None  # a kernel that doesn't count them: who sent a request has acknowledged something by now
    in_kernel = 0 if state == _CLOSED else queued(transport, termios.TIOCOUTQ)
    return int(acknowledged) + in_kernel
