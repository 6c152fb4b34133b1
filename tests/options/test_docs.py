"""What is generated from the table: up to date, and complete."""

import re

import pytest

from monoceros.options.docs import SETTINGS, render_settings
from monoceros.options.option import Option, Section
from monoceros.options.table import OPTIONS

STALE = "run `make docs`"


def entry(option: Option) -> str:
    """The part of the documentation that is about the option."""
    return render_settings().partition(f"\n### `{option.name}`\n")[2].partition("\n### ")[0]


def test_the_settings_page_is_what_the_table_says() -> None:
    assert SETTINGS.read_text(encoding="utf-8") == render_settings(), STALE


def test_each_option_has_one_entry_and_each_section_one_heading() -> None:
    headings = re.findall(r"^### `(\w+)`$", render_settings(), re.MULTILINE)
    assert sorted(headings) == sorted(option.name for option in OPTIONS)
    sections = re.findall(r"^## (.+)$", render_settings(), re.MULTILINE)
    assert sections == [section.value for section in Section]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_an_entry_says_how_the_option_is_set_and_what_differs(option: Option) -> None:
    text = entry(option)
    for expected in (option.help, *option.usages, *option.variables, option.fallback, option.difference):
        assert expected in text


def test_an_entry_shows_the_default_and_what_is_accepted() -> None:
    text = entry(next(option for option in OPTIONS if option.name == "port"))
    assert "- Default: `8000`\n" in text
    assert "- Accepted: an integer from 0 to 65535\n" in text


def test_the_password_has_no_default_to_show() -> None:
    assert "- Default: unset" in entry(next(option for option in OPTIONS if option.secret))
