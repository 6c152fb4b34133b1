"""A fixture for tests that configure logging: the loggers are afterwards as they were."""

import logging
from collections.abc import Iterator

import pytest

NAMES = ("monoceros", "monoceros.error", "monoceros.access", "monoceros.asgi")


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """A Config configures the process's logging, and the streams it writes to are gone with the test."""
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    yield
    for logger, (level, propagate, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.propagate = propagate
        logger.handlers = handlers
