"""Unix sockets: whose file is replaced, whose is left alone, and whose is removed at the end."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from monoceros.errors import StartupError
from monoceros.resources.listeners import release
from monoceros.resources.unix_listeners import UnixListener, open_listener


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "server.sock"


@pytest.fixture
def listener(path: Path) -> Iterator[UnixListener]:
    with open_listener(str(path), backlog=4, permissions=None) as sock:
        yield sock


def leave_stale(path: Path, mode: int) -> None:
    """Leave the file of a server that died."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    path.chmod(mode)


def refusal(path: str | Path) -> str:
    with pytest.raises(StartupError) as caught:
        open_listener(str(path), backlog=4, permissions=None)
    return str(caught.value)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        return client.connect_ex(str(path)) == 0


def test_a_listener_accepts_does_not_block_and_is_not_inherited(listener: UnixListener, path: Path) -> None:
    assert accepts(path)
    assert not listener.getblocking()
    assert not listener.get_inheritable()


def test_everybody_may_connect_unless_told_otherwise_whatever_the_umask(path: Path) -> None:
    previous = os.umask(0o077)
    try:
        listener = open_listener(str(path), backlog=4, permissions=None)
    finally:
        os.umask(previous)
    assert mode_of(path) == 0o666
    listener.close()


def test_permissions_that_were_asked_for_win_over_those_of_the_socket_replaced(path: Path) -> None:
    leave_stale(path, 0o600)
    open_listener(str(path), backlog=4, permissions=0o660).close()
    assert mode_of(path) == 0o660


def test_a_stale_socket_is_replaced_and_its_mode_kept(path: Path) -> None:
    leave_stale(path, 0o640)
    with open_listener(str(path), backlog=4, permissions=None):
        assert accepts(path)
        assert mode_of(path) == 0o640


def test_a_live_socket_is_left_alone(listener: UnixListener, path: Path) -> None:
    assert f"The unix socket {path} is in use" in refusal(path)
    assert accepts(path)


def test_a_live_socket_with_a_full_queue_is_left_alone(path: Path) -> None:
    with open_listener(str(path), backlog=0, permissions=None):
        clients: list[socket.socket] = []
        answer = 0
        while answer == 0:
            clients.append(socket.socket(socket.AF_UNIX))
            clients[-1].setblocking(False)
            answer = clients[-1].connect_ex(str(path))
        for client in clients:
            client.close()
        if answer == errno.EAGAIN:
            assert "is in use" in refusal(path)


def test_a_socket_of_another_kind_is_left_alone(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        assert "whether it is in use can't be told" in refusal(path)
        assert path.exists()


@pytest.mark.parametrize("kind", ["file", "directory", "dangling link", "link to a stale socket"])
def test_what_is_not_a_socket_is_left_alone(path: Path, kind: str) -> None:
    if kind == "file":
        path.write_text("precious")
    elif kind == "directory":
        path.mkdir()
    else:
        target = path.with_name("target")
        if "stale" in kind:
            leave_stale(target, 0o666)
        path.symlink_to(target)
    assert f"{path} exists and isn't a socket" in refusal(path)
    assert os.path.lexists(path)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    message = refusal(tmp_path / "run" / "x.sock")
    assert f"there's no directory {tmp_path / 'run'}" in message
    assert "--uds" in message


def test_a_path_that_is_too_long_is_told_with_the_limit(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    message = refusal(long)
    assert f"the path has {len(str(long))} bytes" in message
    assert not long.exists()


def test_a_file_in_the_place_of_a_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert os.strerror(errno.ENOTDIR) in refusal(tmp_path / "file" / "x.sock")


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    directory = tmp_path / "locked"
    directory.mkdir(mode=0o500)
    return directory


def test_a_directory_that_may_not_be_written_is_named(locked: Path, unprivileged: None) -> None:
    assert f"no permission to make it in {locked}" in refusal(locked / "x.sock")


def test_a_path_with_a_nul_is_refused() -> None:
    assert "null" in refusal("a\0b")


def test_a_refusal_leaves_no_file_behind(path: Path) -> None:
    with pytest.raises(OverflowError):
        open_listener(str(path), backlog=2**40, permissions=None)
    assert not path.exists()


def test_the_owner_removes_the_file_at_the_end(listener: UnixListener, path: Path) -> None:
    release([listener], unlink_uds=True)
    assert listener.fileno() == -1
    assert not path.exists()


def test_a_worker_leaves_the_file_to_its_siblings(listener: UnixListener, path: Path) -> None:
    sibling = socket.socket(fileno=os.dup(listener.fileno()))
    release([listener], unlink_uds=False)
    assert accepts(path)
    sibling.close()


def test_a_file_that_somebody_else_put_there_since_is_left_alone(listener: UnixListener, path: Path) -> None:
    path.unlink()
    with open_listener(str(path), backlog=4, permissions=None):
        release([listener], unlink_uds=True)
        assert accepts(path)


def test_a_file_that_is_gone_already_is_no_error(listener: UnixListener, path: Path) -> None:
    path.unlink()
    release([listener], unlink_uds=True)


def test_a_relative_path_is_removed_after_a_change_of_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    listener = open_listener("x.sock", backlog=4, permissions=None)
    assert (tmp_path / "x.sock").exists()
    monkeypatch.chdir("/")
    release([listener], unlink_uds=True)
    assert not (tmp_path / "x.sock").exists()
