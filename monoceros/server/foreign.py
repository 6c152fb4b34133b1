"""Protocols of the user's own (`--http module:Class`), made for the incumbent's interface and served beside ours.

They keep their own connections, tasks and keep-alive; what is done for them is what the incumbent does: default
response fields once a second, a call of `shutdown()` when the server stops, and patience until they have left its sets.
"""

from collections.abc import Callable
from typing import Any

from monoceros.protocol.context import Context
from monoceros.wire.response import DefaultFields


class ServerState:
    """What protocols of the user's own share with their server, and programs look at.

    Attributes:
        connections: those that are open.
        tasks: applications at work.
        default_headers: the response fields of the server, rendered once a second.
        loop_lag: seconds that the last tick came late: how long the event loop had been busy with something else.
    """

    def __init__(self) -> None:
        self.connections: set[Any] = set()
        self.tasks: set[Any] = set()
        self.default_headers: list[tuple[bytes, bytes]] = []
        self.loop_lag = 0.0
        self._context: Context | None = None
        self._foreign_requests = 0

    @property
    def total_requests(self) -> int:
        """Responses completed and WebSocket sessions ended. A protocol of the user's own adds to it."""
        return (self._context.requests if self._context is not None else 0) + self._foreign_requests

    @total_requests.setter
    def total_requests(self, value: int) -> None:
        self._foreign_requests += value - self.total_requests

    def show(self, context: Context) -> None:
        """Let programs see the connections and requests of our own protocol here, too."""
        self._context = context
        self.connections = context.connections
        self.tasks = context.running


class Guests:
    """The connections of a protocol class of the user's own.

    Arguments:
        state: what they share with the server.
        limit: the number of requests after which the server is to be replaced.
        limit_reached: called then, once.
    """

    def __init__(self, state: ServerState, limit: int, limit_reached: Callable[[], None]) -> None:
        self._state = state
        self._limit = limit
        self._limit_reached = limit_reached
        self._told = False
        self._asked: set[Any] = set()

    @property
    def present(self) -> bool:
        """Some are connected, or their applications at work."""
        return bool(self._state.connections or self._state.tasks)

    def tick(self, defaults: DefaultFields) -> None:
        """Render the default fields, and look at the limit."""
        lines = defaults.lines.split(b"\r\n")[:-1]
        self._state.default_headers = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
        if not self._told and self._state.total_requests >= self._limit:
            self._told = True
            self._limit_reached()

    def shut_down(self) -> None:
        """Ask each connection to end after what it is serving, once, however often this is called."""
        for connection in self._state.connections - self._asked:
            self._asked.add(connection)
            connection.shutdown()

    def cut_off(self) -> None:
        """Cancel what still runs, and close what still is open."""
        for task in list(self._state.tasks):
            task.cancel("the server is stopping")
        for connection in list(self._state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
