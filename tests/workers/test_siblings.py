"""Who may leave, and when: the seats of workers without workers. Real processes are in tests/gunicorn."""

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from monoceros.workers.siblings import FIELDS, FRESH, SEATS, VACANCY, Beside, Seat, Siblings, Stage, birth_of


@pytest.fixture
def crew() -> Siblings:
    return Siblings()


@pytest.fixture
def dead() -> int:
    """The pid of a process that was and isn't."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def seated(crew: Siblings, age: int, stage: Stage = Stage.SERVING, pid: int | None = None) -> Seat:
    seat = crew.take(age)
    seat.pid = os.getpid() if pid is None else pid
    seat.stage = stage
    return seat


@contextlib.contextmanager
def other_process_holding(lock: int) -> Iterator[None]:
    """The lock is another process's meanwhile: one that was forked, and inherited the descriptor."""
    held, holding = os.pipe()
    release, releasing = os.pipe()
    child = os.fork()
    if not child:
        os.close(releasing)
        fcntl.lockf(lock, fcntl.LOCK_EX)
        os.write(holding, b"held")
        os.read(release, 1)
        os._exit(0)
    os.read(held, 4)
    yield
    os.close(releasing)
    os.waitpid(child, 0)
    for descriptor in (held, holding, release):
        os.close(descriptor)


def test_a_worker_counts_as_starting_before_it_is_forked(crew: Siblings) -> None:
    old = seated(crew, 1)
    young = crew.take(2)
    assert (young.stage, young.pid, young.age) == (Stage.STARTING, 0, 2)
    assert crew.younger_is_starting(old)
    assert not crew.younger_is_starting(young)
    assert not crew.leave_in_turn(old)


def test_a_dismissed_worker_waits_until_the_younger_ones_serve_or_leave(crew: Siblings) -> None:
    old, first, second = seated(crew, 1), seated(crew, 2, Stage.STARTING), seated(crew, 3, Stage.STARTING)
    first.stage = Stage.SERVING
    assert crew.younger_is_starting(old)
    second.stage = Stage.LEAVING
    assert not crew.younger_is_starting(old)


def test_a_younger_worker_that_died_is_not_waited_for(crew: Siblings, dead: int) -> None:
    old = seated(crew, 1)
    seated(crew, 2, Stage.STARTING, pid=dead)
    assert not crew.younger_is_starting(old)


def test_workers_leave_one_after_the_other(crew: Siblings) -> None:
    first, second = seated(crew, 1), seated(crew, 2)
    assert crew.leave_in_turn(first)
    assert first.stage is Stage.LEAVING
    assert not crew.leave_in_turn(second)
    assert second.stage is Stage.SERVING


def test_a_seat_is_vacant_until_the_arbiter_has_taken_one_for_the_successor(crew: Siblings, dead: int) -> None:
    first, second = seated(crew, 1), seated(crew, 2)
    assert crew.leave_in_turn(first)
    first.pid = dead
    assert not crew.leave_in_turn(second)
    successor = crew.take(3)
    assert first.stage is Stage.FREE
    assert not crew.leave_in_turn(second)
    successor.pid, successor.stage = os.getpid(), Stage.SERVING
    assert crew.leave_in_turn(second)


def test_a_seat_that_nobody_takes_again_is_not_waited_for_for_ever(
    dead: int,
) -> None:
    now = 100.0
    crew = Siblings(clock=lambda: now)
    mine = seated(crew, 1)
    seated(crew, 2, Stage.LEAVING, pid=dead)
    assert not crew.leave_in_turn(mine)
    now += VACANCY - 1
    assert not crew.leave_in_turn(mine)
    now += 1
    assert crew.leave_in_turn(mine)


def test_a_pid_that_is_another_process_by_now_makes_no_dead_worker_alive() -> None:
    page = memoryview(bytearray(FIELDS * 8)).cast("q")
    seat = Seat(page)
    seat.settle(1)
    assert not seat.is_orphaned
    seat.pid = os.getpid()
    assert not seat.is_orphaned
    page[3] -= 1  # the worker that had this pid was born earlier
    assert seat.is_orphaned


def test_where_births_are_not_told_a_pid_is_believed() -> None:
    page = memoryview(bytearray(FIELDS * 8)).cast("q")
    seat = Seat(page)
    seat.pid = os.getpid()
    page[3] = 0
    assert not seat.is_orphaned


def test_a_second_death_under_the_same_pid_is_waited_for_anew(dead: int) -> None:
    now = 100.0
    crew = Siblings(clock=lambda: now)
    mine = seated(crew, 1)
    first = seated(crew, 2, Stage.LEAVING, pid=dead)
    assert not crew.leave_in_turn(mine)
    now += VACANCY
    first.settle(3)
    first.pid = dead
    assert not crew.leave_in_turn(mine)
    now += VACANCY
    assert crew.leave_in_turn(mine)


def test_a_process_began_after_those_that_made_it() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert 0 < birth_of(os.getpid()) <= birth_of(child.pid)
    finally:
        child.communicate(b"\n")
    assert birth_of(child.pid) == birth_of(0) == 0


def test_an_only_worker_leaves_at_once(crew: Siblings) -> None:
    assert crew.leave_in_turn(seated(crew, 1))


def test_of_two_that_ask_at_the_same_time_one_is_turned_away(crew: Siblings) -> None:
    mine = seated(crew, 1)
    with other_process_holding(crew.lock):
        assert not crew.leave_in_turn(mine)
    assert crew.leave_in_turn(mine)


def test_with_all_seats_taken_a_worker_gets_one_that_nobody_sees(crew: Siblings) -> None:
    first = seated(crew, 1)
    for age in range(2, SEATS + 1):
        seated(crew, age)
    surplus = crew.take(SEATS + 1)
    assert not crew.younger_is_starting(first)
    assert crew.leave_in_turn(surplus)
    assert crew.leave_in_turn(first)


def test_the_page_is_seen_by_forked_processes(crew: Siblings) -> None:
    seat = crew.take(7)
    child = os.fork()
    if not child:
        seat.stage = Stage.SERVING
        os._exit(0)
    os.waitpid(child, 0)
    assert seat.stage is Stage.SERVING


def test_a_worker_sees_what_those_hold_that_serve_and_turn() -> None:
    now = 100.0
    crew = Siblings(clock=lambda: now)
    mine, turning, stuck, starting = (seated(crew, age) for age in (1, 2, 3, 4))
    starting.stage = Stage.STARTING
    for seat in (mine, turning, stuck, starting):
        seat.beat(now)
        seat.show(seat.age * 10)
    now += FRESH - 0.5
    turning.beat(now)
    now += 1
    starting.beat(now)
    beside = Beside(mine, crew)
    assert [seat.held for seat in beside.others()] == [20]
    beside.show(11)
    assert [seat.held for seat in Beside(turning, crew).others()] == []
    mine.beat(now)
    assert [seat.held for seat in Beside(turning, crew).others()] == [11]


def test_a_seat_that_is_taken_again_holds_nothing(crew: Siblings, dead: int) -> None:
    seat = seated(crew, 1, pid=dead)
    seat.beat(1e6)
    seat.show(50)
    crew.take(2)
    again = crew.take(3)
    assert again.age == seat.age == 3
    again.stage = Stage.SERVING
    assert again.held == 0
    assert not again.turns(1e6)
