"""What holds of the master whatever happens: drawn stories, told to the policy in a world without processes.

A worker of this world may get ready, hang, ask to be replaced, leave, die, do as it is told or not. Only Kill is sure.
After every step each rule is looked at, against what the world itself has seen, not what the policy remembers.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from monoceros.errors import EXIT_STARTUP
from monoceros.supervisor import events as ev
from monoceros.supervisor.handle import Handle, State
from monoceros.supervisor.policy import Policy
from monoceros.supervisor.rules import DRAIN_MARGIN, LAST_MOMENT, LONGEST_WAIT, MOST_DRAINING, SPACING, Phase, Rules

Move = tuple[str, int]  # what happens, and a number that chooses: which worker, how many, how long
Story = list[list[Move]]  # what happens between two decisions

OF_WORKERS = ("ready", "ready", "ready", "limit", "leave", "die", "obey", "obey", "beat", "late word")
OF_TIME = ("wait", "wait", "wait", "wake", "oversleep")
OF_OPERATORS = ("reload", "upgrade", "more", "fewer", "rest", "tried", "successor ended", "preload failed")
OF_THE_END: dict[str, ev.Event] = {
    "stop": ev.StopAsked(),
    "interrupt": ev.StopAsked(hurry=True),
    "quit": ev.KillAsked(),
}
BY_NAME: dict[str, ev.Event] = {
    **OF_THE_END,
    "upgrade": ev.UpgradeAsked(),
    "more": ev.ScaleAsked(1),
    "fewer": ev.ScaleAsked(-1),
    "rest": ev.RestAsked(),
    "successor ended": ev.SuccessorEnded(),
    "preload failed": ev.PreloadFailed(),
}
WAITS = (0.2, 0.5, 1.0, 3.0, 11.0)  # seconds
SUSPENDED = 10_000.0  # seconds

rules_drawn = st.builds(
    Rules,
    workers=st.integers(1, 4),
    start_timeout=st.sampled_from([2.0, 10.0]),
    beat_timeout=st.sampled_from([1.5, 7.0]),
    graceful_timeout=st.sampled_from([0.0, 4.0, 40.0]),
    drain_delay=st.sampled_from([0.0, 6.0]),
    fresh=st.sampled_from([False, False, True]),
    in_place=st.booleans(),
    own_listeners=st.booleans(),
    first=st.sampled_from([1, 2, math.inf]),
)
adopted_drawn = st.lists(st.integers(1, 5), max_size=3)  # the slots of a former master's workers


def stories(*kinds: str) -> st.SearchStrategy[Story]:
    """Stories of moves of these kinds, mostly one at a time."""
    move = st.tuples(st.sampled_from(kinds), st.integers(0, 7))
    return st.lists(st.lists(move, min_size=1, max_size=3), max_size=50)


while_serving = stories(*OF_WORKERS, *OF_TIME, *OF_OPERATORS)
to_the_end = stories(*OF_WORKERS, *OF_WORKERS, *OF_TIME, *OF_TIME, *OF_OPERATORS, *OF_THE_END)
drawn = settings(max_examples=500, deadline=None, derandomize=True)


class World:
    """The processes, the clock and the operators around one policy. It performs what is decided, and checks it."""

    def __init__(self, rules: Rules, adopted: Sequence[int] = ()) -> None:
        handles = [Handle(serial, slot, 1, 0, 60) for serial, slot in enumerate(adopted, 1)]
        for handle in handles:
            handle.enter(State.READY, 0, silence=rules.beat_timeout)
        self.rules = rules
        self.generation = 2
        self.policy = Policy(rules, self.generation, handles)
        self.now = 0.0
        self.alive = {handle.serial: handle.slot for handle in handles}  # the slot of each worker
        self.seen: dict[int, State] = {handle.serial: State.READY for handle in handles}
        self.since = {handle.serial: 0.0 for handle in handles}  # when the patience with each worker began
        self.covers: dict[int, set[int]] = {}
        self.killed: set[int] = set()
        self.spawned: dict[int, float] = {}  # the last time, by slot
        self.serial = len(handles)
        self.listening = True
        self.exit: int | None = None
        self.decide()

    # what is decided

    def decide(self, *events: ev.Event) -> None:
        """Tell the policy, perform its actions, and look at every rule. Exits come first, as the master reads them."""
        if self.exit is not None:
            return
        before = self.seen
        exits = [event for event in events if isinstance(event, ev.WorkerExited)]
        for event in exits:
            self.alive.pop(event.serial, None)
        actions = self.policy.decide([*exits, *(event for event in events if event not in exits)], self.now)
        for action in actions:
            self.perform(action)
        self.check_states()
        self.check_orders(actions, before)
        self.check_patience()
        self.check_coverage()
        assert self.policy.wake_at(self.now) > self.now, "it would not sleep"
        dead = self.killed & self.alive.keys()
        if dead:
            self.decide(*(ev.WorkerExited(serial) for serial in sorted(dead)))

    def perform(self, action: ev.Action) -> None:
        match action:
            case ev.Spawn(serial, slot):
                assert self.policy.phase <= Phase.DELAYING, "nobody is started any more"
                assert serial > self.serial, "a serial number names one worker"
                assert self.now >= self.spawned.get(slot, -SPACING) + SPACING
                self.serial, self.alive[serial] = serial, slot
                self.spawned[slot] = self.now
            case ev.Drain(serial) | ev.Stop(serial) | ev.Dump(serial):
                assert serial in self.alive
            case ev.Kill(serial):
                assert self.policy.fleet.workers[serial].state is State.KILLED
                self.killed.add(serial)
            case ev.Cover(serial, slot):
                assert self.policy.fleet.workers[serial].state is State.READY
                assert slot not in self.covers.setdefault(serial, set())
                self.covers[serial].add(slot)
            case ev.Uncover(serial, slot):
                self.covers[serial].remove(slot)
            case ev.CloseListeners():
                assert self.listening
                self.listening = False
            case ev.Exit(code):
                assert not self.alive
                assert not self.listening
                self.exit = code

    # the rules

    def check_states(self) -> None:
        """The policy knows those who live, each in one state, and states only move on."""
        states = {serial: handle.state for serial, handle in self.policy.fleet.workers.items()}
        assert states.keys() == self.alive.keys()
        for serial, state in states.items():
            former = self.seen.get(serial)
            assert former is None or former.value <= state.value
            if state is not former:
                self.since[serial] = self.now
        self.seen = states
        self.covers = {
            serial: slots for serial, slots in self.covers.items() if states.get(serial) is State.READY
        }  # who leaves, or hangs, serves nobody's listeners

    def check_orders(self, actions: Sequence[ev.Action], before: dict[int, State]) -> None:
        """One replacement at a time, nobody is told twice, and nobody to go who is the last to serve."""
        ready, starting = self.slots_of(State.READY), self.slots_of(State.STARTING)
        assert sum(starting[slot] for slot in ready) <= 1
        leaving = [each for each in actions if isinstance(each, ev.Drain)]
        assert len(set(leaving)) == len(leaving)
        if self.policy.phase is Phase.RUNNING and self.policy.fleet.wanted:
            assert ready or all(before[each.serial] is not State.READY for each in leaving)
        for action in actions:
            if isinstance(action, ev.Spawn) and action.slot in ready:
                assert self.slots_of(State.DRAINING)[action.slot] < MOST_DRAINING

    def check_patience(self) -> None:
        """Who starts is ready in time, and who was told to go is gone or killed in time."""
        patience = {
            State.STARTING: self.rules.start_timeout,
            State.DRAINING: self.rules.graceful_timeout + DRAIN_MARGIN,
            State.KILLED: LAST_MOMENT,
        }
        for serial, state in self.seen.items():
            if state is not State.READY and serial not in self.killed:
                assert self.now < self.since[serial] + patience[state]

    def check_coverage(self) -> None:
        """While anybody serves, each slot's listeners are accepted from by its own worker, or else by one other."""
        ready = self.slots_of(State.READY)
        covered = Counter(slot for slots in self.covers.values() for slot in slots)
        if not self.rules.own_listeners:
            assert not covered
        elif ready and self.policy.phase <= Phase.DELAYING:
            assert covered == Counter({slot.number for slot in self.policy.fleet.slots} - ready.keys())

    def slots_of(self, state: State) -> Counter[int]:
        return Counter(self.alive[serial] for serial, each in self.seen.items() if each is state)

    # what happens

    def live(self, story: Story) -> None:
        """Tell a story."""
        for moves in story:
            events: list[ev.Event] = []
            for move, number in moves:
                if move in OF_TIME:
                    self.pass_by(move, number)
                else:
                    events += self.happen(move, number)
            self.decide(*events)

    def pass_by(self, move: str, number: int) -> None:
        match move:
            case "wait":
                self.pass_time(self.now + WAITS[number % len(WAITS)])
            case "wake":
                self.pass_time(min(self.policy.wake_at(self.now), self.now + LONGEST_WAIT))
            case "oversleep":
                self.now += SUSPENDED
                self.since = dict.fromkeys(self.since, self.now)
                self.decide(ev.Overslept())

    def pass_time(self, until: float) -> None:
        """Let time pass as the master does: it looks at each moment that it wanted to."""
        for turn in count():
            moment = self.policy.wake_at(self.now)
            if self.exit is not None or moment > until:
                break
            assert turn < 1000, "it hardly sleeps"
            self.now = moment
            self.decide()
        self.now = max(self.now, until)

    def happen(self, move: str, number: int) -> list[ev.Event]:
        starting, ready, draining, killed = State
        match move:
            case "ready":
                return [ev.WorkerReady(serial) for serial in self.choose(number, starting)]
            case "limit":
                return [ev.LimitReached(serial, "it is old") for serial in self.choose(number, ready)]
            case "leave":
                return [ev.WorkerLeaving(serial) for serial in self.choose(number, starting, ready)]
            case "die":
                return [ev.WorkerExited(serial) for serial in self.choose(number, *State)]
            case "obey":
                return [ev.WorkerExited(serial) for serial in self.choose(number, draining, killed)]
            case "beat":
                return [ev.WorkerBeat(serial, self.now) for serial in self.alive]
            case "late word":
                return [ev.WorkerReady(serial) for serial in range(1, self.serial) if serial not in self.alive]
            case "tried":
                return [ev.TrialEnded(good=number % 2 == 0)]
            case "reload":
                self.generation += 1
                return [ev.ReloadAsked(self.generation, replace(self.rules, workers=1 + number % 4))]
        return [BY_NAME[move]]

    def choose(self, number: int, *states: State) -> list[int]:
        """One of the workers in these states, if there is any."""
        among = [serial for serial, state in self.seen.items() if state in states]
        return [among[number % len(among)]] if among else []

    def cooperate(self, seconds: int) -> None:
        """All workers get ready, beat, and leave as they are told; nobody wants anything."""
        for _ in range(seconds):
            self.decide(
                *(ev.WorkerReady(serial) for serial, state in self.seen.items() if state is State.STARTING),
                *(ev.WorkerExited(each) for each, state in self.seen.items() if state.value >= State.DRAINING.value),
                *(ev.WorkerBeat(serial, self.now) for serial in self.alive),
            )
            self.pass_time(self.now + 1)


