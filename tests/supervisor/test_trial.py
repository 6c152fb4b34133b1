"""A trial's word to its master, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from monoceros.supervisor.channel import Message, Word, channel_pair

PROGRAM = """
import atexit, sys
from monoceros.config import Config
from monoceros.supervisor.luggage import Journey, Luggage
from monoceros.supervisor.trial import undergo
atexit.register(print, "the end of the program")
undergo(Config("app:app", log_config=None, **OPTIONS), Luggage(Journey.TRIAL, MASTER, line=int(sys.argv[1])))
"""
GOOD = """
async def app(scope, receive, send):
    raise NotImplementedError("no lifespan")
"""


def undergone(directory: Path, app: str, master: int = 1, **options: object) -> tuple[int, list[Message], str]:
    """Try an application; returns the exit code, what the master heard, and what was printed."""
    (directory / "app.py").write_text(app)
    master_end, line = channel_pair()
    program = PROGRAM.replace("MASTER", str(master)).replace("OPTIONS", repr(options))
    done = subprocess.run(
        [sys.executable, "-c", program, str(line.fileno())],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": f"{directory}:{Path(__file__).parents[2]}"},
        pass_fds=[line.fileno()],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    line.close()
    try:
        heard = master_end.receive()
    except EOFError:
        heard = []
    master_end.close()
    return done.returncode, heard, done.stdout + done.stderr


def test_code_that_can_be_served_is_reported_and_nothing_of_the_program_follows(tmp_path: Path) -> None:
    assert undergone(tmp_path, GOOD) == (0, [Message(Word.READY)], "")


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("import missing_module", "missing_module"),
        ("raise SystemExit(0)", "app"),
        (
            "async def app(scope, receive, send):\n    await receive()\n    raise ValueError('no database')",
            "no database",
        ),
    ],
    ids=["import", "exit", "lifespan"],
)
def test_code_that_can_not_be_served_says_why_and_reports_nothing(tmp_path: Path, app: str, said: str) -> None:
    code, heard, printed = undergone(tmp_path, app)
    assert (code, heard) == (3, [])
    assert said in printed


def test_a_program_that_just_ends_has_reported_nothing(tmp_path: Path) -> None:
    code, heard, _ = undergone(tmp_path, "import os; os._exit(0)")
    assert (code, heard) == (0, [])


def test_what_the_new_master_could_not_use_fails_the_trial(tmp_path: Path) -> None:
    code, heard, printed = undergone(tmp_path, GOOD, pid_file="/nowhere/at/all.pid")
    assert (code, heard) == (3, [])
    assert "--pid-file" in printed
