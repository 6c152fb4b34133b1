"""The types of the options: generated from the table, and true of what a Config holds."""

import typing

from monoceros.options.docs import KEYWORDS_FILE, render_keywords
from monoceros.options.keywords import Attributes, Keywords
from monoceros.options.table import KEYWORDS


def test_the_types_are_what_the_table_says() -> None:
    assert KEYWORDS_FILE.read_text(encoding="utf-8") == render_keywords(), "run `make docs`"


def test_every_option_of_a_config_has_a_type_as_keyword_and_as_attribute() -> None:
    assert list(Keywords.__annotations__) == list(KEYWORDS)
    assert list(Attributes.__annotations__) == list(KEYWORDS)


def test_no_keyword_has_to_be_given() -> None:
    assert Keywords.__required_keys__ == frozenset()


def test_every_type_can_be_resolved() -> None:
    assert typing.get_type_hints(Keywords)["port"] is int
    assert typing.get_type_hints(Attributes)["workers"] is int
