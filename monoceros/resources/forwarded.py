"""What trusted proxies say of a request - its client, scheme, host, port, prefix - and the scope that says so, too.

Knows header fields and who is trusted; no connection. The rules it keeps: a field counts only if it was named, for a
proxy passes on what it doesn't know, and then a client wrote it; what is malformed is as good as not there.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from monoceros.asgi import Address, Scope
from monoceros.errors import RequestError, UsageError
from monoceros.resources.proxy import SOMEBODY, TrustedHops, read_hop
from monoceros.wire.fields import AUTHORITY
from monoceros.wire.forwarded import elements_backwards

FORWARDED = "forwarded"
FAMILY = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix")
USUAL = FAMILY[:2]
"""What is read if nobody says otherwise."""

_CLIENTS, _SCHEME, _HOST, _PORT, _PREFIX = (name.encode() for name in FAMILY)
_SCHEMES = frozenset({"http", "https", "ws", "wss"})
_WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss"}
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}

_AUTHORITY = re.compile(AUTHORITY)
_DIGITS = re.compile(rb"[1-9][0-9]{0,4}")
# A plain path: its segments aren't empty, for a URL made of "//host" leads elsewhere; nor "." or "..", nor encoded.
_PATH = re.compile(rb"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9\-._~!$&'()*+;=:@]++)*+/?")


class Told(NamedTuple):
    """What was told of one request; each is None if it wasn't.

    Attributes:
        client: host and port.
        scheme: "http", "https", "ws" or "wss".
        host: what the client addressed: a host and perhaps a port.
        port: the port that it addressed.
        prefix: the path that was taken off its target, without a slash at the end.
    """

    client: Address | None = None
    scheme: str | None = None
    host: bytes | None = None
    port: int | None = None
    prefix: bytes | None = None


class ForwardedFields:
    """The fields of trusted proxies.

    Arguments:
        hops: the proxies that are trusted.
        names: the fields that are read: of FAMILY, or FORWARDED.
        secure: fields in place of X-Forwarded-Proto that tell the scheme, each with the value that means https; any
            other value means http. None: there are none.

    Raises:
        UsageError: FORWARDED is named, and others with it: a proxy sets either, and a client's others would pass.
    """

    def __init__(
        self, hops: TrustedHops, names: Iterable[str] = USUAL, secure: Mapping[str, str] | None = None
    ) -> None:
        self._hops = hops
        named = set(names)
        self._secure: dict[bytes, bytes] | None = None
        if secure is not None:
            self._secure = {name.lower().encode("latin-1"): value.encode("latin-1") for name, value in secure.items()}
            named.discard(FAMILY[1])
        others = [*sorted(named - {FORWARDED}), *([] if secure is None else ["secure_scheme_headers"])]
        self._reads_elements = FORWARDED in named
        if self._reads_elements and others:
            raise UsageError(
                f"--forwarded-headers: {FORWARDED} can't be read beside {', '.join(others)}: a proxy sets the one or "
                "the others, and what a client sends of those that it doesn't set would be believed; name either"
            )
        self._named = frozenset(name.encode() for name in named)
        self._reads_more = bool(named.difference(USUAL))
        self._read = self._named.union(self._secure or ())

    def rewrite(self, scope: Scope) -> bool:
        """Put into the scope of a request what its trusted peer says.

        `client` and `scheme`; with a host, the Host field in `headers` and `server`; with a port, that of `server`;
        with a prefix, `root_path`, which `path` and `raw_path` begin with.

        Arguments:
            scope: of type "http" or "websocket", of a connection whose peer is trusted; changed in place.

        Returns:
            Whether it says nothing: the same fields needn't be read again.

        Raises:
            RequestError: 400: fields that tell the scheme contradict each other.
        """
        read = self._read
        told: list[tuple[bytes, bytes]] = []
        for field in scope["headers"]:
            if field[0] in read:
                told.append(field)  # noqa: PERF401 - a comprehension would be a call, in requests that tell nothing, too
        if told:
            _put(scope, self._by_element(told) if self._reads_elements else self._by_fields(told))
        return not told

    def _by_fields(self, fields: list[tuple[bytes, bytes]]) -> Told:
        """Read the X-Forwarded family. Of a field that says one thing, the last value counts: the peer's own."""
        last = dict(fields)
        client: Address | None = None
        if _CLIENTS in self._named and (nearest := last.get(_CLIENTS)) is not None:
            if len(last) < len(fields):
                nearest = b",".join(value for name, value in fields if name == _CLIENTS)
            client = self._hops.client_of(nearest.decode("latin-1"))
        if self._secure is None:
            scheme: str | None = last.get(_SCHEME, b"").decode("latin-1").strip(" \t")
        else:
            scheme = self._secure_scheme([field for field in fields if field[0] in self._secure])
        if scheme not in _SCHEMES:
            scheme = None
        if not self._reads_more:
            return Told(client, scheme)
        host, port, prefix = (last.get(name) if name in self._named else None for name in (_HOST, _PORT, _PREFIX))
        return Told(client, scheme, _authority(_last(host)), _port(_last(port)), _path(_last(prefix)))

    def _by_element(self, fields: list[tuple[bytes, bytes]]) -> Told:
        """Read Forwarded (RFC 7239).

        Each proxy appends an element of what it saw, so they are read from the end. Whom a trusted one saw last is the
        client, and that same element has the scheme and the host that the client used.
        """
        client: Address | None = None
        counts: dict[str, str] = {}
        for element in elements_backwards(b",".join(value for _, value in fields)):
            if element is None:
                return Told(SOMEBODY)
            if not element:
                continue  # RFC 9110, section 5.6.1.2: empty elements of a list are ignored
            counts = element
            if "for" not in element:
                break
            hop = read_hop(element["for"])
            client = hop or SOMEBODY
            if hop is None or not self._hops.trusts(hop[0]):
                break
        scheme = counts.get("proto", "").lower()
        return Told(
            client, scheme if scheme in _SCHEMES else None, _authority(counts.get("host", "").encode("latin-1"))
        )

    def _secure_scheme(self, told: list[tuple[bytes, bytes]]) -> str:
        """Return the scheme that the fields which tell it say, "" if there are none."""
        assert self._secure is not None
        schemes = {"https" if value == self._secure[name] else "http" for name, value in told}
        if len(schemes) > 1:
            names = b", ".join(name for name, _ in told).decode("latin-1")
            raise RequestError(400, f"the fields that tell the scheme contradict each other: {names}")
        return schemes.pop() if schemes else ""


