"""What a master is to the system around it: the service manager, files, accounts, titles, and the code it ends with."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.process.asking import Client, ask
from tests.process.fleet import (
    IMPORT_HANGS,
    START_FAILS,
    all_children,
    ask_at,
    has,
    only,
    ready,
    refuses,
    second_master,
    source,
    title_of,
    upgraded,
)
from tests.process.serving import PATIENCE, ROOT, serving, until

# The second start of a worker waits for a file `go`.
SECOND_WAITS = """
import asyncio, os, pathlib
from shop import app as shop

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        try:
            os.close(os.open("first", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            while not pathlib.Path("go").exists():
                await asyncio.sleep(0.01)
    await shop(scope, receive, send)
"""

# Loads what a server needs while the process may still read all of the interpreter.
WARM = """
from monoceros.cli import main
from monoceros.config import Config
from monoceros.server.build import check
check(Config("app:app"))
main()
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(source())
    return tmp_path


# The service manager.


class Manager:
    """A service manager: all that it was told, datagram by datagram."""

    def __init__(self, path: Path) -> None:
        self.messages: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        self._path = path

    def _listen(self) -> None:
        while message := self._socket.recv(4096):
            self.messages.append(message.decode())

    def wait_for(self, *words: str) -> None:
        """Wait until a message began with each of these words, in this order; forget all up to the last of them."""
        for word in words:
            until(partial(self._forget_up_to, word), f"the word {word}")

    def _forget_up_to(self, word: str) -> bool:
        for index, message in enumerate(list(self.messages)):
            if message.startswith(word):
                del self.messages[: index + 1]
                return True
        return False

    def heard(self, word: str) -> bool:
        """Whether a message that isn't forgotten has a word in it."""
        return any(word in message for message in list(self.messages))

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", str(self._path))
        self._thread.join()
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    yield made
    made.close()


def test_ready_is_said_when_all_workers_are(directory: Path, manager: Manager) -> None:
    (directory / "shop.py").write_text(source())
    (directory / "app.py").write_text(SECOND_WAITS)
    with serving(directory, "--workers", "2", ready=1) as server:
        manager.wait_for("STATUS=Starting: 1 of 2 workers ready, 1 starting")
        assert ask(server.port).endswith(" one")
        assert not manager.heard("READY=1")
        (directory / "go").touch()
        manager.wait_for("READY=1\nSTATUS=Serving: 2 of 2 workers ready")
        server.send(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        assert server.exit_code() == 0
        assert not manager.heard("READY=1")


def test_a_reload_is_said_from_its_begin_to_its_end(directory: Path, manager: Manager) -> None:
    with serving(directory, "--workers", "2", ready=2) as server:
        manager.wait_for("READY=1")
        (directory / "app.py").write_text(source("two"))
        server.send(signal.SIGHUP)
        manager.wait_for("RELOADING=1\nMONOTONIC_USEC=", "READY=1")
        only(server.port, "two")
        (directory / "app.py").write_text(START_FAILS)
        server.send(signal.SIGHUP)
        manager.wait_for("RELOADING=1\nMONOTONIC_USEC=", "READY=1")
        only(server.port, "two")


def test_a_reload_in_place_is_said_from_its_begin_to_its_end(directory: Path, manager: Manager) -> None:
    with serving(directory, "--workers", "2", "--preload", ready=2) as server:
        manager.wait_for("READY=1")
        (directory / "app.py").write_text(source("two"))
        server.send(signal.SIGHUP)
        manager.wait_for("RELOADING=1", "READY=1")
        only(server.port, "two")
        server.send(signal.SIGTERM)
        manager.wait_for("STOPPING=1")


def test_a_second_master_says_that_it_is_the_main_process_and_its_end_gives_that_back(
    directory: Path, manager: Manager
) -> None:
    with upgraded(directory) as server:
        manager.wait_for("READY=1")
        second = second_master(server)
        manager.wait_for(f"MAINPID={second}", "READY=1")
        os.kill(second, signal.SIGTERM)
        manager.wait_for("STOPPING=1", f"MAINPID={server.pid}", "READY=1")
        third = second_master(server)
        manager.wait_for(f"MAINPID={third}", "READY=1")
        server.send(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        assert not manager.heard("STOPPING=1")


def test_the_watchdog_is_fed_while_somebody_serves(
    directory: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    with serving(directory, "--workers", "2", "--timeout-worker", "600", ready=2) as server:
        manager.wait_for("READY=1", *["WATCHDOG=1"] * 4)
        for pid in ready(server.pid):
            os.kill(pid, signal.SIGSTOP)
        until(lambda: _silent_for(2.0, manager), "silence")
        for pid in all_children(server.pid):
            os.kill(pid, signal.SIGCONT)
        manager.wait_for("WATCHDOG=1")


def _silent_for(seconds: float, manager: Manager) -> bool:
    manager.messages.clear()
    time.sleep(seconds)
    return not manager.heard("WATCHDOG=1")


def test_the_application_does_not_speak_for_the_service(directory: Path, manager: Manager) -> None:
    before = "import os\nprint(f'NOTIFY_SOCKET is {os.getenv(\"NOTIFY_SOCKET\")}', flush=True)"
    (directory / "app.py").write_text(source("one", before))
    with serving(directory, "--workers", "2", ready=2) as server:
        manager.wait_for("READY=1")
        assert server.output.count("NOTIFY_SOCKET is None") == 2


# Its files.


def test_a_second_server_on_a_pid_file_is_refused_before_it_binds(directory: Path) -> None:
    path, address = directory / "pid", directory / "second.sock"
    with serving(directory, "--workers", "2", "--pid-file", str(path), ready=2) as server:
        assert path.read_text() == f"{server.pid}\n"
        command = [sys.executable, "-m", "monoceros", "app:app", "--workers", "2", "--uds", str(address)]
        with serving(directory, command=[*command, "--pid-file", str(path)], ready=0) as second:
            assert second.exit_code() == 2
            assert f"belongs to the running process {server.pid}" in second.output
            assert "running on" not in second.output
            assert not address.exists()
        assert path.read_text() == f"{server.pid}\n"
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0
        assert not path.exists()


def test_the_pid_file_of_a_server_that_was_killed_is_replaced(directory: Path) -> None:
    path = directory / "pid"
    for _ in range(2):
        with serving(directory, "--workers", "2", "--pid-file", str(path), ready=2) as server:
            assert path.read_text() == f"{server.pid}\n"
            server.send(signal.SIGKILL)
            server.process.wait(PATIENCE)
        assert path.exists()


def test_an_access_log_on_a_full_disk_does_not_stop_serving(directory: Path) -> None:
    with serving(directory, "--workers", "2", "--access-log-file", "/dev/full", ready=2) as server:
        assert all(ask(server.port).endswith(" one") for _ in range(20))
        (directory / "app.py").write_text(source("two"))
        server.send(signal.SIGHUP)
        until(lambda: ask(server.port).endswith(" two"), "new code")


def test_a_log_that_nobody_reads_any_more_does_not_stop_serving_nor_reloading(directory: Path) -> None:
    path = str(directory / "server.sock")
    command = [sys.executable, "-m", "monoceros", "app:app", "--workers", "2", "--uds", path]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            assert process.stdout is not None
            has(process.pid, 2)
            process.stdout.close()
            assert ask_at(socket.AF_UNIX, path).endswith(" one")
            (directory / "app.py").write_text(source("two"))
            process.send_signal(signal.SIGHUP)
            until(lambda: ask_at(socket.AF_UNIX, path).endswith(" two"), "new code")
            os.kill(min(ready(process.pid)), signal.SIGKILL)
            has(process.pid, 2)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


# Accounts, masks and directories.


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user may read, which those of tests aren't."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    (path / "app.py").write_text(source("one", "import os\nprint(f'imported by {os.getuid()}', flush=True)"))
    yield path
    shutil.rmtree(path)


def status_of(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()


def test_workers_serve_as_another_user_while_the_master_stays_root(open_directory: Path) -> None:
    """Who isn't root is told that only root can."""
    address, log = open_directory / "server.sock", open_directory / "access.log"
    account = ("--user", "65534", "--group", "65534", "--access-log-file", str(log))
    command = [sys.executable, "-c", WARM, "app:app", "--workers", "2", "--uds", str(address), *account]
    with serving(open_directory, command=command, ready=0) as server:
        if os.geteuid() != 0:
            assert server.exit_code() == 2
            assert "only root" in server.output
            assert not address.exists()
            return
        server.wait_for("Application startup complete.", 2)
        has(server.pid, 2)
        assert "Uid:\t0\t0\t0\t0" in status_of(server.pid)
        for pid in ready(server.pid):
            assert re.search(r"Uid:(\s+65534){4}\n", status_of(pid))
            assert re.search(r"Gid:(\s+65534){4}\n", status_of(pid))
            assert re.search(r"Groups:\s*65534\s*\n", status_of(pid))
        assert address.stat().st_uid == log.stat().st_uid == 65534
        server.send(signal.SIGHUP)
        server.wait_for("imported by 65534", 4)
        assert "imported by 0" not in server.output
        assert ask_at(socket.AF_UNIX, str(address)).endswith(" one")


def test_the_umask_is_that_of_all_processes(directory: Path) -> None:
    with serving(directory, "--workers", "2", "--umask", "027", ready=2) as server:
        for pid in (server.pid, *server.workers):
            assert "Umask:\t0027\n" in status_of(pid)


def test_another_directory_is_where_the_application_and_relative_paths_are(directory: Path) -> None:
    (directory / "shop").mkdir()
    (directory / "app.py").rename(directory / "shop" / "app.py")
    with serving(directory, "--workers", "2", "--chdir", "shop", "--pid-file", "pid", ready=2) as server:
        assert ask(server.port).endswith(" one")
        assert (directory / "shop" / "pid").read_text() == f"{server.pid}\n"


# What `ps` shows.


def test_titles_show_role_place_and_stage(directory: Path) -> None:
    with (
        serving(directory, "--workers", "2", "--proc-name", "shop", ready=2) as server,
        Client(server.port) as client,
    ):
        has(server.pid, 2)
        titles = sorted(title_of(pid) for pid in ready(server.pid))
        assert titles == [f"monoceros: worker {slot} serving [shop]" for slot in (1, 2)]
        assert title_of(server.pid) == "monoceros: master [shop]"
        client.send("/slow")
        server.wait_for("slow begins in ")
        busy = int(server.output.rpartition("slow begins in ")[2].split()[0])
        server.send(signal.SIGTERM)
        until(lambda: title_of(server.pid) == "monoceros: master stopping [shop]", "the title of a master that stops")
        until(lambda: re.fullmatch(r"monoceros: worker \d draining \[shop\]", title_of(busy)), "that of its worker")
        assert server.exit_code() == 0


def test_titles_show_a_start_that_takes_long(directory: Path) -> None:
    (directory / "app.py").write_text(IMPORT_HANGS)
    with serving(directory, "--workers", "2", ready=0) as server:
        server.wait_for("import begins", 2)
        titles = sorted(title_of(pid) for pid in all_children(server.pid))
        assert titles == [f"monoceros: worker {slot} starting [app:app]" for slot in (1, 2)]
        assert title_of(server.pid) == "monoceros: master starting [app:app]"
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0


# The end.


def test_term_goes_on_serving_for_the_drain_delay_and_then_refuses(directory: Path) -> None:
    with serving(directory, "--workers", "2", "--drain-delay", "1.5", "--no-access-log", ready=2) as server:
        port, answers = server.port, 0
        server.send(signal.SIGTERM)
        began = time.monotonic()
        server.wait_for("Received SIGTERM")
        while True:
            with contextlib.suppress(ConnectionResetError):
                if refuses(port):
                    break
            if time.monotonic() - began < 1:
                assert ask(port).endswith(" one")
                answers += 1
        assert time.monotonic() - began >= 1.5
        assert answers
        assert server.exit_code() == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--graceful-timeout", "-1"),
        ("--drain-delay", "-1"),
        ("--timeout-worker", "soon"),
        ("--worker-max-rss", "-1"),
        ("--worker-lifetime", "-5"),
        ("--umask", "9"),
        ("--uds-permissions", "rw"),
        ("--user", "nobody-of-this-name"),
        ("--group", "nobody-of-this-name"),
        ("--chdir", "missing"),
        ("--pid-file", "missing/pid"),
        ("--bind", "nowhere"),
        ("--workers", "many"),
    ],
)
def test_a_wrong_option_is_named_and_ends_the_start_with_code_2(directory: Path, option: str, value: str) -> None:
    address = directory / "server.sock"
    command = [sys.executable, "-m", "monoceros", "app:app", "--workers", "2", "--uds", str(address), option, value]
    with serving(directory, command=command, ready=0) as server:
        assert server.exit_code() == 2
        assert option in server.output
        assert value in server.output
        assert "Traceback" not in server.output
        assert "running on" not in server.output
        assert not address.exists()
