"""Where the values of options come from, and which one counts: command line, environment, file, default.

Knows the option table, and reads one file; the environment is handed in. The rule it keeps: nothing that a user wrote
is passed over in silence. An unknown key is an error, an unknown variable a warning, and each names what was meant.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monoceros.errors import UsageError
from monoceros.options.option import PREFIX, Option, Origin, Place, Source
from monoceros.options.table import KEYWORDS, NAMES, OPTIONS

INCUMBENT_PREFIX = "UVICORN_"

FLAGS: dict[str, Option] = {flag: option for option in OPTIONS for flag in option.spellings}

ARGUMENTS: dict[str, Option] = {"APP": NAMES["app"]}


@dataclass(frozen=True, slots=True)
class Given:
    """A checked value that a user gave.

    Arguments:
        option: the option.
        value: its value.
        source: where it was given.
    """

    option: Option
    value: object = field(repr=False)  # it may be a secret
    source: Source


@dataclass(frozen=True, slots=True)
class Settings:
    """The values that count.

    Arguments:
        values: the value of every option, by its name.
        sources: where each came from: "default", "command line --port", "environment MONOCEROS_PORT", a file's name.
        warnings: what the user should know about variables that aren't read.
    """

    values: dict[str, object] = field(repr=False)  # there are secrets among them
    sources: dict[str, str]
    warnings: tuple[str, ...] = ()


def gather(command_line: Mapping[str, object], environ: Mapping[str, str], directory: Path) -> Settings:
    """Return the settings of a program.

    Arguments:
        command_line: the flags and arguments that were given, with their values: text, a bool, or a sequence of text.
        environ: the environment.
        directory: where monoceros.toml and pyproject.toml are looked for.

    Raises:
        UsageError: a value, a key or a file can't be used.
    """
    given = from_command_line(command_line)
    variables, warnings = from_environment(environ)
    given += variables
    config = settle(given).values["config"]
    given += from_file(config if isinstance(config, str) else None, directory)
    return settle(given, warnings)


def settle(given: Iterable[Given], warnings: Iterable[str] = ()) -> Settings:
    """Return the value of each option: that of the strongest source, or the default."""
    strongest: dict[str, Given] = {}
    for each in given:
        held = strongest.get(each.option.name)
        if held is None or each.source.origin > held.source.origin:
            strongest[each.option.name] = each
    for each in tuple(strongest.values()):
        implied = each.option.implies
        if implied and each.value is not None:
            held = strongest.get(implied)
            if held is None or each.source.origin > held.source.origin:
                strongest[implied] = Given(KEYWORDS[implied], each.value, each.source)
    values = {option.name: option.default for option in OPTIONS}
    sources = {option.name: str(Source(Origin.DEFAULT, option.name)) for option in OPTIONS}
    for name, each in strongest.items():
        values[name] = each.value
        sources[name] = str(each.source)
    return Settings(values, sources, tuple(warnings))


def fall_back(option: Option, environ: Mapping[str, str]) -> tuple[object, str]:
    """Return the value of an option that nobody set, and where it came from.

    Arguments:
        option: an option whose value is None.
        environ: the environment, with what an `env_file` added to it.

    Raises:
        UsageError: the value of its `fallback` variable can't be used.
    """
    text = environ.get(option.fallback) if option.fallback else None
    if text is None or not (text or option.kind.empty):
        return option.otherwise, str(Source(Origin.DEFAULT, option.name))
    source = Source(Origin.ENVIRONMENT, option.fallback)
    return option.read(text, source), str(source)


def from_keywords(keywords: Mapping[str, object]) -> list[Given]:
    """Check keyword arguments.

    Raises:
        TypeError: there is no such keyword.
        UsageError: a value is not accepted.
    """
    given = []
    for name, value in keywords.items():
        option = KEYWORDS.get(name)
        if option is None:
            other = NAMES.get(name)
            meant = f" (did you mean {other.name}?)" if other and other.name in KEYWORDS else closest(name, KEYWORDS)
            raise TypeError(f"{name} is not an option{meant}")
        source = Source(Origin.KEYWORD, name)
        given.append(Given(option, option.read(value, source), source))
    return given


def from_command_line(words: Mapping[str, object]) -> list[Given]:
    """Check the flags and arguments that were given, by their spelling: `{"APP": "main:app", "--port": "80"}`.

    Raises:
        UsageError: a value is not accepted, or two spellings of one option were given.
    """
    known = FLAGS | ARGUMENTS
    return _checked((known[word], value, Source(Origin.COMMAND_LINE, word)) for word, value in words.items())


def from_environment(environ: Mapping[str, str]) -> tuple[list[Given], list[str]]:
    """Read the variables MONOCEROS_*; an empty one counts as unset unless an empty text is a value of the option.

    Returns:
        The values, and warnings about variables that aren't read.

    Raises:
        UsageError: a value is not accepted, or two names of one option are set.
    """
    entries: list[tuple[Option, object, Source]] = []
    warnings = []
    for name, text in sorted(environ.items()):
        if name.startswith(INCUMBENT_PREFIX):
            option = NAMES.get(name.removeprefix(INCUMBENT_PREFIX).lower())
            if option is not None and option.variables:
                warnings.append(f"{name} is not read: {option.variables[0]} is the variable here")
        elif name.startswith(PREFIX):
            option = NAMES.get(name.removeprefix(PREFIX).lower())
            if option is None:
                known = [other for each in OPTIONS for other in each.variables]
                warnings.append(f"{name} is not an option{closest(name, known)}: it is ignored")
            elif not option.variables:
                warnings.append(f"{option.name} can't be set by a variable: {name} is ignored")
            elif text or option.kind.empty:
                value = option.kind.split(text) if option.kind.multiple else text
                entries.append((option, value, Source(Origin.ENVIRONMENT, name)))
    return _checked(entries), warnings


def from_file(path: str | None, directory: Path) -> list[Given]:
    """Read the TOML file.

    Arguments:
        path: the file, or None to look for monoceros.toml, and then for [tool.monoceros] in pyproject.toml.
        directory: where those two are looked for.

    Raises:
        UsageError: the file can't be read, a key is not an option, or a value is not accepted.
    """
    label, table = _find_table(path, directory)
    entries = []
    for key, value in table.items():
        option = NAMES.get(key.replace("-", "_"))
        if option is None and isinstance(value, dict):
            raise UsageError(f"[{key}] is not an option (from {label}): options stand {_place(label)}")
        if option is None:
            known = [name for each in OPTIONS if Place.FILE in each.places for name in each.names]
            raise UsageError(f"{key} is not an option{closest(key.replace('-', '_'), known)} (from {label})")
        if Place.FILE not in option.places:
            raise UsageError(f"{key}: this option can't be set in a file (from {label})")
        entries.append((option, value, Source(Origin.FILE, key, label)))
    return _checked(entries)


def closest(name: str, names: Iterable[str]) -> str:
    """Return " (did you mean ...?)" with the name that looks most like it, or "" if none does."""
    similar = difflib.get_close_matches(name, list(names), n=1)
    return f" (did you mean {similar[0]}?)" if similar else ""


def _checked(entries: Iterable[tuple[Option, object, Source]]) -> list[Given]:
    """Check values of one source, in which an option may stand only once, under whichever of its names."""
    given: dict[str, Given] = {}
    for option, value, source in entries:
        if option.name in given:
            other = given[option.name].source.name
            raise UsageError(f"{other} and {source.name} are two names of one option: one is accepted, not both")
        given[option.name] = Given(option, option.read(value, source), source)
    return list(given.values())


def _find_table(path: str | None, directory: Path) -> tuple[str, dict[str, object]]:
    """Return the name of the file and its table of options."""
    if path is not None:
        return path, _table_of(directory / path, path)
    for name in ("monoceros.toml", "pyproject.toml"):
        if (directory / name).is_file():
            return name, _table_of(directory / name, name)
    return "", {}


def _place(label: str) -> str:
    if Path(label).name == "pyproject.toml":
        return "directly in [tool.monoceros]"
    return "at the top of the file, in no table"


def _table_of(path: Path, label: str) -> dict[str, object]:
    try:
        parsed: object = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise UsageError(f"{label} can't be read: {exc.strerror or exc}") from exc
    except ValueError as exc:  # not UTF-8, or not TOML
        raise UsageError(f"{label} is not a TOML file: {exc}") from exc
    for key in ("tool", "monoceros") if path.name == "pyproject.toml" else ():
        parsed = parsed.get(key, {}) if isinstance(parsed, dict) else parsed
    if not isinstance(parsed, dict):
        raise UsageError(f"{label}: tool.monoceros is not a table")
    return parsed
