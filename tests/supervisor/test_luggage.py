"""What passes through an exec, with real ones in processes of their own."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from monoceros.errors import StartupError
from monoceros.supervisor import VARIABLE
from monoceros.supervisor.handle import State
from monoceros.supervisor.luggage import Journey, Luggage, Passenger, entered, execute
from monoceros.supervisor.rules import Rules
from monoceros.supervisor.sockets import Packed

READY = Passenger(serial=7, slot=2, generation=3, state="READY", limit=None, covers=[4], pid=4711, line=9, record=5)

# A program that executes itself again once, and says what came along.
PROGRAM = """
import os, signal, socket, sys
from monoceros.supervisor.luggage import Journey, Luggage, execute
from monoceros.supervisor.sockets import Packed
from monoceros.supervisor.start import unpack
luggage = unpack(os.environ)
if luggage is None:
    listener = socket.create_server(("127.0.0.1", 0))
    os.environ["OURS"] = "1"
    os.chdir("/")
    sent = Luggage(Journey.IN_PLACE, os.getpid(), [Packed(listener.fileno(), 0, None)], generation=4)
    execute(sent, sys.argv[1], {**os.environ, "THEIRS": "2"}, lambda: [signal.SIGHUP])
print(luggage.sender == os.getpid(), luggage.generation, os.getcwd(), os.environ["OURS"], os.environ["THEIRS"])
with socket.socket(fileno=luggage.sockets[0].descriptor) as listener:
    print(listener.getsockname()[0], os.get_inheritable(listener.fileno()))
print(signal.SIGHUP in signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.SIGHUP in signal.sigpending())
print(unpack(os.environ))
"""


def test_what_is_written_is_read() -> None:
    sockets = [Packed(3, 0, None), Packed(4, 2, (5, 6))]
    luggage = Luggage(Journey.BESIDE, 99, sockets, [READY], [8], 3, 7, 10, 98, True)
    assert Luggage.decode(luggage.encode()) == luggage
    assert luggage.descriptors == [3, 4, 9, 8, 10]


def test_what_another_version_has_written_is_refused() -> None:
    encoded = Luggage(Journey.IN_PLACE, 99).encode().replace(b'"format": 1', b'"format": 0')
    with pytest.raises(StartupError, match="of another version"):
        Luggage.decode(encoded)


def test_the_same_process_goes_on_with_its_sockets(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [f"True 4 {tmp_path} 1 2", "127.0.0.1 False", "True True", "None"]


def test_a_program_that_can_not_be_executed_again_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    here = os.getcwd()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        luggage = Luggage(Journey.IN_PLACE, os.getpid(), [Packed(listener.fileno(), 0, None)])
        with pytest.raises(FileNotFoundError):
            execute(luggage, "/", {}, tuple)
        assert not listener.get_inheritable()
    assert os.getcwd() == here
    assert VARIABLE not in os.environ


def test_a_directory_that_was_removed_is_gone_back_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that was deployed away."""
    release = tmp_path / "release"
    release.mkdir()
    monkeypatch.chdir(release)
    release.rmdir()
    with entered(str(tmp_path)):
        assert os.getcwd() == str(tmp_path)
    with pytest.raises(FileNotFoundError):
        os.getcwd()


@pytest.mark.parametrize(
    ("state", "deadline"),
    [("STARTING", 100 + 10), ("READY", 100 + 20), ("DRAINING", 100 + 20), ("KILLED", 100 + 1)],
)
def test_an_adopted_worker_has_its_state_and_a_new_deadline(state: str, deadline: float) -> None:
    rules = Rules(start_timeout=10, beat_timeout=20, graceful_timeout=30)
    passenger = Passenger(7, 2, 3, state, "too old", [], 4711, 9, 5)
    handle = passenger.handle(rules, 100)
    assert (handle.serial, handle.slot, handle.generation, handle.limit) == (7, 2, 3, "too old")
    assert handle.state is State[state]
    assert handle.deadline == deadline


def test_an_adopted_worker_still_covers_what_it_covered() -> None:
    assert READY.handle(Rules(), 100).covers == {4}
