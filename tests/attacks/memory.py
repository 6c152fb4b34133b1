"""What a connection costs, in bytes: `python -m tests.attacks.memory [--connections 1000] [--kind NAME]`.

A server is started for each kind of connection and each loop. What its resident set grows by, and what the kernel's
TCP memory does meanwhile, is divided by the number of connections. The kernel's counts both ends, and whoever else
there is on the machine.
"""

import argparse
import contextlib
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.attacks.resets import HEAD, POST, UPGRADE, Kind, opened, reset, resetting
from tests.attacks.victim import PAGE, PATIENCE

QUIET = 1.0
"""Seconds without a change after which a server is taken to have done all that it will."""

LOOPS = ("uvloop", "asyncio")

DEFLATED = b"\xc1\x83\0\0\0\0\x4b\x04\0"
"""A compressed message of one letter, masked with nothing."""

LITTLE = 65536
"""Octets of memory that are no change."""

ROW = "{:24} {:>10} {:>16} {:>16}"


@dataclass(frozen=True)
class Held:
    """A kind of connection that is held.

    Attributes:
        kind: how far it gets.
        floods: it goes on sending while anybody takes it.
        large: one that costs much: there are fewer of them.
    """

    kind: Kind
    floods: bool = False
    large: bool = False


KINDS = {
    "idle, nothing sent": Held(Kind()),
    "idle, kept alive": Held(Kind(HEAD % b"" + b"\r\n", b"hello")),
    "head begun": Held(Kind(HEAD % b"" + b"X-a: ")),
    "head of 60 KiB begun": Held(Kind(HEAD % b"" + (b"X: " + b"x" * 30000 + b"\r\n") * 2)),
    "upload, read": Held(Kind(POST + b"x" * 100)),
    "upload, not read": Held(Kind(POST.replace(b"/", b"/deaf", 1).replace(b": 1", b": 100", 1)), True, True),
    "request at work": Held(Kind(HEAD % b"wait" + b"\r\n")),
    "download of 1 MiB stalled": Held(Kind(HEAD % b"large" + b"\r\n", b"200"), large=True),
    "stream stalled": Held(Kind(HEAD % b"stream" + b"\r\n", b"200"), large=True),
    "20 pipelined, stalled": Held(Kind((HEAD % b"large" + b"\r\n") * 20, b"200"), large=True),
    "WebSocket": Held(Kind(UPGRADE, b"101")),
    "WebSocket, deflate": Held(
        Kind(UPGRADE[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" + DEFLATED, b"\xc1\x03")
    ),
    "TLS handshake begun": Held(Kind(tls=None)),
    "TLS, nothing sent": Held(Kind(tls=True)),
    "TLS, kept alive": Held(Kind(HEAD % b"" + b"\r\n", b"hello", tls=True)),
    "TLS, stream stalled": Held(Kind(HEAD % b"stream" + b"\r\n", b"200", tls=True), large=True),
}


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.memory", description=__doc__)
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this one; may be repeated")
    parser.add_argument("--loop", action="append", choices=LOOPS, help="only this one; may be repeated")
    parser.add_argument("--connections", type=int, default=1000, help="a tenth of the large ones (default: 1000)")
    options = parser.parse_args()
    say(ROW.format("kind", "loop", "bytes each", "in the kernel"))
    for name in options.kind or KINDS:
        held = KINDS[name]
        for loop in options.loop or LOOPS:
            number = options.connections // (10 if held.large else 1)
            process, kernel = cost(held, loop, number)
            say(ROW.format(name, loop, f"{process:,}", f"{kernel:,}"))
    return 0


def cost(held: Held, loop: str, number: int) -> tuple[int, int]:
    """Return the bytes that each of so many connections costs the server's process, and the kernel."""
    # They are to be kept, not to be made to go: for longer than it takes to open them, and to look.
    patient = ["--timeout-keep-alive", "600", "--timeout-request-header", "600", "--timeout-tls-handshake", "600"]
    with (
        resetting(loop, held.kind.tls is not False, options=patient) as resetter,
        contextlib.ExitStack() as stack,
    ):
        resetter.round(held.kind, 3)  # what is imported or made for the first of a kind isn't theirs
        before = settled(resetter.memory), settled(kernel_memory)
        for _ in range(number):
            sock = opened(held.kind, resetter.port, resetter.trust)
            stack.callback(reset, sock)
            if held.floods:
                flood(sock)
        after = settled(resetter.memory), settled(kernel_memory)
    return (after[0] - before[0]) // number, (after[1] - before[1]) // number


def flood(sock: socket.socket) -> None:
    """Send until nobody has taken anything for a moment."""
    sock.settimeout(0.1)
    with contextlib.suppress(TimeoutError):
        while True:
            sock.send(bytes(65536))


def settled(figure: Callable[[], int]) -> int:
    """Return a figure once it has come to rest."""
    deadline = time.monotonic() + PATIENCE
    last, since = figure(), time.monotonic()
    while time.monotonic() < min(since + QUIET, deadline):
        time.sleep(0.05)
        now = figure()
        if abs(now - last) > LITTLE:
            last, since = now, time.monotonic()
    return last


def kernel_memory() -> int:
    """Return what the kernel holds for all TCP connections of the machine, in bytes."""
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        words = line.split()
        if words[0] == "TCP:":
            return int(words[words.index("mem") + 1]) * PAGE
    raise AssertionError("the kernel doesn't tell its TCP memory")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
