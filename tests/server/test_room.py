"""What room on the interpreter's stack saves: the cost of calls at each depth of a new thread's."""

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from monoceros.server.room import roomy
from tests.doubles.depths import CALLS, worst


def in_a_thread(function: Callable[[], int]) -> int:
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(function).result()


@roomy
def with_room() -> int:
    return worst()


def test_without_room_some_depth_pays_for_each_call() -> None:
    assert in_a_thread(worst) >= CALLS


def test_with_room_no_depth_does() -> None:
    assert in_a_thread(with_room) < CALLS / 2


def test_a_roomy_function_is_what_it_was() -> None:
    def divide(dividend: int, divisor: int = 2) -> int:
        """Halve, if nothing else is said."""
        return dividend // divisor

    changed = roomy(divide)
    assert changed is divide
    assert (changed(8), changed(9, divisor=3)) == (4, 3)
    assert changed.__doc__ == "Halve, if nothing else is said."
    with pytest.raises(ZeroDivisionError) as caught:
        changed(1, 0)
    assert traceback.extract_tb(caught.tb)[-1].line == "return dividend // divisor"
