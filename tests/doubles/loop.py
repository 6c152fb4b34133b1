"""An event loop whose time stands still until a test moves it. It has no selector: nothing comes from outside."""

import asyncio
import contextvars
import heapq
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVarTuple

Ts = TypeVarTuple("Ts")

BUSY = 10_000
"""Callbacks after which a loop that should have come to rest is taken for one that never will."""


class ManualLoop(asyncio.BaseEventLoop):
    """The double.

    Attributes:
        problems: what was given to the loop's exception handler.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 1000.0
        self._soon: deque[asyncio.Handle] = deque()
        self._later: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._count = 0
        self.problems: list[dict[str, Any]] = []
        self.set_exception_handler(lambda loop, problem: self.problems.append(problem))

    def run_ready(self) -> None:
        """Run what is ready, and what becomes ready by that, until nothing is."""
        asyncio._set_running_loop(self)
        try:
            for _ in range(BUSY):
                if not self._soon:
                    return
                handle = self._soon.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            asyncio._set_running_loop(None)
        raise AssertionError("the loop doesn't come to rest")

    def run_turn(self) -> None:
        """Run what is ready, and not what becomes ready by that: one turn of the loop."""
        asyncio._set_running_loop(self)
        try:
            for _ in range(len(self._soon)):
                handle = self._soon.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            asyncio._set_running_loop(None)

    def advance(self, seconds: float) -> None:
        """Let time pass: each timer fires in its turn, at its time."""
        end = self._now + seconds
        self.run_ready()
        while self._later and self._later[0][0] <= end:
            self._now, _, timer = heapq.heappop(self._later)
            if not timer.cancelled():
                self._soon.append(timer)
                self.run_ready()
        self._now = end

    def settle(self) -> None:
        """Cancel the tasks that still wait, so that none is found dead by the collector; then close."""
        for _ in range(10):
            for task in asyncio.all_tasks(self):
                task.cancel()
            self.run_ready()
        self.close()

    @property
    def timers(self) -> int:
        """How many timers will still fire."""
        return sum(not timer.cancelled() for _, _, timer in self._later)

    # asyncio.BaseEventLoop

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._soon.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._later, (when, self._count, timer))
        return timer
