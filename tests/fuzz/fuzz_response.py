"""The invariant of a response head, whatever fields an application gives:

A head is written or a RuntimeError tells the application what it did; nothing else escapes. No octet of a field ends
its line: a reader of its own finds the application's fields, those of the server, and no others. Where the usual
response is encoded in one go, it is octet for octet what the general encoder makes. So the cached lines of one response
never change another one.

The first octets of an input choose the status and the request; what follows is the fields, each name and value with its
length before it, and then the content.
"""

from collections.abc import Iterator
from pathlib import Path

import h11

from monoceros.wire.response import default_fields, encode_head, encode_switch, encode_whole
from tests.fuzz.running import run_module

CORPUS = Path(__file__).parent / "corpus" / "response"

MUTATIONS = 10000
"""Tried by the suite: some four seconds."""

DATE = "Tue, 01 Jan 2030 00:00:00 GMT"
DEFAULTS = default_fields(DATE, "monoceros", [(b"X-Frame-Options", b"DENY")])
STATUSES = (200, 201, 204, 206, 301, 304, 404, 418, 500, 599)
FRAMING = {b"content-length", b"transfer-encoding", b"connection"}

Fields = list[tuple[bytes, bytes]]


def taken(data: bytes) -> tuple[bytes, bytes]:
    """Return the octets that the first one counts, and the rest."""
    size = data[0]
    return data[1 : 1 + size], data[1 + size :]


def fields_of(data: bytes) -> tuple[Fields, bytes]:
    """Return the fields in an input, and the content behind them; an empty name ends the fields."""
    fields: Fields = []
    while data:
        name, data = taken(data)
        if not name or not data:
            break
        value, data = taken(data)
        fields.append((name, value))
    return fields, data


def lines_of(head: bytes) -> Fields:
    """Read a head as strictly as can be: CR and LF stand where a line ends, together, and nowhere else."""
    assert head.endswith(b"\r\n\r\n")
    start, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert start.startswith(b"HTTP/1.1 ")
    fields = []
    for line in lines:
        assert not set(line) & {0x0A, 0x0D, 0x00}, f"an octet of {line!r} ends a line for some reader"
        name, colon, value = line.partition(b": ")
        assert colon
        assert name
        assert name == name.lower()
        fields.append((name, value))
    return fields


def check_fields(found: Fields, asked: Fields, defaults: Fields) -> None:
    """See that a head has what the application asked for and what the server adds, and nothing else."""
    own = [(name.lower(), value) for name, value in asked]
    expected = [field for field in own if field[0] not in FRAMING]
    names = {name for name, _ in own}
    expected += [field for field in defaults if field[0] not in {b"date", b"server"} & names]
    assert sorted(field for field in found if field[0] not in FRAMING) == sorted(expected)
    for name in (b"content-length", b"transfer-encoding"):
        assert sum(field[0] == name for field in found) <= 1
    assert not {b"content-length", b"transfer-encoding"} <= {name for name, _ in found}, "framed twice"


def check_peer(head: bytes, body: bytes, method: str, whole: bool) -> None:
    """See that a client, which isn't ours, reads one response, and what it holds."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(head + body)
    response = client.next_event()
    assert isinstance(response, h11.Response), response
    content = b""
    while isinstance(event := client.next_event(), h11.Data):
        content += event.data
    if whole:
        assert content == body
        assert isinstance(event, h11.EndOfMessage), event


def check(data: bytes) -> None:
    """One input. Raises AssertionError where the invariant doesn't hold, and whatever else escapes."""
    chosen, flags, rest = (data + b"\0\0")[0], (data + b"\0\0")[1], data[2:]
    status, new, keep = STATUSES[chosen % len(STATUSES)], not flags & 1, not flags & 2
    method = "HEAD" if flags & 4 else "GET"
    known = not flags & 8
    fields, body = fields_of(rest)
    defaults = lines_of(b"HTTP/1.1 200 OK\r\n" + DEFAULTS.lines + b"\r\n")
    try:
        head, length, chunked, close = encode_head(
            status, fields, DEFAULTS, len(body) if known else None, keep, new, method == "HEAD"
        )
    except RuntimeError as error:
        if "the application" not in str(error):
            raise
        assert encode_whole(status, fields, DEFAULTS, body) is None, "the short way takes what is wrong"
        check_switch(fields, defaults)
        return
    found = lines_of(head)
    check_fields(found, fields, defaults)
    content = b"" if method == "HEAD" or status in (204, 304) else body
    if not chunked and known:
        check_peer(head, content, method, not close or length is not None)
    for persists in (True, False):
        encoded = encode_whole(status, fields, DEFAULTS, body, persists=persists)
        if encoded is not None:  # the usual response, to another method than HEAD
            usual, *_ = encode_head(status, fields, DEFAULTS, len(body), persists, True, False)
            assert encoded == usual + body, "the short way differs"
    check_switch(fields, defaults)


def check_switch(fields: Fields, defaults: Fields) -> None:
    """The head that switches to another protocol keeps the same rule."""
    try:
        head = encode_switch(fields, DEFAULTS)
    except RuntimeError:
        return
    own = [(name.lower(), value) for name, value in fields]
    names = {name for name, _ in own} & {b"date", b"server"}
    assert sorted(lines_of(head)) == sorted([*own, *(field for field in defaults if field[0] not in names)])


def sized(part: bytes) -> bytes:
    """Return what `taken` reads as this part."""
    return bytes([len(part)]) + part


def seeds() -> Iterator[bytes]:
    """Fields that are usual, that the server watches, and that would split a response."""
    sets: list[Fields] = [
        [],
        [(b"Content-Type", b"text/plain"), (b"X-Y", b"z")],
        [(b"content-length", b"5"), (b"vary", b"Accept")],
        [(b"content-length", b"5"), (b"content-length", b"6")],
        [(b"Transfer-Encoding", b"chunked"), (b"Connection", b"close")],
        [(b"transfer-encoding", b"gzip")],
        [(b"date", b"today"), (b"Server", b"mine")],
        [(b"x", b"y\r\nz: 1")],
        [(b"x", b"y\n")],
        [(b"x\r\ny", b"z")],
        [(b"x y", b"z"), (b"", b"")],
        [(b"x", b"\0")],
        [(b"connection", b"upgrade"), (b"set-cookie", b"a=b"), (b"set-cookie", b"c=d")],
        [(b"x", b" y \t"), (b"z", b"caf\xe9")],
    ]
    for number, fields in enumerate(sets):
        encoded = b"".join(sized(name) + sized(value) for name, value in fields)
        yield bytes([number, number]) + encoded + b"\0hello"
        yield b"\0\0" + encoded + b"\0hello"


if __name__ == "__main__":
    run_module(__file__)
