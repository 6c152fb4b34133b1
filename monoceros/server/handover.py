"""Listening sockets that come and go while a server runs: a master lends them, and takes them back.

Knows sockets and acceptors; not why they come. The rules it keeps: orders come from any thread and are carried out on
the loop's, in their order; a socket that was handed over is closed here, also if it comes too late; and what waits in
the backlog of one that goes is left to the others who hold it.
"""

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from socket import IPPROTO_TCP, SO_ACCEPTCONN, SOL_SOCKET, TCP_NODELAY, socket

from monoceros.server.acceptor import Acceptor
from monoceros.server.unsent import bound_unsent, is_over_tcp

logger = logging.getLogger("monoceros.error")


def listen(sock: socket, backlog: int) -> None:
    """Make a bound socket one that an acceptor can use.

    Raises:
        OSError: it can't be listened on.
    """
    sock.setblocking(False)
    bound_unsent(sock)
    if is_over_tcp(sock):
        # Passed on to what is accepted. asyncio sets it by itself only where a socket tells its protocol, and few do:
        # the second of two small writes would wait until the first is acknowledged, which takes 40 ms.
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    if not sock.getsockopt(SOL_SOCKET, SO_ACCEPTCONN):
        sock.listen(backlog)


class Handover:
    """The orders that aren't carried out yet."""

    def __init__(self) -> None:
        self._orders: deque[Callable[[Acceptor | None], None]] = deque()

    def give(self, sock: socket, backlog: int) -> None:
        """Order that connections be accepted on one more socket.

        Arguments:
            sock: a bound one.
            backlog: connections that the kernel queues until they are accepted, if it doesn't listen yet.
        """
        self._orders.append(partial(_add, sock, backlog))

    def take_back(self, which: socket | int) -> None:
        """Order that a socket be closed; it is named by itself or by its descriptor."""
        self._orders.append(partial(_remove, which))

    def carry_out(self, acceptor: Acceptor | None) -> None:
        """Carry the orders out.

        Arguments:
            acceptor: whose sockets they are; None if nothing is accepted any more.
        """
        while self._orders:
            self._orders.popleft()(acceptor)


def _add(sock: socket, backlog: int, acceptor: Acceptor | None) -> None:
    if acceptor is None:
        sock.close()
        return
    try:
        listen(sock, backlog)
    except OSError as exc:
        logger.error("A listening socket that was handed over can't be used: %s", exc)
        sock.close()
        return
    acceptor.add(sock)


def _remove(which: socket | int, acceptor: Acceptor | None) -> None:
    if acceptor is not None:
        for sock in acceptor.sockets:
            if which is sock or which == sock.fileno():
                acceptor.remove(sock)
                sock.close()
                return
