"""The table on the page: up to date, and complete."""

import pytest

from monoceros.workers.docs import BEGIN, END, PAGE, render_page, render_table
from monoceros.workers.settings import SETTINGS, Fate, Setting


def test_the_page_is_what_the_table_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == render_page(page), "run `make docs`"


@pytest.mark.parametrize("line", SETTINGS, ids=lambda line: f"{line.name}-{line.option}")
def test_each_setting_stands_in_the_part_of_its_fate(line: Setting) -> None:
    part = render_table().partition(f"### {line.fate.value}\n")[2].partition("\n### ")[0]
    rows = [row for row in part.splitlines() if f"`{line.name}`" in row and line.remark in row]
    assert rows
    if line.fate is Fate.OPTION:
        assert any(f"`{line.option}`" in row for row in rows)


def test_what_stands_outside_of_the_marks_is_kept() -> None:
    assert render_page(f"before\n{BEGIN}old\n{END}after\n") == f"before\n{BEGIN}{render_table()}{END}after\n"


def test_a_page_without_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="gunicorn.md doesn't have the lines that mark the table"):
        render_page("nothing\n")