def _put(scope: Scope, told: Told) -> None:
    if told.client is not None:
        scope["client"] = told.client
    if told.scheme is not None:
        websocket = scope["type"] == "websocket"
        scope["scheme"] = _WEBSOCKET_SCHEMES.get(told.scheme, told.scheme) if websocket else told.scheme
    if told.host is not None:
        _put_host(scope["headers"], told.host)
        name, port = _host_and_port(told.host)
        scope["server"] = (name, told.port or port or _DEFAULT_PORTS[scope["scheme"]])
    elif told.port is not None:
        server = scope["server"]
        if server is not None and server[1] is not None:  # of a unix socket, which has no port
            scope["server"] = (server[0], told.port)
    if told.prefix is not None:
        root_path: str = scope["root_path"]
        prefix = told.prefix.decode()
        scope["path"] = prefix + scope["path"].removeprefix(root_path)
        scope["raw_path"] = told.prefix + scope["raw_path"].removeprefix(root_path.encode())
        scope["root_path"] = prefix


def _put_host(fields: list[tuple[bytes, bytes]], host: bytes) -> None:
    """Replace the Host field, in its place; a request of HTTP/1.0 may have none."""
    for index, (name, _) in enumerate(fields):
        if name == b"host":
            fields[index] = (b"host", host)
            return
    fields.insert(0, (b"host", host))


def _last(value: bytes | None) -> bytes:
    """Return the last member of a list: a proxy that doesn't replace a field appends to it."""
    return b"" if value is None else value.rpartition(b",")[2].strip(b" \t")


def _authority(value: bytes) -> bytes | None:
    """Return a host and perhaps a port, as a Host field has it; None for anything else."""
    if _AUTHORITY.fullmatch(value) is None:
        return None
    _, _, digits = value.rpartition(b"]")[2].partition(b":")
    return value if not digits or _port(digits) else None


def _host_and_port(authority: bytes) -> Address:
    """Split what `_authority` has returned; the port is 0 if there is none."""
    host, _, rest = authority.rpartition(b"]")
    name, _, digits = rest.partition(b":")
    return (host[1:] if host else name).decode(), int(digits or b"0")


def _port(digits: bytes) -> int | None:
    port = int(digits) if _DIGITS.fullmatch(digits) else 0
    return port if 0 < port <= 65535 else None


def _path(value: bytes) -> bytes | None:
    """Return a path to mount an application below, "" for the root; None if the value is no plain path."""
    return value.rstrip(b"/") if value and _PATH.fullmatch(value) else None
