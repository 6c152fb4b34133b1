"""Which peers may speak for others, and what they say: X-Forwarded-For, and X-Forwarded-Proto or fields like it.

Knows addresses and a few header fields; no connection. The rule it keeps: a header is believed as far as the hops that
wrote it are trusted, read from the nearest one outwards, and what can't be understood is not trusted.
"""

import functools
import ipaddress
from collections.abc import Iterable, Mapping

from monoceros.asgi import Address, Scope
from monoceros.errors import RequestError, UsageError

_IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

EVERYONE = "*"
# nginx calls a peer without an address by this name, too.
UNIX_PEERS = "unix:"

_CLIENTS = b"x-forwarded-for"
_SCHEME = b"x-forwarded-proto"
_SCHEMES = frozenset({"http", "https", "ws", "wss"})
_WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss"}

_LONGEST_HOST = 253  # characters of a DNS name (RFC 1035, section 2.3.4, less the root); an address has fewer
_REMEMBERED = 4096  # verdicts kept: a host is judged in microseconds, but on each request of a proxy chain


class TrustedHops:
    """The proxies that are trusted to name the client, and the way a forwarded request is read with them.

    Arguments:
        trusted: addresses, networks and names, as a list or joined by commas. `*` trusts every peer, `unix:` those of
            a unix socket, which have no address. Any other entry that is neither address nor network is a name that a
            hop in X-Forwarded-For may bear.
        option: where they were written, for the message.
        secure: the fields by which trusted peers tell the scheme, each with the value that means https; any other
            value means http. None: X-Forwarded-Proto holds the scheme itself.

    Raises:
        UsageError: an entry with a slash that is no network; says what to write instead.
    """

    def __init__(
        self,
        trusted: str | Iterable[str],
        option: str = "--forwarded-allow-ips (or FORWARDED_ALLOW_IPS)",
        secure: Mapping[str, str] | None = None,
    ) -> None:
        entries = [entry.strip() for entry in (trusted.split(",") if isinstance(trusted, str) else trusted)]
        self._everyone = EVERYONE in entries
        self._unix = self._everyone or UNIX_PEERS in entries
        self._addresses: set[_IPAddress] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self._names: set[str] = set()
        for entry in filter(None, entries):
            if "/" in entry:
                self._networks.append(_network(entry, option))
                continue
            try:
                self._addresses.add(_unmapped(ipaddress.ip_address(entry)))
            except ValueError:
                self._names.add(entry)
        self._trusts_host = functools.lru_cache(maxsize=_REMEMBERED)(self._judge)
        self._secure: dict[bytes, bytes] | None = None
        if secure is not None:
            self._secure = {name.lower().encode("latin-1"): value.encode("latin-1") for name, value in secure.items()}
        self._read = frozenset({_CLIENTS, _SCHEME} if self._secure is None else {_CLIENTS, *self._secure})

    def trusts(self, host: str | None) -> bool:
        """Tell whether a peer is trusted.

        Arguments:
            host: the peer's address; None or "" for a peer of a unix socket, which has none.
        """
        if self._everyone:
            return True
        if not host:
            return self._unix
        return len(host) <= _LONGEST_HOST and self._trusts_host(host)

    def client_of(self, forwarded_for: str) -> Address | None:
        """Return whom a trusted peer speaks for.

        Each proxy appends the peer that it saw, so the list is read from its end; the first hop that isn't trusted is
        the client. If all are, or everyone is, it is the leftmost.

        Arguments:
            forwarded_for: the value of X-Forwarded-For; of several such fields, all values in order joined by commas.

        Returns:
            Host and port, the port 0 if it isn't told; None if the hop that counts is empty.
        """
        hops = forwarded_for.split(",")
        if not self._everyone:
            for hop in reversed(hops):
                host, port = _host_and_port(hop.strip())
                if not host:
                    return None
                if not self.trusts(host):
                    return host, port
        host, port = _host_and_port(hops[0].strip())
        return (host, port) if host else None

    def rewrite(self, scope: Scope) -> None:
        """Put into the scope of a request what its trusted peer says: `scheme` and `client`.

        Arguments:
            scope: of type "http" or "websocket", of a connection whose peer is trusted; changed in place.

        Raises:
            RequestError: 400: fields that tell the scheme contradict each other.
        """
        hops: list[bytes] = []
        told: list[tuple[bytes, bytes]] = []
        read = self._read
        for name, value in scope["headers"]:
            if name in read:
                if name == _CLIENTS:
                    hops.append(value)
                else:
                    told.append((name, value))
        scheme = self._scheme_of(told) if told else ""
        if scheme:
            scope["scheme"] = _WEBSOCKET_SCHEMES.get(scheme, scheme) if scope["type"] == "websocket" else scheme
        if hops:
            client = self.client_of(b",".join(hops).decode("latin-1"))
            if client is not None:
                scope["client"] = client

    def _scheme_of(self, told: list[tuple[bytes, bytes]]) -> str:
        """Return the scheme that the fields which tell it say, "" if it is none."""
        if self._secure is None:
            scheme = told[-1][1].decode("latin-1").strip()
            return scheme if scheme in _SCHEMES else ""
        schemes = {"https" if value == self._secure[name] else "http" for name, value in told}
        if len(schemes) > 1:
            names = b", ".join(name for name, _ in told).decode("latin-1")
            raise RequestError(400, f"the fields that tell the scheme contradict each other: {names}")
        return schemes.pop()

    def _judge(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return host in self._names
        plain = _unmapped(address)
        return plain in self._addresses or any(plain in network or address in network for network in self._networks)


def _unmapped(address: _IPAddress) -> _IPAddress:
    """Return the IPv4 address that an IPv6 one stands for: a socket for both sees IPv4 peers as ::ffff:10.0.0.1."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _network(entry: str, option: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(entry)
    except ValueError as error:
        problem = f"{option} has {entry!r}"
        if entry.startswith(UNIX_PEERS):
            raise UsageError(f"{problem}: write {UNIX_PEERS!r} to trust the peers of a unix socket.") from error
        try:
            meant = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            raise UsageError(f"{problem}, which is no network: write one as 10.0.0.0/8 or fd00::/8.") from error
        raise UsageError(
            f"{problem}, an address inside a network: write {meant} for the network, "
            f"or {entry.partition('/')[0]} for the address."
        ) from error


def _host_and_port(hop: str) -> Address:
    """Split one hop: an address, "1.2.3.4:5", "[::1]" or "[::1]:5". What is malformed stays whole, with port 0."""
    if hop.startswith("["):
        host, bracket, rest = hop[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            return hop, 0
        return host, _port(rest[1:]) or 0
    if hop.count(":") == 1:
        host, _, digits = hop.partition(":")
        port = _port(digits)
        return (hop, 0) if port is None else (host, port)
    return hop, 0


def _port(digits: str) -> int | None:
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5):
        return None
    port = int(digits)
    return port if port <= 65535 else None
