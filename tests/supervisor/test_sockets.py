"""The master's listeners by group, with real sockets."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from monoceros.resources import listeners as opening
from monoceros.supervisor.sockets import SHARED, Listeners


def opened(path: Path) -> list[socket.socket]:
    """A TCP socket that others may join, and a unix socket."""
    tcp = opening.bind(host="127.0.0.1", port=0, uds=None, fd=None, backlog=10, reuse_port=True)
    return tcp + opening.bind(host=None, port=0, uds=path, fd=None, backlog=10)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Listeners]:
    """Two slots with TCP sockets of their own, and a unix socket that they share."""
    made = Listeners(own=True, backlog=10)
    made.open(opened(tmp_path / "socket"), 2)
    yield made
    made.release(unlink=True)


def test_workers_share_all_sockets_unless_they_have_their_own(tmp_path: Path) -> None:
    shared = Listeners(own=False, backlog=10)
    sockets = opened(tmp_path / "socket")
    shared.open(sockets, 2)
    assert shared.of_slot(1) == shared.of_slot(7) == shared.every == sockets
    shared.release(unlink=True)


def test_each_slot_has_a_tcp_socket_on_the_same_address(own: Listeners) -> None:
    first, second = own.own(1)[0], own.own(2)[0]
    assert first is not second
    assert first.getsockname() == second.getsockname()
    assert own.of_slot(1)[0] is own.of_slot(2)[0]
    assert own.of_slot(1)[1:] == own.own(1)
    assert len(own.addresses) == 2


def test_a_slot_that_is_added_gets_sockets_then(own: Listeners) -> None:
    before = len(own.every)
    assert own.own(3)[0].getsockname() == own.own(1)[0].getsockname()
    assert own.own(3) is own.own(3)
    assert len(own.every) == before + 1


def test_a_socket_that_others_can_not_join_is_shared() -> None:
    """Such as one that a service manager opened without SO_REUSEPORT."""
    listeners = Listeners(own=True, backlog=10)
    plain = socket.create_server(("127.0.0.1", 0))
    listeners.open([plain], 2)
    assert listeners.of_slot(1) == listeners.of_slot(2) == [plain]
    listeners.release(unlink=False)


def test_a_slot_whose_address_can_not_be_bound_again_shares_the_first_ones(
    own: Listeners, caplog: pytest.LogCaptureFixture
) -> None:
    # A socket that nobody may join, in the place of the first slot's.
    address = own.own(1)[0].getsockname()
    own.release(unlink=True)
    with socket.create_server(address) as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        own.open([plain.dup()], 1)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
        assert own.own(2) == own.own(1)
    assert "Worker 2 shares the sockets of worker 1" in caplog.text


def test_another_master_gets_all_sockets_in_their_groups(own: Listeners, tmp_path: Path) -> None:
    packed = own.pack()
    assert sorted(each.group for each in packed) == [SHARED, 1, 2]
    again = Listeners(own=True, backlog=10)
    again.unpack([each._replace(descriptor=os.dup(each.descriptor)) for each in packed], 3)
    assert [sock.getsockname() for sock in again.of_slot(2)] == [sock.getsockname() for sock in own.of_slot(2)]
    assert again.own(3)[0].getsockname() == own.own(1)[0].getsockname()
    again.release(unlink=False)
    assert (tmp_path / "socket").exists()


def test_the_file_of_a_unix_socket_goes_with_the_last_master(own: Listeners, tmp_path: Path) -> None:
    again = Listeners(own=True, backlog=10)
    again.unpack([each._replace(descriptor=os.dup(each.descriptor)) for each in own.pack()], 2)
    own.release(unlink=False)
    assert (tmp_path / "socket").exists()
    again.release(unlink=True)
    assert not (tmp_path / "socket").exists()
