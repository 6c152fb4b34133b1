"""Every stage of a worker and every phase of the server, against everything that may happen.

One slot, one worker: number 1. A cell that isn't written out says that nothing is done and nothing changes. The
situations are brought about by events, as in life.
"""

import typing
from collections.abc import Callable
from typing import NamedTuple

import pytest

from monoceros.supervisor.events import (
    Action,
    CloseListeners,
    Decline,
    Drain,
    Dump,
    Event,
    Exit,
    FilesChanged,
    GiveUp,
    Kill,
    KillAsked,
    LimitReached,
    Overslept,
    PreloadFailed,
    ReloadAsked,
    RestAsked,
    ScaleAsked,
    Spawn,
    StartSuccessor,
    Stop,
    StopAsked,
    SuccessorEnded,
    TrialEnded,
    UpgradeAsked,
    WorkerBeat,
    WorkerExited,
    WorkerLeaving,
    WorkerReady,
)
from monoceros.supervisor.handle import State
from monoceros.supervisor.policy import Policy
from monoceros.supervisor.rules import Phase, Rules

EVENTS: dict[str, Event] = {
    "ready": WorkerReady(1),
    "beat": WorkerBeat(1, 0.7),
    "limit": LimitReached(1, "it is old"),
    "leaving": WorkerLeaving(1),
    "exited": WorkerExited(1),
    "stop": StopAsked(),
    "interrupt": StopAsked(hurry=True),
    "quit": KillAsked(),
    "reload": ReloadAsked(2, Rules(beat_timeout=0.5)),
    "upgrade": UpgradeAsked(),
    "more": ScaleAsked(1),
    "fewer": ScaleAsked(-1),
    "rest": RestAsked(),
    "tried well": TrialEnded(good=True),
    "tried badly": TrialEnded(good=False),
    "successor ended": SuccessorEnded(),
    "preload failed": PreloadFailed(),
    "edit": FilesChanged(),  # happens under --reload only
    "overslept": Overslept(),
}


class Cell(NamedTuple):
    """What is expected: the actions, and what the worker and the server are afterwards, if that changes."""

    actions: list[Action]
    becomes: State | None = None
    phase: Phase | None = None
    gone: bool = False


Row = dict[str, Cell]
NOTHING = Cell([])
GONE = Cell([], gone=True)
STARTING, READY, DRAINING, KILLED = State
RUNNING, DELAYING, STOPPING, HURRYING, KILLING = Phase

# What an operator may ask for doesn't depend on the worker, unless a slot is affected that may start now.
ASKED_WHILE_RUNNING: Row = {
    "stop": Cell([], phase=DELAYING),
    "upgrade": Cell([StartSuccessor()]),
    "more": Cell([Spawn(2, 2)]),
    "fewer": Cell([Decline("it would leave no worker")]),
}
DECLINED = Cell([Decline("this server is stopping")])
ASKED_WHILE_DELAYING: Row = {
    "reload": DECLINED,
    "upgrade": DECLINED,
    "more": DECLINED,
    "fewer": DECLINED,
    "rest": DECLINED,
}
ENDED_AT_ONCE: Row = {
    "interrupt": Cell([CloseListeners(), Exit(0)], phase=HURRYING),
    "quit": Cell([CloseListeners(), Exit(0)], phase=KILLING),
}
TOLD_TO_GO: Row = {
    "interrupt": Cell([CloseListeners(), Drain(1, hurry=True)], DRAINING, HURRYING),
    "quit": Cell([CloseListeners(), Stop(1)], KILLED, KILLING),
}
GIVEN_UP = Cell([GiveUp(), CloseListeners(), Exit(3)], phase=STOPPING, gone=True)
REPLACED_AND_GONE = Cell([Spawn(2, 1)], gone=True)
REPLACED_WHILE_IT_DRAINS = Cell([Spawn(2, 1)], DRAINING)
RESTED = Cell([Drain(1)], DRAINING)
EDITED = Cell([Drain(1, hurry=True)], DRAINING)

# While serving, a worker that goes is replaced: at once in `starting` and `ready`. In the other situations its slot
# started one less than a second ago, so nothing starts.
STARTING_ROW: Row = {
    "ready": Cell([], READY),
    "leaving": REPLACED_WHILE_IT_DRAINS,
    "exited": GIVEN_UP,
    **TOLD_TO_GO,
}
READY_ROW: Row = {
    "limit": Cell([Spawn(2, 1)]),
    "leaving": REPLACED_WHILE_IT_DRAINS,
    "exited": REPLACED_AND_GONE,
    **TOLD_TO_GO,
}
DUE_ROW: Row = {"leaving": Cell([], DRAINING), "exited": GONE, **TOLD_TO_GO}
DRAINING_ROW: Row = {"exited": GONE, **TOLD_TO_GO}
KILLED_ROW: Row = {
    "exited": GONE,
    "interrupt": Cell([CloseListeners()], phase=HURRYING),
    "quit": Cell([CloseListeners()], phase=KILLING),  # its last moment runs already
}

