"""Plain heads: those of most requests. Each of their lines can be judged by itself, and is judged once.

A head is plain if its method is a common one, Host comes first, and no other field decides anything, but one
Content-Length, and whether the connection persists. What is said here of such a head `framing` would say as well, and
all parsers; the rule this module keeps: whatever isn't certainly so isn't plain. It has no `Proxy-Connection`, which
some obey, no name but words joined by single hyphens, lest another one be taken for a name that decides, and before
content no name twice.
"""

import re

from monoceros.wire.fields import CONTROLS
from monoceros.wire.framing import PLAIN, Traits

_match_request_line = re.compile(rb"(GET|HEAD|DELETE|OPTIONS|POST|PUT|PATCH) (/[!-\"$-\[\]-~]*+) HTTP/1\.1").fullmatch
_match_host = re.compile(rb"[Hh]ost: ([a-zA-Z0-9.\-]++(?::[0-9]{1,5}+)?)").fullmatch
_match_name = re.compile(rb"[0-9A-Za-z]++(?:-[0-9A-Za-z]++)*+").fullmatch

_match_deciding = re.compile(rb"[Cc]ontent-[Ll]ength: (0|[1-9][0-9]{0,17})|[Cc]onnection: close").fullmatch

_METHODS = {name.encode(): name for name in ("GET", "HEAD", "DELETE", "OPTIONS", "POST", "PUT", "PATCH")}

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
_CACHED_NAME_LENGTH = 64


class _PlainNames(dict[bytes, bytes]):
    """Names of fields as received -> lower case; nothing for a name that no plain head has."""

    def __missing__(self, name: bytes) -> bytes:
        lower = name.lower()
        if lower in _DECIDING or _match_name(name) is None:
            return b""
        if len(self) < _CACHED_LINES and len(name) <= _CACHED_NAME_LENGTH:
            self[name] = lower
        return lower


class _PlainTraits(dict[tuple[int, bool], Traits]):
    """Octets of content, and whether the connection persists -> the traits of a plain head that says so."""

    def __missing__(self, said: tuple[int, bool]) -> Traits:
        traits = Traits("1.1", *said, False, False)
        if len(self) < _CACHED_LINES:
            self[said] = traits
        return traits


class _RequestLines(dict[bytes, tuple[str, bytes] | None]):
    """Request lines -> method and target, or None for a line that isn't that of a plain head."""

    def __missing__(self, line: bytes) -> tuple[str, bytes] | None:
        match = _match_request_line(line)
        if match is None:
            return None
        method, target = match.groups()
        request = _METHODS[method], target
        # A query rarely comes twice, and may hold what must not be kept.
        if 0x3F not in target and len(self) < _CACHED_LINES and len(line) <= _CACHED_LINE_LENGTH:
            self[line] = request
        return request


_names = _PlainNames()
_traits = _PlainTraits({(0, True): PLAIN})
request_lines = _RequestLines()
_host_lines: dict[bytes, tuple[bytes, bytes]] = {}
# With the octets of content that they declare, or -1 for none.
_deciding_lines: dict[bytes, tuple[tuple[bytes, bytes], int]] = {}
# Of the fields that decide something, this one says that all is as usual.
_field_lines = dict.fromkeys((b"Connection: keep-alive", b"connection: keep-alive"), (b"connection", b"keep-alive"))


def read_plain(head: bytes, most: int) -> tuple[str, bytes, list[tuple[bytes, bytes]], Traits] | None:
    """Read a whole head, if it is plain.

    Arguments:
        head: octets that end with CR LF CR LF. No line of them may be over the limits of lines.
        most: how many fields there may be.

    Returns:
        Method, target, fields with names in lower case, and what else it says; None if the head isn't plain, or isn't
        one head alone.
    """
    lines = head.split(b"\r\n")
    request = request_lines[lines[0]]
    if request is None or len(lines) > most + 3:
        return None
    host = _host_lines.get(lines[1]) or _judged_host_line(lines[1])
    if host is None:
        return None
    fields = [host, *map(_field_lines.get, lines[2:-2])]
    method, target = request
    if all(fields):
        return method, target, fields, PLAIN  # type: ignore[return-value]
    traits = _judge_lines(lines, fields)
    return None if traits is None else (method, target, fields, traits)  # type: ignore[return-value]


def _judge_lines(lines: list[bytes], fields: list[tuple[bytes, bytes] | None]) -> Traits | None:
    """Put in the fields that aren't known. Return what they say; None if their lines aren't those of a plain head."""
    length = -1
    persists = True
    for index, field in enumerate(fields):
        if field is not None:
            continue
        line = lines[index + 1]
        deciding = _deciding_lines.get(line)
        if deciding is None:
            received, colon, value = line.partition(b":")
            name = _names[received]
            if name:
                if not colon or len(value.translate(None, CONTROLS)) != len(value):
                    return None
                # RFC 9112, section 5.1: white space around a value isn't part of it.
                fields[index] = known = name, value.strip(b" \t")
                if name in _STEADY and len(_field_lines) < _CACHED_LINES and len(line) <= _CACHED_LINE_LENGTH:
                    _field_lines[line] = known
                continue
            deciding = _judged_deciding_line(line)
            if deciding is None:
                return None
        fields[index], declared = deciding
        if declared < 0:
            persists = False
        elif length >= 0:
            return None
        else:
            length = declared
    if length > 0 and len(dict(fields)) != len(fields):  # type: ignore[arg-type]
        return None
    return _traits[max(length, 0), persists]


def _judged_deciding_line(line: bytes) -> tuple[tuple[bytes, bytes], int] | None:
    match = _match_deciding(line)
    if match is None:
        return None
    digits = match[1]
    deciding = ((b"connection", b"close"), -1) if digits is None else ((b"content-length", digits), int(digits))
    if len(_deciding_lines) < _CACHED_LINES:
        _deciding_lines[line] = deciding
    return deciding


def _judged_host_line(line: bytes) -> tuple[bytes, bytes] | None:
    match = _match_host(line)
    if match is None:
        return None
    host = b"host", match[1]
    if len(_host_lines) < _CACHED_LINES and len(line) <= _CACHED_LINE_LENGTH:
        _host_lines[line] = host
    return host
