"""A process that serves without a master: its signals, its limits, and what it is to the system around it."""

import contextlib
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.process.asking import Client, ask
from tests.process.serving import ROOT, Serving, serving, until

APP = """
import asyncio, os, time

print("imported by", os.getuid(), flush=True)

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                print("the application has shut down", flush=True)
                return
    path = scope["path"]
    if path == "/slow":
        print("slow begins", flush=True)
        await asyncio.sleep(1)
    elif path == "/endless":
        print("endless begins", flush=True)
        await asyncio.sleep(3600)
    elif path == "/block":
        time.sleep(3600)
    body = str(os.getpid()).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
"""

LOG_CONFIG = """
version = 1
disable_existing_loggers = false
[formatters.plain]
format = "%(message)s"
[handlers.file]
class = "logging.FileHandler"
filename = "error.log"
formatter = "plain"
[handlers.screen]
class = "logging.StreamHandler"
formatter = "plain"
[loggers."monoceros.error"]
handlers = ["file", "screen"]
level = "INFO"
"""

BY_EXEC = "import os, signal, sys; {}; os.execv(sys.executable, [sys.executable, '-m', 'monoceros', *sys.argv[1:]])"


# Loads what a server needs while the process may still read all of the interpreter.
WARM = """
from monoceros.cli import main
from monoceros.config import Config
from monoceros.server.build import check
check(Config("app:app"))
main()
"""


@contextlib.contextmanager
def single(directory: Path, *options: str, command: Sequence[str] = ()) -> Iterator[Serving]:
    """Start a server as `serving` does, and wait until it serves TCP."""
    with serving(directory, *options, command=command) as server:
        server.wait_for("running on http")
        yield server