TABLE: dict[tuple[Phase, str], Row] = {
    (RUNNING, "none"): {**ASKED_WHILE_RUNNING, **ENDED_AT_ONCE},
    (RUNNING, "starting"): {**ASKED_WHILE_RUNNING, **STARTING_ROW, "rest": RESTED, "edit": EDITED},
    (RUNNING, "ready"): {
        **ASKED_WHILE_RUNNING,
        **READY_ROW,
        "reload": Cell([Spawn(2, 1)]),
        "rest": RESTED,
        "edit": EDITED,
    },
    (RUNNING, "due"): {**ASKED_WHILE_RUNNING, **DUE_ROW, "rest": RESTED, "edit": EDITED},
    (RUNNING, "draining"): {**ASKED_WHILE_RUNNING, **DRAINING_ROW},
    (RUNNING, "killed"): {**ASKED_WHILE_RUNNING, **KILLED_ROW},
    (DELAYING, "none"): {**ASKED_WHILE_DELAYING, **ENDED_AT_ONCE},
    (DELAYING, "starting"): {**ASKED_WHILE_DELAYING, **STARTING_ROW},
    (DELAYING, "ready"): {**ASKED_WHILE_DELAYING, **READY_ROW},
    (DELAYING, "due"): {**ASKED_WHILE_DELAYING, **DUE_ROW},
    (DELAYING, "draining"): {**ASKED_WHILE_DELAYING, **DRAINING_ROW},
    (DELAYING, "killed"): {**ASKED_WHILE_DELAYING, **KILLED_ROW},
    (STOPPING, "draining"): {
        **ASKED_WHILE_DELAYING,
        "exited": Cell([Exit(0)], gone=True),
        "interrupt": Cell([Drain(1, hurry=True)], phase=HURRYING),
        "quit": Cell([Stop(1)], KILLED, KILLING),
    },
    (STOPPING, "killed"): {
        **ASKED_WHILE_DELAYING,
        "exited": Cell([Exit(0)], gone=True),
        "interrupt": Cell([], phase=HURRYING),
        "quit": Cell([], phase=KILLING),
    },
    (HURRYING, "draining"): {
        **ASKED_WHILE_DELAYING,
        "exited": Cell([Exit(0)], gone=True),
        "interrupt": Cell([Stop(1)], KILLED, KILLING),
        "quit": Cell([Stop(1)], KILLED, KILLING),
    },
    (HURRYING, "killed"): {
        **ASKED_WHILE_DELAYING,
        "exited": Cell([Exit(0)], gone=True),
        "interrupt": Cell([], phase=KILLING),
        "quit": Cell([], phase=KILLING),
    },
    (KILLING, "killed"): {
        **ASKED_WHILE_DELAYING,
        "exited": Cell([Exit(0)], gone=True),
        "interrupt": Cell([Kill(1)]),
        "quit": Cell([Kill(1)]),
    },
}
LEFT: list[tuple[Phase, Event, dict[str, Phase]]] = [
    (STOPPING, StopAsked(), {"interrupt": HURRYING, "quit": KILLING}),
    (HURRYING, StopAsked(hurry=True), {"interrupt": KILLING, "quit": KILLING}),
    (KILLING, KillAsked(), {}),
]
ENDS: dict[Phase, Event] = {
    DELAYING: StopAsked(),
    STOPPING: StopAsked(),
    HURRYING: StopAsked(hurry=True),
    KILLING: KillAsked(),
}


# How a worker gets into each stage: (the time, what happens), and the time of the event under test.
def none(policy: Policy) -> float:
    policy.decide([WorkerReady(1)], 0.2)
    policy.decide([WorkerLeaving(1)], 0.3)
    policy.decide([WorkerExited(1)], 0.4)  # the slot may start again at 1
    return 0.5


def starting(_: Policy) -> float:
    return 5


def ready(policy: Policy) -> float:
    policy.decide([WorkerReady(1)], 4.8)
    return 5


def due(policy: Policy) -> float:
    policy.decide([WorkerReady(1)], 0.3)
    policy.decide([LimitReached(1, "it is old")], 0.4)  # the slot may start its replacement at 1
    return 0.5


def draining(policy: Policy) -> float:
    policy.decide([WorkerReady(1)], 0.3)
    policy.decide([WorkerLeaving(1)], 0.4)
    return 0.5


def killed(policy: Policy) -> float:
    policy.decide([WorkerReady(1)], 0.1)
    policy.decide([], 0.6)  # half a second without a beat
    return 0.6


STAGES: dict[str, Callable[[Policy], float]] = {
    each.__name__: each for each in (none, starting, ready, due, draining, killed)
}
STATES = {"starting": STARTING, "ready": READY, "due": READY, "draining": DRAINING, "killed": KILLED}


