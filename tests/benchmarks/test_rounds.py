"""A round against a real server: every kind of load gets the right answers, and a wrong one is found."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.cases import GROUPS, Case, chosen
from benchmarks.contenders import CONTENDERS, OURS, Contender, Setting
from benchmarks.machine import CORES
from benchmarks.processes import BenchmarkError, Server, free_port, started, wait_until_listening
from benchmarks.rounds import in_turns, rotated, run_load

PLAIN = [case for case in GROUPS[0].cases if case.kind not in ("upload", "download")]


def ours() -> Contender:
    return next(contender for contender in CONTENDERS if contender.name == OURS)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    port = free_port()
    with started(OURS, ours().command(Setting(), port), port, CORES) as server:
        wait_until_listening(server)
        yield server


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case.name)
def test_every_kind_of_load_is_answered_and_its_cost_known(case: Case, server: Server) -> None:
    measures = run_load(replace(case, connections=2), server, 0.05)
    assert 0 < measures["cpu_us"] < 1e6
    assert 0 < measures["p50_us"] <= measures["p99_us"]


def test_a_server_that_answers_wrongly_is_named_and_has_no_figures(server: Server) -> None:
    """It doesn't end the run of the others."""
    result = in_turns(Case("framework", "FastAPI route", "framework", 1), [server], 2, 0.05)
    assert result.figures == {}
    assert "500" in result.missing[OURS]


def test_a_server_that_does_not_start_says_why() -> None:
    port = free_port()
    command = ours().command(Setting(app="benchmarks.absent:app"), port)
    with started(OURS, command, port, CORES) as server, pytest.raises(BenchmarkError, match=r"benchmarks\.absent"):
        wait_until_listening(server)


def test_processes_of_a_server_are_found_with_their_memory(server: Server) -> None:
    assert server.process.pid in server.members()
    assert server.pss() > 1 << 20
    assert server.peak() >= server.peak_begins() > 1 << 20


def test_another_server_begins_each_round(server: Server) -> None:
    servers = [replace(server, name=name) for name in "abc"]
    orders = ["".join(one.name for one in rotated(servers, number)) for number in range(4)]
    assert orders == ["abc", "bca", "cab", "abc"]


def test_the_quick_run_has_fewer_cases() -> None:
    full = sum(len(group.cases) for group in GROUPS)
    quick = sum(len(group.cases) for group in chosen(GROUPS, quick=True, names=()))
    assert 0 < quick < full / 2


def test_one_case_can_be_chosen() -> None:
    groups = chosen(GROUPS, quick=False, names=["tls"])
    assert [case.name for group in groups for case in group.cases] == ["tls"]
