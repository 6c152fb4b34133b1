"""The invariant of an HTTP/1.1 connection, whatever the peer sends and however the application behaves:

Any bytes give requests, or one refusal with a status; nothing else escapes. Both parsers say the same: the application
is told the same, and the peer gets the same octets. In whatever pieces the bytes come, the same requests are read, and
what is refused is refused, though of two faults the other one may be found first. What a connection holds is bounded by
its limits. Once the connection is lost, no task is left, no future pends, no timer runs, and nobody knows of it any
more; an observer was told of each request once.

The first two octets of an input choose the application and the options; the rest is a script (see `script`).
"""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from monoceros.protocol.context import Context
from monoceros.protocol.cycle import HIGH_WATER
from monoceros.protocol.exchange import Exchange, Observer
from tests.doubles.loop import ManualLoop
from tests.doubles.requests import PARSERS, Conversation, Received, bytewise
from tests.doubles.stage import GET, Stage
from tests.doubles.transport import FakeTransport
from tests.fuzz.applications import KINDS, Applications, Diary
from tests.fuzz.held import octets_held
from tests.fuzz.running import run_module
from tests.fuzz.script import ACTS, Act, Step, encoded, steps

CORPUS = Path(__file__).parent / "corpus" / "http"

MUTATIONS = 1500
"""Tried by the suite: some four seconds."""
REQUESTS = Path(__file__).parents[1] / "corpus" / "http1"

WEIGHED = 32768
"""Octets sent above which it is worth looking at what a connection holds: with fewer it can't be too much."""

SINGLE = 500
"""Octets that come one by one where they shall; what follows comes at once. More would leave time for fewer inputs."""

OVERHEAD = 32768
"""Octets of texts, templates and fields that a connection holds beside what the peer sent."""

SMALL = {"line": 100, "fields": 10, "field_size": 100, "head": 400, "body": 5000}

logging.getLogger("monoceros.error").addHandler(logging.NullHandler())


class Options(NamedTuple):
    """What the first octets of an input choose.

    Attributes:
        kind: of application.
        small: limits of the request are small.
        websocket: sessions can be had.
        observed: an observer is told of the requests.
        tls: the transport pretends to be encrypted.
        full: one application at a time may be at work.
        timed: a request may take three seconds, and a peer may pause for two.
    """

    kind: int
    small: bool
    websocket: bool
    observed: bool
    tls: bool
    full: bool
    timed: bool


def options_of(data: bytes) -> Options:
    """Read what an input chooses; its first two octets, or fewer."""
    kind, flags = (data[:2] + b"\0\0")[:2]
    return Options(kind, *(bool(flags & 1 << bit) for bit in range(6)))


class Account(NamedTuple):
    """What can be told of a connection in the end, and must be the same over both parsers."""

    scopes: list[dict[str, Any]]
    bodies: list[tuple[bytes, bool]]
    written: bytes
    closed: bool
    aborted: bool
    logged: list[tuple[str, str, str, str, int]]


