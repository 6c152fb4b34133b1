"""The worker classes a user may name. They differ in their event loop and their parser, and in nothing else.

The rule it keeps: `CONFIG_KWARGS` of a subclass replaces that of its parent, as Python has it for class attributes.
"""

from typing import Any, ClassVar

from monoceros.workers.base import MonocerosWorker


class UvicornWorker(MonocerosWorker):
    """uvloop and httptools, each where it is installed; else asyncio's loop and h11.

    `MONOCEROS_LOOP` and `MONOCEROS_HTTP`, or the TOML file, may choose others.
    """


class AsyncioWorker(MonocerosWorker):
    """asyncio's own event loop, and httptools."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {"loop": "asyncio", "http": "httptools"}


class UvicornH11Worker(MonocerosWorker):
    """asyncio's own event loop, and h11: nothing that is compiled."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {"loop": "asyncio", "http": "h11"}
