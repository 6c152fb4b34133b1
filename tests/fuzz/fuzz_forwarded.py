"""The invariant of what proxies say of a request, whatever a client writes into the fields that they pass on:

Any values give a scope, or a refusal with status 400; nothing else escapes. Whoever the client is, it can't choose who
it is taken for: what stands before the part that a trusted proxy appended changes nothing. A scope stays one: its
client, server, scheme, paths and Host are such as ASGI and RFC 9110 have them. Nothing but what was told is changed.

The first octet of an input chooses the fields that are read; the rest is what the client wrote, cut at each LF, which
no value can hold: each piece begins with an octet that chooses its field.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monoceros.errors import RequestError
from monoceros.resources.forwarded import FAMILY, FORWARDED, ForwardedFields
from monoceros.resources.proxy import TrustedHops
from monoceros.wire.fields import AUTHORITY, CONTROLS
from tests.fuzz.running import run_module

CORPUS = Path(__file__).parent / "corpus" / "forwarded"

MUTATIONS = 5000
"""Tried by the suite: some four seconds."""

CLIENT = "203.0.113.7"
PROXY = ("10.0.0.1", 4711)
TRUSTED = "10.0.0.0/8, fd00::/8, edge.example"
SECURE = {"X-Forwarded-Ssl": "on", "X-Forwarded-Protocol": "ssl"}
NAMES = [name.encode() for name in (*FAMILY, FORWARDED, "x-forwarded-ssl", "x-forwarded-protocol", "x-other", "host")]

_HOPS = TrustedHops(TRUSTED)
READERS = [
    ForwardedFields(_HOPS),
    ForwardedFields(_HOPS, FAMILY),
    ForwardedFields(_HOPS, [FORWARDED]),
    ForwardedFields(_HOPS, secure=SECURE),
    ForwardedFields(TrustedHops("*"), FAMILY),
    ForwardedFields(TrustedHops("*"), [FORWARDED]),
]
READS_ELEMENTS = {2, 5}
TRUSTS_ALL = {4, 5}

_HOST = re.compile(AUTHORITY)
_PREFIX = re.compile(r"(/[^/]+)*")

Fields = list[tuple[bytes, bytes]]


def fields_of(data: bytes) -> Fields:
    """Return the fields in an input. No octet that `framing` refuses is in a value, nor white space around it."""
    fields: Fields = [(b"host", b"site.example")]
    for piece in filter(None, data.split(b"\n")):
        value = piece[1:].translate(None, CONTROLS).strip(b" \t")
        fields.append((NAMES[piece[0] % (len(NAMES) - 1)], value))
    return fields


def scope_of(fields: Fields, kind: str = "http") -> dict[str, Any]:
    """Return the scope of a request that came from the proxy."""
    scheme = "http" if kind == "http" else "ws"
    return {
        "type": kind,
        "scheme": scheme,
        "client": PROXY,
        "server": ("10.0.0.9", 8000),
        "root_path": "/app",
        "path": "/app/a b",
        "raw_path": b"/app/a%20b",
        "query_string": b"c=d",
        "headers": list(fields),
        "state": {},
    }


def rewritten(reader: ForwardedFields, fields: Fields, kind: str = "http") -> dict[str, Any] | None:
    """Return what a reader makes of a request, or None if it refuses that."""
    scope = scope_of(fields, kind)
    try:
        reader.rewrite(scope)
    except RequestError as refusal:
        if refusal.status != 400:
            raise
        return None
    return scope


def check_scope(scope: dict[str, Any], fields: Fields) -> None:
    """See that a scope is one."""
    host, port = scope["client"]
    assert isinstance(host, str)
    assert host
    assert not set(host) & set(', \t"\r\n\0')
    assert 0 <= port <= 65535
    assert scope["scheme"] in (("http", "https", "ws", "wss") if scope["type"] == "http" else ("ws", "wss"))
    server, port = scope["server"]
    assert server
    assert 0 < port <= 65535
    assert _PREFIX.fullmatch(scope["root_path"])
    assert scope["path"] == scope["root_path"] + "/a b"
    assert scope["raw_path"] == scope["root_path"].encode() + b"/a%20b"
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    assert len(hosts) == 1
    assert _HOST.fullmatch(hosts[0])
    others = [field for field in scope["headers"] if field[0] != b"host"]
    assert others == fields[1:], "a field that wasn't told has changed"
    assert (scope["query_string"], scope["state"]) == (b"c=d", {})


def appended(fields: Fields, name: bytes, value: bytes) -> Fields:
    """Return the fields as a proxy passes them on that appends to the last one of this name."""
    for at in range(len(fields) - 1, -1, -1):
        if fields[at][0] == name:
            return [*fields[:at], (name, fields[at][1] + b", " + value), *fields[at + 1 :]]
    return [*fields, (name, value)]


def check_trust(choice: int, fields: Fields) -> None:
    """See that a client isn't believed: a proxy, or two, have appended whom they saw."""
    reader, by_element = READERS[choice], choice in READS_ELEMENTS
    name = FORWARDED.encode() if by_element else b"x-forwarded-for"
    seen = f"for={CLIENT};proto=https;host=seen.example" if by_element else CLIENT
    near = 'for="[fd00::2]:80"' if by_element else "fd00::2"
    for told in (seen, f"{seen}, {near}"):
        for passed in (appended(fields, name, told.encode()), [*fields, (name, told.encode())]):
            scope = rewritten(reader, passed)
            if scope is None:
                continue
            assert scope["client"] == (CLIENT, 0), "a client has chosen its address"
            if by_element:
                assert scope["scheme"] == "https", "a client has chosen its scheme"
                assert (b"host", b"seen.example") in scope["headers"], "a client has chosen the host"


