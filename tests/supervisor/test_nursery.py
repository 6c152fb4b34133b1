"""Which options a child is started with. How children live is tested with real ones in tests/process."""

import selectors

import pytest

from monoceros.config import Config
from monoceros.supervisor.crew import Crew
from monoceros.supervisor.nursery import Nursery
from monoceros.supervisor.sockets import Listeners
from monoceros.supervisor.start import Start
from tests.doubles.kernel import FakeKernel, Story


def no_story(_: FakeKernel) -> Story:
    yield


def config() -> Config:
    return Config("shop:app", log_config=None)


@pytest.fixture
def nursery() -> Nursery:
    kernel = FakeKernel(no_story)
    crew = Crew(kernel, selectors.PollSelector(), lambda: None)
    return Nursery(FIRST, 4, kernel, crew, Listeners(own=False, backlog=1), Start("/"))


FIRST, SECOND, THIRD = config(), config(), config()


def test_each_generation_has_its_options_as_long_as_it_is_wanted(nursery: Nursery) -> None:
    nursery.prepare(5, SECOND, oldest=2)
    assert [nursery.config_of(generation) for generation in (2, 4, 5)] == [FIRST, FIRST, SECOND]
    nursery.prepare(7, THIRD, oldest=5)
    assert [nursery.config_of(generation) for generation in (5, 6, 7)] == [SECOND, SECOND, THIRD]
    with pytest.raises(ValueError, match="empty"):
        nursery.config_of(4)


def test_the_variables_of_all_files_are_known_also_of_options_that_are_gone(nursery: Nursery) -> None:
    SECOND.from_env_file = {"SHOP_A": "1"}
    nursery.prepare(5, SECOND, oldest=4)
    nursery.prepare(6, THIRD, oldest=6)
    assert nursery.variables == {"SHOP_A"}
