"""What the master knows of one worker: its state, and the deadlines that count in that state.

Plain data: no pipe, no process, no clock. The policy changes it, the arbiter only reads it. The rule it keeps: a worker
always has exactly one state, and entering a state is what sets its deadlines.
"""

import math
from dataclasses import dataclass, field
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
        serial: names this worker; never used twice in a service's life, which a pid may be.
        slot: the number of the place it fills, from 1.
        generation: the code and configuration it was started for.
        since: the moment it entered its state, in seconds of the monotonic clock.
        patience: seconds that it may stay in its state; infinite when nothing is enforced.
        state: where it is in its life.
        silence: seconds that it may go without a beat; infinite while nobody listens for one.
    """

    serial: int
    slot: int
    generation: int
    since: float
    patience: float
    state: State = State.STARTING
    silence: float = math.inf
    ready_at: float | None = None
    beat_at: float = -math.inf
    limit: str | None = None  # why it asked to be replaced
    covers: set[int] = field(default_factory=set)  # slots without a worker whose listeners it serves, too

    @property
    def deadline(self) -> float:
        """The moment at which it is late for what its state asks of it."""
        return min(self.since + self.patience, self.beat_at + self.silence)

    @property
    def is_silent(self) -> bool:
        """Whether the next deadline is that of a beat."""
        return self.beat_at + self.silence <= self.since + self.patience

    @property
    def in_service(self) -> bool:
        """Whether its slot counts on it: it serves, or is about to."""
        return self.state is State.STARTING or self.state is State.READY

    def enter(self, state: State, now: float, patience: float = math.inf, silence: float = math.inf) -> None:
        """Move to a state that may last for `patience` seconds, with a beat at least every `silence` seconds."""
        self.state = state
        self.since = self.beat_at = now
        self.patience = patience
        self.silence = silence
        if state is State.READY:
            self.ready_at = now
        else:
            self.covers.clear()

    def beat(self, at: float) -> None:
        """Note a sign of life."""
        self.beat_at = max(self.beat_at, at)

    def rearm(self, now: float) -> None:
        """Let the whole patience run again, because nobody could keep a deadline while the machine slept."""
        self.since = max(self.since, now)
        self.beat_at = max(self.beat_at, now)
