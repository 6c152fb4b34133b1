"""Access log formats: Gunicorn's atoms in a %-format, or `json`. Compiled once, into a function that makes the line.

Knows text, and of a request what `Told` says. The rules it keeps: an atom that a format doesn't name costs nothing;
what a peer sent can neither break its line nor end the quotes it stands in; what can't be compiled is refused with the
reason.
"""

import base64
import binascii
import json
import os
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from monoceros.errors import UsageError
from monoceros.logs.lines import escape
from monoceros.logs.told import Told, environ_of, host_of, last_value, path_info

JSON = "json"
"""The format that is one JSON object a line."""

Line = Callable[[Told], str]
Clock = Callable[[], float]

_WHERE = "access_log_format (--access-log-format)"

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_DIRECTIVE = re.compile(
    r"%(?:(?P<percent>%)|\((?P<name>[^()]*)\)(?P<spec>[-+ #0]*[0-9]{0,3})(?:\.(?P<cut>[0-9]{1,3}))?(?P<kind>[A-Za-z])|)"
)
_PART = re.compile(r"\{([^{}]+)\}([ioe])")


class _Atom(NamedTuple):
    value: Callable[[Told], str | int]
    number: bool = False


def user_of(told: Told) -> str:
    """The user of Basic authentication (RFC 7617), "-" if there is none."""
    scheme, _, credentials = (last_value(told.fields, b"authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return "-"
    try:
        # A password needn't be UTF-8 for the name to be known.
        name = base64.b64decode(credentials.strip()).partition(b":")[0].decode()
    except (binascii.Error, ValueError):
        return "-"
    return name or "-"


def _or_dash(name: bytes) -> Callable[[Told], str]:
    def value(told: Told) -> str:
        found = last_value(told.fields, name)
        return "-" if found is None else found

    return value


def _microseconds(told: Told) -> int:
    return int(told.seconds * 1_000_000)


def _decimal_seconds(told: Told) -> str:
    seconds, rest = divmod(_microseconds(told), 1_000_000)
    return f"{seconds}.{rest:06}"


_ATOMS: dict[str, _Atom] = {
    "h": _Atom(lambda told: host_of(told.client) or "-"),
    "l": _Atom(lambda told: "-"),
    "u": _Atom(user_of),
    "r": _Atom(lambda told: told.request_line.decode("latin-1") or "-"),
    "m": _Atom(lambda told: told.method or "-"),
    "U": _Atom(lambda told: path_info(told) or "-"),
    "q": _Atom(lambda told: told.query.decode("latin-1")),
    "H": _Atom(lambda told: f"HTTP/{told.version}" if told.version else "-"),
    "s": _Atom(lambda told: told.status, number=True),
    "B": _Atom(lambda told: told.octets, number=True),
    "b": _Atom(lambda told: str(told.octets)),
    "f": _Atom(_or_dash(b"referer")),
    "a": _Atom(_or_dash(b"user-agent")),
    "T": _Atom(lambda told: int(told.seconds), number=True),
    "D": _Atom(_microseconds, number=True),
    "M": _Atom(lambda told: int(told.seconds * 1000), number=True),
    "L": _Atom(_decimal_seconds),
    "p": _Atom(lambda told: f"<{os.getpid()}>"),
}

_KNOWN = ", ".join(sorted([*_ATOMS, "t"], key=str.lower)) + ", {name}i, {name}o, {name}e"


def compile_format(text: str, *, clock: Clock = time.time) -> Line:
    """Return the function that makes the line of a request: printable ASCII, without the line's end.

    Arguments:
        text: the format.
        clock: tells the time of day, in seconds since 1970.

    Raises:
        UsageError: the format names an atom that isn't there, or is malformed.
    """
    if text == JSON:
        return _json_line(clock)
    template = ""
    values: list[Callable[[Told], str | int]] = []
    end = 0
    for match in _DIRECTIVE.finditer(text):
        template += _literal(text[end : match.start()])
        end = match.end()
        if match["percent"]:
            template += "%%"
        elif match["name"] is None:
            raise _malformed(text, match.start())
        else:
            atom = _atom(match["name"], clock)
            kind, cut = _checked_kind(match, atom), match["cut"]
            if atom.number:
                template += f"%{match['spec']}{'' if cut is None else '.' + cut}{kind}"
                values.append(atom.value)
            else:
                template += f"%{match['spec']}{kind}"
                values.append(_shown(atom.value, None if cut is None else int(cut)))
    template += _literal(text[end:])
    return lambda told: template % tuple([value(told) for value in values])


def cuts(text: str) -> bool:
    """Tell whether a format has an atom with a precision, such as `%(a).80s`."""
    return any(match["cut"] for match in _DIRECTIVE.finditer(text))


def texts_of(told: Told) -> dict[str, str]:
    """The atoms of a request that are text, without the date, as they are before they are escaped."""
    return {name: str(atom.value(told)) for name, atom in _ATOMS.items() if not atom.number}


def _atom(name: str, clock: Clock) -> _Atom:
    if name == "t":
        return _Atom(_date(clock))
    part = _PART.fullmatch(name)
    if part is not None:
        return _Atom(_part(part[1].lower(), part[2]))
    try:
        return _ATOMS[name]
    except KeyError:
        raise UsageError(f"{_WHERE}: there is no atom %({name})s. There are: {_KNOWN}; or the word {JSON}.") from None


def _part(name: str, place: str) -> Callable[[Told], str]:
    """A field of the request or the response, or a CGI variable; "-" where there is none of the name."""
    key = name.encode("latin-1", "replace")
    if place == "i":
        return _or_dash(key)
    if place == "o":
        return lambda told: _dash_for_none(last_value(told.response_fields, key))
    return lambda told: next((value for variable, value in environ_of(told).items() if variable.lower() == name), "-")


def _dash_for_none(value: str | None) -> str:
    return "-" if value is None else value


def _checked_kind(match: re.Match[str], atom: _Atom) -> str:
    kind = match["kind"]
    if kind == "s" or (atom.number and kind in "di"):
        return kind
    numbers = ", ".join(name for name, each in _ATOMS.items() if each.number)
    raise UsageError(
        f"{_WHERE}: {match[0]} isn't of a kind there is: write %({match['name']})s. Only the numbers {numbers} "
        "may be written with d, too."
    )


def _malformed(text: str, place: int) -> UsageError:
    return UsageError(
        f"{_WHERE}: {text[place : place + 12]!r}, at character {place + 1}, is no atom: write %(name)s, "
        "or %% for a percent sign."
    )


def _literal(text: str) -> str:
    """Text of the format itself, of which one line shall come; tabs are usual in it."""
    return "\t".join(escape(piece) for piece in text.split("\t")).replace("%", "%%")


def _shown(value: Callable[[Told], str | int], cut: int | None) -> Callable[[Told], str]:
    """Text between quotes; of `cut` characters at most before it is escaped, for half an escape would end them."""

    def shown(told: Told) -> str:
        text = str(value(told))[:cut]
        if '"' in text or "\\" in text:
            text = text.replace("\\", "\\\\").replace('"', '\\"')
        return escape(text)

    return shown


def _date(clock: Clock) -> Callable[[Told], str]:
    """The time of day in the Common Log Format, made once a second. Its months are English in any locale."""
    second, shown = -1, ""

    def date(told: Told) -> str:
        nonlocal second, shown
        now = int(clock())
        if now != second:
            moment = time.localtime(now)
            second = now
            shown = time.strftime(f"[%d/{_MONTHS[moment.tm_mon - 1]}/%Y:%H:%M:%S %z]", moment)
        return shown

    return date


def _json_line(clock: Clock) -> Line:
    """Keys are stable; what a request doesn't have is null."""
    encode = json.JSONEncoder().encode

    def line(told: Told) -> str:
        user = user_of(told)
        entry = {
            "time": datetime.fromtimestamp(clock()).astimezone().isoformat(timespec="milliseconds"),
            "pid": os.getpid(),
            "client": host_of(told.client) or None,
            "user": None if user == "-" else user,
            "method": told.method or None,
            "path": told.path.decode("latin-1") or None,
            "query": told.query.decode("latin-1") or None,
            "protocol": f"HTTP/{told.version}" if told.version else None,
            "scheme": told.scheme,
            "host": last_value(told.fields, b"host"),
            "status": told.status,
            "bytes": told.octets,
            "seconds": round(told.seconds, 6),
            "complete": not told.cut_off,
            "referer": last_value(told.fields, b"referer"),
            "user_agent": last_value(told.fields, b"user-agent"),
        }
        return encode(entry).replace("\x7f", "\\u007f")  # the one control that JSON leaves as it is

    return line
