"""The kinds of values that options take: each converts text and Python values alike, and says what it accepts.

Knows no option by name. The rule it keeps: a converter raises ValueError or TypeError for what it doesn't accept, and
nothing else; "none" is understood for numbers only, because a host or a file may have that name.
"""

import math
import os
from collections.abc import Iterable, Mapping
from configparser import RawConfigParser

from monoceros.options.option import Kind, Refused

_TRUE = {"1", "true", "yes", "on", "t", "y"}
_FALSE = {"0", "false", "no", "off", "f", "n"}

_PATH = "str | os.PathLike[str]"


def switch(*, optional: bool = False, value: bool = False) -> Kind:
    """On or off.

    Arguments:
        optional: None, which is neither, is accepted too.
        value: its flag takes a value (`--x true`) instead of being one of a pair (`--x/--no-x`).
    """

    def convert(given: object) -> object:
        if given is None and optional:
            return None
        if isinstance(given, str):
            word = given.strip().lower()
            if word in _TRUE or word in _FALSE:
                return word in _TRUE
        elif isinstance(given, int) and given in (0, 1):
            return bool(given)
        raise ValueError

    return Kind(
        "on or off",
        "one of 1, true, yes, on, 0, false, no, off",
        convert,
        "bool | None" if optional else "bool",
        "BOOLEAN" if value else "",
    )


def unsupported_switch(reason: str) -> Kind:
    """A switch of the incumbent's that may only stay off: `reason` says what to use instead."""
    plain = switch()

    def convert(given: object) -> object:
        if plain.convert(given):
            raise Refused(reason)
        return False

    return Kind(plain.noun, plain.accepted, convert, plain.annotation, plain.metavar)


def integer(
    least: int = 0, most: int | None = None, *, optional: bool = False, noun: str = "", metavar: str = "N"
) -> Kind:
    """An integer from `least` to `most`; with `optional` None too, written `none` in text."""
    limits = f"an integer from {least} to {most}" if most is not None else f"an integer of at least {least}"

    def convert(given: object) -> object:
        if optional and _is_none(given):
            return None
        number = int(given) if isinstance(given, str) else given
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise ValueError
        if most is not None and number > most:
            raise ValueError
        return number

    return Kind(noun or limits, _or_none(limits, optional), convert, "int | None" if optional else "int", metavar)


def limit(*, metavar: str = "N") -> Kind:
    """A number after which something ends; 0 and None are no limit, and become None."""
    plain = integer(0, optional=True, metavar=metavar)
    return Kind(plain.noun, plain.accepted, lambda given: plain.convert(given) or None, plain.annotation, plain.metavar)


def seconds(*, optional: bool = False, zero: float | None = 0) -> Kind:
    """A duration of 0 or more seconds, whole or not; with `optional` None too, written `none` in text.

    Arguments:
        optional: None is accepted.
        zero: what 0 becomes; None where no time at all means no limit.
    """

    def convert(given: object) -> object:
        if optional and _is_none(given):
            return None
        number = _number(given) if isinstance(given, str) else given
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ValueError
        if not math.isfinite(number) or number < 0:
            raise ValueError
        return number or zero

    return Kind(
        "a number of seconds",
        _or_none("a number of at least 0", optional),
        convert,
        "float | None" if optional else "float",
        "SECONDS",
    )


def choice(*names: str) -> Kind:
    """One of some words."""

    def convert(given: object) -> object:
        if given not in names:
            raise ValueError
        return given

    listed = _listed(names)
    return Kind(f"one of {listed}", f"one of {listed}", convert, _literal(names), f"[{'|'.join(names)}]")


def choices(*names: str) -> Kind:
    """Some of some words, in any case: a list, or text with commas."""

    def convert(given: object) -> object:
        if given is None:
            return None
        words = strings(given.split(",") if isinstance(given, str) else given, (str,))
        values = [str(word).strip().lower() for word in words]
        if not set(values) <= set(names):
            raise ValueError
        return values

    return Kind(
        "a list of these words",
        f"one or several of {_listed(names)}, separated by commas,",
        convert,
        "list[str] | str | None",
        "NAMES",
    )


def implementation(
    names: tuple[str, ...],
    *,
    custom: str,
    classes: bool = False,
    refused: Mapping[str, str] | None = None,
    none: bool = False,
) -> Kind:
    """One of some words, or a thing of the user's own.

    Arguments:
        names: the words.
        custom: how the user's own is written: "module:Class".
        classes: in Python, the class itself is accepted.
        refused: words of the incumbent's that are not supported, each with what to use instead.
        none: in Python, None means the word "none".
    """

    def convert(given: object) -> object:
        if given is None and none:
            return "none"
        if classes and isinstance(given, type):
            return given
        if not isinstance(given, str):
            raise ValueError
        if refused and given in refused:
            raise Refused(f"{given} is not supported: {refused[given]}")
        if given not in names and not all(given.partition(":")):
            raise ValueError
        return given

    accepted = f"one of {_listed(names)}, or {custom},"
    annotation = f"{'type | ' if classes else ''}{_literal(names)} | str{' | None' if none else ''}"
    return Kind(accepted.rstrip(","), accepted, convert, annotation, f"[{'|'.join(names)}|{custom.upper()}]")


