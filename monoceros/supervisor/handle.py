"""What the master knows of one worker: its state, and the deadline that counts in that state.

Plain data: no pipe, no process, no clock. The policy changes it, the arbiter only reads it. The rule it keeps: a worker
always has exactly one state and one deadline, and entering a state is what sets the deadline.
"""

import math
from dataclasses import dataclass
from enum import Enum, auto


class State(Enum):
    """Where a worker is in its life. It only ever moves down this list."""

    STARTING = auto()  # forked; importing the application, running the lifespan's start-up
    READY = auto()  # it said so itself: it serves
    DRAINING = auto()  # told to go, or going by its own choice; it finishes what it has
    KILLED = auto()  # nobody waits for it any more


@dataclass(slots=True, eq=False)
class Handle:
    """One worker, from the decision to start it until its exit has been collected.

    Arguments:
        serial: names this worker; never used twice in a master's life, which a pid may be.
        slot: the number of the place it fills, from 1.
        generation: the code and configuration it was started for.
        since: the moment its deadline counts from, in seconds of the monotonic clock.
        patience: seconds from `since` to its deadline; infinite when nothing is enforced.
    """

    serial: int
    slot: int
    generation: int
    since: float
    patience: float
    state: State = State.STARTING
    ready_at: float | None = None
    limit: str | None = None  # why it asked to be replaced

    @property
    def deadline(self) -> float:
        """The moment at which it is late for what its state asks of it."""
        return self.since + self.patience

    @property
    def in_service(self) -> bool:
        """Whether its slot counts on it: it serves, or is about to."""
        return self.state is State.STARTING or self.state is State.READY

    def enter(self, state: State, now: float, patience: float = math.inf) -> None:
        """Move to a state whose deadline is `patience` seconds away."""
        self.state = state
        self.since = now
        self.patience = patience
        if state is State.READY:
            self.ready_at = now

    def beat(self, at: float) -> None:
        """Note a sign of life: it puts off the deadline of a serving worker, and of no other."""
        if self.state is State.READY and at > self.since:
            self.since = at

    def rearm(self, now: float) -> None:
        """Let the whole patience run again, because nobody could keep a deadline while the machine slept."""
        self.since = max(self.since, now)
