"""The kinds of values that are header fields: whole ones, and their names.

As in `kinds`, a converter raises ValueError or TypeError for what it doesn't accept, and nothing else.
"""

import re
from collections.abc import Mapping

from monoceros.options.kinds import several, strings
from monoceros.options.option import Kind, Refused

# RFC 9110, section 5.6.2: token; section 5.5: a field value holds no control but the tab.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"[^\x00-\x08\x0A-\x1F\x7F]*")

# A second one beside the server's own makes two responses of one (RFC 9112, section 6.3).
_FRAMING = frozenset({"content-length", "transfer-encoding"})
# What these say, the server decides for each response (RFC 9110, section 7.6.1).
_CONNECTION = frozenset({"connection", "keep-alive", "upgrade"})


def fields() -> Kind:
    """Response header fields: `NAME:VALUE` on the command line, one a line in a variable, pairs in Python."""
    return Kind(
        "a header field",
        "NAME:VALUE, a token and Latin-1 text without control characters,",
        lambda given: [_sendable(each) for each in several(given)],
        "list[tuple[str, str]] | None",
        "NAME:VALUE",
        multiple=True,
        split=str.splitlines,
    )


def field_names() -> Kind:
    """Names of header fields: a list, or text with commas."""

    def convert(given: object) -> object:
        names = [name.strip() for name in given.split(",")] if isinstance(given, str) and given else given
        values = strings(names, (str,)) if names else []
        if not all(isinstance(name, str) and _TOKEN.fullmatch(name) for name in values):
            raise ValueError
        return values

    return Kind(
        "a list of header fields", "names separated by commas, or *,", convert, "list[str] | str | None", "NAMES"
    )


def field_values() -> Kind:
    """Names of header fields, each with a value, for Python only; None is another thing than an empty table."""

    def convert(given: object) -> object:
        if given is None:
            return None
        if not isinstance(given, Mapping) or not all(isinstance(value, str) for value in given.values()):
            raise ValueError
        return dict(_field(pair) for pair in given.items())

    return Kind(
        "a table of header fields", "a dict of names and values, or None,", convert, "dict[str, str] | None", ""
    )


def _sendable(given: object) -> tuple[str, str]:
    name, value = _field(given)
    if name.lower() in _FRAMING:
        raise Refused(f"{name} can't be sent with every response: the server says how long each is")
    if name.lower() in _CONNECTION:
        raise Refused(f"{name} can't be sent with every response: the server says which connection persists")
    return name, value


def _field(given: object) -> tuple[str, str]:
    pair = given.split(":", 1) if isinstance(given, str) else several(given)
    name, value = (part.strip(" \t") if isinstance(part, str) else "" for part in pair)
    if not _TOKEN.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
        raise ValueError
    value.encode("latin-1")
    return name, value
