"""The load: users that each send a request, wait for the whole answer, pause for milliseconds, and send the next.

`python -m tests.soak.client ADDRESS [--json]` runs it in a process of its own. It may not know what is done to the
server meanwhile. The rules it keeps: nothing is sent twice, a request counts as answered only if a complete 200 with
the body expected came, and everything else is a loss that says what it happened to. It ends after so many requests and
seconds; USR1 says that the seconds are over, TERM that it is enough. Either way what is under way is finished.
"""

import argparse
import asyncio
import contextlib
import enum
import hashlib
import json
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

from tests.soak.connection import Answer, Connection, Kind

SHOWN = 20
"""Losses told in full; the others are only counted."""

LONGEST_PAUSE = 0.005
"""Seconds between an answer and the next request of a user."""

PATIENCE = 20.0
"""Seconds until an answer is late: far more than a busy machine takes, so that no answer is late by chance."""

SIZES = (2, 200, 2_000)
"""Characters in the JSON document of a POST."""

LARGE = 100_000
"""Characters in that of one POST in fifty: more than one read takes, and more than a proxy holds in memory."""


class Doing(enum.StrEnum):
    """What a user's connection is at."""

    CONNECTING = "connecting"
    SENDING = "pausing between head and body"
    WAITING = "waiting for the answer"
    PAUSING = "idle"


class Request(NamedTuple):
    """A request to send, and what its answer has to be.

    Attributes:
        number: of the request, from 1, among all of the load.
        name: its method and path.
        pieces: what to send, with a pause between two pieces.
        body: what the answer has to say, for a GET after the number of the process that served it.
    """

    number: int
    name: str
    pieces: tuple[bytes, ...]
    body: bytes


@dataclass
class Loss:
    """A request that wasn't answered as it had to be.

    Attributes:
        kind: see `Kind`.
        request: its number.
        name: its method and path; "" if the connection broke between two requests.
        doing: what the connection was at.
        served: requests answered on that connection before.
        clock: the time of day.
        detail: what else is known.
    """

    kind: str
    request: int
    name: str
    doing: str
    served: int
    clock: str
    detail: str


@dataclass
class Report:
    """What became of the requests.

    Attributes:
        requests: begun.
        ok: answered as expected.
        losses: the first of those that were lost.
        kinds: how many were lost in which way.
        opened: connections opened.
        told_to_close: connections ended because an answer carried `Connection: close`.
        processes: that answered a GET.
        seconds: from the first connection to the last answer.
    """

    requests: int = 0
    ok: int = 0
    losses: list[Loss] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)
    opened: int = 0
    told_to_close: int = 0
    processes: list[int] = field(default_factory=list)
    seconds: float = 0.0


class Load:
    """All users together: how far they are, and when they end.

    Arguments:
        address: "HOST:PORT" or "unix:PATH".
        requests: to send at least.
        seconds: to go on at least.
    """

    def __init__(self, address: str, requests: int, seconds: float) -> None:
        self.address = address
        self.report = Report()
        self._least = requests
        self._began = time.monotonic()
        self._ends = self._began + seconds
        self._enough = False

    def time_is_up(self) -> None:
        """The seconds are over; requests may still be missing."""
        self._ends = 0.0

    def stop(self) -> None:
        """No more requests."""
        self._enough = True

    def number(self) -> int:
        """Return the number of the next request, or 0 if there is to be none."""
        report = self.report
        if self._enough or (report.requests >= self._least and time.monotonic() >= self._ends):
            return 0
        report.requests += 1
        return report.requests

    def lost(self, loss: Loss) -> None:
        """Write down a loss."""
        self.report.kinds[loss.kind] = self.report.kinds.get(loss.kind, 0) + 1
        if len(self.report.losses) < SHOWN:
            self.report.losses.append(loss)

    async def run(self, users: int, seed: int, begun: Callable[[], None]) -> Report:
        """Send requests until it is time to end, and return what became of them.

        Arguments:
            users: how many at the same time, each with a connection of its own.
            seed: of sizes and pauses.
            begun: is called once each of them has had its first answer, or lost it.
        """
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self.time_is_up)
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGINT, self.stop)
        everybody = [User(self, random.Random(f"{seed} {index}")) for index in range(users)]
        for user in everybody:
            user.begin()
        waits = True
        while not all(user.done for user in everybody):
            await asyncio.sleep(0.05)
            if waits and all(user.tried for user in everybody):
                waits = False
                begun()
            for user in everybody:
                user.look_at_the_clock()
        self.report.seconds = round(time.monotonic() - self._began, 3)
        self.report.processes = sorted({pid for user in everybody for pid in user.processes})
        return self.report


