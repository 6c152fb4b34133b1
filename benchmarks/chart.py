"""A run as a chart: each case a row, each server a mark at its figure relative to the incumbent's. SVG, light and dark.

The scale is logarithmic: half as much and twice as much are equally far from the line. Marks differ in shape, not in
colour alone.
"""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from benchmarks.contenders import INCUMBENT, OURS
from benchmarks.results import CaseResult, Run

LEFT, RIGHT, TOP, ROW = 290, 30, 92, 24
WIDTH = 940
LOWEST, HIGHEST = 1 / 8, 8.0
TICKS = {1 / 8: "⅛", 1 / 4: "¼", 1 / 2: "½", 1.0: "1", 2.0: "2", 4.0: "4", 8.0: "8"}
SHAPES = (
    "M-6,0 A6,6 0 1,0 6,0 A6,6 0 1,0 -6,0 Z",
    "M0,-5.5 L5.5,0 L0,5.5 L-5.5,0 Z",
    "M-4.5,-4.5 H4.5 V4.5 H-4.5 Z",
    "M0,-5.5 L5.5,4.5 H-5.5 Z",
    "M0,5.5 L5.5,-4.5 H-5.5 Z",
    "M-5,-2 H-2 V-5 H2 V-2 H5 V2 H2 V5 H-2 V2 H-5 Z",
    "M-6,-2.5 H6 V2.5 H-6 Z",
    "M-2,-6 H2 V6 H-2 Z",
)
LIGHT = ("#c2410c", "#475569", "#0e7490", "#15803d", "#7e22ce", "#a16207", "#be185d", "#1d4ed8")
DARK = ("#fb923c", "#cbd5e1", "#22d3ee", "#4ade80", "#c084fc", "#facc15", "#f472b6", "#60a5fa")


def drawn(run: Run) -> str:
    """Return the chart of a run. Cases and servers that the incumbent has no figure beside are left out.

    Arguments:
        run: what was measured.
    """
    servers = [server for server in run.servers if server not in run.floors]
    cases = [case for case in run.cases if case.median(INCUMBENT) is not None]
    height = TOP + ROW * len(cases) + 16
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' role="img" font-family="system-ui, sans-serif" font-size="13">',
        f"<title>Cost of each case relative to {escape(INCUMBENT)}; less is better</title>",
        _style(),
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
        *_legend(servers),
        *_grid(height),
    ]
    for number, case in enumerate(cases):
        lines += _row(case, servers, TOP + ROW * number + ROW // 2)
    return "\n".join([*lines, "</svg>"]) + "\n"


def position(ratio: float) -> float:
    """Return where a ratio stands from the left, in pixels; what is beyond an end stands at that end.

    Arguments:
        ratio: above 0.
    """
    clipped = min(max(ratio, LOWEST), HIGHEST)
    share = math.log(clipped / LOWEST) / math.log(HIGHEST / LOWEST)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _style() -> str:
    def rules(paper: str, ink: str, rule: str, colours: Sequence[str]) -> str:
        marks = "".join(f".s{number}{{fill:{colour}}}" for number, colour in enumerate(colours))
        return f".paper{{fill:{paper}}}text{{fill:{ink}}}.rule{{stroke:{rule}}}.one{{stroke:{ink}}}{marks}"

    light = rules("#ffffff", "#1f2937", "#d1d5db", LIGHT)
    dark = rules("#0d1117", "#e5e7eb", "#374151", DARK)
    return f"<style>{light}@media (prefers-color-scheme: dark){{{dark}}}</style>"


def _legend(servers: Sequence[str]) -> list[str]:
    lines = []
    for number, server in enumerate(servers):
        x, y = 20 + number % 4 * 210, 20 + number // 4 * 22
        lines.append(_mark(number, x, y, server))
        weight = ' font-weight="bold"' if server == OURS else ""
        lines.append(f'<text x="{x + 12}" y="{y + 4.5}"{weight}>{escape(server)}</text>')
    return lines


def _grid(height: int) -> list[str]:
    lines = [f'<text x="20" y="{TOP - 12}">{escape(INCUMBENT)} = 1; less is better</text>']
    for ratio, label in TICKS.items():
        x = position(ratio)
        kind = "one" if ratio == 1 else "rule"
        lines.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{height - 10}"/>')
        lines.append(f'<text x="{x:.1f}" y="{TOP - 12}" text-anchor="middle">{label}</text>')
    return lines


def _row(case: CaseResult, servers: Sequence[str], y: int) -> list[str]:
    lines = [f'<text x="{LEFT - 16}" y="{y + 4.5}" text-anchor="end">{escape(case.title)}</text>']
    # Ours last, so that nothing lies over it.
    for number, server in sorted(enumerate(servers), reverse=True):
        ratio = case.ratio(server, INCUMBENT)
        if ratio is not None:
            lines.append(_mark(number, position(ratio.value), y, f"{server}: {ratio.value:.2f}"))
    return lines


def _mark(number: int, x: float, y: float, title: str) -> str:
    shape = SHAPES[number % len(SHAPES)]
    kind = number % len(SHAPES)
    return f'<path class="s{kind}" transform="translate({x:.1f},{y})" d="{shape}"><title>{escape(title)}</title></path>'
