"""What a server tells whoever runs it: a supervisor's worker, a Gunicorn worker, the process itself, or nobody."""

from collections.abc import Callable
from typing import Protocol


class WorkerHost(Protocol):
    """Implemented by those who run a server in a process of theirs. Called on the event loop's thread."""

    def server_ready(self) -> None:
        """The lifespan has started and connections are accepted."""

    def beat(self) -> None:
        """The event loop turns: once a second, while serving and draining."""

    def limit_reached(self, reason: str) -> None:
        """A recycling limit is reached, once. The server goes on until it is told to drain."""

    def server_stopped(self) -> None:
        """The server is over, and beats no more. Threads and exit handlers of the application's may follow."""


class NoHost:
    """For a server inside a program of somebody else's: a limit makes it drain by itself.

    Arguments:
        drain: called when a recycling limit is reached.
    """

    def __init__(self, drain: Callable[[], None]) -> None:
        self._drain = drain

    def server_ready(self) -> None:
        """Nobody asks."""

    def beat(self) -> None:
        """Nobody asks."""

    def limit_reached(self, reason: str) -> None:
        """Whoever started this process starts it again."""
        self._drain()

    def server_stopped(self) -> None:
        """Nobody asks."""
