"""What the connections of a process share, and what a connection wants of its server.

The server makes one Context and fills it; nothing here knows how. What a request reads is a slot: no option is looked
up on the hot path.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any, Protocol

from monoceros.asgi import Application, Headers, Scope
from monoceros.protocol.complaints import Complaints
from monoceros.protocol.exchange import Observer
from monoceros.protocol.outbox import Turn
from monoceros.wire.engine import FrameEngine
from monoceros.wire.limits import RequestLimits
from monoceros.wire.reader import FieldParser
from monoceros.wire.response import DefaultFields

NEVER = 1 << 62
"""A deadline that doesn't come. Deadlines count the ticks of the server, one a second."""


@dataclass(frozen=True, slots=True)
class WebSocketOptions:
    """What a session needs to know.

    Attributes:
        make_engine: makes the frame engine of one session.
        max_queue: messages held for the application before reading pauses.
        ping_interval: seconds between pings, or None for no pings.
        ping_timeout: seconds to wait for the pong, or None for ever.
    """

    make_engine: Callable[[], FrameEngine]
    max_queue: int = 32
    ping_interval: float | None = 20.0
    ping_timeout: float | None = 20.0


class Running(Protocol):
    """An application at work for one request or session."""

    task: asyncio.Task[None] | None

    def tick(self) -> None:
        """A second has passed."""

    def notify_drain(self) -> None:
        """The notice period of a drain is over: an open-ended conversation should end."""

    def cut_off(self) -> None:
        """A drain in a hurry: what was told to end and hasn't is ended."""

    def describe(self) -> str:
        """Say which request this is, for the log."""


class Wait(IntEnum):
    """What a connection waits for its peer for. When room is needed, the first go first."""

    IDLE = 0  # a request, or the end of a connection that is done with
    HEAD = 1  # the rest of a head, or the first octet
    STALLED = 2  # content that doesn't come, or isn't taken


class Closable(Protocol):
    """A connection, as its server sees it."""

    deadline: int

    def deadline_passed(self) -> None:
        """`deadline` is not after the tick of the context."""

    def second_passed(self) -> None:
        """A second has passed in which this connection was among those watched."""

    def waits(self) -> tuple[Wait, float] | None:
        """Tell what is waited for, and for how many seconds already; None if an application is at work."""

    def make_way(self) -> bool:
        """Close what waits for its peer, for others need the place. Return whether that is done."""

    def begin_drain(self) -> None:
        """If nothing is being served: wait for a request no longer than a connection is kept alive. May be repeated."""

    def close_if_idle(self) -> None:
        """Close, if nothing is being served."""

    def cut_off(self) -> None:
        """A drain in a hurry: wait no longer for a peer to close what it was told to."""

    def abort(self) -> None:
        """Close at once; what wasn't written is lost."""


