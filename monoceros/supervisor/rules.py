"""The options and the numbers that the policy decides by. Data only."""

import math
from dataclasses import dataclass
from enum import Enum, IntEnum, auto

SPACING = 1.0  # seconds between two starts of one slot
HEAD_START = 1.0  # seconds for which the first workers of all have the CPUs to themselves, if none is ready before
LONGEST_WAIT = 30.0  # seconds, where the doubling of the back-off ends
STEADY = 10.0  # seconds of service after which a death is the first of its kind again
DRAIN_MARGIN = 5.0  # seconds past the graceful timeout: the worker ends its requests by itself first, then its lifespan
LAST_MOMENT = 1.0  # seconds for the stacks to be written, or for a worker that was told to stop at once
RELOAD_PATIENCE = 5.0  # seconds for which new code waits until the old code has left
SECOND_LOOK = 2.0  # seconds before a missed beat counts: after a suspend the workers get a chance to beat first
MOST_DRAINING = 8  # workers of one slot that drain at once: with more, a replacement waits until one has left

LONGEST_TRIAL = 600.0  # seconds for a trial of new code, also where a worker's start has no limit: reloads wait for it


class Phase(IntEnum):
    """What the whole server is doing. It only ever moves down this list."""

    RUNNING = 0
    DELAYING = 1  # told to stop, and serving on for the drain delay
    STOPPING = 2
    HURRYING = 3
    KILLING = 4


class Condition(Enum):
    """What an operator, or systemd, is told."""

    STARTING = auto()
    SERVING = auto()
    RELOADING = auto()
    STOPPING = auto()


@dataclass(frozen=True, slots=True)
class Rules:
    """The options the policy knows. Times in seconds, infinite when there is no limit.

    Arguments:
        workers: how many slots there are.
        start_timeout: how long a worker may take to get ready.
        beat_timeout: how long a serving worker may go without a beat.
        graceful_timeout: how long a draining worker may take.
        drain_delay: how long serving goes on after a graceful stop was asked for.
        reload: whether workers follow the edits of their code.
        fresh: whether new code takes a new master, because the application is in this one's memory.
        in_place: whether an upgrade can't have a second master beside this one (PID 1 of a container).
        own_listeners: whether each slot has listeners of its own (SO_REUSEPORT).
        first: how many workers are started before one is ready: where more import at once than there are CPUs, all of
            them get ready late.
    """

    workers: int = 1
    start_timeout: float = 600.0
    beat_timeout: float = 60.0
    graceful_timeout: float = 30.0
    drain_delay: float = 0.0
    reload: bool = False
    fresh: bool = False
    in_place: bool = False
    own_listeners: bool = False
    first: float = math.inf
