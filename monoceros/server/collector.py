"""The garbage collector, in a process that does nothing but serve. Never called inside an event loop of the user's.

What a start makes, it makes to stay: the collector would walk through it again and again for nothing. So it hardly
runs while the application is imported, and does its work once, when requests don't wait for it.
"""

import gc
from asyncio import AbstractEventLoop
from collections.abc import Callable

YOUNG_GENERATION = 20_000
"""Objects that are made before the collector looks for cycles: a request leaves none, so rarely is soon enough."""

START_GENERATION = 100_001
"""The same for a start. An odd number, by which it is known as ours; a few megabytes, should all of it be garbage."""

PAUSE = 0.25
"""Seconds from the first moment of service to the settling, and from one attempt to the next."""

ATTEMPTS = 4
"""How often it is put off for the sake of requests at work: until it is done, each of them costs some more."""


def ease() -> None:
    """Collect rarely for as long as the start lasts.

    A threshold that is higher already, or 0, which turns the collector off, was somebody's choice and stays.
    """
    _raise_to(START_GENERATION)


def settle() -> None:
    """Leave what start-up made out of every later collection, and collect less often, with the exceptions of `ease`."""
    gc.collect()
    gc.freeze()
    threshold, *older = gc.get_threshold()
    if threshold == START_GENERATION:
        gc.set_threshold(YOUNG_GENERATION, *older)
    _raise_to(YOUNG_GENERATION)


def settle_soon(loop: AbstractEventLoop, busy: Callable[[], bool]) -> None:
    """Settle a little later, when no request is at work: it takes tens of milliseconds for a large application.

    Arguments:
        loop: the event loop, which runs.
        busy: tells whether requests are at work.
    """

    def attempt(left: int) -> None:
        if left and busy():
            loop.call_later(PAUSE, attempt, left - 1)
        else:
            settle()

    loop.call_later(PAUSE, attempt, ATTEMPTS)


def _raise_to(wanted: int) -> None:
    threshold, *older = gc.get_threshold()
    if 0 < threshold < wanted:
        gc.set_threshold(wanted, *older)
