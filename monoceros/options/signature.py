"""The signature that a function of `(app, *args, **options)` shows: the option table, as parameters.

`inspect.signature`, help() and notebooks see it; type checkers see keywords.py, which is generated from the same table.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from monoceros.options.option import BuiltIn, Option
from monoceros.options.table import KEYWORDS, POSITIONAL

_Function = TypeVar("_Function", bound=Callable[..., object])

_BY_POSITION = frozenset(option.name for option in POSITIONAL)


def signed(
    *leading: str,
    built_in: Mapping[BuiltIn, object],
    keyword_only: bool = False,
    extra: Iterable[inspect.Parameter] = (),
) -> Callable[[_Function], _Function]:
    """Give a function the signature of the option table.

    Arguments:
        leading: the parameters before the options, which have no default.
        built_in: what stands for the defaults of other layers.
        keyword_only: the options may be given by name only. Otherwise those of the incumbent may be given by position.
        extra: keyword-only parameters after the options.
    """

    def parameter(option: Option) -> inspect.Parameter:
        named = keyword_only or option.name not in _BY_POSITION
        return inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY if named else inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=built_in[option.default] if isinstance(option.default, BuiltIn) else option.default,
            annotation=option.kind.annotation,
        )

    before = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in leading]
    signature = inspect.Signature([*before, *map(parameter, KEYWORDS.values()), *extra])

    def sign(function: _Function) -> _Function:
        function.__signature__ = signature  # type: ignore[attr-defined]
        return function

    return sign
