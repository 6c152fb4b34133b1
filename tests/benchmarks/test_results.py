"""Medians, spreads and ratios; and no ratio against nothing."""

import pytest

from benchmarks.results import CaseResult, Run, decoded, spread


def case(**servers: list[float]) -> CaseResult:
    result = CaseResult("get", "GET")
    for server, values in servers.items():
        for value in values:
            result.add(server, cpu_us=value)
    return result


def test_a_ratio_is_of_the_medians_and_its_range_of_the_rounds() -> None:
    """A round's two figures were measured one after the other; those of different rounds were not."""
    ratio = case(ours=[10, 30, 20], peer=[40, 40, 50]).ratio("ours", "peer")
    assert ratio is not None
    assert (ratio.value, ratio.low, ratio.high) == (0.5, 0.25, 0.75)


@pytest.mark.parametrize(("ours", "peer"), [("ours", "absent"), ("absent", "ours"), ("absent", "absent")])
def test_there_is_no_ratio_without_both_figures(ours: str, peer: str) -> None:
    assert case(ours=[10]).ratio(ours, peer) is None


def test_there_is_no_ratio_to_a_figure_of_zero() -> None:
    assert case(ours=[10], peer=[0.0]).ratio("ours", "peer") is None


def test_the_best_server_has_the_least_median_and_need_not_exist() -> None:
    result = case(slow=[30, 30, 30], fast=[20, 90, 20])
    assert result.best(["slow", "fast", "absent"]) == "fast"
    assert result.best(["absent"]) is None


def test_what_is_dropped_has_no_figures_but_a_reason() -> None:
    result = case(ours=[10], peer=[20])
    result.drop("peer", "an answer was wrong")
    assert result.median("peer") is None
    assert result.missing == {"peer": "an answer was wrong"}


@pytest.mark.parametrize(("values", "noisy"), [([100, 112, 90], []), ([100, 130, 90], ["ours"]), ([100], [])])
def test_rounds_that_differ_by_more_than_a_quarter_are_noisy(values: list[float], noisy: list[str]) -> None:
    assert case(ours=values).noisy() == noisy


def test_a_spread_is_relative_to_the_median() -> None:
    assert spread([80, 100, 120]) == pytest.approx(0.4)
    assert spread([100]) == 0


def test_a_run_survives_being_written() -> None:
    run = Run({"Cores": "2"}, 5, 2.0, {"ours": "1"}, ["floor"], {"peer": "not installed"}, [case(ours=[10, 12])])
    assert decoded(run.encoded()) == run
