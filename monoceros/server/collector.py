"""The garbage collector, in a process that does nothing but serve. Never called inside an event loop of the user's."""

import gc

YOUNG_GENERATION = 20_000
"""Objects that are made before the collector looks for cycles: a request leaves none, so rarely is soon enough."""


def settle() -> None:
    """Leave what start-up made out of every later collection, and collect less often.

    A threshold that is higher already, or 0, which turns the collector off, was somebody's choice and stays.
    """
    gc.collect()
    gc.freeze()
    threshold, *older = gc.get_threshold()
    if 0 < threshold < YOUNG_GENERATION:
        gc.set_threshold(YOUNG_GENERATION, *older)
