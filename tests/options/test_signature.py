"""The signature that is made from the table."""

import inspect
from inspect import Parameter
from typing import Any

from monoceros.options.option import BuiltIn
from monoceros.options.signature import signed
from monoceros.options.table import KEYWORDS

MARK = {"version": 1}


@signed("app", built_in={BuiltIn.LOGGING: MARK})
def by_position(app: Any, *args: Any, **options: Any) -> None:
    """A function of the options."""


@signed("app", built_in={BuiltIn.LOGGING: MARK}, keyword_only=True, extra=[Parameter("more", Parameter.KEYWORD_ONLY)])
def by_name(app: Any, **options: Any) -> None:
    """A function of the options and more."""


def test_every_option_is_a_parameter_with_its_default() -> None:
    parameters = inspect.signature(by_position).parameters
    assert list(parameters) == ["app", *KEYWORDS]
    assert parameters["port"].default == 8000
    assert parameters["port"].annotation == "int"


def test_the_defaults_of_other_layers_are_put_in() -> None:
    assert inspect.signature(by_position).parameters["log_config"].default is MARK


def test_ours_are_given_by_name_only() -> None:
    parameters = inspect.signature(by_position).parameters
    assert parameters["reset_contextvars"].kind is Parameter.POSITIONAL_OR_KEYWORD
    assert parameters["drain_notice"].kind is Parameter.KEYWORD_ONLY


def test_all_may_be_given_by_name_only() -> None:
    parameters = inspect.signature(by_name).parameters
    assert parameters["host"].kind is Parameter.KEYWORD_ONLY
    assert list(parameters)[-1] == "more"


def test_the_function_stays_the_same() -> None:
    assert by_position.__doc__ == "A function of the options."
