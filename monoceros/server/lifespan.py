"""The lifespan protocol (ASGI specification): start-up and shutdown of an application, and the state between them.

The rule it keeps: an application that doesn't speak lifespan is told from one whose start-up failed. The first leaves,
or complains, before it has asked for `lifespan.startup`; whoever has received that and then raises has failed.
"""

import asyncio
import logging
from typing import Any

from monoceros.asgi import LIFESPAN_SPEC_VERSION, Application, Message
from monoceros.errors import StartupError, beheaded

logger = logging.getLogger("monoceros.error")


class Lifespan:
    """Runs an application's lifespan.

    Arguments:
        app: the application, ASGI 3.
        mode: "on": it must speak lifespan; "auto": it may; "off": it isn't asked.

    Attributes:
        state: what the application wants its requests to find in their scope.
    """

    def __init__(self, app: Application, mode: str) -> None:
        self._app = app
        self._mode = mode
        self._received = 0
        self._foreign: str | None = None
        self._failure = ""
        self._shutdown_asked = asyncio.Event()
        self._changed = asyncio.Event()
        self._started = False
        self._stopped = False
        self._task: asyncio.Task[BaseException | None] | None = None
        self.state: dict[str, Any] = {}

    async def startup(self) -> None:
        """Start the application up.

        Raises:
            StartupError: it failed. The message has what it said; the cause is what it raised.
        """
        if self._mode == "off":
            return
        logger.info("Waiting for application startup.")
        self._task = asyncio.get_running_loop().create_task(self._run())
        await self._until(lambda: self._started or bool(self._failure))
        task = self._task
        if self._started:
            logger.info("Application startup complete.")
            return
        if self._failure:
            await asyncio.wait([task], timeout=1)
            task.cancel()
            raise StartupError(f"Application startup failed: {self._failure}")
        error = task.result()
        self._task = None
        if self._mode == "auto" and (self._received == 0 or self._foreign):
            why = f" ({_in_words(error)})" if error is not None else ""
            logger.info("ASGI 'lifespan' protocol appears unsupported%s.", why)
            logger.info("Application startup complete.")
            return
        if error is None:
            raise StartupError(
                "Application startup failed: it returned from its lifespan without sending 'lifespan.startup.complete'"
            )
        raise StartupError(f"Application startup failed: {_in_words(error)}") from error

    async def shutdown(self) -> bool:
        """Shut the application down. Return whether it succeeded; a failure is logged."""
        task = self._task
        if task is None:
            return True
        logger.info("Waiting for application shutdown.")
        self._shutdown_asked.set()
        await self._until(lambda: self._stopped or bool(self._failure))
        if self._failure:
            logger.error("Application shutdown failed: %s", self._failure)
            return False
        error = task.result() if task.done() else None
        if error is not None:
            logger.error("Application shutdown failed: %s", _in_words(error), exc_info=error)
            return False
        logger.info("Application shutdown complete.")
        return True

    async def end(self) -> None:
        """Cancel the lifespan, unless it has shut down, and wait a second at most until it has ended."""
        task = self._task
        if task is not None and not self._stopped and not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=1)

    async def _until(self, condition: Any) -> None:
        """Wait until `condition` holds or the application has left its lifespan."""
        task = self._task
        assert task is not None
        while not condition() and not task.done():
            self._changed.clear()
            changed = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait([task, changed], return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()

    async def _run(self) -> BaseException | None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": LIFESPAN_SPEC_VERSION},
            "state": self.state,
        }
        try:
            await self._app(scope, self._receive, self._send)
        except asyncio.CancelledError:
            raise
        except BaseException as exc:  # noqa: BLE001 - whatever it raises is reported by whoever waits
            return beheaded(exc)
        return None

    async def _receive(self) -> Message:
        self._received += 1
        if self._received == 1:
            return {"type": "lifespan.startup"}
        await self._shutdown_asked.wait()
        if self._received > 2:
            await asyncio.Event().wait()  # nothing more will come
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete" and not self._started:
            self._started = True
        elif kind == "lifespan.shutdown.complete" and self._started and not self._stopped:
            self._stopped = True
        elif kind == ("lifespan.shutdown.failed" if self._started else "lifespan.startup.failed"):
            self._failure = message.get("message") or "the application gave no reason"
        else:
            if not kind.startswith("lifespan."):
                self._foreign = kind
            now = "after start-up" if self._started else "before start-up"
            raise RuntimeError(f"the application sent {kind!r} in its lifespan {now}; ASGI doesn't have that here")
        self._changed.set()


def _in_words(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
