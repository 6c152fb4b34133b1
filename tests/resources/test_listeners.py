"""Listening sockets: what is bound, how it listens, and what is said when it can't be."""

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monoceros.errors import StartupError, UsageError
from monoceros.resources import listeners
from monoceros.resources.listeners import Target
from monoceros.resources.unix_listeners import UnixListener


def _has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        return True
    return False


def _has_low_ports() -> bool:
    limit = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    return limit.exists() and int(limit.read_text()) > 1


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")

# TEST-NET-1 (RFC 5737) and the documentation prefix (RFC 3849): no machine has these addresses.
ABSENT_IPV4 = Target(socket.AF_INET, "192.0.2.1", 0)
ABSENT_IPV6 = Target(socket.AF_INET6, "2001:db8::1", 0)
LOOPBACK = Target(socket.AF_INET, "127.0.0.1", 0)
LOOPBACK_IPV6 = Target(socket.AF_INET6, "::1", 0)


@pytest.fixture
def closing() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def opened(closing: contextlib.ExitStack, **changes: Any) -> list[socket.socket]:
    arguments: dict[str, Any] = {"host": "127.0.0.1", "port": 0, "uds": None, "fd": None, "backlog": 16}
    sockets = listeners.bind(**{**arguments, **changes})
    closing.callback(listeners.release, sockets, unlink_uds=True)
    return sockets


def refusal(**changes: Any) -> str:
    with contextlib.ExitStack() as closing, pytest.raises(StartupError) as caught:
        opened(closing, **changes)
    return str(caught.value)


def port_of(sock: socket.socket) -> int:
    port = sock.getsockname()[1]
    assert isinstance(port, int)
    return port


def test_a_listener_accepts_does_not_block_and_is_not_inherited(closing: contextlib.ExitStack) -> None:
    [sock] = opened(closing)
    assert not sock.getblocking()
    assert not sock.get_inheritable()
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    with socket.create_connection(sock.getsockname(), timeout=5):
        connection, _ = sock.accept()
        connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the backlog is read from `ss`'s source, the kernel's tables")
def test_the_backlog_is_the_one_asked_for(closing: contextlib.ExitStack) -> None:
    """TCP_INFO of a listener tells its backlog as tcpi_sacked, an unsigned 32-bit number at offset 28 (tcp(7))."""
    [sock] = opened(closing, backlog=7)
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    assert int.from_bytes(info[28:32], sys.byteorder) == 7


@pytest.mark.parametrize("host", [None, ""])
@needs_ipv6
def test_no_host_stands_for_all_interfaces_of_both_families_on_one_port(
    host: str | None, closing: contextlib.ExitStack
) -> None:
    sockets = opened(closing, host=host)
    assert {sock.getsockname()[0] for sock in sockets} == {"0.0.0.0", "::"}
    assert len({port_of(sock) for sock in sockets}) == 1
    for sock in sockets:
        loopback = "127.0.0.1" if sock.family == socket.AF_INET else "::1"
        with socket.create_connection((loopback, port_of(sock)), timeout=5):
            connection, peer = sock.accept()
            connection.close()
            assert peer[0] == loopback


def test_a_name_is_bound_at_every_address_it_has(closing: contextlib.ExitStack) -> None:
    sockets = opened(closing, host="localhost")
    wanted = {target.host for target in listeners.resolve("localhost", 0)}
    assert {sock.getsockname()[0] for sock in sockets} <= wanted
    assert "127.0.0.1" in {sock.getsockname()[0] for sock in sockets}


@needs_ipv6
def test_several_addresses_share_the_port_that_was_picked() -> None:
    sockets = listeners.bind_targets([LOOPBACK_IPV6, LOOPBACK], backlog=16)
    assert [sock.family for sock in sockets] == [socket.AF_INET6, socket.AF_INET]
    assert len({port_of(sock) for sock in sockets}) == 1
    listeners.release(sockets, unlink_uds=False)


