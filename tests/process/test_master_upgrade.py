"""USR2: a second master beside the first, on the same sockets, and the ways forward and back."""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.asking import Client, ask
from tests.process.fleet import (
    IMPORT_HANGS,
    START_FAILS,
    Crowd,
    after,
    all_children,
    ask_at,
    end_of,
    has,
    masters,
    only,
    ready,
    refuses,
    second_master,
    source,
    upgraded,
)
from tests.process.serving import PATIENCE, Serving, alive, serving, until


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(source())
    return tmp_path


@contextlib.contextmanager
def named(directory: Path, *options: str, command: list[str] | None = None) -> Iterator[tuple[Serving, Path]]:
    """A server with two workers and a pid file, and that file."""
    path = directory / "pid"
    with upgraded(directory, "--no-access-log", "--pid-file", str(path), *options, command=command or []) as server:
        yield server, path


def holds(path: Path, pid: int) -> None:
    """Wait until a pid file names a process."""
    until(lambda: path.exists() and path.read_text() == f"{pid}\n", f"{path.name} with {pid}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_second_master_serves_beside_the_first_and_alone_after_its_end(
    directory: Path, number: signal.Signals
) -> None:
    with named(directory) as (server, path):
        port = server.port
        with Crowd(port) as crowd:
            (directory / "app.py").write_text(source("two"))
            second = second_master(server)
            until(lambda: crowd.versions() == {"one", "two"}, "answers of both")
            assert len(ready(server.pid)) == 2
            holds(path, second)
            holds(path.with_name("pid.oldbin"), server.pid)
            if number == signal.SIGTERM:
                server.send(number)
                assert server.process.wait(PATIENCE) == 0
                crowd.wait_for_more()
        assert crowd.failures == []
        if number == signal.SIGQUIT:  # which cuts what is running
            server.send(number)
            assert server.process.wait(PATIENCE) == 0
        only(port, "two")
        assert not refuses(port)
        holds(path, second)
        assert not path.with_name("pid.oldbin").exists()
        os.kill(second, signal.SIGTERM)
        end_of(second)
        until(lambda: not server.workers, "the end of all workers")
        assert refuses(port)
        assert not path.exists()


def test_the_successor_of_a_successor_serves(directory: Path) -> None:
    with named(directory) as (server, path):
        port = server.port
        second = second_master(server)
        server.send(signal.SIGTERM)
        server.process.wait(PATIENCE)
        (directory / "app.py").write_text(source("three"))
        os.kill(second, signal.SIGUSR2)
        until(lambda: len(masters(server)) == 3, "a third master")
        third = masters(server)[-1]
        has(third, 2)
        holds(path, third)
        os.kill(second, signal.SIGTERM)
        end_of(second)
        assert ask(port).endswith(" three")
        os.kill(third, signal.SIGTERM)
        end_of(third)
        assert not path.exists()


def test_the_second_master_reloads_as_any_other(directory: Path) -> None:
    with named(directory) as (server, _):
        second = second_master(server)
        server.send(signal.SIGTERM)
        server.process.wait(PATIENCE)
        (directory / "app.py").write_text(source("three"))
        os.kill(second, signal.SIGHUP)
        until(lambda: ask(server.port).endswith(" three"), "new code")


@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_the_way_back_by_winch_and_hup_loses_nothing(directory: Path, options: tuple[str, ...]) -> None:
    """As docs/deployment.md has it: the old workers go, and return when the new code turns out to be bad."""
    path = str(directory / "pid")
    arguments = ("app:app", "--port", "0", "--workers", "2", "--no-access-log", "--pid-file", path, *options)
    with named(directory, command=after("os.setsid()", *arguments)) as (server, pid_file):
        with Crowd(server.port) as crowd:
            (directory / "app.py").write_text(source("two"))
            second = second_master(server)
            server.send(signal.SIGWINCH)
            has_no_worker(server.pid, second)
            crowd.wait_for_more()
            (directory / "app.py").write_text(source("one"))
            server.send(signal.SIGHUP)
            until(lambda: len(ready(server.pid)) == 2, "the old master's workers")
            os.kill(second, signal.SIGTERM)
            server.wait_for("left by itself: this one goes on")
            crowd.wait_for_more()
        assert crowd.failures == []
        assert ask(server.port).endswith(" one")
        holds(pid_file, server.pid)


def has_no_worker(master: int, second: int) -> None:
    """Wait until a master has no child left but the second master."""
    until(lambda: all_children(master) == {second}, "the end of the old workers")


