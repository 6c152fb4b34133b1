"""Plain heads: those of most requests without content. Each of their lines can be judged by itself, and is judged once.

A head is plain if its method is a common one that brings no content, Host comes first, and no other field decides
anything, but that the connection persists. What is said here of such a head `framing` would say as well, and all
parsers; the rule this module keeps: whatever isn't certainly so isn't plain. It has no white space at the end of a
value, which not every parser takes off, no `Proxy-Connection`, which some obey, and no name but words joined by single
hyphens, lest another one be taken for a name that decides.
"""

import re

from monoceros.wire.fields import LOWER_NAMES

_match_request_line = re.compile(rb"(GET|HEAD|DELETE|OPTIONS) (/[!-\"$-\[\]-~]*+) HTTP/1\.1").fullmatch
_match_host = re.compile(rb"[Hh]ost: ([a-zA-Z0-9.\-]++(?::[0-9]{1,5}+)?)").fullmatch
_match_field = re.compile(
    rb"([0-9A-Za-z]++(?:-[0-9A-Za-z]++)*+):[ \t]*+([^\x00-\x08\x0a-\x1f\x7f]*+)(?<![ \t])"
).fullmatch

_METHODS = {b"GET": "GET", b"HEAD": "HEAD", b"DELETE": "DELETE", b"OPTIONS": "OPTIONS"}

_DECIDING = frozenset(
    {b"connection", b"content-length", b"expect", b"host", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)

# Fields that say the same in many requests, and nothing that must not be kept: no cookie, no credentials, no addresses.
_STEADY = frozenset(
    {
        b"accept",
        b"accept-charset",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"content-type",
        b"dnt",
        b"pragma",
        b"priority",
        b"save-data",
        b"sec-ch-ua",
        b"sec-ch-ua-mobile",
        b"sec-ch-ua-platform",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"sec-fetch-user",
        b"sec-gpc",
        b"te",
        b"upgrade-insecure-requests",
        b"user-agent",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-proto",
        b"x-requested-with",
    }
)
# Bounded, for a peer chooses what it sends. What is usual comes early; what finds no room is judged each time.
_CACHED_LINES = 1024
_CACHED_LINE_LENGTH = 256


class _FieldLines(dict[bytes, tuple[bytes, bytes] | None]):
    """Lines -> fields, names in lower case; None for a line that no plain head has."""

    def __missing__(self, line: bytes) -> tuple[bytes, bytes] | None:
        match = _match_field(line)
        if match is None:
            return None
        received, value = match.groups()
        name = LOWER_NAMES[received]
        if name in _DECIDING and (name != b"connection" or value != b"keep-alive"):
            return None
        field = name, value
        if name in _STEADY and len(self) < _CACHED_LINES and len(line) <= _CACHED_LINE_LENGTH:
            self[line] = field
        return field


_request_lines: dict[bytes, tuple[str, bytes]] = {}
_host_lines: dict[bytes, tuple[bytes, bytes]] = {}
_field_lines = _FieldLines()
_field_of = _field_lines.__getitem__


def read_plain(head: bytes, most: int) -> tuple[str, bytes, list[tuple[bytes, bytes]]] | None:
    """Read a whole head, if it is plain.

    Arguments:
        head: octets that end with CR LF CR LF. No line of them may be over the limits of lines.
        most: how many fields there may be.

    Returns:
        Method, target and fields, names in lower case; None if the head isn't plain, or isn't one head alone.
    """
    lines = head.split(b"\r\n")
    request = _request_lines.get(lines[0]) or _judged_request_line(lines[0])
    if request is None or len(lines) > most + 3:
        return None
    fields = [_host_lines.get(lines[1]) or _judged_host_line(lines[1]), *map(_field_of, lines[2:-2])]
    if not all(fields):
        return None
    method, target = request
    return method, target, fields  # type: ignore[return-value]


def _judged_request_line(line: bytes) -> tuple[str, bytes] | None:
    match = _match_request_line(line)
    if match is None:
        return None
    method, target = match.groups()
    request = _METHODS[method], target
    # A query rarely comes twice, and may hold what must not be kept.
    if 0x3F not in target and len(_request_lines) < _CACHED_LINES and len(line) <= _CACHED_LINE_LENGTH:
        _request_lines[line] = request
    return request


def _judged_host_line(line: bytes) -> tuple[bytes, bytes] | None:
    match = _match_host(line)
    if match is None:
        return None
    host = b"host", match[1]
    if len(_host_lines) < _CACHED_LINES and len(line) <= _CACHED_LINE_LENGTH:
        _host_lines[line] = host
    return host
