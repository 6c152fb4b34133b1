"""A run as text: tables for docs/performance.md, and a few lines for the terminal. Measures nothing.

`python -m benchmarks.report` makes the tables and the chart of docs/ anew from benchmarks/results/full.json.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.chart import drawn
from benchmarks.contenders import INCUMBENT, OURS
from benchmarks.results import NOISY, CaseResult, Ratio, Run, decoded

RESULTS = Path(__file__).with_name("results") / "full.json"
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
CHART = PAGE.with_suffix(".svg")
UNITS = {
    "cpu_us": "CPU time for each answer or message, µs",
    "bytes": "Memory for each connection, bytes",
    "ms": "Time, ms",
    "cpu_ms": "CPU time of a start, ms",
    "mib": "Memory, MiB",
}
MARKER = "≈"
"""Stands at a noisy figure."""
BEGIN = "<!-- made by `python -m benchmarks.report` from benchmarks/results/full.json -->"
END = "<!-- made until here -->"


def rendered(run: Run) -> str:
    """Return the generated part of docs/performance.md.

    Arguments:
        run: what was measured.
    """
    parts = [_machine(run)]
    for figure, unit in UNITS.items():
        cases = [case for case in run.cases if case.figure == figure]
        if cases:
            parts += [f"### {unit}", _table(run, cases)]
    parts += ["### Rates and latencies", _details(run), "### Left out", _left_out(run)]
    return "\n\n".join(parts) + "\n"


def replaced(document: str, part: str) -> str:
    """Return a document with its generated part made anew.

    Arguments:
        document: with the markers, each on a line of its own.
        part: what stands between them.
    """
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{part}\n{END}{after}"


def told(run: Run, case: CaseResult) -> str:
    """Return the lines that tell of one case on a terminal.

    Arguments:
        run: which it is part of.
        case: the case.
    """
    lines = [f"\n{case.title} ({UNITS[case.figure]})"]
    for server in case.figures:
        lines.append(f"  {server:18} {_cell(case, server):>10}{_rates(case, server)}")
        lines[-1] += "  NOISY: its rounds differ by more than 25 %" if server in case.noisy() else ""
    for label, peer in (("of the incumbent", INCUMBENT), ("of the best peer", case.best(peers(run)))):
        if peer is not None and (ratio := case.ratio(OURS, peer)) is not None:
            lines.append(f"  {OURS} {label}: {_ratio(ratio)}" + f", {peer}")
    lines += [f"  {server}: left out: {reason}" for server, reason in case.missing.items()]
    return "\n".join(lines)


def peers(run: Run) -> list[str]:
    """Return the servers that are neither ours nor a floor.

    Arguments:
        run: what was measured.
    """
    return [server for server in run.servers if server not in (OURS, *run.floors)]


def _machine(run: Run) -> str:
    rows = [*run.machine.items(), *((f"*{server}*", version) for server, version in run.servers.items())]
    noise = (
        f"**The machine was noisy**: figures with {MARKER} differ by more than {NOISY:.0%} between rounds."
        if run.noisy()
        else f"No figure differs by more than {NOISY:.0%} between rounds."
    )
    length = f"{run.rounds} rounds of {run.seconds:g} s, each server in turn. {noise}"
    return "\n".join([length, "", "| | |", "|---|---|", *(f"| {label} | {value} |" for label, value in rows)])


def _table(run: Run, cases: Sequence[CaseResult]) -> str:
    servers = [server for server in run.servers if any(case.values(server) for case in cases)]
    incumbent = INCUMBENT in servers
    head = ["", *servers, *([f"of {INCUMBENT}"] if incumbent else []), "of the best peer"]
    lines = [_row(head), _row(["---", *["---:"] * (len(head) - 1)])]
    for case in cases:
        cells = [_cell(case, server) for server in servers]
        cells = [f"**{cell}**" if server == OURS else cell for server, cell in zip(servers, cells, strict=True)]
        if incumbent:
            cells.append(_ratio(case.ratio(OURS, INCUMBENT)))
        best = case.best(peers(run))
        cells.append(f"{_ratio(case.ratio(OURS, best))} {best}" if best is not None else "-")
        lines.append(_row([case.title, *cells]))
    return "\n".join(lines)


def _details(run: Run) -> str:
    lines = [_row(["", "server", "answers/s", "p50, ms", "p99, ms", "server busy", "memory rose, MiB"])]
    lines.append(_row(["---", "---", *["---:"] * 5]))
    for case in run.cases:
        if case.figure != "cpu_us":
            continue
        for server in case.figures:
            measured = {name: case.median(server, name) or 0.0 for name in case.figures[server]}
            cells = [f"{measured['rate']:,.0f}" if measured["rate"] >= 100 else f"{measured['rate']:.1f}"]
            cells += [f"{measured['p50_us'] / 1e3:.2f}", f"{measured['p99_us'] / 1e3:.2f}"]
            cells += [f"{min(measured['busy'], 1):.0%}", f"{measured['peak_mib']:.1f}"]
            lines.append(_row([case.title, server, *cells]))
    return "\n".join(lines)


def _left_out(run: Run) -> str:
    reasons = [f"- {name}: {_inline(reason)}" for name, reason in run.missing.items()]
    for case in run.cases:
        reasons += [f"- {case.title}, {server}: {_inline(reason)}" for server, reason in case.missing.items()]
    return "\n".join(reasons) or "Nothing."


def _inline(text: str) -> str:
    """Return text as one line that Markdown takes literally."""
    words = " ".join(text.split())
    return words if words.replace("'", "").replace(" ", "").isalnum() else "`" + words.replace("`", "'")[-200:] + "`"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(case: CaseResult, server: str) -> str:
    median = case.median(server)
    if median is None:
        return "-"
    digits = 1 if median < 1000 and case.figure != "bytes" else 0
    return f"{median:,.{digits}f}" + (f" {MARKER}" if server in case.noisy() else "")


def _ratio(ratio: Ratio | None) -> str:
    return "-" if ratio is None else f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def _rates(case: CaseResult, server: str) -> str:
    rate, p50, p99 = (case.median(server, name) for name in ("rate", "p50_us", "p99_us"))
    if rate is None or p50 is None or p99 is None:
        return ""
    return f"  {rate:9,.1f}/s  p50 {p50 / 1e3:8.2f} ms  p99 {p99 / 1e3:8.2f} ms"


def main() -> None:
    """Write the page and the chart."""
    run = decoded(RESULTS.read_text())
    PAGE.write_text(replaced(PAGE.read_text(), rendered(run)))
    CHART.write_text(drawn(run))


if __name__ == "__main__":
    main()