def situation(phase: Phase, stage: str, *, reload: bool = False) -> tuple[Policy, float]:
    """A policy in a phase, its worker in a stage, and the time."""
    rules = Rules(beat_timeout=0.5, drain_delay=20 if phase <= DELAYING else 0, reload=reload)
    policy = Policy(rules)
    assert policy.decide([], 0) == [Spawn(1, 1)]
    now = STAGES[stage](policy)
    if phase is not RUNNING:
        policy.decide([ENDS[phase]], now)
    handle = policy.fleet.workers.get(1)
    assert (policy.phase, handle and handle.state) == (phase, STATES.get(stage))
    return policy, now + 0.1


def test_no_event_is_missing_in_the_table() -> None:
    assert {type(event) for event in EVENTS.values()} == set(typing.get_args(Event))


def test_no_stage_and_no_phase_is_missing_in_the_table() -> None:
    """Once the server stops, every worker drains or is killed; with --quit there is no draining any more."""
    serving = {(phase, stage) for phase in (RUNNING, DELAYING) for stage in STAGES}
    ending = {(phase, stage) for phase in (STOPPING, HURRYING) for stage in ("draining", "killed")}
    assert set(TABLE) == serving | ending | {(KILLING, "killed")}
    assert {phase for phase, *_ in LEFT} == {STOPPING, HURRYING, KILLING}
    assert {word for row in TABLE.values() for word in row} <= set(EVENTS)


@pytest.mark.parametrize("word", EVENTS)
@pytest.mark.parametrize(("phase", "stage"), TABLE, ids=lambda part: part.name if isinstance(part, Phase) else part)
def test_each_event_in_each_situation(phase: Phase, stage: str, word: str) -> None:
    policy, now = situation(phase, stage, reload=word == "edit")
    cell = TABLE[phase, stage].get(word, NOTHING)
    assert policy.decide([EVENTS[word]], now) == cell.actions
    handle = policy.fleet.workers.get(1)
    gone = cell.gone or stage == "none"
    assert (handle and handle.state) == (None if gone else cell.becomes or STATES[stage])
    assert policy.phase is (phase if cell.phase is None else cell.phase)


@pytest.mark.parametrize("word", EVENTS)
@pytest.mark.parametrize(("phase", "end", "moves"), LEFT, ids=[phase.name for phase, *_ in LEFT])
def test_each_event_after_the_last_worker_has_left(
    phase: Phase, end: Event, moves: dict[str, Phase], word: str
) -> None:
    """Whatever else comes, the master leaves; it still answers those who ask."""
    policy = Policy(Rules())
    policy.decide([], 0)
    policy.decide([WorkerReady(1)], 1)
    policy.decide([end], 2)
    assert policy.decide([WorkerExited(1)], 3) == [Exit(0)]
    declined = [*DECLINED.actions] if word in ASKED_WHILE_DELAYING else []
    assert policy.decide([EVENTS[word]], 4) == [*declined, Exit(0)]
    assert policy.phase is moves.get(word, phase)


# What the clock alone brings: the next moment at which there is something to do, and what it is.
BLOCKED = Dump(1, "has been blocked for 0.5 s")
LATE: dict[tuple[Phase, str], tuple[float, list[Action]]] = {
    (RUNNING, "none"): (1, [Spawn(2, 1)]),
    (RUNNING, "starting"): (600, [Dump(1, "did not get ready within 600 s"), GiveUp(), CloseListeners()]),
    (RUNNING, "ready"): (5.3, [BLOCKED, Spawn(2, 1)]),
    (RUNNING, "due"): (0.8, [BLOCKED]),
    (RUNNING, "draining"): (0.9, [BLOCKED]),
    (RUNNING, "killed"): (1, [Spawn(2, 1)]),
    (DELAYING, "none"): (1, [Spawn(2, 1)]),
    (DELAYING, "starting"): (25, [CloseListeners(), Drain(1)]),
    (DELAYING, "ready"): (5.3, [BLOCKED, Spawn(2, 1)]),
    (DELAYING, "due"): (0.8, [BLOCKED]),
    (DELAYING, "draining"): (0.9, [BLOCKED]),
    (DELAYING, "killed"): (1, [Spawn(2, 1)]),
    (STOPPING, "draining"): (0.9, [BLOCKED]),
    (STOPPING, "killed"): (1.6, [Kill(1)]),
    (HURRYING, "draining"): (0.9, [BLOCKED]),
    (HURRYING, "killed"): (1.6, [Kill(1)]),
    (KILLING, "killed"): (1.6, [Kill(1)]),
}


@pytest.mark.parametrize(("phase", "stage"), TABLE, ids=lambda part: part.name if isinstance(part, Phase) else part)
def test_each_situation_has_a_next_moment(phase: Phase, stage: str) -> None:
    policy, now = situation(phase, stage)
    moment, actions = LATE[phase, stage]
    assert policy.decide([], now) == []
    assert policy.wake_at(now) == pytest.approx(moment)
    assert policy.decide([], policy.wake_at(now)) == actions
