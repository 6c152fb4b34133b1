"""The very start, as tables: more workers than CPUs."""

from monoceros.supervisor.events import CloseListeners, Exit, GiveUp, Spawn, WorkerExited, WorkerReady
from monoceros.supervisor.policy import Policy
from monoceros.supervisor.rules import HEAD_START, Rules
from tests.supervisor.test_policy import play, ready


def test_the_first_workers_have_the_cpus_to_themselves_until_one_is_ready() -> None:
    policy = Policy(Rules(workers=4, first=2))
    play(policy, [(0, [], [Spawn(1, 1), Spawn(2, 2)])])
    assert policy.wake_at(0) == HEAD_START
    play(policy, [(0.3, [WorkerReady(2)], [Spawn(3, 3), Spawn(4, 4)])])


def test_the_other_workers_wait_no_longer_than_the_head_start_of_the_first() -> None:
    play(
        Policy(Rules(workers=4, first=2)),
        [(0, [], [Spawn(1, 1), Spawn(2, 2)]), (0.9, [], []), (HEAD_START, [], [Spawn(3, 3), Spawn(4, 4)])],
    )


def test_once_a_worker_has_been_ready_slots_are_filled_without_a_look_at_the_cpus() -> None:
    play(ready(Rules(workers=3, first=1)), [(5, [WorkerExited(1), WorkerExited(3)], [Spawn(4, 1), Spawn(5, 3)])])


def test_where_none_of_the_first_can_start_the_others_show_it_too_before_the_master_gives_up() -> None:
    play(
        Policy(Rules(workers=2, first=1)),
        [
            (0, [], [Spawn(1, 1)]),
            (0.2, [WorkerExited(1)], [Spawn(2, 2)]),
            (0.4, [WorkerExited(2)], [GiveUp(), CloseListeners(), Exit(3)]),
        ],
    )
