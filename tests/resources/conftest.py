"""What the tests of resources share: a process without root's rights."""

import os
from collections.abc import Iterator

import pytest

NOBODY = 65534


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Run a test without root's rights, where it has them."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
