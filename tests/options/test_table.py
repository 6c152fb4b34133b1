"""The option table as a whole: nothing twice, nothing missing."""

import pytest

from monoceros.options.option import Option, Origin, Place, Section, Source
from monoceros.options.table import KEYWORDS, NAMES, OPTIONS, POSITIONAL

BY_NAME = pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)


def test_every_name_and_every_flag_belongs_to_one_option() -> None:
    names = [name for option in OPTIONS for name in option.names]
    flags = [flag for option in OPTIONS for flag in option.spellings]
    assert len(names) == len(set(names)) == len(NAMES)
    assert len(flags) == len(set(flags))


@BY_NAME
def test_an_option_is_explained_in_full_sentences(option: Option) -> None:
    assert option.help.endswith(".")
    assert option.help[0].isupper() or option.help.startswith("`")
    assert not option.difference or option.difference.endswith(".")


@BY_NAME
def test_a_default_is_a_value_that_the_option_accepts(option: Option) -> None:
    """Or None, which only says that nobody gave a value."""
    value = option.otherwise if option.default is None else option.default
    if value is not None:
        assert option.read(value, Source(Origin.DEFAULT, option.name)) == value


@BY_NAME
def test_an_option_that_sets_another_names_one(option: Option) -> None:
    assert not option.implies or option.implies in KEYWORDS


def test_options_by_position_are_keywords_too() -> None:
    assert [option.name for option in POSITIONAL] == list(KEYWORDS)[: len(POSITIONAL)]


def test_what_only_python_can_give_has_no_place_elsewhere() -> None:
    """A callable can't be written in text; and what is done with doubtful fields is a word of Gunicorn's."""
    assert {option.name for option in OPTIONS if option.places is Place.KEYWORD} == {
        "callback_notify",
        "forwarder_headers",
        "header_map",
        "secure_scheme_headers",
        "ssl_context_factory",
        "timeout_notify",
    }


def test_no_section_is_empty() -> None:
    assert {option.section for option in OPTIONS} == set(Section)
