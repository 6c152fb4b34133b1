"""The collector is settled after start-up, and only as far as nobody has chosen otherwise."""

import gc
from collections.abc import Iterator

import pytest

from monoceros.server.collector import YOUNG_GENERATION, settle


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_what_start_up_made_is_frozen_and_the_young_generation_grows() -> None:
    gc.set_threshold(700, 10, 10)
    settle()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == (YOUNG_GENERATION, 10, 10)


@pytest.mark.parametrize("chosen", [0, YOUNG_GENERATION * 2])
def test_a_threshold_of_the_users_stays(chosen: int) -> None:
    gc.set_threshold(chosen, 10, 10)
    settle()
    assert gc.get_threshold()[0] == chosen