class Terminal:
    """A terminal, and a command that starts a server at it."""

    def __init__(self) -> None:
        self._descriptors: tuple[int, ...] = os.openpty()
        name = os.ttyname(self._descriptors[1])
        # In a group of its own, for the kernel stops no group that nobody outside of it could let go on.
        program = BY_EXEC.format(f"os.setpgid(0, 0); os.dup2(os.open({name!r}, os.O_RDWR | os.O_NOCTTY), 0)")
        self.command = [sys.executable, "-c", program, "app:app", "--port", "0"]

    def close(self) -> None:
        """Hang up."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = ()


def state(pid: int) -> str:
    """How a process is, in one letter (proc_pid_stat(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def drop_all(receiver: socket.socket) -> None:
    while receiver.recv(4096):
        pass


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


# The signals that stop it.


def test_sigterm_lets_a_running_request_finish_and_shuts_the_application_down(directory: Path) -> None:
    with single(directory) as server, Client(server.port) as client:
        client.send("/slow")
        server.wait_for("slow begins")
        server.send(signal.SIGTERM)
        assert client.read() == str(server.pid)
        assert server.exit_code() == 0
        assert "the application has shut down" in server.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_during_its_delay_it_accepts_until_somebody_is_in_a_hurry(directory: Path, number: signal.Signals) -> None:
    with single(directory, "--drain-delay", "600") as server:
        for _ in range(2):
            server.send(signal.SIGTERM)
            server.wait_for("serving on for 600 s (drain_delay)")
            assert ask(server.port) == str(server.pid)
        server.send(number)
        assert server.exit_code() == 0
        assert server.output.count("Received SIGTERM") == 1


def test_after_its_delay_it_drains(directory: Path) -> None:
    with single(directory, "--drain-delay", "0.5") as server:
        server.send(signal.SIGTERM)
        server.wait_for("serving on for 0.5 s")
        server.wait_for("Shutting down")
        assert server.exit_code() == 0


@pytest.mark.parametrize("numbers", [(signal.SIGQUIT,), (signal.SIGINT, signal.SIGINT)])
def test_a_quit_or_a_second_interrupt_waits_for_nobody(directory: Path, numbers: tuple[signal.Signals, ...]) -> None:
    with single(directory, "--graceful-timeout", "none") as server, Client(server.port) as client:
        client.send("/endless")
        server.wait_for("endless begins")
        for count, number in enumerate(numbers, 1):
            server.send(number)
            if count < len(numbers):
                server.wait_for("Shutting down")
        assert server.exit_code() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_stop_ends_an_import_and_counts_as_no_failure(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "app.py").write_text("import time\nprint('import begins', flush=True)\ntime.sleep(3600)\n")
    with serving(tmp_path, ready=0) as server:
        server.wait_for("import begins")
        server.send(number)
        assert server.exit_code() == 0
        assert "Traceback" not in server.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_stop_ends_a_lifespan_that_starts_and_counts_as_no_failure(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "app.py").write_text(
        "import asyncio\n"
        "async def app(scope, receive, send):\n"
        "    await receive()\n"
        "    print('start begins', flush=True)\n"
        "    await asyncio.sleep(3600)\n"
    )
    with serving(tmp_path, "--drain-delay", "600", ready=0) as server:
        server.wait_for("start begins")
        server.send(number)
        assert server.exit_code() == 0
        assert "Traceback" not in server.output


# The signals that don't.


def test_signals_that_only_a_master_can_act_on_are_explained_and_change_nothing(directory: Path) -> None:
    with single(directory, "--no-access-log") as server:
        for name in ("SIGHUP", "SIGUSR2", "SIGTTIN", "SIGTTOU"):
            server.send(signal.Signals[name])
            server.wait_for(f"Received {name}: ignored, for a single process ")
        server.send(signal.SIGWINCH)
        assert ask(server.port) == str(server.pid)
        assert server.output.count("Received ") == 4
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0


def test_a_hangup_during_the_import_does_not_end_it(tmp_path: Path) -> None:
    source = "import pathlib, time\nprint('import begins', flush=True)\nwhile not pathlib.Path('go').exists():\n"
    (tmp_path / "app.py").write_text(source + "    time.sleep(0.01)\n" + APP)
    with serving(tmp_path, ready=0) as server:
        server.wait_for("import begins")
        server.send(signal.SIGHUP)
        (tmp_path / "go").touch()
        server.wait_for("Received SIGHUP: ignored")
        server.wait_for("running on http")
        assert ask(server.port) == str(server.pid)


def test_under_nohup_a_hangup_stays_ignored(directory: Path) -> None:
    program = BY_EXEC.format("signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    with single(directory, command=[sys.executable, "-c", program, "app:app", "--port", "0"]) as server:
        server.send(signal.SIGHUP)
        server.send(signal.SIGUSR2)
        server.wait_for("Received SIGUSR2")
        assert "SIGHUP" not in server.output


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


def test_a_hangup_of_its_terminal_ends_it(directory: Path, terminal: Terminal) -> None:
    """Nobody is left to press Ctrl+C, and the port would stay taken."""
    with single(directory, command=terminal.command) as server:
        server.send(signal.SIGHUP)
        server.wait_for("Received SIGHUP: ignored")
        terminal.close()
        server.send(signal.SIGHUP)
        assert server.exit_code() == 0
        assert "the application has shut down" in server.output


def test_at_a_terminal_job_control_is_the_terminals(directory: Path, terminal: Terminal) -> None:
    with single(directory, command=terminal.command) as server:
        for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTSTP, signal.SIGTTOU):
            server.send(number)
            until(lambda: state(server.pid) == "T", f"{number.name} stops it")
            server.send(signal.SIGCONT)
            assert ask(server.port) == str(server.pid)
        assert "Received" not in server.output


def test_sigusr1_opens_the_log_files_again(directory: Path) -> None:
    (directory / "log.toml").write_text(LOG_CONFIG)
    log, rotated = directory / "error.log", directory / "rotated.log"
    with single(directory, "--log-config", "log.toml") as server:
        until(lambda: "Application startup complete." in log.read_text(), "a line")
        log.rename(rotated)
        server.send(signal.SIGUSR1)
        until(log.exists, "a new file")
        server.send(signal.SIGHUP)
        until(lambda: "Received SIGHUP" in log.read_text(), "a line in the new file")
        assert "Received SIGHUP" not in rotated.read_text()


# What it is to the system.


def test_the_service_manager_is_told_how_it_goes(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(directory / "notify"))
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(directory / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "10000000")
        heard = ""

        def hear(text: str) -> None:
            nonlocal heard
            while text not in heard:
                heard += manager.recv(4096).decode() + "\n"

        with single(directory, "--drain-delay", "0.1") as server:
            hear("READY=1\n")
            assert f"STATUS=Serving on http://127.0.0.1:{server.port}\n" in heard
            heard = ""
            hear("WATCHDOG=1\n")
            assert "STOPPING" not in heard
            server.send(signal.SIGTERM)
            hear("STOPPING=1\nSTATUS=Serving on for 0.1 s, then stopping\n")
            hear("STATUS=Shutting down\n")
            assert server.exit_code() == 0


def test_a_blocked_loop_gives_the_service_manager_no_sign_of_life(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(directory / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(directory / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "10000000")
        with single(directory, "--timeout-worker", "0") as server, Client(server.port) as client:
            manager.settimeout(30)
            while manager.recv(4096) != b"WATCHDOG=1":
                pass
            client.send("/block")
            manager.settimeout(2.5)
            with pytest.raises(TimeoutError):
                drop_all(manager)


def test_several_addresses_are_served(directory: Path) -> None:
    path = directory / "server.sock"
    options = ("--bind", "127.0.0.1:0", "--bind", f"unix:{path}", "--uds-permissions", "600")
    with single(directory, command=[sys.executable, "-m", "monoceros", "app:app", *options]) as server:
        server.wait_for("running on", 2)
        assert ask(server.port) == str(server.pid)
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(str(path))
            client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            assert client.makefile("rb").read().endswith(str(server.pid).encode())
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0
        assert not path.exists()


def test_options_of_a_master_are_named_once_and_the_service_has_the_name_it_was_given(directory: Path) -> None:
    options = ("--preload", "--timeout-worker-start", "5", "--proc-name", "shop")
    with single(directory, *options) as server:
        for name in ("preload", "timeout_worker_start"):
            assert server.output.count(f"{name} has no effect in a single process") == 1
        assert Path(f"/proc/{server.pid}/cmdline").read_bytes().startswith(b"monoceros: single [shop]")


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user may read, which those of tests aren't."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    (path / "app.py").write_text(APP)
    yield path
    shutil.rmtree(path)


def test_root_opens_the_sockets_and_another_user_runs_the_application(open_directory: Path) -> None:
    """Who isn't root is told that only root can."""
    path = open_directory / "server.sock"
    options = ("app:app", "--uds", str(path), "--user", "65534", "--group", "65534")
    with serving(open_directory, command=[sys.executable, "-c", WARM, *options], ready=0) as server:
        if os.geteuid() != 0:
            assert server.exit_code() == 2
            assert "only root" in server.output
            return
        server.wait_for("Application startup complete.")
        assert "imported by 65534" in server.output
        assert path.stat().st_uid == 65534
        status = Path(f"/proc/{server.pid}/status").read_text()
        assert re.search(r"Uid:(\s+65534){4}", status)
        assert re.search(r"Groups:\s*65534\s", status)


def test_an_account_that_does_not_exist_is_refused_with_code_2(directory: Path) -> None:
    with serving(directory, "--user", "nobody-of-this-name", ready=0) as server:
        assert server.exit_code() == 2
        assert "nobody-of-this-name" in server.output
        assert str(ROOT) not in server.output.replace(str(directory), "")