def check(data: bytes) -> None:
    """One input. Raises AssertionError where the invariant doesn't hold, and whatever else escapes."""
    choice = (data or b"\0")[0] % len(READERS)
    fields = fields_of(data[1:])
    for kind in ("http", "websocket"):
        scope = rewritten(READERS[choice], fields, kind)
        if scope is not None:
            check_scope(scope, fields)
    if choice not in TRUSTS_ALL:
        check_trust(choice, fields)


def seeds() -> Iterator[bytes]:
    """Values as proxies write them, and as clients do that want to be somebody else."""
    values = {
        b"x-forwarded-for": [
            b"192.0.2.1",
            b"10.1.2.3, 192.0.2.1:4711, [2001:db8::1]:80, unknown, _hidden",
            b", ,",
            b"::1%eth0",
        ],
        b"x-forwarded-proto": [b"https", b"wss", b"https, http", b"javascript"],
        b"x-forwarded-host": [b"a.example", b"a.example:8443", b"[2001:db8::1]", b"a, b", b"a:0", b"user@a"],
        b"x-forwarded-port": [b"8443", b"0", b"65536", b"-1", b"\xb2"],
        b"x-forwarded-prefix": [b"/sub", b"/", b"//evil.example", b"/../x", b"/a/%2e", b"sub"],
        b"forwarded": [
            b'for=192.0.2.60;proto=http;by=203.0.113.43, for="[2001:db8:cafe::17]:4711"',
            b'for="_gazonk", For="[fd00::2]";Host="a.example:80";PROTO=https',
            b'for="',
            b'for="\\"',
            b"for=unknown;;for=x",
            b"for=10.0.0.2, , for=edge.example",
        ],
        b"x-forwarded-ssl": [b"on", b"off"],
        b"x-forwarded-protocol": [b"ssl", b"http"],
    }
    for choice in range(len(READERS)):
        everything = b""
        for name, ones in values.items():
            for value in ones:
                piece = bytes([NAMES.index(name)]) + value
                yield bytes([choice]) + piece
                everything += piece + b"\n"
        yield bytes([choice]) + everything


if __name__ == "__main__":
    run_module(__file__)
