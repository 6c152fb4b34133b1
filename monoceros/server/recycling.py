"""When a process has lived long enough: its memory and its age, which grow whether or not requests come.

Knows the two limits and how they are measured; not what is done about it. The rule it keeps: processes that were
started together aren't due together.
"""

import logging
import math
import random
import time
from collections.abc import Callable

logger = logging.getLogger("monoceros.error")

MEBIBYTE = 1 << 20

REST = 10.0
"""Seconds that a worker serves which was over its memory limit from the start: its replacement will be no smaller."""


class Recycling:
    """Looks whether this process is due for replacement.

    Arguments:
        max_rss: MiB of resident memory that may not be exceeded, or None.
        lifetime: seconds, to which a random tenth is added at most, or None. They count from now.
        replaced: a master replaces this process while it serves on. Else whoever started it starts it again, and one
            that is over its memory limit from the start would only be stopped and started for ever: it isn't due by
            its memory, until that has been below the limit.
        memory: tells the resident memory in bytes; None for that of this process.
        clock: tells the time in seconds.
        random_share: returns a number from 0 to 1.
    """

    def __init__(
        self,
        max_rss: int | None,
        lifetime: float | None,
        *,
        replaced: bool = True,
        memory: Callable[[], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
        random_share: Callable[[], float] = random.random,
    ) -> None:
        self._max_rss = max_rss
        self._rest = REST if replaced else math.inf
        self._memory = memory or (_own_memory() if max_rss is not None else None)
        self._lifetime = lifetime
        self._clock = clock
        self._end = None if lifetime is None else clock() + lifetime * (1 + random_share() / 10)
        self._begun = False
        self._not_before = -math.inf

    def look(self) -> str | None:
        """Return the limit that is exceeded, in words, or None. Asked once a second."""
        if self._end is not None and self._clock() >= self._end:
            return f"Lifetime of {self._lifetime:g} s is over"
        if self._max_rss is not None and self._memory is not None:
            resident = self._memory()
            if resident > self._max_rss * MEBIBYTE:
                shown = max(resident // MEBIBYTE, self._max_rss)
                self._excuse_the_start(shown)
                if self._clock() >= self._not_before:
                    return f"Memory limit of {self._max_rss} MiB exceeded: {shown} MiB resident"
            else:
                self._begun, self._not_before = True, -math.inf
        return None

    def _excuse_the_start(self, resident: int) -> None:
        if not self._begun:
            self._begun = True
            self._not_before = self._clock() + self._rest
            logger.warning(
                "worker_max_rss is %d MiB, and this process has %d MiB resident from the start: raise the limit%s",
                self._max_rss,
                resident,
                ", which isn't acted upon in a process without a master" if self._rest == math.inf else "",
            )


def _own_memory() -> Callable[[], int]:
    from monoceros.service.memory import resident_memory  # not on every system, and few want it

    return resident_memory