class Conduct:
    """One connection, from its beginning to its end.

    Arguments:
        parser: a name out of PARSERS.
        options: what was chosen.
    """

    def __init__(self, parser: str, options: Options) -> None:
        self._diary = Diary()
        self._stage = Stage(parser, app=Applications(options.kind, self._diary))
        context = self._stage.context
        if not options.websocket:
            context.websocket = None
        if options.small:
            context.limits = context.limits._replace(**SMALL)
        if options.full:
            context.limit_concurrency = 1
        if options.timed:
            context.body_timeout = context.write_timeout = 2
            context.request_timeout = 3
            context.request_deadline = context.in_seconds(3)
        self._head = context.limits.head
        self._began: list[Exchange] = []
        self._ended: list[Exchange] = []
        if options.observed:
            context.observer = Observer((self._ended.append,), (self._began.append,), lambda: 0.0)
        self._futures: list[asyncio.Future[Any]] = []
        create_future = self._stage.loop.create_future

        def recorded() -> "asyncio.Future[Any]":
            future: asyncio.Future[Any] = create_future()
            self._futures.append(future)
            return future

        self._stage.loop.create_future = recorded  # type: ignore[method-assign]
        self._peer = self._stage.connect(tls=options.tls)
        self._sent = 0
        self._largest = 0

    def follow(self, script: list[Step]) -> Account:
        """Do what the script says, let the peer be gone, and look at what is left."""
        for step in script:
            self._act(step)
            if step.data and self._sent > WEIGHED:
                self._weigh()
        written = b"".join(self._peer.transport.writes)
        closed, aborted = self._peer.transport.is_closing(), self._peer.transport.aborted
        self._end()
        return Account(self._diary.scopes, self._diary.bodies, written, closed, aborted, self._stage.log)

    def _act(self, step: Step) -> None:
        peer, stage = self._peer, self._stage
        match step.act:
            case Act.TICK:
                stage.tick()
            case Act.WAIT:
                stage.tick(40)
            case Act.STOP_READING:
                peer.transport.peer_stops_reading()
            case Act.READ_AGAIN:
                peer.read_again()
            case Act.END:
                peer.end()
            case Act.TAKE_SOME:
                peer.transport.peer_takes(4096)
                stage.loop.run_ready()
            case Act.MAKE_WAY:
                for connection in list(stage.context.connections):
                    if connection.waits() is not None:
                        connection.make_way()
                stage.loop.run_ready()
            case Act.DRAIN:
                stage.context.lasting = False
                for connection in list(stage.context.connections):
                    connection.begin_drain()
        pieces = [*bytewise(step.data[:SINGLE]), step.data[SINGLE:]] if step.act is Act.BYTEWISE else [step.data]
        for piece in filter(None, pieces):
            self._sent += len(piece)
            self._largest = max(self._largest, len(piece))
            peer.send(piece)

    def _weigh(self) -> None:
        held = octets_held(self._peer.connection, foreign=(Context, FakeTransport, ManualLoop, asyncio.Task))
        # A read is taken whole, and only then asks for no more.
        most = self._head + HIGH_WATER + 2 * self._largest + OVERHEAD
        assert held <= most, f"the connection holds {held} octets; at most {most} are accounted for"

    def _end(self) -> None:
        peer, stage = self._peer, self._stage
        if not peer.transport.gone:
            peer.vanish()
        stage.loop.run_ready()
        tasks = asyncio.all_tasks(stage.loop)
        assert not tasks, f"tasks are left: {tasks}"
        pending = [future for future in self._futures if not future.done()]
        assert not pending, f"futures pend: {pending}"
        assert not stage.loop.timers, "a timer runs on"
        assert not stage.context.connections, "a connection is still known"
        assert not stage.context.watched, "a connection is still watched"
        assert not stage.context.running, "an application is still known"
        assert stage.loop.problems == [], stage.loop.problems
        assert len(self._began) <= len(self._ended), "a request that began didn't end"
        assert len({id(exchange) for exchange in self._ended}) == len(self._ended), "a request ended twice"
        stage.close()


def read(pieces: list[bytes], parser: str) -> tuple[list[Received], bool]:
    """Return the requests that were read to their end, and whether there was a refusal."""
    held = Conversation(PARSERS[parser]()).send(pieces)
    return [request for request in held.sink.requests if request.ended], held.refusal is not None


def check(data: bytes) -> None:
    """One input. Raises AssertionError where the invariant doesn't hold, and whatever else escapes."""
    options = options_of(data)
    script = list(steps(data[2:]))
    accounts = [Conduct(parser, options).follow(script) for parser in PARSERS]
    assert accounts[0] == accounts[1], "the parsers differ"
    pieces = [step.data for step in script if step.data]
    whole = b"".join(pieces)
    expected = read([whole], "httptools")
    assert read(pieces, "h11") == expected, "the pieces decide"
    assert read([*bytewise(whole[:SINGLE]), whole[SINGLE:]], "httptools") == expected, "the pieces decide"


def seeds() -> Iterator[bytes]:
    """The requests of the corpus, each for another application, and each act amid a request."""
    files = sorted(REQUESTS.rglob("*.http"))
    for number, path in enumerate(files):
        yield bytes([number % len(KINDS), number % 64]) + path.read_bytes().replace(
            b"\xff", encoded(Step(Act.LITERAL, b""))
        )
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6400\r\n\r\n"
    for kind in range(len(KINDS)):
        for act in ACTS:
            yield (
                bytes([kind, 32 * (kind % 2)])
                + head
                + encoded(Step(act, b"x" * 100))
                + encoded(Step(Act.REPEAT, b"y" * 100))
            )
        # A peer that sends all, and reads nothing.
        upload = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        flood = encoded(Step(Act.REPEAT, b"3E0\r\n" + b"x" * 992 + b"\r\n"))
        yield bytes([kind, 0]) + encoded(Step(Act.STOP_READING, upload)) + 6 * flood
        yield bytes([kind, 0]) + encoded(Step(Act.STOP_READING, b"")) + encoded(Step(Act.REPEAT, GET))
    upgrade = (
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    yield b"\0\2" + upgrade + b"\x81\x85\0\0\0\0hello"


if __name__ == "__main__":
    run_module(__file__)
