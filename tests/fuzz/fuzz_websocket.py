"""The invariant of a WebSocket, whatever the peer sends and however the application behaves:

Any bytes give messages, or a close with a code; nothing else escapes. Over both engines the application is told the
same messages, and in whatever pieces the bytes come, they give the same events. What a session holds is bounded by its
limits, and so is what waits for a peer that doesn't read. Once the connection is lost, no task is left, no timer runs,
and nobody knows of it any more.

The first octet of an input chooses the application, the second one the options; the rest is a script (see `script`).
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from monoceros.asgi import Message, Receive, Scope, Send
from monoceros.protocol import inbox, outbox
from monoceros.protocol.context import Context
from monoceros.protocol.session import EARLY_DATA
from monoceros.wire.engine import EngineFailure, EngineOptions, Event
from monoceros.wire.gate import BATCH, MAX_OWED
from tests.doubles.loop import ManualLoop
from tests.doubles.requests import bytewise
from tests.doubles.stage import ENGINES, Stage
from tests.doubles.transport import FakeTransport
from tests.doubles.websocket_client import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    RSV1,
    TEXT,
    Deflater,
    close_frame,
    frame,
    read_frames,
)
from tests.fuzz.held import octets_held
from tests.fuzz.running import LONGEST, run_module
from tests.fuzz.script import ACTS, Act, Step, encoded, steps

CORPUS = Path(__file__).parents[1] / "corpus" / "ws"

MUTATIONS = 200
"""Tried by the suite: some four seconds."""

# None with a window of the client's: whether zlib minds a distance beyond that depends on how its input is cut.
OFFERS = (
    "",
    "permessage-deflate",
    "permessage-deflate; client_no_context_takeover",
    "permessage-deflate; server_max_window_bits=10; server_no_context_takeover",
)
SMALL, USUAL = EngineOptions(max_size=1000, max_fragments=5), EngineOptions(max_size=20000, max_fragments=1000)
BURST = 30
OVERHEAD = 65536
"""Octets of a scope, an engine and its library that a session holds beside what the peer sent."""

HIGH_WATER = 65536
"""That of the transport."""

Serve = Callable[[Receive, Send, list[Message]], Awaitable[None]]

logging.getLogger("monoceros.error").addHandler(logging.NullHandler())


async def _accepted(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})


async def _echoes(receive: Receive, send: Send, told: list[Message]) -> None:
    await _accepted(receive, send)
    while (message := await receive())["type"] != "websocket.disconnect":
        told.append(message)
        await send({**message, "type": "websocket.send"})


async def _listens(receive: Receive, send: Send, told: list[Message]) -> None:
    await _accepted(receive, send)
    while (message := await receive())["type"] != "websocket.disconnect":
        told.append(message)


async def _listens_never(receive: Receive, send: Send, told: list[Message]) -> None:
    await _accepted(receive, send)
    await asyncio.get_running_loop().create_future()


async def _answers_many_times(receive: Receive, send: Send, told: list[Message]) -> None:
    await _accepted(receive, send)
    while (message := await receive())["type"] != "websocket.disconnect":
        told.append(message)
        for _ in range(BURST if len(told) < 20 else 1):
            await send({"type": "websocket.send", "text": "x" * 3000})


async def _closes(receive: Receive, send: Send, told: list[Message]) -> None:
    await _accepted(receive, send)
    told.append(await receive())
    await send({"type": "websocket.close", "code": 4000, "reason": "enough"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def _raises(receive: Receive, send: Send, told: list[Message]) -> None:
    await _accepted(receive, send)
    await receive()
    raise LookupError("on purpose")


async def _refuses(receive: Receive, send: Send, told: list[Message]) -> None:
    await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b"no"})


async def _never_answers(receive: Receive, send: Send, told: list[Message]) -> None:
    await asyncio.get_running_loop().create_future()


async def _receives_twice_and_cancels(receive: Receive, send: Send, told: list[Message]) -> None:
    """As one does that waits for a message and for something else."""

    async def listen() -> Message:
        return await receive()

    await _accepted(receive, send)
    while True:
        first, second = (asyncio.ensure_future(listen()) for _ in range(2))
        try:
            message = await listen()
            if message["type"] == "websocket.disconnect":
                return
            await send({"type": "websocket.send", "bytes": b"y"})
        finally:
            first.cancel()
            second.cancel()


KINDS: list[Serve] = [
    _echoes,
    _listens,
    _listens_never,
    _answers_many_times,
    _closes,
    _raises,
    _refuses,
    _never_answers,
    _receives_twice_and_cancels,
]


class Options(NamedTuple):
    """What the first octets of an input choose.

    Attributes:
        serve: the application.
        offer: the client's Sec-WebSocket-Extensions.
        limits: the engine's.
        pings: the server pings.
        queue: messages that may wait.
    """

    serve: Serve
    offer: str
    limits: EngineOptions
    pings: bool
    queue: int


def options_of(data: bytes) -> Options:
    """Read what an input chooses."""
    kind, flags = (data[:2] + b"\0\0")[:2]
    serve = KINDS[kind % len(KINDS)]
    return Options(serve, OFFERS[flags & 3], SMALL if flags & 4 else USUAL, bool(flags & 8), 1 if flags & 16 else 32)


class Conduct:
    """One session, from its handshake to its end.

    Arguments:
        engine: a name out of ENGINES.
        options: what was chosen.
    """

    def __init__(self, engine: str, options: Options) -> None:
        self.told: list[Message] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await options.serve(receive, send, self.told)

        self._stage = Stage(engine=engine, app=app, options=options.limits)
        self._stage.set_websocket(max_queue=options.queue, ping_interval=7 if options.pings else None, ping_timeout=9)
        self._peer = self._stage.connect()
        self._peer.upgrade(extensions=options.offer)
        self._limits = options.limits
        self._largest = 0

    def follow(self, script: list[Step]) -> list[Message]:
        """Do what the script says, let the peer be gone, and look at what is left."""
        for step in script:
            self._act(step)
            self._weigh()
        head, _, sent = b"".join(self._peer.transport.writes).partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 101"):
            assert read_frames(sent)[1] == b"", "a frame isn't whole"
        self._end()
        return self.told

    def _act(self, step: Step) -> None:
        peer, stage = self._peer, self._stage
        match step.act:
            case Act.TICK:
                stage.tick()
                stage.loop.advance(1)
            case Act.WAIT:
                stage.tick(12)
                stage.loop.advance(12)
            case Act.STOP_READING:
                peer.transport.peer_stops_reading()
            case Act.READ_AGAIN:
                peer.read_again()
            case Act.END:
                peer.end()
            case Act.DRAIN:
                for running in list(stage.context.running):
                    running.notify_drain()
                stage.loop.run_ready()
        for piece in bytewise(step.data[:2000]) if step.act is Act.BYTEWISE else [step.data]:
            self._largest = max(self._largest, len(piece))
            if piece:
                peer.send(piece)

    def _weigh(self) -> None:
        held = octets_held(self._peer.connection, foreign=(Context, FakeTransport, ManualLoop, asyncio.Task))
        messages = BATCH + inbox.HIGH_WATER + 3 * self._limits.max_size
        most = messages + EARLY_DATA + MAX_OWED + 2 * outbox.HIGH_WATER + 2 * self._largest + OVERHEAD
        assert held <= most, f"the session holds {held} octets; at most {most} are accounted for"
        waiting = self._peer.transport.get_write_buffer_size()
        most = HIGH_WATER + MAX_OWED + 2 * outbox.HIGH_WATER + self._limits.max_size
        assert waiting <= most, f"{waiting} octets wait for a peer that doesn't read; at most {most} are accounted for"

    def _end(self) -> None:
        peer, stage = self._peer, self._stage
        if not peer.transport.gone:
            peer.vanish()
        for task in asyncio.all_tasks(stage.loop):
            task.cancel()  # those applications that never ask for a message
        stage.loop.run_ready()
        tasks = asyncio.all_tasks(stage.loop)
        assert not tasks, f"tasks are left: {tasks}"
        assert not stage.loop.timers, "a timer runs on"
        assert not stage.context.connections, "a connection is still known"
        assert not stage.context.running, "an application is still known"
        assert stage.loop.problems == [], stage.loop.problems
        stage.close()


def read(engine: str, options: Options, pieces: list[bytes], limit: int | None) -> tuple[list[Event], bool]:
    """Return the events in the pieces, and whether they broke the protocol."""
    made = ENGINES[engine](options.limits)
    made.negotiate(options.offer.encode())
    events: list[Event] = []
    for piece in pieces:
        try:
            events += made.feed(piece, limit)
            while made.stopped:
                events += made.feed(b"", limit)
        except EngineFailure as failure:
            check_failure(failure)
            return events + failure.events, True
        made.reply()
    return events, False


def check_failure(failure: EngineFailure) -> None:
    """See that a failure can be told to the peer (RFC 6455, sections 5.5 and 7.4.1)."""
    assert failure.code in (1002, 1007, 1009)
    assert 0 < len(failure.reason.encode()) <= 123


def check(data: bytes) -> None:
    """One input. Raises AssertionError where the invariant doesn't hold, and whatever else escapes."""
    options = options_of(data)
    script = list(steps(data[2:]))
    told = [Conduct(engine, options).follow(script) for engine in ENGINES]
    # One engine may see sooner than the other that a payload is bad; who sends learns of it then, and listens no more.
    if options.serve is _listens:
        assert told[0] == told[1], "the engines differ"
    pieces = [step.data for step in script if step.data]
    whole = b"".join(pieces)
    outcomes = []
    for engine in ENGINES:
        outcome = read(engine, options, [whole], None)
        assert read(engine, options, pieces, 1) == outcome, "the pieces decide"
        assert read(engine, options, [*bytewise(whole[:LONGEST]), whole[LONGEST:]], 7) == outcome, "the pieces decide"
        outcomes.append(outcome)
    assert outcomes[0][0] == outcomes[1][0], "the engines differ"


