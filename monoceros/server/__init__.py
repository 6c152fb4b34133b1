"""One event loop's worth of serving: listeners, lifespan, the tick, and the drain."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monoceros.server.foreign import ServerState
    from monoceros.server.server import Server

__all__ = ["Server", "ServerState"]

_HOMES = {"Server": "monoceros.server.server", "ServerState": "monoceros.server.foreign"}


def __getattr__(name: str) -> object:
    """Import the server when it is asked for: whoever wants one of the modules beside it needn't load it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