class Context:
    """One per server. See the module.

    Attributes:
        app: the application, ASGI 3.
        loop: the event loop.
        create_task: starts a request's task.
        state: what the lifespan left for requests; each gets a shallow copy.
        root_path: the path the application is mounted below.
        defaults: default response fields, rendered once a second.
        limits: how large a request head may be.
        make_parser: makes the field parser of one connection.
        websocket: options of sessions, or None to leave upgrades alone.
        keep_alive: ticks an idle connection is kept, 0 to close after each response.
        head_timeout: ticks a request head may take.
        body_timeout: seconds in which a peer may send nothing of a body that is due; see `Pace`.
        write_timeout: seconds in which a peer may take nothing of what is written; see `Pace`.
        request_timeout: seconds a request may take, for the message; None for any number.
        request_deadline: that of a request that comes now, as the tick sets it.
        tick: seconds counted by the server.
        turn: the present turn of the loop, at whose end sessions write.
        complaints: is told what peers do wrong.
        connections: all that are open.
        watched: those whose peer is waited for with content; looked at once a second.
        running: applications at work.
        requests: responses completed and sessions ended.
        request_limit: the count at which `limit_reached` is called, once.
        limit_concurrency: how many applications may be at work at once, or None.
        hand_over: has the kernel take all it can of what a transport holds, for this process is going to end.
        has_vanished: tells whether the peer of a transport has reset the connection, though nothing is read.
        holds_unread: tells whether the peer of a transport has sent what nobody has read yet.
        holds_unsent: tells whether a transport holds what the peer hasn't taken yet.
        unsent: counts the octets written to a transport that the peer hasn't taken yet.
        lasting: connections persist after a response. False while draining, and without keep-alive.
        access_log: logs one response, or None.
        observer: is told of requests, or None. With one, connections are of the class that tells it.
        websocket_log: logs the outcome of a handshake: client, path, status or None if accepted.
        rewriter: returns what is done to the scopes of a peer at an address, or None: what a trusted one says of its
            client is put in. That returns whether the fields say nothing, and may raise a RequestError.
        name_filter: returns what is done to the fields of such a peer for their names, or None. It may raise the same.
            A plain head has no name to look at.
    """

    __slots__ = (
        "access_log",
        "app",
        "body_timeout",
        "complaints",
        "connections",
        "create_task",
        "defaults",
        "hand_over",
        "has_vanished",
        "head_timeout",
        "holds_unread",
        "holds_unsent",
        "keep_alive",
        "lasting",
        "limit_concurrency",
        "limit_reached",
        "limits",
        "loop",
        "make_parser",
        "name_filter",
        "observer",
        "request_deadline",
        "request_limit",
        "request_timeout",
        "requests",
        "rewriter",
        "root_path",
        "running",
        "state",
        "tick",
        "turn",
        "unsent",
        "watched",
        "websocket",
        "websocket_log",
        "write_timeout",
    )

    def __init__(
        self,
        app: Application,
        loop: asyncio.AbstractEventLoop,
        *,
        make_parser: Callable[[], FieldParser],
        defaults: DefaultFields,
        create_task: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]] | None = None,
        websocket: WebSocketOptions | None = None,
        limits: RequestLimits | None = None,
    ) -> None:
        self.app = app
        self.loop = loop
        self.create_task = create_task or _task_maker(loop)
        self.make_parser = make_parser
        self.defaults = defaults
        self.websocket = websocket
        self.limits = limits or RequestLimits()
        self.state: dict[str, Any] = {}
        self.root_path = ""
        self.keep_alive = 5
        self.head_timeout = 30
        self.body_timeout = math.inf
        self.write_timeout = math.inf
        self.request_timeout: float | None = None
        self.request_deadline = NEVER
        self.tick = 0
        self.turn = Turn(loop)
        self.complaints = Complaints()
        self.connections: set[Closable] = set()
        self.watched: set[Closable] = set()
        self.running: set[Running] = set()
        self.requests = 0
        self.request_limit = NEVER
        self.limit_reached: Callable[[], None] = _do_nothing
        self.limit_concurrency: int | None = None
        self.hand_over: Callable[[asyncio.Transport], object] = _never
        self.has_vanished: Callable[[asyncio.Transport], bool] = _never
        self.holds_unread: Callable[[asyncio.Transport], bool] = _never
        self.holds_unsent: Callable[[asyncio.Transport], bool] = _buffers
        self.unsent: Callable[[asyncio.Transport], int] = _buffered
        self.lasting = True
        self.access_log: Callable[[str, str, str, str, int], None] | None = None
        self.observer: Observer | None = None
        self.websocket_log: Callable[[str, str, int | None], None] | None = None
        self.rewriter: Callable[[str | None], Callable[[Scope], bool | None] | None] = _leave
        self.name_filter: Callable[[str | None], Callable[[Headers], None] | None] = _leave

    def request_ended(self) -> None:
        """Count a response that is complete, or a session that has ended."""
        self.requests += 1
        if self.requests == self.request_limit:
            self.limit_reached()

    def is_full(self) -> bool:
        """Tell whether as many applications are at work as may be."""
        return self.limit_concurrency is not None and len(self.running) >= self.limit_concurrency

    def in_seconds(self, seconds: float) -> int:
        """Return a deadline that passes `seconds` from now, or up to one second later."""
        return self.tick + 1 + -int(-seconds // 1)


def _task_maker(loop: asyncio.AbstractEventLoop) -> Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]:
    """Return what makes a request's task: without the detour over the loop, unless somebody set a factory there.

    A name of its own would be rendered for each; one for all isn't.
    """
    if loop.get_task_factory() is not None:
        return loop.create_task
    return partial(asyncio.Task, loop=loop, name="request")


def _do_nothing() -> None:
    pass


def _never(transport: asyncio.Transport) -> bool:
    return False


def _buffered(transport: asyncio.Transport) -> int:
    return transport.get_write_buffer_size()


def _buffers(transport: asyncio.Transport) -> bool:
    return transport.get_write_buffer_size() > 0


def _leave(host: str | None) -> None:
    return None
