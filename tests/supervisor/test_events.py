"""The vocabulary of the policy is plain data."""

from monoceros.supervisor.events import Action, Drain, Spawn, Stop, WorkerBeat


def test_events_and_actions_are_equal_by_value_and_kind() -> None:
    assert Spawn(1, 2) == Spawn(serial=1, slot=2)
    assert Drain(1) == Drain(1, hurry=False) != Drain(1, hurry=True)
    actions: list[Action] = [Drain(1), Stop(1)]
    assert actions[0] != actions[1]
    assert len({WorkerBeat(1, 2.0), WorkerBeat(1, 2.0)}) == 1
