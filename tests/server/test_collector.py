"""The collector rests during the start, is settled after it, and only as far as nobody has chosen otherwise."""

import gc
from collections.abc import Iterator

import pytest

from monoceros.server.collector import ATTEMPTS, PAUSE, START_GENERATION, YOUNG_GENERATION, ease, settle, settle_soon
from tests.doubles.loop import ManualLoop


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    threshold = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


@pytest.fixture
def loop() -> Iterator[ManualLoop]:
    loop = ManualLoop()
    yield loop
    loop.settle()


def test_what_start_up_made_is_frozen_and_the_young_generation_grows() -> None:
    settle()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == (YOUNG_GENERATION, 10, 10)


def test_while_a_server_starts_little_is_collected_and_then_it_settles() -> None:
    ease()
    assert gc.get_threshold() == (START_GENERATION, 10, 10)
    settle()
    assert gc.get_threshold() == (YOUNG_GENERATION, 10, 10)


@pytest.mark.parametrize("chosen", [0, START_GENERATION * 2])
def test_a_threshold_of_the_users_stays(chosen: int) -> None:
    gc.set_threshold(chosen, 10, 10)
    ease()
    settle()
    assert gc.get_threshold()[0] == chosen


def test_it_settles_after_the_first_moment_of_service(loop: ManualLoop) -> None:
    settle_soon(loop, lambda: False)
    loop.advance(PAUSE / 2)
    assert gc.get_threshold()[0] == 700
    loop.advance(PAUSE / 2)
    assert gc.get_threshold()[0] == YOUNG_GENERATION
    assert loop.timers == 0


def test_it_waits_for_a_moment_without_requests_but_not_for_ever(loop: ManualLoop) -> None:
    settle_soon(loop, lambda: True)
    loop.advance(PAUSE * ATTEMPTS)
    assert gc.get_threshold()[0] == 700
    loop.advance(PAUSE)
    assert gc.get_threshold()[0] == YOUNG_GENERATION
    assert loop.timers == 0