def text(*, optional: bool = False, empty: bool = False, metavar: str = "TEXT") -> Kind:
    """Text. An empty one counts as None if `optional`; with `empty` it is a value, and None counts as empty."""

    def convert(given: object) -> object:
        if isinstance(given, str) and (given or empty):
            return given
        if optional and given in (None, ""):
            return None
        if empty and given is None:
            return ""
        raise ValueError

    annotation = "str | None" if optional else "str"
    return Kind("text", "text" if empty else "text that is not empty", convert, annotation, metavar, empty=empty)


def path() -> Kind:
    """The path of a file; None and empty text are none."""

    def convert(given: object) -> object:
        if isinstance(given, os.PathLike) or (isinstance(given, str) and given):
            return given
        if given in (None, ""):
            return None
        raise ValueError

    return Kind("a path", "the path of a file", convert, f"{_PATH} | None", "PATH")


def paths() -> Kind:
    """Paths of directories: in Python one or several, in a variable separated as those of $PATH are."""
    return Kind(
        "a list of paths",
        "a path or a list of paths",
        lambda given: strings(given, (str, os.PathLike)),
        "list[str] | str | None",
        "PATH",
        multiple=True,
        split=lambda joined: joined.split(os.pathsep),
    )


def patterns() -> Kind:
    """Patterns of file names: in Python one or several, in a variable separated by blanks or commas."""
    return Kind(
        "a list of patterns",
        "a pattern or a list of patterns",
        lambda given: strings(given, (str,)),
        "list[str] | str | None",
        "PATTERN",
        multiple=True,
        split=lambda joined: joined.replace(",", " ").split(),
    )


def trusted() -> Kind:
    """The addresses of trusted proxies: text with commas, or a list. Empty text trusts nobody."""

    def convert(given: object) -> object:
        return given if given is None or isinstance(given, str) else strings(given, (str,))

    return Kind(
        "a list of addresses",
        "addresses, networks and `unix:` separated by commas, or *,",
        convert,
        "list[str] | str | None",
        "ADDRESSES",
        empty=True,
    )


def log_level(levels: tuple[str, ...]) -> Kind:
    """A level's name in any case, or its number."""

    def convert(given: object) -> object:
        if given is None:
            return None
        if isinstance(given, str) and given.strip().lower() in levels:
            return given.strip().lower()
        number = int(given) if isinstance(given, str) else given
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ValueError
        return number

    accepted = f"one of {_listed(levels)} in any case, or a level's number,"
    return Kind("a log level", accepted, convert, "str | int | None", f"[{'|'.join(levels)}]")


def log_config(unset: object) -> Kind:
    """The path of a file for `logging.config`; in Python also what that module takes itself. `unset` stays as it is."""

    def convert(given: object) -> object:
        readable = isinstance(given, dict | os.PathLike | RawConfigParser) or hasattr(given, "readline")
        if given is None or given is unset or readable or (isinstance(given, str) and given):
            return given
        raise ValueError

    return Kind(
        "a logging configuration",
        "the path of an ini, json, yaml or toml file, or a table of logging.config.dictConfig,",
        convert,
        f"dict[str, Any] | {_PATH} | RawConfigParser | IO[Any] | None",
        "PATH",
    )


def function(annotation: str) -> Kind:
    """A callable, for Python only. `annotation` is its type, as source text."""

    def convert(given: object) -> object:
        if given is None or callable(given):
            return given
        raise ValueError

    return Kind("a callable", "a callable, or None,", convert, annotation, "")


def _is_none(given: object) -> bool:
    return given is None or (isinstance(given, str) and given.strip().lower() == "none")


def _or_none(accepted: str, optional: bool) -> str:
    return f"{accepted}, or none," if optional else accepted


def _number(given: str) -> int | float:
    try:
        return int(given)
    except ValueError:
        return float(given)


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"


def _literal(names: Iterable[str]) -> str:
    quoted = (f'"{name}"' for name in names)
    return f"Literal[{', '.join(quoted)}]"


def several(given: object) -> list[object]:
    """Return a list: None is nothing, a single value is one of a list, a table is its pairs."""
    if given is None:
        return []
    if isinstance(given, str | os.PathLike):
        return [given]
    if isinstance(given, Mapping):
        return list(given.items())
    if isinstance(given, Iterable):
        return list(given)
    raise ValueError


def strings(given: object, types: tuple[type, ...]) -> list[object]:
    """Return one or several values of some types, none of them empty, as a list."""
    values = several(given)
    if not all(isinstance(value, types) and value for value in values):
        raise ValueError
    return values
