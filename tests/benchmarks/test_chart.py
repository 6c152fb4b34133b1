"""The chart: where its marks stand, and that it can be read in light and dark."""

import re
from xml.etree import ElementTree

import pytest

from benchmarks.chart import DARK, LIGHT, SHAPES, drawn, position
from benchmarks.contenders import CONTENDERS, INCUMBENT, OURS
from benchmarks.results import CaseResult, Run

SVG = "{http://www.w3.org/2000/svg}"


def run_of(title: str, **figures: float) -> Run:
    result = CaseResult("get", title)
    for server, value in figures.items():
        result.add(server, cpu_us=value)
    return Run({}, 1, 1.0, dict.fromkeys(figures, "1.0"), cases=[result])


def test_half_and_twice_as_much_are_equally_far_from_one() -> None:
    assert position(1) - position(0.5) == pytest.approx(position(2) - position(1))


def test_what_is_beyond_the_scale_stands_at_its_end() -> None:
    assert position(100) == position(8)
    assert position(0.01) == position(1 / 8)


def test_each_figure_is_a_mark_with_its_ratio() -> None:
    root = ElementTree.fromstring(drawn(run_of("GET", **{OURS: 20.0, INCUMBENT: 40.0})))
    marks = {title.text: path for path in root.iter(f"{SVG}path") if (title := path.find(f"{SVG}title")) is not None}
    where = re.search(r"translate\(([\d.]+),", marks[f"{OURS}: 0.50"].attrib["transform"])
    assert where is not None
    assert float(where[1]) == pytest.approx(position(0.5), abs=0.1)


def test_a_case_without_the_incumbent_is_not_drawn() -> None:
    """There is nothing to be relative to."""
    chart = drawn(run_of("GET", **{OURS: 20.0}))
    assert not [text for text in ElementTree.fromstring(chart).iter(f"{SVG}text") if text.text == "GET"]


def test_text_from_outside_is_escaped() -> None:
    assert "<b>" not in drawn(run_of("<b>", **{OURS: 20.0, INCUMBENT: 40.0}))


def test_it_has_colours_for_light_and_for_dark() -> None:
    style = ElementTree.fromstring(drawn(run_of("GET", **{OURS: 1.0}))).find(f"{SVG}style")
    assert style is not None
    assert style.text is not None
    light, _, dark = style.text.partition("@media (prefers-color-scheme: dark)")
    assert LIGHT[0] in light
    assert DARK[0] in dark


def test_no_two_servers_share_a_shape_or_a_colour() -> None:
    servers = [contender for contender in CONTENDERS if not contender.floor]
    assert len(servers) <= len(set(SHAPES)) == len(set(LIGHT)) == len(set(DARK))