class User:
    """Sends one request at a time, on a connection that is kept as long as the server lets it.

    Arguments:
        load: which it is part of.
        dice: for sizes and pauses.

    Attributes:
        tried: its first request is over.
        done: it has ended.
        processes: that answered it.
    """

    def __init__(self, load: Load, dice: random.Random) -> None:
        self._load = load
        self._dice = dice
        self._loop = asyncio.get_running_loop()
        self._connection: Connection | None = None
        self._request: Request | None = None
        self._doing = Doing.PAUSING
        self._since = 0.0
        self._timer: asyncio.Handle | None = None
        self._opening: asyncio.Task[None] | None = None
        self.tried = False
        self.done = False
        self.processes: set[int] = set()

    def begin(self) -> None:
        """Send the next request, or end."""
        number = self._load.number()
        if not number:
            self.done = True
            if self._connection is not None:
                self._connection.end()
            return
        self._request = make_request(number, self._dice)
        self._since = self._loop.time()
        if self._connection is None:
            self._doing = Doing.CONNECTING
            self._opening = self._loop.create_task(self._connect())
        else:
            self._send(0)

    def look_at_the_clock(self) -> None:
        """Give up a request whose answer is late."""
        if self._request is not None and self._loop.time() - self._since > PATIENCE:
            if self._opening is not None:
                self._opening.cancel()
            self.broken(Kind.LATE, f"after {PATIENCE:g} s")

    def answered(self, answer: Answer) -> None:
        """See whether the answer is right, and pause."""
        request, report = self._request, self._load.report
        assert request is not None
        pid, _, rest = answer.body.partition(b" ")
        if answer.status != 200:
            self.broken(Kind.STATUS, f"{answer.status} {answer.body[:80]!r}")
        elif self._doing is not Doing.WAITING:
            self.broken(Kind.MALFORMED, "it came before the request was sent")
        elif answer.body == request.body or (rest == request.body and pid.isdigit()):
            report.ok += 1
            if rest:
                self.processes.add(int(pid))
            if answer.last:
                report.told_to_close += 1
                self._let_go()
            self._pause()
        else:
            self.broken(Kind.BODY, f"{answer.body[:80]!r} instead of {request.body!r}")

    def broken(self, kind: Kind, detail: str) -> None:
        """Write the loss down and go on with the next request, on another connection."""
        request, connection = self._request, self._connection
        if connection is not None and connection.received:
            detail += f", after {connection.received} bytes of the answer"
        self._load.lost(
            Loss(
                kind=kind.value,
                request=self._load.report.requests if request is None else request.number,
                name="" if request is None else request.name,
                doing=self._doing.value,
                served=0 if connection is None else connection.served,
                clock=f"{time.strftime('%H:%M:%S')}.{int(time.time() % 1 * 1000):03}",
                detail=detail,
            )
        )
        self._let_go()
        self._pause()

    async def _connect(self) -> None:
        connection, request = Connection(self), self._request
        try:
            if self._load.address.startswith("unix:"):
                await self._loop.create_unix_connection(lambda: connection, self._load.address.removeprefix("unix:"))
            else:
                host, _, port = self._load.address.rpartition(":")
                await self._loop.create_connection(lambda: connection, host, int(port))
        except OSError as error:
            kind = Kind.RESET if isinstance(error, ConnectionResetError) else Kind.REFUSED
            self._opening = None
            self.broken(kind, str(error))
            return
        self._opening = None
        self._load.report.opened += 1
        if self._request is request:
            self._connection = connection
            self._send(0)

    def _send(self, index: int) -> None:
        assert self._connection is not None
        assert self._request is not None
        pieces = self._request.pieces
        self._timer = None
        self._doing = Doing.WAITING
        if index + 1 < len(pieces):
            self._doing = Doing.SENDING
            self._timer = self._loop.call_later(self._dice.uniform(0, LONGEST_PAUSE), self._send, index + 1)
        self._connection.write(pieces[index])

    def _pause(self) -> None:
        self._request = None
        self._doing = Doing.PAUSING
        self.tried = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._dice.uniform(0, LONGEST_PAUSE), self.begin)

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.end()
            self._connection = None


def make_request(number: int, dice: random.Random) -> Request:
    """Make a request. Half are POST: some large, some with a pause before the body. Some GET are answered slowly."""
    if dice.random() < 0.5:
        path = f"/slow/{number}" if dice.random() < 0.05 else f"/{number}"
        head = f"GET {path} HTTP/1.1\r\nhost: soak\r\nuser-agent: soak\r\naccept: */*\r\n\r\n"
        return Request(number, f"GET {path}", (head.encode(),), path.encode())
    size = LARGE if dice.random() < 0.02 else dice.choice(SIZES)
    body = json.dumps({"number": number, "text": "x" * size}).encode()
    fields = f"host: soak\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    head = f"POST /{number} HTTP/1.1\r\n{fields}\r\n\r\n"
    pieces = (head.encode(), body) if dice.random() < 0.1 else (head.encode() + body,)
    return Request(number, f"POST /{number}", pieces, hashlib.sha256(body).hexdigest().encode())


def main() -> None:
    """Run the load and print its report."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.client", description=__doc__)
    parser.add_argument("address", help="HOST:PORT or unix:PATH")
    parser.add_argument("--connections", type=int, default=32, help="users at the same time (default: 32)")
    parser.add_argument("--requests", type=int, default=1000, help="requests at least (default: 1000)")
    parser.add_argument("--seconds", type=float, default=0.0, help="seconds at least (default: 0)")
    parser.add_argument("--seed", type=int, default=1, help="of sizes and pauses (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--announce", action="store_true", help="print a line when all connections are in use")
    options = parser.parse_args()

    async def run() -> Report:
        load = Load(options.address, options.requests, options.seconds)
        return await load.run(options.connections, options.seed, announce)

    def announce() -> None:
        if options.announce:
            sys.stdout.write(f"{options.connections} connections are in use\n")
            sys.stdout.flush()

    loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        from uvloop import new_event_loop as loop_factory
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        report = runner.run(run())
    if options.json:
        sys.stdout.write(json.dumps(asdict(report)) + "\n")
        return
    lost = ", ".join(f"{count} x {kind}" for kind, count in report.kinds.items()) or "none"
    lines = [f"{report.requests} requests in {report.seconds} s, {report.ok} ok, lost: {lost}"]
    sys.stdout.write("\n".join([*lines, *map(str, report.losses)]) + "\n")


if __name__ == "__main__":
    main()
