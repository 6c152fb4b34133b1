"""Where a server listens: several addresses, sockets of others, unix sockets, and a socket for each worker."""

import contextlib
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.asking import ask
from tests.process.fleet import (
    IMPORT_HANGS,
    Crowd,
    after,
    ask_at,
    has,
    ready,
    refuses,
    second_master,
    source,
    upgraded,
)
from tests.process.serving import PATIENCE, Serving, serving, until

COMMAND = (sys.executable, "-m", "monoceros", "app:app")

# Leaves a listening socket at descriptor 7, for a server to inherit.
AT_SEVEN = "import socket\nmade = socket.create_server(('127.0.0.1', 0))\nos.dup2(made.fileno(), 7)"

# Does what systemd does for a socket unit.
ACTIVATED = f"""
{AT_SEVEN}
os.dup2(7, 3)
os.close(7)
os.environ |= {{"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}}
"""

BOTH = pytest.mark.parametrize("workers", [1, 2])
FRESH = 60  # connections, of which each worker gets some unless chance plays a trick that happens once in 10^10 times


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(source())
    return tmp_path


@contextlib.contextmanager
def listening(directory: Path, workers: int, *options: str, preparation: str = "") -> Iterator[Serving]:
    """A server of one process or of several workers, at the addresses of its options alone."""
    arguments = ("app:app", "--workers", str(workers), *options)
    with serving(directory, ready=0, command=after(preparation, *arguments)) as server:
        server.wait_for("Application startup complete.", workers)
        if workers == 1:
            server.wait_for("running on ")
        yield server


def addresses(server: Serving) -> list[str]:
    """The addresses that it says it serves."""
    return re.findall(r"running on (.*) \(Press", server.output)


def has_ipv6() -> bool:
    """Whether this machine has the other loopback address."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


# Several addresses.


@BOTH
def test_all_addresses_are_served(directory: Path, workers: int) -> None:
    path = directory / "server.sock"
    given = ["127.0.0.1:0", "127.0.0.1:0", f"unix:{path}", "fd://7", *(["[::1]:0"] if has_ipv6() else [])]
    options = [word for address in given for word in ("--bind", address)]
    with listening(directory, workers, *options, preparation=AT_SEVEN) as server:
        until(lambda: len(addresses(server)) == len(given), "a line for each address")
        ports = {int(text.rpartition(":")[2]) for text in addresses(server) if text.startswith("http://127.0.0.1:")}
        assert len(ports) == 3
        for port in ports:
            assert ask(port).endswith(" one")
        for text in addresses(server):
            if text.startswith("http://["):
                assert ask_at(socket.AF_INET6, ("::1", int(text.rpartition(":")[2]))).endswith(" one")
        assert ask_at(socket.AF_UNIX, str(path)).endswith(" one")
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0
        assert not path.exists()
        assert all(refuses(port) for port in ports)


@BOTH
def test_an_address_that_is_taken_closes_the_others_and_ends_the_start_with_code_3(
    directory: Path, workers: int
) -> None:
    path = directory / "server.sock"
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        command = [*COMMAND, "--workers", str(workers), "--bind", f"unix:{path}", "--bind", taken]
        with serving(directory, command=command, ready=0) as server:
            assert server.exit_code() == 3
            assert taken.rpartition(":")[2] in server.output
            assert "Traceback" not in server.output
            assert not path.exists()


# Unix sockets.


@BOTH
def test_the_mode_of_a_unix_socket_is_the_one_given(directory: Path, workers: int) -> None:
    path = directory / "server.sock"
    with listening(directory, workers, "--uds", str(path), "--uds-permissions", "640", "--umask", "077"):
        assert path.stat().st_mode & 0o777 == 0o640


@BOTH
def test_a_unix_socket_that_nobody_serves_is_replaced_and_keeps_its_mode(directory: Path, workers: int) -> None:
    path = directory / "server.sock"
    with listening(directory, workers, "--uds", str(path)) as server:
        assert path.stat().st_mode & 0o777 == 0o666
        path.chmod(0o600)
        server.send(signal.SIGKILL)
        server.process.wait(PATIENCE)
        until(lambda: not server.workers, "the end of the workers")
    assert path.exists()
    with listening(directory, workers, "--uds", str(path)):
        assert ask_at(socket.AF_UNIX, str(path)).endswith(" one")
        assert path.stat().st_mode & 0o777 == 0o600


@BOTH
def test_a_unix_socket_that_is_served_is_refused_with_code_3(directory: Path, workers: int) -> None:
    path = directory / "server.sock"
    with listening(directory, workers, "--uds", str(path)) as server:
        with serving(directory, command=[*COMMAND, "--workers", "2", "--uds", str(path)], ready=0) as second:
            assert second.exit_code() == 3
            assert "is in use" in second.output
        assert ask_at(socket.AF_UNIX, str(path)).endswith(" one")
        assert server.process.poll() is None


# Sockets of a service manager.


@BOTH
def test_passed_sockets_are_taken_by_themselves_and_an_address_given_beside_them_is_warned_about(
    directory: Path, workers: int
) -> None:
    path = directory / "server.sock"
    with listening(directory, workers, "--bind", f"unix:{path}", preparation=ACTIVATED) as server:
        assert len(addresses(server)) == 1
        assert ask(server.port).endswith(" one")
        assert "bind" in re.findall(r"WARNING: .*", server.output)[0]
        assert not path.exists()
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0


@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_passed_sockets_stay_through_a_reload(directory: Path, options: tuple[str, ...]) -> None:
    # In one write: two processes share the pipe, and an unbuffered `print` writes the end of its line by itself.
    told = "import os\nos.write(1, f'told of {os.getenv(\"LISTEN_FDS\")} sockets\\n'.encode())"
    (directory / "app.py").write_text(source("one", told))
    options = ("--no-access-log", *options)
    with listening(directory, 2, *options, preparation=ACTIVATED) as server:
        with Crowd(server.port) as crowd:
            (directory / "app.py").write_text(source("two", told))
            server.send(signal.SIGHUP)
            until(lambda: "two" in crowd.versions() or crowd.failures, "new code")
            crowd.wait_for_more()
        assert crowd.failures == []
        assert set(re.findall("told of (.*) sockets", server.output)) == {"None"}


def test_passed_sockets_are_handed_to_a_second_master(directory: Path) -> None:
    with upgraded(directory, command=after(ACTIVATED, "app:app", "--workers", "2")) as server:
        port = server.port
        second = second_master(server)
        server.send(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        assert int(ask(port).split()[0]) in ready(second)


# A socket for each worker.


@contextlib.contextmanager
def with_own_sockets(directory: Path, workers: int, *options: str) -> Iterator[Serving]:
    """A server under --reuse-port, with so many workers that serve."""
    options = ("--reuse-port", "--no-access-log", "--workers", str(workers), *options)
    with upgraded(directory, *options, workers=workers) as server:
        yield server


def sockets_at(port: int) -> int:
    """How many sockets listen on a port (proc_pid_net(5))."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)