@drawn
@given(rules_drawn, adopted_drawn, to_the_end)
def test_every_rule_holds_in_every_story(rules: Rules, adopted: list[int], story: Story) -> None:
    World(rules, adopted).live(story)


@drawn
@given(rules_drawn, adopted_drawn, while_serving, st.sampled_from(sorted(OF_THE_END)))
def test_a_stop_comes_to_its_end_though_no_worker_obeys(
    rules: Rules, adopted: list[int], story: Story, end: str
) -> None:
    world = World(rules, adopted)
    world.live(story)
    world.decide(OF_THE_END[end])
    delay = rules.drain_delay if end == "stop" else 0
    world.pass_time(world.now + delay + rules.graceful_timeout + DRAIN_MARGIN + LAST_MOMENT + 0.01)
    assert world.exit in (0, EXIT_STARTUP)


@drawn
@given(rules_drawn, adopted_drawn, while_serving)
def test_once_the_workers_behave_each_wanted_slot_has_one_that_serves_the_present_code(
    rules: Rules, adopted: list[int], story: Story
) -> None:
    world = World(rules, adopted)
    world.live(story)
    if world.policy.phase is not Phase.RUNNING:
        return  # it gave up: no worker had ever been ready
    fleet = world.policy.fleet
    world.cooperate(int(LONGEST_WAIT) + 20)
    assert set(world.seen.values()) <= {State.READY}
    assert sorted(world.alive.values()) == list(range(1, fleet.wanted + 1))
    assert {handle.generation for handle in fleet.workers.values()} <= {fleet.generation}
    assert not any(handle.limit for handle in fleet.workers.values())