@needs_ipv6
def test_a_picked_port_that_never_fits_the_other_address_is_an_error_in_the_end() -> None:
    twice = [LOOPBACK, LOOPBACK]
    with pytest.raises(StartupError, match="is in use"):
        listeners.bind_targets(twice, backlog=16)


def test_an_ipv6_address_the_machine_lacks_is_left_out_while_another_works() -> None:
    sockets = listeners.bind_targets([ABSENT_IPV6, LOOPBACK], backlog=16)
    assert [sock.getsockname()[0] for sock in sockets] == ["127.0.0.1"]
    listeners.release(sockets, unlink_uds=False)


def test_an_ipv6_address_the_machine_lacks_is_an_error_on_its_own() -> None:
    with pytest.raises(StartupError, match=r"\[2001:db8::1\]:0: this machine doesn't have"):
        listeners.bind_targets([ABSENT_IPV6], backlog=16)


def test_an_ipv4_address_the_machine_lacks_is_an_error_and_nothing_stays_open() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = port_of(free)
    taken_first = [LOOPBACK._replace(port=port), ABSENT_IPV4]
    with pytest.raises(StartupError, match=rf"192\.0\.2\.1:{port}: this machine doesn't have that address.*--host"):
        listeners.bind_targets(taken_first, backlog=16)
    listeners.release(listeners.bind_targets(taken_first[:1], backlog=16), unlink_uds=False)


def test_a_port_in_use_is_told_with_a_way_to_find_its_owner(closing: contextlib.ExitStack) -> None:
    port = port_of(opened(closing)[0])
    message = refusal(port=port)
    assert f"Can't listen on 127.0.0.1:{port}: port {port} is in use" in message
    assert "--port" in message
    assert f":{port}" in message.partition("`")[2]


def test_several_sockets_share_a_port_when_they_were_told_to(closing: contextlib.ExitStack) -> None:
    port = port_of(opened(closing, reuse_port=True)[0])
    assert port_of(opened(closing, port=port, reuse_port=True)[0]) == port
    assert "is in use" in refusal(port=port)


@pytest.mark.skipif(not _has_low_ports(), reason="every port is everybody's here")
@pytest.mark.usefixtures("unprivileged")
def test_a_port_of_the_system_asks_for_a_permission() -> None:
    message = refusal(port=1)
    assert "Can't listen on 127.0.0.1:1: ports below 1024 need a permission" in message
    assert "--fd" in message


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "[::1]", "x" * 70])
def test_an_unknown_host_is_named(host: str) -> None:
    message = refusal(host=host)
    assert f"The host {host!r} isn't known" in message
    assert "--host" in message
    assert ("without brackets" in message) is host.startswith("[")


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_out_of_range_is_a_usage_error(port: int) -> None:
    with pytest.raises(UsageError, match=f"--port is {port}"):
        listeners.bind(host="127.0.0.1", port=port, uds=None, fd=None, backlog=1)


def test_an_address_of_a_host_is_bound_once() -> None:
    targets = listeners.resolve("127.0.0.1", 80)
    assert targets == [Target(socket.AF_INET, "127.0.0.1", 80)]


def test_a_unix_socket_is_bound_when_a_path_is_given(tmp_path: Path, closing: contextlib.ExitStack) -> None:
    path = tmp_path / "x.sock"
    [sock] = opened(closing, uds=path, uds_permissions=0o600)
    assert isinstance(sock, UnixListener)
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_inherited_socket_is_recognised_by_itself_and_left_open(closing: contextlib.ExitStack) -> None:
    given = closing.enter_context(socket.socket())
    given.bind(("127.0.0.1", 0))
    [sock] = opened(closing, fd=given.fileno())
    assert (sock.family, sock.type, sock.getsockname()) == (given.family, given.type, given.getsockname())
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    assert not sock.get_inheritable()
    assert not sock.getblocking()
    sock.close()
    assert given.getsockname()


