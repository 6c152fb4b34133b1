"""Thousands of connections opened and reset, again and again: nothing of them may stay.

`python -m tests.attacks.resets [--seconds 60] [--connections 2000] [--kind NAME] [--loop NAME]`. It prints what lives
and what the server takes after each quarter of the time, and exits with 1 if anything of a connection is left, or if
the memory grows and grows.
"""

import argparse
import contextlib
import json
import socket
import ssl
import struct
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.attacks.victim import PATIENCE, Victim, attacked

HEAD = b"GET /%s HTTP/1.1\r\nHost: site\r\n"
UPGRADE = (
    HEAD % b"socket" + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
POST = b"POST / HTTP/1.1\r\nHost: site\r\nContent-Length: 100000\r\n\r\n"
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
"""The beginning of a TLS handshake."""

GROWTH = 4 << 20
"""Octets that memory may grow by from quarter to quarter: what an allocator keeps is not the same each time."""

PASSING = ("TimerHandle", "Handle", "Context", "UVTimer", "DefaultFields")
"""What comes and goes each second; and timers that were cancelled stay until their time, or until there are many."""


@dataclass(frozen=True)
class Kind:
    """How far a connection gets before it is reset.

    Attributes:
        sends: what it sends.
        answers: the server has sent so much of an answer before.
        tls: it is encrypted; None for one that breaks off amid its handshake.
    """

    sends: bytes = b""
    answers: bytes = b""
    tls: bool | None = False


KINDS = {
    "idle": Kind(),
    "kept-alive": Kind(HEAD % b"" + b"\r\n", b"hello"),
    "half-head": Kind(HEAD % b"" + b"X-a: "),
    "half-body": Kind(POST + b"x" * 50000),
    "waiting": Kind(HEAD % b"wait" + b"\r\n"),
    "streaming": Kind(HEAD % b"stream" + b"\r\n", b"200"),
    "download": Kind(HEAD % b"large" + b"\r\n", b"200"),
    "pipelined": Kind((HEAD % b"stream" + b"\r\n") * 20, b"200"),
    "websocket": Kind(UPGRADE, b"101"),
    "half-frame": Kind(UPGRADE + b"\x81\x85\0\0\0\0hello\x82\xfe\x03\xe8\0\0\0\0" + b"x" * 500, b"hello"),
    "handshake": Kind(tls=None),
    "tls-idle": Kind(tls=True),
    "tls-kept-alive": Kind(HEAD % b"" + b"\r\n", b"hello", tls=True),
    "tls-half-body": Kind(POST + b"x" * 50000, tls=True),
    "tls-streaming": Kind(HEAD % b"stream" + b"\r\n", b"200", tls=True),
    "tls-websocket": Kind(UPGRADE, b"101", tls=True),
}


class Resetter:
    """Opens connections to a server and resets them.

    Arguments:
        victim: the server.
        trust: trusts its certificate; None if it speaks no TLS.

    Attributes:
        trust: see above.
        port: where the server listens.
    """

    def __init__(self, victim: Victim, trust: ssl.SSLContext | None = None) -> None:
        self._victim = victim
        self.port = victim.port
        self.trust = trust

    def round(self, kind: Kind, number: int) -> None:
        """Open so many connections of a kind, and then reset all of them."""
        with contextlib.ExitStack() as stack:
            for _ in range(number):
                stack.callback(reset, opened(kind, self.port, self.trust))

    def objects(self) -> dict[str, int]:
        """Return what lives in the server once nothing is left to be done for a connection that was reset."""
        deadline = time.monotonic() + PATIENCE
        while True:
            counted = self._ask()
            if counted.get("monoceros.protocol.http1.HTTP1Connection") == 1 or time.monotonic() > deadline:
                return counted

    def memory(self) -> int:
        """Return what the server takes, in bytes."""
        return self._victim.memory()

    def _ask(self) -> dict[str, int]:
        question = Kind(HEAD % b"objects" + b"Connection: close\r\n\r\n", tls=self.trust is not None)
        with opened(question, self.port, self.trust) as sock:
            data = b""
            while piece := sock.recv(65536):
                data += piece
        counted: dict[str, int] = json.loads(data.partition(b"\r\n\r\n")[2])
        return counted


def opened(kind: Kind, port: int, trust: ssl.SSLContext | None) -> socket.socket:
    """Return a connection that has come as far as its kind says.

    Arguments:
        kind: one of KINDS.
        port: of the server, on 127.0.0.1.
        trust: trusts its certificate; not looked at if the connection isn't encrypted.
    """
    sock: socket.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
    if kind.tls:
        assert trust is not None
        sock = trust.wrap_socket(sock, server_hostname="127.0.0.1")
    elif kind.tls is None:
        sock.sendall(HELLO)
    sock.sendall(kind.sends)
    data = b""
    while kind.answers not in data:
        data += sock.recv(4096)
    return sock


def reset(sock: socket.socket) -> None:
    """Close with a reset (RST), as a peer does that is switched off."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def left(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Return what there is more of than before, without what passes."""
    more = {name: number - before.get(name, 0) for name, number in after.items() if not name.endswith(PASSING)}
    return {name: number for name, number in more.items() if number > 0}


@contextlib.contextmanager
def resetting(loop: str, tls: bool, descriptors: int = 8192, options: Sequence[str] = ()) -> Iterator[Resetter]:
    """Start a server whose connections can be reset.

    Arguments:
        loop: the event loop, a value of --loop.
        tls: it speaks TLS.
        descriptors: how many it may have.
        options: others of the server.
    """
    with tempfile.TemporaryDirectory(prefix="resets-") as folder:
        trust = None
        options = ["--loop", loop, *options]
        if tls:
            authority = trustme.CA()
            certificate = Path(folder) / "certificate.pem"
            authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
            trust = ssl.create_default_context()
            authority.configure_trust(trust)
            options += ["--ssl-certfile", str(certificate)]
        with attacked(options=options, descriptors=descriptors) as victim:
            yield Resetter(victim, trust)


def main() -> int:
    """Reset as asked for, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.resets", description=__doc__)
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this one; may be repeated")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--seconds", type=float, default=60, help="for all kinds together (default: 60)")
    parser.add_argument("--connections", type=int, default=2000, help="open at once (default: 2000)")
    options = parser.parse_args()
    failed = False
    for tls in (False, True):
        kinds = [name for name in options.kind or KINDS if (KINDS[name].tls is not False) is tls]
        if kinds:
            failed = not _trial(kinds, tls, options) or failed
    return 1 if failed else 0


def _trial(kinds: list[str], tls: bool, options: argparse.Namespace) -> bool:
    """Reset connections of some kinds in turn, print what is left, and tell whether that is nothing."""
    with resetting(options.loop, tls) as resetter:
        for name in kinds:
            resetter.round(KINDS[name], options.connections)
        before = resetter.objects()
        memory: list[int] = []
        for quarter in range(1, 5):
            rounds, deadline = 0, time.monotonic() + options.seconds / 4
            while time.monotonic() < deadline:
                resetter.round(KINDS[kinds[rounds % len(kinds)]], options.connections)
                rounds += 1
            stays = left(before, resetter.objects())
            memory.append(resetter.memory())
            say(
                f"{', '.join(kinds)}: quarter {quarter}: {rounds} rounds, RSS {memory[-1] / (1 << 20):.1f} MiB, {stays}"
            )
    return not stays and min(memory[3] - memory[2], memory[2] - memory[1]) < GROWTH


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