def answers(port: int) -> set[int]:
    """Open connections, all at once before any is used, and return who answers; each has to be answered."""
    clients = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(FRESH)]
    found = set()
    for client in clients:
        client.sendall(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
        with client, client.makefile("rb") as answer:
            found.add(int(answer.read().partition(b"\r\n\r\n")[2].split()[0]))
    return found


def test_each_worker_has_a_socket_of_its_own_and_gets_connections(directory: Path) -> None:
    with with_own_sockets(directory, 3) as server:
        assert sockets_at(server.port) == 3
        assert answers(server.port) == ready(server.pid)


def test_connections_to_a_worker_that_is_killed_are_served_by_its_sibling(directory: Path) -> None:
    """Also while its replacement takes for ever."""
    with with_own_sockets(directory, 2) as server:
        victim, sibling = sorted(ready(server.pid))
        (directory / "app.py").write_text(IMPORT_HANGS)
        os.kill(victim, signal.SIGSTOP)
        began = time.monotonic()
        waiting = [socket.create_connection(("127.0.0.1", server.port), PATIENCE) for _ in range(FRESH)]
        os.kill(victim, signal.SIGKILL)
        assert answers(server.port) == {sibling}
        for client in waiting:
            client.sendall(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
            with client, client.makefile("rb") as answer:
                assert answer.read().endswith(f"{sibling} one".encode())
        assert time.monotonic() - began < PATIENCE / 3
        assert sockets_at(server.port) == 2


def test_a_replacement_serves_its_socket_again(directory: Path) -> None:
    with with_own_sockets(directory, 2) as server:
        os.kill(min(ready(server.pid)), signal.SIGKILL)
        server.wait_for("was killed by SIGKILL")
        has(server.pid, 2)
        until(lambda: answers(server.port) == ready(server.pid), "connections for both")


def test_no_connection_is_lost_while_the_number_of_workers_changes(directory: Path) -> None:
    with with_own_sockets(directory, 2) as server:
        steps = [(signal.SIGTTIN, 3), (signal.SIGTTOU, 2), (signal.SIGTTOU, 1), (signal.SIGTTIN, 2)]
        with Crowd(server.port) as crowd:
            for number, count in steps:
                server.send(number)
                assert answers(server.port)
                has(server.pid, count)
                until(lambda: answers(server.port) == ready(server.pid), "connections for all")
        assert crowd.failures == []
        assert sockets_at(server.port) == 3


@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_a_reload_leaves_each_worker_its_socket(directory: Path, options: tuple[str, ...]) -> None:
    with with_own_sockets(directory, 2, *options) as server:
        before = ready(server.pid)
        with Crowd(server.port) as crowd:
            (directory / "app.py").write_text(source("two"))
            server.send(signal.SIGHUP)
            until(lambda: "two" in crowd.versions() or crowd.failures, "new code")
            has(server.pid, 2)
            until(lambda: answers(server.port) == ready(server.pid), "connections for all")
        assert crowd.failures == []
        assert not before & ready(server.pid)
        assert sockets_at(server.port) == 2


def test_a_second_master_shares_the_sockets_and_serves_all_of_them_alone(directory: Path) -> None:
    with with_own_sockets(directory, 2) as server:
        port = server.port
        with Crowd(port) as crowd:
            second = second_master(server)
            server.send(signal.SIGTERM)
            assert server.process.wait(PATIENCE) == 0
            until(lambda: answers(port) == ready(second), "connections for both")
        assert crowd.failures == []
        assert sockets_at(port) == 2
