"""Lines that go straight to a stream: what a look decides. The logs that are made of it have their own tests."""

import logging
from collections.abc import Hashable

import pytest

from monoceros.logs.direct import DirectLog, Surroundings
from tests.logs.conftest import Turns, drain, new_logger, text_stream


class Plain(DirectLog):
    """Whatever a formatter says it looks like."""

    def write(self, line: str) -> bool:
        """Write a line if lines are fast; whether they are."""
        if self._writer is None:
            return False
        self._lines.append(line)
        self.flush()
        return True

    def _look_of(self, formatter: logging.Formatter) -> Hashable | None:
        return formatter._fmt


def logger_with(descriptor: int, formatter: logging.Formatter | None) -> logging.Logger:
    logger = new_logger()
    handler = logging.StreamHandler(text_stream(descriptor))
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    return logger


def test_a_look_that_is_known_makes_lines_fast(pipe: tuple[int, int], turns: Turns) -> None:
    log = Plain(Surroundings(turns.append, logger_with(pipe[1], logging.Formatter("%(message)s")), new_logger()))
    assert log.write("line\n")
    assert drain(pipe[0]) == b"line\n"


def test_without_a_formatter_no_look_is_known(pipe: tuple[int, int], turns: Turns) -> None:
    assert not Plain(Surroundings(turns.append, logger_with(pipe[1], None), new_logger())).write("line\n")


def test_each_log_says_itself_which_looks_it_knows(pipe: tuple[int, int], turns: Turns) -> None:
    with pytest.raises(NotImplementedError):
        DirectLog(Surroundings(turns.append, logger_with(pipe[1], logging.Formatter()), new_logger()))
