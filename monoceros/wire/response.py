"""Response heads and chunks (RFC 9112, sections 4 to 7): what an application asked for, as bytes.

The rule it keeps: no octet of an application's field can end its line. It is enforced by one count over the finished
head; only when the count is off is the culprit looked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from monoceros.wire.fields import CONTROLS, FIELD_PREFIXES, has_option

# What RFC 9110, section 15, calls them; older versions of Python have older names.
_PHRASES = {413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}


def _status_line(status: int) -> bytes:
    try:
        phrase = _PHRASES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


STATUS_LINES = {status: _status_line(status) for status in range(100, 600)}

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

# Statuses whose responses have no content (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5).
BODILESS = frozenset({204, 205, 304})

_LENGTH = b"content-length: "
_LENGTH_DIGITS = 18  # as many as `framing` takes from a peer
_CODING = b"transfer-encoding: "
_CONNECTION = b"connection: "
_CLOSE = b"connection: close\r\n\r\n"
_DATE = b"date: "
_SERVER = b"server: "
_WATCHED = frozenset({_LENGTH, _CODING, _CONNECTION, _DATE, _SERVER})
_FRAMING = (b"content-length", b"transfer-encoding")


@dataclass(frozen=True, slots=True)
class DefaultFields:
    """The fields that every response gets, rendered once a second.

    Attributes:
        lines: all of them, each ended by CR LF.
        date: the line of `Date`, or nothing.
        server: the line of `Server`, or nothing.
        custom: the lines of the fields the user configured.
        heads: those of usual responses with them, by status, octets of content and the application's fields. Bounded.
    """

    lines: bytes
    date: bytes
    server: bytes
    custom: bytes
    heads: dict[tuple[Any, ...], bytes]


def default_fields(date: str | None, server: str | None, custom: Iterable[tuple[bytes, bytes]] = ()) -> DefaultFields:
    """Render the default fields. `custom` may hold a `Server` of its own, which replaces ours."""
    date_line = f"date: {date}\r\n".encode() if date else b""
    server_line = f"server: {server}\r\n".encode() if server else b""
    lines = b""
    for name, value in custom:
        prefix = FIELD_PREFIXES[name]
        if prefix == _SERVER:
            server_line = _SERVER + value + b"\r\n"
        elif prefix == _DATE:
            date_line = _DATE + value + b"\r\n"
        else:
            lines += prefix + value + b"\r\n"
    return DefaultFields(date_line + server_line + lines, date_line, server_line, lines, {})


# Fields whose values an application rarely makes anew, so that a line once checked can be sent again as it is.
_STEADY = frozenset(
    {
        b"access-control-allow-credentials: ",
        b"access-control-allow-origin: ",
        b"cache-control: ",
        b"content-encoding: ",
        b"content-language: ",
        b"content-security-policy: ",
        b"content-type: ",
        b"cross-origin-opener-policy: ",
        b"referrer-policy: ",
        b"strict-transport-security: ",
        b"vary: ",
        b"x-content-type-options: ",
        b"x-frame-options: ",
    }
)
_CACHED_HEADS = 256
_CACHED_HEAD_LENGTH = 2048
_CACHED_LINES = 256
_CACHED_LINE_LENGTH = 256
_lines: dict[tuple[bytes, bytes], bytes] = {}


class _Lengths(dict[int, tuple[tuple[bytes, bytes], bytes]]):
    """Octets of content -> the field that declares them, and the end of a head with it. Bounded."""

    def __missing__(self, size: int) -> tuple[tuple[bytes, bytes], bytes]:
        digits = b"%d" % size
        entry = ((b"content-length", digits), _LENGTH + digits + b"\r\n\r\n")
        if len(self) < _CACHED_LENGTHS:
            self[size] = entry
        return entry


_CACHED_LENGTHS = 1024
_lengths = _Lengths()


def encode_whole(
    status: int, headers: Iterable[tuple[bytes, bytes]], defaults: DefaultFields, body: bytes, persists: bool = True
) -> bytes | None:
    """Return the usual response: all its content is there, and the request was HTTP/1.1.

    Arguments:
        status: the status code, 200 to 599.
        headers: the fields of the application; read more than once.
        defaults: those of the server.
        body: the content.
        persists: the connection does, after it.

    Returns:
        Head and content, or None if there is anything unusual about them, which is `encode_head`'s business to judge.
    """
    heads = defaults.heads
    head = said = None
    if len(heads) < _CACHED_HEADS:  # else this application says too many different things for looking to be worth while
        said = (status, len(body), *headers)
        try:
            head = heads.get(said)
        except (TypeError, ValueError):  # what can't be hashed isn't bytes
            return None
    if head is None:
        response = _usual_response(status, headers, defaults, body)
        if response is None:
            return None
        head = response[: len(response) - len(body)]
        if said is not None and len(head) <= _CACHED_HEAD_LENGTH:
            heads[said] = head
        if persists:
            return response
    return head + body if persists else head[:-2] + _CLOSE + body


def _usual_response(
    status: int, headers: Iterable[tuple[bytes, bytes]], defaults: DefaultFields, body: bytes
) -> bytes | None:
    """See `encode_whole`."""
    declaration, end = _lengths[len(body)]
    parts = [STATUS_LINES[status], defaults.lines]
    try:
        for field in headers:
            line = _lines.get(field)
            if line is not None:
                parts.append(line)
            elif field != declaration:
                line = _usual_line(field, declaration)
                if line is None:
                    return None
                parts.append(line)
    except (TypeError, ValueError):
        return None
    if status in BODILESS:
        return None
    parts.append(end)
    parts.append(body)
    return b"".join(parts)


def _usual_line(field: tuple[bytes, bytes], declaration: tuple[bytes, bytes]) -> bytes | None:
    """Return the line of a field, nothing for a Content-Length that is right, or None for anything unusual."""
    try:
        name, value = field
        prefix = FIELD_PREFIXES[name]
    except (TypeError, ValueError):
        return None
    if prefix in _WATCHED:
        return b"" if prefix == _LENGTH and value == declaration[1] else None
    line = prefix + value + b"\r\n"
    if len(line.translate(None, CONTROLS)) != len(line) - 2:
        return None
    if prefix in _STEADY and len(_lines) < _CACHED_LINES and len(line) <= _CACHED_LINE_LENGTH:
        _lines[field] = line
    return line


def encode_head(
    status: int,
    headers: Iterable[tuple[bytes, bytes]],
    defaults: DefaultFields,
    whole: int | None,
    keep_alive: bool,
    new: bool,
    head_request: bool,
) -> tuple[bytes, int | None, bool, bool]:
    """Return a response head, and how the content after it is delimited.

    Arguments:
        status: the status code, 200 to 599.
        headers: the fields of the application.
        defaults: those of the server; `Date` and `Server` give way to the application's own.
        whole: octets of the content if all of it is known, else None.
        keep_alive: the connection may persist as far as the request goes.
        new: the request was HTTP/1.1, not 1.0.
        head_request: the method was HEAD, so no content follows.

    Returns:
        The head; the octets of content that must come, or None if only its end says so; whether the content goes out
        in chunks; whether the connection closes after it.

    Raises:
        RuntimeError: the application gave a field that can't be sent; says which and why.
    """
    lines = []
    watched: list[tuple[bytes, bytes]] = []
    try:
        for name, value in headers:
            prefix = FIELD_PREFIXES[name]
            if prefix in _WATCHED:
                watched.append((prefix, b"" + value))  # a value that isn't bytes raises TypeError here as there
            else:
                lines.append(prefix + value)
    except (TypeError, ValueError):
        raise _field_fault(headers) from None
    framing = _frame(lines, watched, status, whole, keep_alive, new, head_request)
    start = STATUS_LINES[status] + _remaining_defaults(defaults, watched)
    return start + _joined(lines, headers), *framing


def _frame(
    lines: list[bytes],
    watched: list[tuple[bytes, bytes]],
    status: int,
    whole: int | None,
    keep_alive: bool,
    new: bool,
    head_request: bool,
) -> tuple[int | None, bool, bool]:
    """Append the fields that frame the content. Return (length, chunked, close): see `encode_head`."""
    length: int | None = None
    connection: list[bytes] = []
    chunked = False
    close = not keep_alive
    for prefix, value in watched:
        if prefix == _LENGTH:
            declared = _declared_length(value)
            if length is not None and declared != length:
                raise RuntimeError(f"the application sent two different content-lengths, {length} and {declared}")
            length = declared
        elif prefix == _CODING:
            chunked = _is_chunked(value)
        elif prefix == _CONNECTION:
            connection.append(prefix + _checked_connection(value))
            close = close or has_option(value, b"close")
        else:
            lines.append(prefix + value)
    bodiless = head_request or status in BODILESS
    if status == 204:
        length = None  # RFC 9110, section 8.6: never in a 204
    elif status == 205:
        length = 0  # it has none, either, but a peer doesn't know that by the status (RFC 9112, section 6.3)
    if length is not None:
        if whole is not None and whole != length and not bodiless:
            raise RuntimeError(f"the application declared {length} octets of content and sent {whole}")
    elif bodiless:
        length = whole if head_request and whole and status not in BODILESS else None
    elif whole is not None and not (chunked and new):
        length = whole
    if length is not None:
        chunked = False
        lines.append(b"content-length: %d" % length)
    elif new and not bodiless:
        chunked = True
        lines.append(b"transfer-encoding: chunked")
    elif not bodiless:
        # RFC 9112, section 6.3: to an HTTP/1.0 client the end of the connection is the end of the content.
        chunked = False
        close = True
    if close:
        lines.append(b"connection: close")
    elif connection:
        lines += connection
    elif not new:
        lines.append(b"connection: keep-alive")
    return length, chunked and not bodiless, close


def encode_switch(headers: Iterable[tuple[bytes, bytes]], defaults: DefaultFields) -> bytes:
    """Return the head of a 101 response (RFC 9110, section 15.2.2).

    Raises:
        RuntimeError: a field can't be sent; says which and why.
    """
    lines = []
    watched: list[tuple[bytes, bytes]] = []
    try:
        for name, value in headers:
            prefix = FIELD_PREFIXES[name]
            lines.append(prefix + value)
            if prefix in (_DATE, _SERVER):
                watched.append((prefix, value))
    except (TypeError, ValueError):
        raise _field_fault(headers) from None
    return STATUS_LINES[101] + _remaining_defaults(defaults, watched) + _joined(lines, headers)


def encode_chunk(data: bytes) -> bytes:
    """Return `data`, which isn't empty, as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _joined(lines: list[bytes], headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the end of a head: field lines and the empty line.

    Raises:
        RuntimeError: a control stands elsewhere than where one line is ended; says in which field.
    """
    lines.append(b"\r\n")
    fields = b"\r\n".join(lines)
    if len(fields) - len(fields.translate(None, CONTROLS)) != 2 * len(lines):
        raise _field_fault(headers)
    return fields


def _remaining_defaults(defaults: DefaultFields, own: list[tuple[bytes, bytes]]) -> bytes:
    """Return the lines of those default fields that the application hasn't sent itself."""
    names = {prefix for prefix, _ in own}
    return (b"" if _DATE in names else defaults.date) + (b"" if _SERVER in names else defaults.server) + defaults.custom


