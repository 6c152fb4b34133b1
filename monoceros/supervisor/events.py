"""The vocabulary of the policy: what may happen (past tense), and what may be done about it (imperative).

Data only. Workers are named by their serial number, slots by their number from 1, times are of the monotonic clock.
"""

from dataclasses import dataclass

from monoceros.supervisor.rules import Rules


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """A worker said that it serves: its lifespan has started and its listeners are attached."""

    serial: int


@dataclass(frozen=True, slots=True)
class WorkerBeat:
    """A worker gave a sign of life at the time `at`."""

    serial: int
    at: float


@dataclass(frozen=True, slots=True)
class LimitReached:
    """A worker asks to be replaced, and goes on serving until it is told to drain."""

    serial: int
    reason: str


@dataclass(frozen=True, slots=True)
class WorkerLeaving:
    """A worker drains by its own choice: somebody sent it a signal."""

    serial: int


@dataclass(frozen=True, slots=True)
class WorkerExited:
    """A worker's exit was collected, or it could not be forked at all."""

    serial: int


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Somebody wants the server to end gracefully; `hurry` when nobody is worth waiting for (Ctrl+C)."""

    hurry: bool = False


@dataclass(frozen=True, slots=True)
class KillAsked:
    """Somebody wants the server to end at once."""


@dataclass(frozen=True, slots=True)
class FilesChanged:
    """The code was edited."""


@dataclass(frozen=True, slots=True)
class ReloadAsked:
    """Somebody wants new code and new options to be served, by workers of a new generation.

    Arguments:
        generation: its number, greater than any before. Not used where new code takes a new master.
        rules: the new options.
    """

    generation: int
    rules: Rules


@dataclass(frozen=True, slots=True)
class UpgradeAsked:
    """Somebody wants a new master on the same sockets."""


@dataclass(frozen=True, slots=True)
class ScaleAsked:
    """Somebody wants one worker more, or one fewer."""

    by: int


@dataclass(frozen=True, slots=True)
class RestAsked:
    """Somebody wants all workers to leave gracefully, and the master to stay."""


@dataclass(frozen=True, slots=True)
class TrialEnded:
    """A trial of the new code in a process of its own has ended; `good` if it can be served."""

    good: bool


@dataclass(frozen=True, slots=True)
class SuccessorEnded:
    """The second master that was started for an upgrade has ended, and this one still lives."""


@dataclass(frozen=True, slots=True)
class PreloadFailed:
    """A master that was executed anew could not import the application."""


@dataclass(frozen=True, slots=True)
class Overslept:
    """The master woke far later than it wanted to: the machine was suspended, or nobody could run."""


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a worker in a slot."""

    serial: int
    slot: int


@dataclass(frozen=True, slots=True)
class Drain:
    """Tell a worker to finish what it has and leave."""

    serial: int
    hurry: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """Tell a worker to cancel what it does and leave."""

    serial: int


@dataclass(frozen=True, slots=True)
class Dump:
    """Have a worker that is late write the stacks of its threads. `reason` says what it is late for."""

    serial: int
    reason: str


@dataclass(frozen=True, slots=True)
class Kill:
    """End a worker without its consent."""

    serial: int


@dataclass(frozen=True, slots=True)
class Cover:
    """Have a worker serve the listeners of a slot that has no ready worker."""

    serial: int
    slot: int


@dataclass(frozen=True, slots=True)
class Uncover:
    """Have a worker leave the listeners of a slot to that slot's own worker again."""

    serial: int
    slot: int


@dataclass(frozen=True, slots=True)
class StartTrial:
    """Try the new code in a process of its own. TrialEnded follows."""


@dataclass(frozen=True, slots=True)
class EndTrial:
    """End that process: it takes too long, or nobody is interested any more."""


@dataclass(frozen=True, slots=True)
class Execute:
    """Start this master anew in the same process. Returns only if that fails."""


@dataclass(frozen=True, slots=True)
class StartSuccessor:
    """Start a second master on the same sockets. SuccessorEnded follows, unless this one ends first."""


@dataclass(frozen=True, slots=True)
class ReloadFailed:
    """Say that the new generation could not start, and why, and that the former one goes on serving."""

    why: str = "the new code could not start"


@dataclass(frozen=True, slots=True)
class Decline:
    """Say why something that was asked for isn't done."""

    reason: str


@dataclass(frozen=True, slots=True)
class BackOff:
    """Say that a slot's workers keep dying, and that the next one starts in so many seconds."""

    slot: int
    seconds: float


@dataclass(frozen=True, slots=True)
class AwaitChange:
    """Say that the worker could not start, and that the next edit starts another."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Say that no worker could start. The end follows."""


@dataclass(frozen=True, slots=True)
class CloseListeners:
    """Let go of the listening sockets: nobody is going to accept from them."""


@dataclass(frozen=True, slots=True)
class Exit:
    """Leave the loop: no worker is left."""

    code: int


Event = (
    WorkerReady
    | WorkerBeat
    | LimitReached
    | WorkerLeaving
    | WorkerExited
    | StopAsked
    | KillAsked
    | ReloadAsked
    | UpgradeAsked
    | ScaleAsked
    | RestAsked
    | TrialEnded
    | SuccessorEnded
    | PreloadFailed
    | FilesChanged
    | Overslept
)
Action = (
    Spawn
    | Drain
    | Stop
    | Dump
    | Kill
    | Cover
    | Uncover
    | StartTrial
    | EndTrial
    | Execute
    | StartSuccessor
    | ReloadFailed
    | Decline
    | BackOff
    | AwaitChange
    | GiveUp
    | CloseListeners
    | Exit
)
