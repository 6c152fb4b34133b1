"""What an option is, where it may be set, and how an error about one reads.

Knows no option by name, no file and no command line. The rule it keeps: an option is converted and checked by its kind
in one place, whichever way its value came.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from monoceros.errors import UsageError


class Place(enum.Flag):
    """Where an option may be set."""

    KEYWORD = enum.auto()
    FLAG = enum.auto()
    VARIABLE = enum.auto()
    FILE = enum.auto()


ANYWHERE = Place.KEYWORD | Place.FLAG | Place.VARIABLE | Place.FILE


class Section(enum.Enum):
    """The groups of the help text and of docs/settings.md, in their order."""

    APPLICATION = "Application"
    ADDRESS = "Address"
    PROCESSES = "Processes"
    SERVICE = "As a service"
    RELOAD = "Reload"
    PROTOCOL = "Protocols"
    WEBSOCKET = "WebSocket"
    LOGGING = "Logging"
    PROXY = "Behind a proxy"
    RESPONSE = "Responses"
    LIMITS = "Limits"
    TIMEOUTS = "Timeouts and shutdown"
    TLS = "TLS"
    COMMAND = "This command"


class BuiltIn(enum.Enum):
    """The default of an option whose value belongs to a layer that this one may not import."""

    LOGGING = "the built-in logging configuration"

    def __repr__(self) -> str:
        return self.value


class Origin(enum.IntEnum):
    """Where a value came from; the greater wins."""

    DEFAULT = 0
    FILE = 1
    ENVIRONMENT = 2
    COMMAND_LINE = 3
    KEYWORD = 4
    ATTRIBUTE = 5


@dataclass(frozen=True, slots=True)
class Source:
    """Where one value came from.

    Arguments:
        origin: the sort of source.
        name: the option as it was written there: `--port`, `MONOCEROS_PORT`, `port`.
        file: the file's name, for `Origin.FILE`.
    """

    origin: Origin
    name: str
    file: str = ""

    def __str__(self) -> str:
        """The entry of `Config.sources`."""
        match self.origin:
            case Origin.COMMAND_LINE:
                return f"command line {self.name}"
            case Origin.ENVIRONMENT:
                return f"environment {self.name}"
            case Origin.FILE:
                return self.file
            case Origin.KEYWORD:
                return "keyword"
            case Origin.ATTRIBUTE:
                return "attribute"
        return "default"

    @property
    def phrase(self) -> str:
        """The same inside a sentence: "from the command line"."""
        match self.origin:
            case Origin.COMMAND_LINE:
                return "from the command line"
            case Origin.ENVIRONMENT:
                return "from the environment"
            case Origin.FILE:
                return f"from {self.file}"
            case Origin.KEYWORD:
                return "from a keyword argument"
            case Origin.ATTRIBUTE:
                return "set as an attribute"
        return "the default"


class Refused(ValueError):
    """A value that is understood and not supported. The text says what to use instead."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What values an option takes.

    Arguments:
        noun: what a wrong value is not: "a port".
        accepted: what a right value is, as the subject of "... is accepted".
        convert: turns text or a Python value into the value to keep; raises ValueError for a wrong one.
        annotation: the type of the keyword argument, as source text.
        metavar: the value's name in the help text; "" for an option that is switched on or off.
        multiple: the flag may be given several times.
        split: takes an environment variable's text apart, for several values.
        empty: the empty string is a value. For other kinds an empty environment variable is one that isn't set.
    """

    noun: str
    accepted: str
    convert: Callable[[object], object]
    annotation: str
    metavar: str
    multiple: bool = False
    split: Callable[[str], list[str]] = str.split
    empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: all that the command line, the environment, the file, `Config` and the documentation know of it.

    Arguments:
        name: the keyword argument, the attribute of `Config`, and the file's key.
        kind: what values it takes.
        default: the value if none is given, as it stands in `Config`'s signature.
        help: what it does, for the help text and the documentation. A full sentence.
        section: the group it is shown in.
        places: where it may be set.
        flags: how it is written on the command line, if not `--name`. Each is also another name for it in the
            environment and in the file.
        difference: what differs from Uvicorn's option of the name, and the way back. "" if nothing does.
        fallback: an environment variable of other servers' that is read if the option isn't set anywhere.
        otherwise: the value in place of a default None that nothing replaced.
        implies: the option that takes this one's value, unless it is set itself by a source at least as strong.
        attribute: the type of `Config`'s attribute, if it differs from the keyword's.
        must_exist: the value names files or directories, and one that isn't there is an error.
        secret: the value is never shown.
    """

    name: str
    kind: Kind
    default: object
    help: str
    section: Section
    places: Place = ANYWHERE
    flags: tuple[str, ...] = ()
    difference: str = ""
    fallback: str = ""
    otherwise: object = None
    implies: str = ""
    attribute: str = ""
    must_exist: bool = False
    secret: bool = False

    @property
    def spellings(self) -> tuple[str, ...]:
        """The flags, the first being the one to show."""
        if Place.FLAG not in self.places:
            return ()
        return self.flags or ("--" + self.name.replace("_", "-"),)

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the file and, with the prefix and in capitals, in the environment."""
        others = (flag.removeprefix("--").replace("-", "_") for flag in self.flags)
        return (self.name, *(name for name in others if name != self.name))

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables, the first being the one to show."""
        return tuple(map(variable, self.names)) if Place.VARIABLE in self.places else ()

    @property
    def usages(self) -> tuple[str, ...]:
        """The flags with what follows them: "--port PORT", "--reload/--no-reload"."""
        if self.kind.metavar:
            return tuple(f"{flag} {self.kind.metavar}" for flag in self.spellings)
        if self.acts_at_once:
            return self.spellings
        return tuple(f"{flag}/--no-{flag.removeprefix('--')}" for flag in self.spellings)

    @property
    def acts_at_once(self) -> bool:
        """It is a word to the command rather than a value that lasts: `--version`."""
        return self.places is Place.FLAG

    @property
    def default_text(self) -> str:
        """The value in effect if nothing is given, in words; "" if there is none."""
        return display(self.otherwise if self.default is None else self.default)

    def read(self, value: object, source: Source) -> object:
        """Return the checked value.

        Arguments:
            value: text, or a value out of Python or TOML.
            source: where it came from, for the message.

        Raises:
            UsageError: the value is not accepted. Names the option, the value, the source and what is accepted.
        """
        try:
            converted = self.kind.convert(value)
        except Refused as exc:
            raise UsageError(f"{source.name}: {exc} ({source.phrase})") from None
        except (ValueError, TypeError):
            raise UsageError(
                f"{source.name}: {self.shown(self._culprit(value))} is not {self.kind.noun} ({source.phrase}): "
                f"{self.kind.accepted} is accepted"
            ) from None
        if self.must_exist and source.origin < Origin.KEYWORD:
            self._check_existence(converted, source)
        return converted

    def shown(self, value: object) -> str:
        """The value as a message may show it."""
        if self.secret and value is not None:
            return "********"
        return value if isinstance(value, str) and value.isprintable() and value else repr(value)

    def _culprit(self, value: object) -> object:
        """Of several values, the first that isn't accepted, for the message; else the value itself."""
        if self.kind.multiple and isinstance(value, list | tuple):
            for each in value:
                try:
                    self.kind.convert([each])
                except (ValueError, TypeError):
                    return each
        return value

    def _check_existence(self, value: object, source: Source) -> None:
        for path in value if isinstance(value, list) else [value]:
            if isinstance(path, str) and not Path(path).exists():
                raise UsageError(f"{source.name}: {path} does not exist ({source.phrase})")


def display(value: object) -> str:
    """Return a value as it would be written on the command line; "" for None."""
    match value:
        case None:
            return ""
        case bool():
            return "on" if value else "off"
        case list():
            return ", ".join(": ".join(each) if isinstance(each, tuple) else str(each) for each in value)
        case BuiltIn():
            return value.value
    return str(value)


PREFIX = "MONOCEROS_"


def variable(name: str) -> str:
    """Return the environment variable of an option's name."""
    return PREFIX + name.upper()
