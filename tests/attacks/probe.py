"""Those who aren't attackers: a new connection a few times a second, one small request on it, and how long it took."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

INTERVAL = 0.25
"""Seconds between two of them; none waits for the one before."""

WITHIN = 3.0
"""Seconds after which nobody waits any longer."""

GIVEN_UP = 12.0
"""Seconds after which a probe that has no answer ends."""

REQUEST = b"GET / HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n"


@dataclass
class Probed:
    """One attempt.

    Attributes:
        at: when it began, in seconds.
        took: seconds to the end of the answer; None if there was none.
    """

    at: float
    took: float | None = None

    @property
    def answered(self) -> bool:
        """The answer came while it was waited for."""
        return self.took is not None and self.took <= WITHIN


@dataclass
class Witness:
    """What was seen from outside while a server was attacked.

    Attributes:
        probes: all attempts, in order.
        memory: the largest resident set, in bytes.
    """

    probes: list[Probed] = field(default_factory=list)
    memory: int = 0

    @property
    def failures(self) -> int:
        """Attempts without an answer in time."""
        return sum(not probe.answered for probe in self.probes)

    @property
    def worst(self) -> float:
        """The longest time that an answer took, in seconds; that at which it was given up if there was none."""
        return max((GIVEN_UP if probe.took is None else probe.took for probe in self.probes), default=0.0)

    @property
    def gone(self) -> float:
        """The longest time without an answer: from an attempt that had none to the next one that had."""
        return longest_gap(self.probes)


def longest_gap(probes: Sequence[Probed]) -> float:
    """Return the seconds from the first of some attempts in a row that failed, to the next one that didn't."""
    longest = 0.0
    since: float | None = None
    for probe in probes:
        if since is None and not probe.answered:
            since = probe.at
        if since is not None:
            longest = max(longest, probe.at - since + (0.0 if probe.answered else INTERVAL))
            if probe.answered:
                since = None
    return longest


async def watch(port: int, memory: Callable[[], int], over: asyncio.Event) -> Witness:
    """Ask until `over` is set, and look at the memory each time.

    Arguments:
        port: of the server, on 127.0.0.1.
        memory: tells its resident set, in bytes.
        over: ends it; attempts that wait are waited for.
    """
    witness = Witness()
    asking = set()
    while not over.is_set():
        probe = Probed(time.monotonic())
        witness.probes.append(probe)
        asking.add(asyncio.ensure_future(ask(port, probe)))
        witness.memory = max(witness.memory, memory())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), INTERVAL)
    await asyncio.gather(*asking)
    return witness


async def ask(port: int, probe: Probed) -> None:
    """Make one attempt, and write down how long the answer took, if it came."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(GIVEN_UP):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(REQUEST)
                answer = await reader.read()
            finally:
                writer.close()
        if answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"hello"):
            probe.took = time.monotonic() - probe.at
