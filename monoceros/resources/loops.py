"""Which event loop to run, by name. Makes none, and imports asyncio and uvloop only when asked for a factory.

The rule it keeps: a name that can't be honoured is an error, never another loop. Only "auto" chooses.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from monoceros.errors import StartupError, UsageError
from monoceros.resources.loading import import_object

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

LOOPS = ("auto", "asyncio", "uvloop", "none")


def loop_factory(name: str) -> Callable[[], AbstractEventLoop] | None:
    """Return what makes the event loop.

    Arguments:
        name: "auto" (uvloop where it's installed, else asyncio), "asyncio", "uvloop", "none", or "module:factory",
            which is called without arguments and returns a loop.

    Returns:
        The factory; None for "none", which leaves the choice to `asyncio.run`, that is, to the event loop policy.

    Raises:
        StartupError: uvloop isn't installed, or "module:factory" can't be imported or called. The factory that comes
            back raises it as well, if what a "module:factory" made isn't an event loop.
        UsageError: the name is none of those.
    """
    if name == "none":
        return None
    if name == "asyncio":
        return _asyncio()
    if name in ("auto", "uvloop"):
        try:
            import uvloop
        except ImportError as error:
            if name == "auto":
                return _asyncio()
            raise StartupError(
                "--loop uvloop needs the package uvloop: install it with `pip install uvloop`, or use --loop asyncio."
            ) from error
        return uvloop.new_event_loop
    if ":" not in name:
        raise UsageError(f"--loop is {name!r}: it must be one of {', '.join(LOOPS)}, or 'module:factory'.")
    return _custom(name)


def _asyncio() -> Callable[[], AbstractEventLoop]:
    import asyncio

    if sys.platform == "win32":
        return asyncio.ProactorEventLoop
    return asyncio.SelectorEventLoop


def _custom(reference: str) -> Callable[[], AbstractEventLoop]:
    try:
        made_by = import_object(reference)
    except StartupError as error:
        raise StartupError(f"--loop {reference}: {error}") from error.__cause__
    if not callable(made_by):
        raise StartupError(f"--loop {reference} isn't callable: it's an object of type {type(made_by).__qualname__}.")

    def make_loop() -> AbstractEventLoop:
        from asyncio import AbstractEventLoop

        loop = made_by()
        if not isinstance(loop, AbstractEventLoop):
            raise StartupError(f"--loop {reference} returned no event loop, but {loop!r}.")
        return loop

    return make_loop
