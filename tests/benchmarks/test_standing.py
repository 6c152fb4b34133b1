"""What is measured without load, against a real server."""

from dataclasses import replace

import pytest

from benchmarks.contenders import CONTENDERS, OURS, Setting
from benchmarks.processes import BenchmarkError
from benchmarks.standing import FRAMEWORK, start_time

ONE = next(contender for contender in CONTENDERS if contender.name == OURS)


def test_a_start_is_timed_until_the_application_has_answered() -> None:
    measures = start_time(ONE, Setting(app=FRAMEWORK))
    assert measures["cpu_ms"] > 0
    assert 0 < measures["ms"] < 60_000


def test_a_server_that_does_not_start_is_no_figure() -> None:
    with pytest.raises(BenchmarkError, match=r"benchmarks\.absent"):
        start_time(replace(ONE, name="absent"), Setting(app="benchmarks.absent:app"))
