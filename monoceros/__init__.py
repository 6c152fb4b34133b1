"""Monoceros: the ASGI server that never drops a request.

The names below are imported when they are first used, so that importing the package loads no command line, no event
loop and no codec: a program may import it to build a Config, or to ask for its version.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monoceros.cli import main, run
    from monoceros.config import Config
    from monoceros.server.server import Server

__version__ = "0.1.0"
__all__ = ["Config", "Server", "main", "run"]

_HOMES = {
    "Config": "monoceros.config",
    "Server": "monoceros.server.server",
    "main": "monoceros.cli",
    "run": "monoceros.cli",
}


# Programs reach these through the package, as in `monoceros.config.LOGGING_CONFIG`, without importing them.
_MODULES = frozenset({"config", "errors", "logging", "server"})


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
