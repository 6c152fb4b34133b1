"""All that a connection needs around it, on a loop that stands still: a context, an application, a peer."""

import logging
from collections.abc import Callable, Iterator
from typing import NamedTuple

from monoceros.asgi import Application
from monoceros.protocol.context import Context, WebSocketOptions
from monoceros.protocol.http1 import HTTP1Connection
from monoceros.protocol.observed import ObservedConnection
from monoceros.wire.engine import EngineOptions, FrameEngine
from monoceros.wire.h11_parser import H11Parser
from monoceros.wire.httptools_parser import HttptoolsParser
from monoceros.wire.proxy_protocol import Ends
from monoceros.wire.reader import FieldParser
from monoceros.wire.response import default_fields
from monoceros.wire.websockets_engine import WebsocketsEngine
from monoceros.wire.wsproto_engine import WsprotoEngine
from tests.doubles.applications import Call, PlayedApplication
from tests.doubles.loop import ManualLoop
from tests.doubles.transport import FakeTransport
from tests.doubles.websocket_client import ServerFrame, handshake_request, read_frames

PARSERS: dict[str, Callable[[], FieldParser]] = {"httptools": HttptoolsParser, "h11": H11Parser}
ENGINES: dict[str, Callable[[EngineOptions], FrameEngine]] = {
    "websockets": WebsocketsEngine,
    "wsproto": WsprotoEngine,
}
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Answer(NamedTuple):
    """A response as it was written."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the value of a field; a second one of its name is an AssertionError."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None


class Peer:
    """A connection on the stage, from the client's side.

    Attributes:
        transport: the double below it.
        connection: the protocol under test.
    """

    def __init__(self, loop: ManualLoop, transport: FakeTransport, connection: HTTP1Connection) -> None:
        self._loop = loop
        self._frames: list[ServerFrame] = []
        self._rest = b""
        self.transport = transport
        self.connection = connection

    def send(self, data: bytes = GET) -> None:
        """Send, and let the server work."""
        self.transport.peer_sends(data)
        self._loop.run_ready()

    def end(self) -> None:
        """Send no more."""
        self.transport.peer_ends()
        self._loop.run_ready()

    def vanish(self) -> None:
        """Be gone."""
        self.transport.peer_vanishes(ConnectionResetError())
        self._loop.run_ready()

    def read_again(self) -> None:
        """Read what was left unread."""
        self.transport.peer_reads()
        self._loop.run_ready()

    def take(self) -> bytes:
        """Return what came since the last call."""
        return self.transport.take()

    def answer(self) -> Answer:
        """Return the one response that came since the last call."""
        head, _, body = self.take().partition(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = start.split(" ", 2)
        assert version == "HTTP/1.1"
        return Answer(int(status), [(line.partition(": ")[0], line.partition(": ")[2]) for line in lines], body)

    def upgrade(
        self, early: bytes = b"", path: str = "/", extensions: str = "", subprotocols: tuple[str, ...] = ()
    ) -> None:
        """Ask for a WebSocket."""
        self.send(handshake_request(KEY, path, "a", subprotocols=subprotocols, extensions=extensions) + early)

    def frames(self) -> list[ServerFrame]:
        """Return the frames that came since the last call."""
        frames, self._rest = read_frames(self._rest + self.take())
        assert not self._rest
        return frames

    @property
    def closed(self) -> bool:
        """The server has closed the connection, and not by half."""
        return self.transport.gone


class Stage:
    """See the module.

    Arguments:
        parser, engine: names out of PARSERS and ENGINES.
        app: the application, or None for one that the test plays.
        options: of the frame engine.

    Attributes:
        loop, context: the surroundings of the connections.
        log: the calls of the access log.
    """

    def __init__(
        self,
        parser: str = "httptools",
        engine: str = "websockets",
        app: Application | None = None,
        options: EngineOptions | None = None,
    ) -> None:
        self.loop = ManualLoop()
        self._played = PlayedApplication(self.loop)
        self.context = Context(
            app or self._played,
            self.loop,
            make_parser=PARSERS[parser],
            defaults=default_fields(None, "monoceros"),
            websocket=WebSocketOptions(lambda: ENGINES[engine](options or EngineOptions())),
        )
        self.log: list[tuple[str, str, str, str, int]] = []
        self.context.access_log = lambda *values: self.log.append(values)

    @property
    def calls(self) -> list[Call]:
        """What the played application was called for."""
        return self._played.calls

    @property
    def call(self) -> Call:
        """The latest call."""
        return self._played.calls[-1]

    def set_websocket(
        self,
        *,
        max_queue: int = 32,
        ping_interval: float | None = None,
        ping_timeout: float | None = None,
    ) -> None:
        """Change the options of the sessions that come."""
        assert self.context.websocket is not None
        make_engine = self.context.websocket.make_engine
        self.context.websocket = WebSocketOptions(make_engine, max_queue, ping_interval, ping_timeout)

    def connect(
        self,
        *,
        peername: object = ("127.0.0.1", 50000),
        sockname: object = ("127.0.0.1", 8000),
        tls: bool = False,
        ends: Ends | None = None,
    ) -> Peer:
        """Open a connection."""
        transport = FakeTransport(self.loop, peername=peername, sockname=sockname, tls=tls)
        kind = HTTP1Connection if self.context.observer is None else ObservedConnection
        connection = kind(self.context)
        connection.ends = ends
        transport.connect(connection)
        return Peer(self.loop, transport, connection)

    def tick(self, seconds: int = 1) -> None:
        """Let the server count seconds, as it does."""
        context = self.context
        for _ in range(seconds):
            context.tick += 1
            if context.request_timeout is not None:
                context.request_deadline = context.in_seconds(context.request_timeout)
            for connection in [each for each in context.connections if each.deadline <= context.tick]:
                connection.deadline_passed()
            for connection in list(context.watched):
                connection.second_passed()
            for running in list(context.running):
                running.tick()
            self.loop.run_ready()

    def close(self) -> None:
        """End all, and see that nothing went wrong unnoticed."""
        for connection in list(self.context.connections):
            connection.abort()
        self.loop.run_ready()
        logging.getLogger("monoceros.error").disabled = True
        try:
            self.loop.settle()
        finally:
            logging.getLogger("monoceros.error").disabled = False
        assert self.loop.problems == []


def staged(parser: str = "httptools", engine: str = "websockets") -> Iterator[Stage]:
    """For a fixture: a stage that is closed in the end."""
    stage = Stage(parser, engine)
    yield stage
    stage.close()
