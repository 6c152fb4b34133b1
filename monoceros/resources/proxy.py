"""Which peers may speak for others, and for whom they speak: addresses of hops, and the way from one to the next.

Knows addresses; no connection, and of header fields only how they write a hop. The rule it keeps: what hops say is
believed as far as they are trusted, read from the nearest one outwards, and what can't be understood is not trusted.
"""

import functools
import ipaddress
import re
from collections.abc import Iterable

from monoceros.asgi import Address
from monoceros.errors import UsageError

_IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

EVERYONE = "*"
# nginx calls a peer without an address by this name, too.
UNIX_PEERS = "unix:"

SOMEBODY: Address = ("unknown", 0)
"""A client whose address was told and can't be understood; RFC 7239, section 6.2, has the word."""

# What an address, a name and RFC 7239's obfuscated identifiers are written with, a port included. A hop is shown in
# logs and compared by applications: what else may stand in a field has no place there.
_HOP = re.compile(r"[A-Za-z0-9._:%\[\]-]{1,261}")
_OBFUSCATED_PORT = re.compile(r":_[A-Za-z0-9._-]+\Z")
_LONGEST_HOST = 253  # characters of a DNS name (RFC 1035, section 2.3.4, less the root); an address has fewer
_REMEMBERED = 4096  # verdicts kept: a host is judged in microseconds, but on each request of a proxy chain


class TrustedHops:
    """The proxies that are trusted to name the client.

    Arguments:
        trusted: addresses, networks and names, as a list or joined by commas. `*` trusts every peer, `unix:` those of
            a unix socket, which have no address. Any other entry that is neither address nor network is a name that a
            hop may bear.
        option: where they were written, for the message.

    Raises:
        UsageError: an entry with a slash that is no network; says what to write instead.
    """

    def __init__(
        self,
        trusted: str | Iterable[str],
        option: str = "--forwarded-allow-ips (or FORWARDED_ALLOW_IPS)",
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
            address = _address(entry)
            if address is None:
                self._names.add(entry)
            else:
                self._addresses.add(_unmapped(address))
        self._trusts_host = functools.lru_cache(maxsize=_REMEMBERED)(self._judge)

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
            for text in reversed(hops):
                hop = read_hop(text)
                if hop is None or not self.trusts(hop[0]):
                    return hop or _nobody(text)
        return read_hop(hops[0]) or _nobody(hops[0])

    def _judge(self, host: str) -> bool:
        address = _address(host)
        if address is None:
            return host in self._names
        plain = _unmapped(address)
        return plain in self._addresses or any(plain in network or address in network for network in self._networks)


def read_hop(text: str) -> Address | None:
    """Read one hop: an address or a name, perhaps with a port; with one, an IPv6 address is in brackets.

    Arguments:
        text: as X-Forwarded-For has it between its commas, or `for` in Forwarded (RFC 7239, section 6).

    Returns:
        Host and port, the port 0 if there is none or it is obfuscated. What is written with a hop's characters and is
        none stays whole, as a name that nobody has. None if it is empty, or has other characters.
    """
    hop = text.strip(" \t")
    if _HOP.fullmatch(hop) is None:
        return None
    if ":_" in hop:
        hop = _OBFUSCATED_PORT.sub("", hop)
    host, port = _host_and_port(hop)
    return (host, port) if host else None


def _nobody(text: str) -> Address | None:
    """Return what is known of a client whose hop isn't one: nothing, or that it isn't the peer."""
    return SOMEBODY if text.strip(" \t") else None


def _address(host: str) -> _IPAddress | None:
    # A zone (RFC 4007) means something only on the machine that has it, and would be passed over in a network.
    try:
        return None if "%" in host else ipaddress.ip_address(host)
    except ValueError:
        return None


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