def test_term_to_the_new_master_leaves_the_old_one_serving(directory: Path) -> None:
    with named(directory) as (server, path):
        with Crowd(server.port) as crowd:
            second = second_master(server)
            os.kill(second, signal.SIGTERM)
            server.wait_for(f"The second master [pid {second}] left by itself: this one goes on.")
            has(server.pid, 2)
            crowd.wait_for_more()
        assert crowd.failures == []
        holds(path, server.pid)
        assert not path.with_name("pid.oldbin").exists()
        third = second_master(server)
        assert third != second
        holds(path, third)


@pytest.mark.parametrize(
    ("code", "reason"),
    [("import missing_module\n", "missing_module"), (START_FAILS, "ValueError: no database today")],
)
@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_a_second_master_that_cannot_start_leaves_the_first_one_whole(
    directory: Path, code: str, reason: str, options: tuple[str, ...]
) -> None:
    with named(directory, *options) as (server, path):
        before = ready(server.pid)
        (directory / "app.py").write_text(code)
        server.send(signal.SIGUSR2)
        server.wait_for("could not start: this one goes on.")
        assert reason in server.output
        has(server.pid, 2)
        assert ready(server.pid) == before
        assert ask(server.port).endswith(" one")
        holds(path, server.pid)
        assert not path.with_name("pid.oldbin").exists()
        (directory / "app.py").write_text(source("two"))
        second = second_master(server)
        holds(path, second)
        server.send(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        assert ask(server.port).endswith(" two")


def test_a_second_master_that_is_killed_gives_the_pid_file_back(directory: Path) -> None:
    with named(directory) as (server, path):
        second = second_master(server)
        os.kill(second, signal.SIGKILL)
        server.wait_for(f"The second master [pid {second}] was killed by SIGKILL")
        holds(path, server.pid)
        assert ask(server.port).endswith(" one")


def test_a_first_master_that_is_killed_leaves_the_second_one_serving(directory: Path) -> None:
    with named(directory) as (server, path):
        port = server.port
        second = second_master(server)
        server.send(signal.SIGKILL)
        server.process.wait(PATIENCE)
        until(lambda: server.workers == ready(second), "the end of the first master's workers")
        assert int(ask(port).split()[0]) in ready(second)
        holds(path, second)


def test_while_a_second_master_lives_no_other_is_started(directory: Path) -> None:
    with named(directory) as (server, path):
        second = second_master(server)
        server.send(signal.SIGUSR2)
        server.wait_for("That is not done: a second master was started already, and lives.")
        holds(path, second)
        assert len(masters(server)) == 2


def test_term_while_the_second_master_starts_leaves_nothing_behind(directory: Path) -> None:
    with named(directory) as (server, path):
        port = server.port
        (directory / "app.py").write_text(IMPORT_HANGS)
        server.send(signal.SIGUSR2)
        server.wait_for("import begins", 2)
        second = masters(server)[-1]
        os.kill(second, signal.SIGTERM)
        server.wait_for("this one goes on")
        assert not alive(second)
        assert ask(port).endswith(" one")
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0
        assert not path.exists()


# Unix sockets.


def test_the_file_of_a_unix_socket_outlives_the_old_master_and_goes_with_the_new_one(directory: Path) -> None:
    path = directory / "server.sock"
    with upgraded(directory, command=unix(path)) as server:
        second = second_master(server)
        server.send(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        assert int(ask_at(socket.AF_UNIX, str(path)).split()[0]) in ready(second)
        os.kill(second, signal.SIGTERM)
        end_of(second)
        assert not path.exists()


def test_the_file_of_a_unix_socket_outlives_the_new_master_while_the_old_one_serves(directory: Path) -> None:
    path = directory / "server.sock"
    with upgraded(directory, command=unix(path)) as server:
        second = second_master(server)
        os.kill(second, signal.SIGTERM)
        server.wait_for("this one goes on")
        assert int(ask_at(socket.AF_UNIX, str(path)).split()[0]) in ready(server.pid)
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0
        assert not path.exists()


def unix(path: Path) -> list[str]:
    """The command of a server on a unix socket."""
    return [sys.executable, "-m", "monoceros", "app:app", "--uds", str(path), "--workers", "2"]


# Where there can't be a second master.


def test_a_single_process_says_that_it_cannot_be_succeeded(directory: Path) -> None:
    with serving(directory) as server:
        server.send(signal.SIGUSR2)
        server.wait_for("Received SIGUSR2: ignored")
        assert ask(server.port).split()[0] == str(server.pid)


def test_a_running_request_of_the_old_master_is_answered_in_full(directory: Path) -> None:
    with named(directory) as (server, _), Client(server.port) as client:
        client.send("/slow")
        server.wait_for("slow begins")
        (directory / "app.py").write_text(source("two"))
        second_master(server)
        server.send(signal.SIGTERM)
        assert client.read().endswith(" one")
        assert server.process.wait(PATIENCE) == 0
        assert ask(server.port).endswith(" two")
