"""What a server does once a second, on its loop: the one timer that deadlines, limits and signs of life share.

Knows a server's parts and asks each in turn. The rule it keeps: it is cheap with any number of connections, and how
late it comes is how long a request may have had to wait for its turn.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from monoceros.config import Config
from monoceros.logs.direct import DirectLog
from monoceros.protocol.context import Context
from monoceros.server.acceptor import Acceptor
from monoceros.server.build import render_defaults
from monoceros.server.foreign import Guests, ServerState
from monoceros.server.recycling import Recycling

logger = logging.getLogger("monoceros.error")

TICK = 1.0
"""Seconds between ticks: deadlines are counted in them, and `Date` is rendered."""


class Tick:
    """The timer.

    Arguments:
        config: the options.
        context: what the connections share; its ticks are counted here.
        state: is shown how late the tick came.
        acceptors: those of the server; looked at anew each time.
        beat: called each time: the loop turns.
        limit_reached: told which limit of `recycling` is exceeded, each time anew.
        recycling: the limits of memory and age.
        guests: connections of a protocol class of the user's own, or None.
        access_log: the access log, or None.
        clock: tells the time in seconds.
    """

    def __init__(
        self,
        config: Config,
        context: Context,
        state: ServerState,
        acceptors: Sequence[Acceptor],
        *,
        beat: Callable[[], None],
        limit_reached: Callable[[str], None],
        recycling: Recycling,
        guests: Guests | None = None,
        access_log: DirectLog | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._context = context
        self._state = state
        self._acceptors = acceptors
        self._beat = beat
        self._limit_reached = limit_reached
        self._recycling = recycling
        self._guests = guests
        self._access_log = access_log
        self._clock = clock
        self._due = clock()
        self._timer: asyncio.TimerHandle | None = None
        self._notified = clock()
        self._notifying: asyncio.Task[None] | None = None

    def pass_second(self) -> None:
        """Do what is done each second, and again in a second, until `end`."""
        now = self._clock()
        self._state.loop_lag = max(0.0, now - self._due)
        self._due = now + TICK
        context = self._context
        self._timer = context.loop.call_later(TICK, self.pass_second)
        context.tick += 1
        if context.request_timeout is not None:
            context.request_deadline = context.in_seconds(context.request_timeout)
        context.defaults = render_defaults(self._config)
        if self._guests is not None:
            self._guests.tick(context.defaults)
        self._beat()
        context.complaints.tick()
        if self._access_log is not None:
            self._access_log.review()
        for acceptor in self._acceptors:
            acceptor.tick()
        for connection in [each for each in context.connections if each.deadline <= context.tick]:
            connection.deadline_passed()
        for connection in list(context.watched):
            connection.second_passed()
        for running in list(context.running):
            running.tick()
        reason = self._recycling.look()
        if reason is not None:
            self._limit_reached(reason)
        if self._config.callback_notify is not None:
            self._notify(self._config.callback_notify, now)

    def end(self) -> None:
        """Tick no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _notify(self, callback: Any, now: float) -> None:
        if now - self._notified >= self._config.timeout_notify and self._notifying is None:
            self._notified = now
            self._notifying = asyncio.ensure_future(callback())
            self._notifying.add_done_callback(self._notify_done)

    def _notify_done(self, task: "asyncio.Task[None]") -> None:
        self._notifying = None
        if not task.cancelled() and task.exception() is not None:
            logger.error("callback_notify raised", exc_info=task.exception())
