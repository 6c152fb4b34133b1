"""A graceful stop: what is being served ends well, and nothing is waited for longer than the graceful timeout.

The rules it keeps: an idle connection isn't closed under a request that may be on its way, but answers it with
`Connection: close` or ends at its keep-alive deadline; event streams and WebSockets, which never end by themselves, are
told when the notice period is over. In a hurry (a terminal's Ctrl+C, a reload) nobody is worth waiting for.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from monoceros.protocol.context import Context
from monoceros.server.foreign import Guests

logger = logging.getLogger("monoceros.error")

POLL = 0.05
"""Seconds between looks at what is still open. This isn't the hot path, and an event per connection would be."""

PATIENCE = 1.0
"""Seconds of waiting after which it is said what for."""

NAMED = 3
"""Requests named in such a line."""

CANCELLED = "The server was cancelled"
"""What has happened if the task that serves or drains is cancelled."""

HURRY = 0.5
"""Seconds that those who were told in a hurry have to leave."""


class Drain:
    """Brings the connections of one server to their end.

    Arguments:
        context: what they share.
        opening: tells whether accepted connections are still being opened.
        forced: tells whether to wait no longer.
        finish: takes what waits in the backlogs. Returns False if it can't now, and is called again as long as anybody
            is served.
        guests: connections of a protocol class of the user's own, if there are any.
        notice: seconds after which open-ended conversations are told.
        timeout: seconds after which everything is cut off, or None to wait for ever.
    """

    def __init__(
        self,
        context: Context,
        opening: Callable[[], bool],
        forced: Callable[[], bool],
        *,
        finish: Callable[[], bool],
        guests: Guests | None = None,
        notice: float,
        timeout: float | None,
    ) -> None:
        self._context = context
        self._opening = opening
        self._forced = forced
        self._finish = finish
        self._guests = guests
        self._notice = notice if timeout is None else min(notice, timeout)
        self._timeout = timeout
        self._cut = False

    async def run(self, hurry: Callable[[], bool]) -> None:
        """Wait until all is served, or time is up; then cut off what is left.

        Arguments:
            hurry: tells whether this stop is, or has become, one in a hurry.
        """
        try:
            why = await self._wait(hurry)
        except asyncio.CancelledError:
            await self.cut_off(CANCELLED)
            raise
        await self.cut_off(why)

    async def cut_off(self, why: str) -> None:
        """End at once whatever is left.

        Arguments:
            why: what has happened, for the log if requests run; nothing if whoever asked for it knows.
        """
        context = self._context
        context.lasting = False
        tasks = {running.task for running in context.running if running.task is not None}
        if tasks and why:
            logger.error("%s: cancelling %s", why, self._what_runs())
        for task in tasks:
            task.cancel(why or "the server stops at once")
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=1)
        finally:
            for connection in list(context.connections):
                connection.abort()
            if self._guests is not None:
                self._guests.cut_off()
        await asyncio.sleep(0)

    async def _wait(self, hurry: Callable[[], bool]) -> str:
        """Wait until nobody is left, and return why it is waited no longer, if somebody is."""
        self._context.lasting = False
        if self._guests is not None:
            self._guests.shut_down()
        begun = time.monotonic()
        hurried: float | None = None
        said = False
        while await self._is_open() and not self._forced():
            now = time.monotonic()
            if self._timeout is not None and now - begun >= self._timeout:
                return f"Graceful timeout of {self._timeout} s exceeded"
            if not said and now - begun >= PATIENCE:
                said = True
                logger.info("Waiting for %s. (CTRL+C to force quit)", self._what_runs())
            if hurried is None and hurry():
                hurried = now
            self._ask_to_leave(told=now - begun >= self._notice, hurried=hurried is not None)
            if hurried is not None and now - hurried >= HURRY:
                self._cut_short()
            await asyncio.sleep(POLL)
        return ""

    async def _is_open(self) -> bool:
        """Tell whether there is anybody left to wait for, after another look at the backlogs."""
        if self._finish():
            return self._anybody()
        # The descriptor of who left last, which may be closed a little later, is for the next one in a backlog.
        if not self._anybody():
            await asyncio.sleep(POLL)
            self._finish()
        return self._anybody()

    def _anybody(self) -> bool:
        return bool(self._context.connections) or self._at_work() or (self._opening() and not self._cut)

    def _ask_to_leave(self, *, told: bool, hurried: bool) -> None:
        """Tell those who are there. Again and again, for connections come until the last one is opened."""
        for connection in list(self._context.connections):
            connection.begin_drain()
            if hurried:
                connection.close_if_idle()
        if told or hurried:
            # A request may have come on a connection that was idle.
            for running in list(self._context.running):
                running.notify_drain()
            if self._guests is not None:
                self._guests.shut_down()

    def _cut_short(self) -> None:
        """They had their time to leave."""
        if not self._cut:
            self._cut = True
            for running in list(self._context.running):
                running.cut_off()
            for connection in list(self._context.connections):
                connection.cut_off()

    def _at_work(self) -> bool:
        """Tell whether applications are at work. A task cancelled before its first step couldn't say that it ended."""
        running = self._context.running
        running.difference_update([one for one in running if one.task is not None and one.task.done()])
        return bool(running) or (self._guests is not None and self._guests.present)

    def _what_runs(self) -> str:
        """Name a few of the requests that are being served."""
        names = [running.describe() for running in self._context.running]
        if not names:
            return "connections to close"
        return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