def _declared_length(value: bytes) -> int:
    stripped = value.strip(b" \t")
    if not stripped.isdigit() or len(stripped) > _LENGTH_DIGITS:
        raise RuntimeError(f"the application sent content-length {value!r}; ASGI asks for a number of octets")
    return int(stripped)


def _is_chunked(value: bytes) -> bool:
    if value.strip(b" \t").lower() != b"chunked":
        raise RuntimeError(
            f"the application sent transfer-encoding {value!r}; the server alone frames the content, "
            "so leave the header out (or send `chunked`)"
        )
    return True


def _checked_connection(value: bytes) -> bytes:
    """Return the value of a Connection; it is checked here, for the server may put its own in place of the field.

    Raises:
        RuntimeError: it can't be sent, or has an intermediary take off what frames the content (RFC 9110, section
            7.6.1: no option corresponds to a field that is meant for all recipients).
    """
    for name in _FRAMING:
        if has_option(value, name):
            raise RuntimeError(
                f"the application sent connection {value!r}; {name.decode()} is meant for all recipients"
            )
    if len(value.translate(None, CONTROLS)) != len(value):
        raise RuntimeError("the application sent the header b'connection' with a control character in its value")
    return value


def _field_fault(headers: Iterable[tuple[bytes, bytes]]) -> RuntimeError:
    """Say which field of the application can't be sent."""
    for field in headers:
        try:
            name, value = field
        except (TypeError, ValueError):
            return RuntimeError(
                f"the application sent the header {field!r}; ASGI asks for a pair of a name and a value"
            )
        for part, what in ((name, "name"), (value, "value")):
            if not isinstance(part, bytes):
                return RuntimeError(
                    f"the application sent the header {what} {part!r} as {type(part).__name__}; ASGI asks for bytes"
                )
        try:
            FIELD_PREFIXES[name]
        except ValueError:
            return RuntimeError(f"the application sent the header name {name!r}, which isn't a token")
        if len(value.translate(None, CONTROLS)) != len(value):
            return RuntimeError(f"the application sent the header {name!r} with a control character in its value")
    return RuntimeError("the application sent headers that can be read only once; ASGI asks for a list")
