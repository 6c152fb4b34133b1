"""The page says what was measured, and is the one that the last full run makes."""

from benchmarks.chart import drawn
from benchmarks.contenders import INCUMBENT, OURS
from benchmarks.report import CHART, MARKER, PAGE, RESULTS, rendered, replaced, told
from benchmarks.results import CaseResult, Run, decoded

STALE = "run `python -m benchmarks.report`"


def run_of(*servers: str, rounds: tuple[float, ...] = (20.0, 21.0)) -> Run:
    run = Run({"Cores": "2"}, len(rounds), 2.0, dict.fromkeys(servers, "1.0"))
    result = CaseResult("get", "GET")
    for server in servers:
        for value in rounds:
            result.add(server, cpu_us=value, rate=1e6 / value, p50_us=900, p99_us=2000, busy=0.9, peak_mib=0)
    run.cases.append(result)
    return run


def test_the_page_is_made_from_the_last_full_run() -> None:
    run = decoded(RESULTS.read_text())
    page = PAGE.read_text()
    assert replaced(page, rendered(run)) == page, STALE
    assert CHART.read_text() == drawn(run), STALE


def test_a_run_of_ours_alone_has_no_ratio() -> None:
    """Neither on the page nor on the terminal."""
    run = run_of(OURS)
    assert "1.00" not in rendered(run)
    assert "the best peer:" not in told(run, run.cases[0])


def test_a_floor_is_no_peer() -> None:
    run = run_of(OURS, "floor (bytes)")
    run.floors = ["floor (bytes)"]
    assert "the best peer:" not in told(run, run.cases[0])


def test_ratios_stand_with_their_range() -> None:
    run = run_of(OURS, INCUMBENT)
    assert "1.00 (1.00 to 1.00)" in rendered(run)
    assert f"of the incumbent: 1.00 (1.00 to 1.00), {INCUMBENT}" in told(run, run.cases[0])


def test_a_noisy_machine_is_told_of() -> None:
    run = run_of(OURS, INCUMBENT, rounds=(20.0, 40.0))
    assert "The machine was noisy" in rendered(run)
    assert f"30.0 {MARKER}" in rendered(run)
    assert "NOISY" in told(run, run.cases[0])


def test_what_is_left_out_is_named_with_its_reason() -> None:
    run = run_of(OURS)
    run.missing["granian"] = "granian not installed"
    run.cases[0].drop("hypercorn", "a request failed: b'HTTP/1.1 500 '")
    text = rendered(run)
    assert "- granian: granian not installed" in text
    assert "- GET, hypercorn: `a request failed: b'HTTP/1.1 500 '`" in text
    assert "hypercorn: left out: a request failed" in told(run, run.cases[0])


def test_what_a_peer_says_cannot_change_the_page() -> None:
    """A reason is what a program wrote last; in the page it is one line of literal text."""
    run = run_of(OURS)
    run.missing["peer"] = "`code`\n# heading | <b>"
    assert "- peer: `'code' # heading | <b>`" in rendered(run)


def test_only_the_part_between_the_markers_is_made_anew() -> None:
    page = PAGE.read_text()
    changed = replaced(page, "new")
    assert changed.split("<!--")[0] == page.split("<!--")[0]
    assert changed.rpartition("-->")[2] == page.rpartition("-->")[2]
    assert "\nnew\n" in changed
