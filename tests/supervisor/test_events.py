"""The vocabulary of the policy is plain data."""

import dataclasses
import typing

import pytest

from monoceros.supervisor import events
from monoceros.supervisor.events import Action, Drain, Event, Spawn, Stop, StopAsked, WorkerBeat

WORDS = [
    each for each in vars(events).values() if dataclasses.is_dataclass(each) and each.__module__ == events.__name__
]


def test_events_and_actions_are_equal_by_value_and_kind() -> None:
    assert Spawn(1, 2) == Spawn(serial=1, slot=2)
    assert Drain(1) == Drain(1, hurry=False) != Drain(1, hurry=True)
    actions: list[Action] = [Drain(1), Stop(1)]
    assert actions[0] != actions[1]
    assert len({WorkerBeat(1, 2.0), WorkerBeat(1, 2.0)}) == 1


def test_a_stop_is_without_hurry_unless_it_is_said() -> None:
    assert StopAsked() == StopAsked(hurry=False) != StopAsked(hurry=True)


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.__name__)
def test_a_word_is_either_an_event_or_an_action(word: type) -> None:
    assert (word in typing.get_args(Event)) is not (word in typing.get_args(Action))


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.__name__)
def test_a_word_never_changes_after_it_was_said(word: type) -> None:
    said = word(*(1 for _ in dataclasses.fields(word)))
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
        said.anything = 1


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.__name__)
def test_a_word_says_what_it_means(word: type) -> None:
    assert word.__doc__
    assert not word.__doc__.startswith(f"{word.__name__}(")  # what dataclass writes if nobody does
