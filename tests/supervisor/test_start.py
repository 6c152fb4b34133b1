"""How a program finds out how it was started."""

import os
import signal
from pathlib import Path

import pytest

from monoceros.service.anonymous import anonymous_file
from monoceros.supervisor import VARIABLE
from monoceros.supervisor.luggage import Journey, Luggage
from monoceros.supervisor.signals import MASTERS_SIGNALS
from monoceros.supervisor.start import Start, starting_directory, unpack


def test_a_program_that_simply_starts_has_no_luggage() -> None:
    assert unpack({}) is None
    assert Start.of({"A": "1"}) == Start(starting_directory(), {"A": "1"})


def test_luggage_is_taken_once_and_is_not_passed_on() -> None:
    descriptor, kept = anonymous_file(), anonymous_file()
    os.set_inheritable(kept, True)
    os.write(descriptor, Luggage(Journey.IN_PLACE, 99, line=kept).encode())
    environ = {VARIABLE: str(descriptor), "OTHER": "1"}
    start = Start.of(environ)
    assert environ == start.environ == {"OTHER": "1"}
    assert start.luggage == Luggage(Journey.IN_PLACE, 99, line=kept)
    assert not os.get_inheritable(kept)
    os.close(kept)


def test_a_trial_can_be_ended_by_signals_and_others_take_them_later() -> None:
    former = signal.pthread_sigmask(signal.SIG_BLOCK, MASTERS_SIGNALS)
    try:
        for journey in (Journey.BESIDE, Journey.TRIAL):
            descriptor, kept = anonymous_file(), anonymous_file()
            os.write(descriptor, Luggage(journey, 99, line=kept).encode())
            start = Start.of({VARIABLE: str(descriptor)})
            os.close(kept)
            blocked = signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, [])
            assert blocked is (journey is Journey.BESIDE)
            assert (start.trial is not None) is (journey is Journey.TRIAL)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


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
