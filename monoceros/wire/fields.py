"""Field names and values (RFC 9110, section 5): their grammar and the bounded caches that spare its repetition.

Knows nothing of messages. The rule it keeps: a name is validated and lower-cased once, then looked up.
"""

import re

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
"""One `tchar` (RFC 9110, section 5.6.2), to build expressions from."""

AUTHORITY = rb"(?:[A-Za-z0-9\-._~%!$&'()*+;=]++|\[[0-9A-Fa-f:.]++\])(?::[0-9]{0,5}+)?"
"""A host and perhaps a port (RFC 9110, section 7.2; RFC 3986, section 3.2). No userinfo, which is refused (RFC 9110,
section 4.2.4), and no comma, which would make two names out of one."""

CONTROLS = bytes([*range(0x09), *range(0x0A, 0x20), 0x7F])
"""Every octet that a field value may not hold (RFC 9110, section 5.5): the controls except HTAB, CR and LF included."""

_NAME = re.compile(TOKEN + rb"+")
_CACHED_NAMES = 1024
_CACHED_NAME_LENGTH = 64


class _LowerNames(dict[bytes, bytes]):
    """Field names as received -> lower case. Bounded, for a peer chooses what it sends."""

    def __missing__(self, name: bytes) -> bytes:
        lower = name.lower()
        if len(self) < _CACHED_NAMES and len(name) <= _CACHED_NAME_LENGTH:
            self[name] = lower
        return lower


class _FieldPrefixes(dict[bytes, bytes]):
    """Field names as an application writes them -> `b"name: "`, validated. Bounded too: some are made per request."""

    def __missing__(self, name: bytes) -> bytes:
        if not isinstance(name, bytes):
            raise TypeError(name)
        if _NAME.fullmatch(name) is None:
            raise ValueError(name)
        prefix = name.lower() + b": "
        if len(self) < _CACHED_NAMES and len(name) <= _CACHED_NAME_LENGTH:
            self[name] = prefix
        return prefix


LOWER_NAMES = _LowerNames()
FIELD_PREFIXES = _FieldPrefixes()


def has_option(value: bytes, option: bytes) -> bool:
    """Tell whether a comma-separated list (RFC 9110, section 5.6.1) holds `option`, given in lower case."""
    return any(member.strip(b" \t") == option for member in value.lower().split(b","))
