"""The shared memory of the workers' records, with real mappings and a real fork."""

import os
import subprocess
import sys
import time

import pytest

from monoceros.supervisor.scoreboard import FRESH, RECORDS, Record, Scoreboard, Stage

WRITES_IN_A_CHILD = """
import os
from monoceros.supervisor.scoreboard import Scoreboard, Stage
board = Scoreboard()
record, other = board.take(), board.take()
pid = os.fork()
if pid == 0:
    record.stage, record.beat, record.requests = Stage.SERVING, 12345.678, 2**40
    os._exit(0)
os.waitpid(pid, 0)
assert (record.stage, record.beat, record.requests) == (Stage.SERVING, 12345.678, 2**40)
assert (other.stage, other.beat, other.requests) == (Stage.UNUSED, 0.0, 0)
"""


def test_the_master_reads_what_a_worker_writes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRITES_IN_A_CHILD], env=os.environ | {"PYTHONPATH": os.getcwd()}, check=False
    )
    assert done.returncode == 0


def test_records_are_taken_apart_and_given_back_cleared() -> None:
    board = Scoreboard()
    first, second = board.take(), board.take()
    first.stage, first.beat, first.requests = Stage.DRAINING, 1.5, 7
    assert (second.stage, second.beat, second.requests) == (Stage.UNUSED, 0.0, 0)
    board.give_back(first)
    again = board.take()
    assert again is first
    assert (again.stage, again.beat, again.requests) == (Stage.UNUSED, 0.0, 0)


def test_a_full_board_gets_another_page() -> None:
    board = Scoreboard()
    records = [board.take() for _ in range(2 * RECORDS + 1)]
    for number, record in enumerate(records):
        record.requests = number
    assert [record.requests for record in records] == list(range(2 * RECORDS + 1))


def test_a_board_is_mapped_again_from_its_pages() -> None:
    board = Scoreboard()
    records = [board.take() for _ in range(RECORDS + 1)]
    records[-1].beat = 77.0
    again = Scoreboard(board.pages)
    assert again.retake(records[-1].number).beat == 77.0
    taken = [again.take().number for _ in range(2 * RECORDS - 1)]
    assert records[-1].number not in taken
    board.close()


def serving(board: Scoreboard, stage: Stage = Stage.SERVING, late: float = 0.0) -> Record:
    """A record whose worker has beaten some time ago; by default now."""
    record = board.take()
    record.stage, record.beat = stage, time.monotonic() - late
    return record


def test_a_worker_sees_what_the_others_hold_also_those_on_another_page() -> None:
    board = Scoreboard()
    first = serving(board)
    others = [serving(board) for _ in range(RECORDS)]
    for number, record in enumerate(others):
        record.show(number)
    assert [int(record.held) for record in sorted(first.others(), key=lambda each: each.held)] == list(range(RECORDS))


@pytest.mark.parametrize("stage", [Stage.STARTING, Stage.DRAINING, Stage.UNUSED])
def test_workers_that_do_not_serve_are_no_others(stage: Stage) -> None:
    board = Scoreboard()
    mine = serving(board)
    serving(board, stage)
    assert mine.others() == []


def test_a_worker_that_has_not_beaten_for_long_is_no_other() -> None:
    """It is blocked, stopped, or killed. The bound is far from both ages."""
    board = Scoreboard()
    mine, here = serving(board), serving(board)
    serving(board, late=2 * FRESH + 1)
    assert mine.others() == [here]
