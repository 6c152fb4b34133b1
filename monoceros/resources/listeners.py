"""Listening sockets: bound once, before any worker, and outliving each of them.

Knows addresses and sockets; no event loop and no connection. The rule it keeps: what comes back listens already, with
the backlog that was asked for, doesn't block, and isn't inherited by programs that a process starts. Nobody has to
pass it to `loop.create_server`, which would listen again with a backlog of its own.
"""

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from monoceros.errors import StartupError, UsageError
from monoceros.resources import unix_listeners

# With port 0 the first address picks a port, and the others need the same one. It is rarely taken there: the ports
# that are handed out come from tens of thousands.
_PICKS = 10

# IPv6 errors of a machine without IPv6, or of a container whose /etc/hosts names ::1 but whose loopback lacks it.
_UNSUPPORTED = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


class Place(Protocol):
    """What one `--bind` names; exactly one of `host`, `uds` and `fd` is given."""

    @property
    def host(self) -> str | None: ...
    @property
    def port(self) -> int: ...
    @property
    def uds(self) -> str | None: ...
    @property
    def fd(self) -> int | None: ...


class Target(NamedTuple):
    """One address to bind: what the name of a host stands for, in one address family.

    Attributes:
        family: AF_INET or AF_INET6.
        host: the address, without brackets.
        port: 0 to 65535; 0 picks one.
        scope: the interface of a link-local IPv6 address; else 0.
    """

    family: int
    host: str
    port: int
    scope: int = 0


def bind(
    *,
    host: str | None,
    port: int,
    uds: str | os.PathLike[str] | None,
    fd: int | None,
    backlog: int,
    uds_permissions: int | None = None,
    reuse_port: bool = False,
) -> list[socket.socket]:
    """Open the listening sockets of a server: those of `fd` if it is given, else of `uds`, else of `host` and `port`.

    Arguments:
        host: a name or an address; all addresses of a name are bound. None or "" stands for all interfaces.
        port: 0 picks a free one, the same on all addresses.
        uds: path of a unix socket. A file that a dead server left there is replaced.
        fd: descriptor of a bound stream socket. It is duplicated, and stays open and the caller's.
        backlog: connections that the kernel queues until they are accepted.
        uds_permissions: mode of the unix socket; None keeps that of the socket replaced, else 0o666.
        reuse_port: several sockets may listen on the address, and the kernel spreads connections over them.

    Raises:
        StartupError: names the address, the reason, and what to change.
        UsageError: the port is out of range.
    """
    if fd is not None:
        return [adopt(fd, backlog=backlog)]
    if uds is not None:
        return [unix_listeners.open_listener(os.fspath(uds), backlog=backlog, permissions=uds_permissions)]
    if not 0 <= port <= 65535:
        raise UsageError(f"--port is {port}: it must be from 0 to 65535 (0 picks a free one).")
    return bind_targets(resolve(host, port), backlog=backlog, reuse_port=reuse_port)


def bind_places(
    places: Iterable[Place], *, backlog: int, uds_permissions: int | None = None, reuse_port: bool = False
) -> list[socket.socket]:
    """Open the listening sockets of several places, or none.

    Arguments and exceptions are those of `bind`.
    """
    opened: list[socket.socket] = []
    try:
        for place in places:
            opened += bind(
                host=place.host,
                port=place.port,
                uds=place.uds,
                fd=place.fd,
                backlog=backlog,
                uds_permissions=uds_permissions,
                reuse_port=reuse_port,
            )
    except BaseException:
        release(opened, unlink_uds=True)
        raise
    return opened


def adopt_passed(
    descriptors: Iterable[int], *, backlog: int, identity: tuple[int, int] | None = None
) -> list[socket.socket]:
    """Take sockets that are this process's alone, such as systemd's: the descriptors passed are closed.

    Arguments and exceptions are those of `adopt`.
    """
    adopted: list[socket.socket] = []
    for descriptor in descriptors:
        adopted.append(adopt(descriptor, backlog=backlog, identity=identity))
        os.close(descriptor)
    return adopted


def twin(sock: socket.socket, *, backlog: int) -> socket.socket:
    """Open another socket on the address of a TCP socket that was bound with `reuse_port`.

    Raises:
        StartupError: it can't be bound.
    """
    host, port, *scope = sock.getsockname()
    target = Target(sock.family, host, port, scope[1] if len(scope) == 2 else 0)
    alone = sock.family != socket.AF_INET6 or not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    try:
        return _open(target, backlog=backlog, reuse_port=True, alone=alone)
    except OSError as error:
        raise StartupError(_explanation(error, target)) from error


