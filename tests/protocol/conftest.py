"""One stage for a test; what parsers and engines must do alike stands in tests/parity."""

from collections.abc import Iterator

import pytest

from tests.doubles.stage import Stage, staged


@pytest.fixture
def stage() -> Iterator[Stage]:
    yield from staged()
