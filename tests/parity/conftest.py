"""The same stage over every implementation: `stage` over the field parsers, `session_stage` over the frame engines."""

from collections.abc import Iterator

import pytest

from tests.doubles.stage import ENGINES, PARSERS, Stage, staged


@pytest.fixture(params=PARSERS)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    yield from staged(request.param)


@pytest.fixture(params=ENGINES)
def session_stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    yield from staged("httptools", request.param)