def resolve(host: str | None, port: int) -> list[Target]:
    """Return the addresses that a host stands for, each once, in the order of the system's preference.

    Raises:
        StartupError: the host isn't known.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # What no name can be, such as "a..b", is refused before the resolver is asked: a ValueError.
    except (socket.gaierror, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        hint = " Write an IPv6 address without brackets." if host and host.startswith("[") else ""
        raise StartupError(f"The host {host!r} isn't known ({reason}): correct --host.{hint}") from error
    targets = [
        Target(family, str(place[0]), port, int(place[3]) if len(place) == 4 else 0)
        for family, _type, _protocol, _name, place in found
    ]
    return list(dict.fromkeys(targets))


def bind_targets(targets: Sequence[Target], *, backlog: int, reuse_port: bool = False) -> list[socket.socket]:
    """Bind every target and listen on it; an IPv6 one is left out if the machine lacks it and another one works.

    Raises:
        StartupError: a target can't be bound. None stays open then.
    """
    picks = _PICKS if any(target.port == 0 for target in targets) else 1
    while True:
        picks -= 1
        try:
            return _bind_all(targets, backlog=backlog, reuse_port=reuse_port)
        except StartupError as error:
            in_use = isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE
            if not (in_use and picks):
                raise


def adopt(fd: int, *, backlog: int, identity: tuple[int, int] | None = None) -> socket.socket:
    """Take a listening socket from somebody else: systemd, a process manager, or a former self.

    Arguments:
        fd: the descriptor. It is duplicated, and stays open and the caller's.
        backlog: connections that the kernel queues until they are accepted.
        identity: of a unix socket, the `UnixListener.identity` of the process that bound it, to take over its duty to
            remove the file. Without it the file is left alone.

    Raises:
        StartupError: it's no open descriptor, no socket, no stream, not bound, or a connection.
    """
    try:
        copy = os.dup(fd)
    except (OSError, OverflowError) as error:
        raise _unfit(fd, "isn't an open descriptor") from error
    try:
        sock = socket.socket(fileno=copy)
    except OSError as error:
        os.close(copy)
        raise _unfit(fd, "isn't a socket") from error
    fault = _fault(sock)
    if not fault:
        try:
            sock.listen(backlog)
        except OSError as error:
            fault = f"can't be listened on ({error.strerror})"
    if fault:
        sock.close()
        raise _unfit(fd, fault)
    if identity is not None:
        listener = unix_listeners.UnixListener(fileno=sock.detach())
        listener.path, listener.identity = os.path.abspath(listener.getsockname()), identity
        sock = listener
    sock.setblocking(False)
    return sock


def release(sockets: Iterable[socket.socket], *, unlink_uds: bool) -> None:
    """Close listening sockets.

    Arguments:
        sockets: what `bind` or `adopt` returned.
        unlink_uds: also remove the files of unix sockets, if they still are the ones that were bound here. For the
            process that bound them, at its end: never a worker's, whose siblings go on serving.
    """
    for sock in sockets:
        if unlink_uds and isinstance(sock, unix_listeners.UnixListener):
            sock.unlink()
        sock.close()


def address(sock: socket.socket, *, tls: bool) -> str:
    """Name a socket's address for people: "http://127.0.0.1:8000", "https://[::1]:8443", "unix socket /run/x.sock"."""
    name = sock.getsockname()
    if not isinstance(name, tuple):
        # Linux knows names outside the file system, which begin with a NUL and come as bytes.
        return f"unix socket {'@' + os.fsdecode(name[1:]) if isinstance(name, bytes) else name}"
    host, port = name[:2]
    return f"{'https' if tls else 'http'}://{_bracketed(host)}:{port}"


def _bind_all(targets: Sequence[Target], *, backlog: int, reuse_port: bool) -> list[socket.socket]:
    opened: list[socket.socket] = []
    problem: tuple[OSError, Target] | None = None
    for target in targets:
        if target.port == 0 and opened:
            target = target._replace(port=opened[0].getsockname()[1])
        try:
            opened.append(_open(target, backlog=backlog, reuse_port=reuse_port, alone=len(targets) == 1))
        except OSError as error:
            problem = error, target
            if target.family != socket.AF_INET6 or error.errno not in _UNSUPPORTED:
                release(opened, unlink_uds=False)
                opened.clear()
                break
    if problem and not opened:
        raise StartupError(_explanation(*problem)) from problem[0]
    return opened


def _open(target: Target, *, backlog: int, reuse_port: bool, alone: bool) -> socket.socket:
    sock = socket.socket(target.family, socket.SOCK_STREAM)
    try:
        # A port whose last connections linger in TIME_WAIT can be bound again. On Windows it would mean a live one.
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # "::" and "0.0.0.0" together collide unless the first leaves IPv4 alone. On its own, "::" means what the
        # system makes of it: both, on Linux.
        if target.family == socket.AF_INET6 and not alone:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        place = (target.host, target.port)
        sock.bind((*place, 0, target.scope) if target.family == socket.AF_INET6 else place)
        # Two sockets may both bind one address with SO_REUSEADDR: it's here that the second one fails.
        sock.listen(backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _explanation(error: OSError, target: Target) -> str:
    problem = f"Can't listen on {_bracketed(target.host)}:{target.port}: "
    if error.errno == errno.EADDRINUSE:
        owner = f"ss -ltnp 'sport = :{target.port}'"
        if sys.platform == "darwin":
            owner = f"lsof -nP -iTCP:{target.port} -sTCP:LISTEN"
        return f"{problem}port {target.port} is in use: choose another with --port, or find its owner with `{owner}`."
    if error.errno == errno.EACCES and target.port < 1024:
        return (
            f"{problem}ports below 1024 need a permission: choose a higher --port, grant the capability "
            "CAP_NET_BIND_SERVICE, or let systemd open the socket and pass it with --fd."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{problem}this machine doesn't have that address: choose one of its own (`ip address`) with --host."
    if error.errno == errno.EAFNOSUPPORT:
        return f"{problem}this machine doesn't have IPv6: choose an IPv4 address with --host."
    return f"{problem}{error.strerror or error}."


def _fault(sock: socket.socket) -> str:
    """Return what keeps an inherited socket from being listened on; "" if nothing does."""
    if sock.type != socket.SOCK_STREAM:
        return "isn't a stream socket"
    name = sock.getsockname()
    # Unbound, a unix socket has no name, and one of the internet port 0.
    if not name or (isinstance(name, tuple) and name[1] == 0):
        return "isn't bound to an address"
    with contextlib.suppress(OSError):
        sock.getpeername()
        return "is a connection, not a listening socket"
    return ""


def _unfit(fd: int, fault: str) -> StartupError:
    return StartupError(f"--fd {fd} {fault}: pass the number of a bound stream socket, inherited from the parent.")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
