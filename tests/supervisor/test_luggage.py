"""What passes through an exec, with real ones in processes of their own."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from monoceros.supervisor.handle import State
from monoceros.supervisor.luggage import VARIABLE, Journey, Luggage, Passenger, Start, starting_directory, unpack
from monoceros.supervisor.rules import Rules
from monoceros.supervisor.sockets import Packed

READY = Passenger(serial=7, slot=2, generation=3, state="READY", limit=None, pid=4711, line=9, record=5)

# A program that executes itself again once, and says what came along.
PROGRAM = """
import os, signal, socket, sys
from monoceros.supervisor.luggage import Journey, Luggage, execute, unpack
from monoceros.supervisor.sockets import Packed
luggage = unpack(os.environ)
if luggage is None:
    listener = socket.create_server(("127.0.0.1", 0))
    os.environ["FROM_A_FILE"] = os.environ["KEPT"] = "1"
    os.chdir("/")
    sent = Luggage(Journey.IN_PLACE, os.getpid(), [Packed(listener.fileno(), 0, None)], generation=4)
    execute(sent, sys.argv[1], without=["FROM_A_FILE"])
print(luggage.sender == os.getpid(), luggage.generation, os.getcwd(), os.environ.get("FROM_A_FILE"), os.environ["KEPT"])
with socket.socket(fileno=luggage.sockets[0].descriptor) as listener:
    print(listener.getsockname()[0], os.get_inheritable(listener.fileno()))
print(signal.SIGHUP in signal.pthread_sigmask(signal.SIG_BLOCK, []), unpack(os.environ))
"""


def test_what_is_written_is_read() -> None:
    sockets = [Packed(3, 0, None), Packed(4, 2, (5, 6))]
    luggage = Luggage(Journey.BESIDE, 99, sockets, [READY], [8], 3)
    assert Luggage.decode(luggage.encode()) == luggage
    assert luggage.descriptors == [3, 4, 9, 8]


def test_a_program_that_simply_starts_has_none() -> None:
    assert unpack({}) is None
    assert Start.of({}) == Start(starting_directory())


def test_the_same_process_goes_on_with_its_sockets(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [f"True 4 {tmp_path} None 1", "127.0.0.1 False", "True None"]


def test_a_program_that_can_not_be_executed_again_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from monoceros.supervisor.luggage import execute

    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    here = os.getcwd()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        luggage = Luggage(Journey.IN_PLACE, os.getpid(), [Packed(listener.fileno(), 0, None)])
        with pytest.raises(FileNotFoundError):
            execute(luggage, "/")
        assert not listener.get_inheritable()
    assert os.getcwd() == here
    assert VARIABLE not in os.environ


def test_a_directory_keeps_the_name_under_which_it_was_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a deployment the link leads to the next release."""
    release = tmp_path / "release"
    release.mkdir()
    link = tmp_path / "current"
    link.symlink_to(release)
    monkeypatch.chdir(link)
    monkeypatch.setenv("PWD", str(link))
    assert starting_directory() == str(link)
    monkeypatch.setenv("PWD", "/elsewhere")
    assert starting_directory() == str(release.resolve())


@pytest.mark.parametrize(
    ("state", "deadline"),
    [("STARTING", 100 + 10), ("READY", 100 + 20), ("DRAINING", 100 + 20), ("KILLED", 100 + 1)],
)
def test_an_adopted_worker_has_its_state_and_a_new_deadline(state: str, deadline: float) -> None:
    rules = Rules(start_timeout=10, beat_timeout=20, graceful_timeout=30)
    passenger = Passenger(7, 2, 3, state, "too old", 4711, 9, 5)
    handle = passenger.handle(rules, 100)
    assert (handle.serial, handle.slot, handle.generation, handle.limit) == (7, 2, 3, "too old")
    assert handle.state is State[state]
    assert handle.deadline == deadline