def escaped(data: bytes) -> bytes:
    """Return octets as they stand in a script."""
    return data.replace(b"\xff", encoded(Step(Act.LITERAL, b"")))


def seeds() -> Iterator[bytes]:
    """Frames of every kind for every application, each act between them, and every way to agree on compression."""
    frames = (
        frame(TEXT, "grüß".encode())
        + frame(BINARY, b"12", fin=False)
        + frame(PING, b"3")
        + frame(CONTINUATION, b"", fin=False)
        + frame(CONTINUATION, b"4" * 130)
        + frame(PONG, b"5")
    )
    for kind in range(len(KINDS)):
        for flags in range(kind % 2, 32, 6):
            yield bytes([kind, flags]) + escaped(frames + close_frame(1000, "bye"))
    for act in ACTS:
        yield bytes([ACTS.index(act), 0]) + escaped(frames) + encoded(Step(act, b"")) + escaped(frames)
    floods = (frame(PING, b"x" * 125), frame(PONG, b"x"), frame(TEXT, b"x" * 400), frame(TEXT, fin=False), frames)
    for kind, flood in itertools.product(range(len(KINDS)), floods):
        yield bytes([kind, 0]) + encoded(Step(Act.STOP_READING, b"")) + 3 * encoded(Step(Act.REPEAT, flood))
    for number, offer in enumerate(OFFERS[1:], 1):
        deflater = Deflater(ENGINES["websockets"](USUAL).negotiate(offer.encode()) or "")
        text, bomb = deflater.deflate(b"hello hello hello"), deflater.deflate(bytes(60000))
        script = (
            frame(TEXT, text, rsv=RSV1) + frame(TEXT, text[:3], rsv=RSV1, fin=False) + frame(CONTINUATION, text[3:])
        )
        yield bytes([0, number]) + escaped(script)
        yield bytes([1, number]) + escaped(script + frame(BINARY, bomb, rsv=RSV1))
        yield bytes([0, number]) + escaped(frame(TEXT, bytes.fromhex("f348cdc9c9070000"), rsv=RSV1) * 2)


if __name__ == "__main__":
    run_module(__file__)