def test_an_inherited_unix_socket_keeps_its_file(tmp_path: Path, closing: contextlib.ExitStack) -> None:
    path = tmp_path / "x.sock"
    given = closing.enter_context(socket.socket(socket.AF_UNIX))
    given.bind(str(path))
    [sock] = opened(closing, fd=given.fileno())
    listeners.release([sock], unlink_uds=True)
    assert path.exists()


def test_a_successor_takes_over_the_duty_to_remove_the_file(tmp_path: Path, closing: contextlib.ExitStack) -> None:
    path = tmp_path / "x.sock"
    [first] = opened(closing, uds=path)
    assert isinstance(first, UnixListener)
    successor = listeners.adopt(first.fileno(), backlog=16, identity=first.identity)
    listeners.release([first], unlink_uds=False)
    assert path.exists()
    listeners.release([successor], unlink_uds=True)
    assert not path.exists()


def test_a_descriptor_that_is_closed_or_no_socket_is_refused(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w") as file:
        number = file.fileno()
        assert f"--fd {number} isn't a socket" in refusal(fd=number)
    assert f"--fd {number} isn't an open descriptor" in refusal(fd=number)
    assert "--fd -1 isn't an open descriptor" in refusal(fd=-1)
    assert "isn't an open descriptor" in refusal(fd=2**40)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_a_socket_that_is_not_bound_or_no_stream_is_refused(family: int) -> None:
    with socket.socket(family) as unbound:
        assert "isn't bound to an address" in refusal(fd=unbound.fileno())
    with socket.socket(family, socket.SOCK_DGRAM) as datagram:
        assert "isn't a stream socket" in refusal(fd=datagram.fileno())


def test_a_connection_is_not_taken_for_a_listener(closing: contextlib.ExitStack) -> None:
    [sock] = opened(closing)
    with socket.create_connection(sock.getsockname(), timeout=5) as connection:
        assert "is a connection" in refusal(fd=connection.fileno())


def test_a_refused_descriptor_leaks_no_copy(tmp_path: Path) -> None:
    with socket.socket() as unbound, open(tmp_path / "file", "w") as file:
        probe = os.dup(file.fileno())
        os.close(probe)
        refusal(fd=unbound.fileno())
        refusal(fd=file.fileno())
        again = os.dup(file.fileno())
        os.close(again)
    assert again == probe


@pytest.mark.parametrize(
    ("target", "tls", "expected"),
    [
        (LOOPBACK, False, "http://127.0.0.1:{port}"),
        (LOOPBACK, True, "https://127.0.0.1:{port}"),
        pytest.param(LOOPBACK_IPV6, True, "https://[::1]:{port}", marks=needs_ipv6),
    ],
)
def test_an_address_is_named_as_a_url(target: Target, tls: bool, expected: str) -> None:
    [sock] = listeners.bind_targets([target], backlog=1)
    assert listeners.address(sock, tls=tls) == expected.format(port=port_of(sock))
    sock.close()


def test_a_unix_address_is_named_by_its_path(tmp_path: Path, closing: contextlib.ExitStack) -> None:
    [sock] = opened(closing, uds=tmp_path / "x.sock")
    assert listeners.address(sock, tls=False) == f"unix socket {tmp_path / 'x.sock'}"


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
def test_an_abstract_unix_address_is_named_as_other_tools_do() -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"\0monoceros-{os.getpid()}")
        assert listeners.address(sock, tls=False) == f"unix socket @monoceros-{os.getpid()}"


@needs_ipv6
def test_other_reasons_are_told_in_the_words_of_the_system() -> None:
    """A link-local address that doesn't say on which link."""
    with pytest.raises(StartupError, match=rf"Can't listen on \[fe80::1\]:0: {os.strerror(errno.EINVAL)}\."):
        listeners.bind_targets([Target(socket.AF_INET6, "fe80::1", 0)], backlog=1)
