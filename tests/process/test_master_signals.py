"""Each signal to a master and to its workers, as docs/signals.md promises it: also at odd moments, and many at once."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.asking import Client, ask
from tests.process.fleet import (
    IMPORT_HANGS,
    START_HANGS,
    Crowd,
    after,
    all_children,
    end_of,
    has,
    only,
    source,
    title_of,
)
from tests.process.serving import Serving, serving, until

AT_ONCE = 10.0  # seconds for what happens at once, on a machine that is busy

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

# The module of an application whose import takes long once there is a file `slow`, and says which import it is.
SLOW_AT_WILL = """
import pathlib, time
print("import begins", flush=True)
if pathlib.Path("slow").exists():
    time.sleep(1.5)
print("import ends", flush=True)
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(source())
    return tmp_path


@contextlib.contextmanager
def fleet(directory: Path, *options: str, workers: int = 2, preparation: str = "") -> Iterator[Serving]:
    """A master with workers that serve. It is the leader of a session of its own, so without a terminal."""
    arguments = ("app:app", "--port", "0", "--workers", str(workers), *options)
    command = after(preparation or "os.setsid()", *arguments)
    with serving(directory, ready=workers, command=command) as server:
        yield server


def stops_at_once(server: Serving) -> None:
    """It ends soon, well, and leaves nobody behind."""
    began = time.monotonic()
    left = all_children(server.pid)
    server.send(signal.SIGTERM)
    assert server.exit_code() == 0
    assert time.monotonic() - began < AT_ONCE
    for pid in left:
        end_of(pid)


# The signals that stop a master; that one of each kind does is in test_prefork.py.


def test_a_second_term_hurries_nobody(directory: Path) -> None:
    with fleet(directory) as server, Client(server.port) as client:
        client.send("/slow")
        server.wait_for("slow begins")
        for count in (1, 2):
            server.send(signal.SIGTERM)
            server.wait_for("Received SIGTERM", count)
        assert client.read().endswith(" one")
        assert server.exit_code() == 0


def test_two_interrupts_after_a_term_end_what_term_waits_for(directory: Path) -> None:
    with fleet(directory, "--graceful-timeout", "none") as server, Client(server.port) as client:
        client.send("/endless")
        server.wait_for("endless begins")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            count = server.output.count("Received ") + 1
            server.send(number)
            server.wait_for("Received ", count)
        assert server.exit_code() == 0
        assert server.workers == set()


# The signals that scale it.


def test_ttin_and_ttou_add_and_take_workers_but_never_the_last_until_hup_restores_their_number(directory: Path) -> None:
    with fleet(directory, "--no-access-log") as server, Crowd(server.port) as crowd:
        server.send(signal.SIGTTIN)
        has(server.pid, 3)
        for count in (2, 1):
            server.send(signal.SIGTTOU)
            has(server.pid, count)
        server.send(signal.SIGTTOU)
        server.wait_for("That is not done: it would leave no worker.")
        crowd.wait_for_more()
        has(server.pid, 1)
        server.send(signal.SIGHUP)
        has(server.pid, 2)
    assert crowd.failures == []


@pytest.mark.parametrize(("number", "count"), [(signal.SIGHUP, 2), (signal.SIGTTIN, 1)])
def test_winch_sends_the_workers_home_and_connections_wait_for_their_return(
    directory: Path, number: signal.Signals, count: int
) -> None:
    with fleet(directory) as server, Client(server.port) as early, Client(server.port) as client:
        early.send("/slow")
        server.wait_for("slow begins")
        server.send(signal.SIGWINCH)
        assert early.read().endswith(" one")
        has(server.pid, 0)
        client.send("/")
        server.send(number)
        assert int(client.read().split()[0]) in server.workers
        has(server.pid, count)


@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_a_hangup_after_winch_brings_workers_with_new_code(directory: Path, options: tuple[str, ...]) -> None:
    with fleet(directory, *options) as server:
        server.send(signal.SIGWINCH)
        has(server.pid, 0)
        (directory / "app.py").write_text(source("two"))
        server.send(signal.SIGHUP)
        until(lambda: ask(server.port).endswith(" two"), "new code")
        has(server.pid, 2)


def test_with_a_terminal_winch_is_a_window_of_another_size(directory: Path) -> None:
    ours, terminal = os.openpty()
    try:
        name = os.ttyname(terminal)
        preparation = (
            "import fcntl, termios\nos.setsid()\n"
            f"fcntl.ioctl(os.dup2(os.open({name!r}, os.O_RDWR), 0), termios.TIOCSCTTY, 0)"
        )
        with fleet(directory, preparation=preparation) as server:
            server.send(signal.SIGWINCH)
            server.send(signal.SIGUSR1)
            server.wait_for("Received SIGUSR1")
            assert "SIGWINCH" not in server.output
            assert len(server.workers) == 2
            assert ask(server.port).endswith(" one")
    finally:
        os.close(ours)
        os.close(terminal)


# The signal that rotates its logs.


def opens(pids: set[int], path: Path) -> bool:
    """Whether one of these processes has a file open."""
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(descriptor) == str(path):
                    return True
    return False


def lines_of(log: Path) -> int:
    """How many requests a log has."""
    return log.read_text().count("GET /")


def test_usr1_opens_the_access_log_again_in_all_workers_and_no_line_is_lost(directory: Path) -> None:
    log, rotated = directory / "access.log", directory / "access.log.1"
    with fleet(directory, "--access-log-file", str(log)) as server:
        with Crowd(server.port, 8) as crowd:
            crowd.wait_for_more(50)
            log.rename(rotated)
            server.send(signal.SIGUSR1)
            until(lambda: not opens({server.pid, *server.workers}, rotated), "all to let go of the old file")
            until(log.exists, "the new file")
            size = rotated.stat().st_size
            crowd.wait_for_more(50)
        assert crowd.failures == []
        until(lambda: lines_of(log) + lines_of(rotated) >= len(crowd.answers), "all lines")
        assert lines_of(log) + lines_of(rotated) == len(crowd.answers)
        assert rotated.stat().st_size == size
        assert lines_of(log) >= 50


def test_usr1_opens_files_of_a_logging_configuration_again_in_all_workers(directory: Path) -> None:
    (directory / "log.toml").write_text(LOG_CONFIG)
    log, rotated = directory / "error.log", directory / "error.log.1"
    with fleet(directory, "--log-config", "log.toml", "--no-access-log") as server:
        log.rename(rotated)
        server.send(signal.SIGUSR1)
        until(lambda: not opens({server.pid, *server.workers}, rotated), "all to let go of the old file")
        size = rotated.stat().st_size
        for pid in server.workers:
            os.kill(pid, signal.SIGUSR2)
        until(lambda: log.read_text().count("is here:") == 2, "a line of each worker")
        server.send(signal.SIGALRM)
        until(lambda: "Received SIGALRM" in log.read_text(), "a line of the master")
        assert rotated.stat().st_size == size


# The signals that mean nothing.


def test_signals_without_a_meaning_are_logged_and_ignored(directory: Path) -> None:
    with fleet(directory) as server:
        for number in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO, signal.SIGPWR):
            server.send(number)
            server.wait_for(f"Received {number.name}: it has no meaning here, and is ignored.")
        os.kill(server.pid, signal.SIGRTMIN + 1)
        server.wait_for(f"Received signal {signal.SIGRTMIN + 1}: it has no meaning here")
        assert len(server.workers) == 2
        assert ask(server.port).endswith(" one")


def test_under_nohup_a_hangup_is_ignored(directory: Path) -> None:
    with fleet(directory, preparation="os.setsid(); signal.signal(signal.SIGHUP, signal.SIG_IGN)") as server:
        server.send(signal.SIGHUP)
        server.send(signal.SIGUSR1)
        server.wait_for("Received SIGUSR1")
        assert "SIGHUP" not in server.output
        assert len(server.started) == 2


# The same signals to a worker.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH])
def test_a_worker_leaves_the_masters_signals_to_the_master(directory: Path, number: signal.Signals) -> None:
    with fleet(directory, "--no-access-log") as server:
        said = server.output
        for pid in server.workers:
            os.kill(pid, number)
        for _ in range(20):
            assert int(ask(server.port).split()[0]) in server.started
        assert server.output == said
        assert len(server.workers) == len(server.started) == 2


def test_a_worker_that_is_told_to_quit_leaves_at_once_and_is_replaced(directory: Path) -> None:
    with fleet(directory, "--graceful-timeout", "none") as server, Client(server.port) as client:
        client.send("/endless")
        server.wait_for("endless begins in ")
        busy = int(server.output.rpartition("endless begins in ")[2].split()[0])
        os.kill(busy, signal.SIGQUIT)
        end_of(busy)
        server.wait_for("Application startup complete.", 3)
        has(server.pid, 2)
        assert "keeps dying" not in server.output


def test_a_worker_shows_where_its_tasks_are(directory: Path) -> None:
    with fleet(directory) as server, Client(server.port) as client:
        client.send("/endless")
        server.wait_for("endless begins in ")
        busy = int(server.output.rpartition("endless begins in ")[2].split()[0])
        os.kill(busy, signal.SIGUSR2)
        server.wait_for(f"[{busy}] is here:")
        server.wait_for("await asyncio.sleep(3600)")
        assert "Thread MainThread:" in server.output
        assert busy in server.workers


# Odd moments.


@pytest.mark.parametrize(("code", "mark"), [(IMPORT_HANGS, "import begins"), (START_HANGS, "start begins")])
def test_term_while_a_reload_waits_for_a_slow_worker_stops_at_once(directory: Path, code: str, mark: str) -> None:
    with fleet(directory) as server:
        (directory / "app.py").write_text(code)
        server.send(signal.SIGHUP)
        server.wait_for(mark)
        stops_at_once(server)
        assert "Traceback" not in server.output


@pytest.mark.parametrize(("code", "mark"), [(IMPORT_HANGS, "import begins"), (START_HANGS, "start begins")])
def test_term_while_the_first_workers_start_stops_at_once(directory: Path, code: str, mark: str) -> None:
    (directory / "app.py").write_text(code)
    with serving(directory, "--workers", "2", ready=0) as server:
        server.wait_for(mark, 2)
        stops_at_once(server)
        assert "Traceback" not in server.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_stop_during_a_preloading_import_ends_it_and_counts_as_no_failure(
    directory: Path, number: signal.Signals
) -> None:
    (directory / "app.py").write_text(IMPORT_HANGS)
    with serving(directory, "--workers", "2", "--preload", ready=0) as server:
        server.wait_for("import begins")
        server.send(number)
        assert server.exit_code() == 0
        assert "Traceback" not in server.output


def test_term_during_the_trial_of_a_preloading_master_ends_both(directory: Path) -> None:
    with fleet(directory, "--preload") as server:
        (directory / "app.py").write_text(IMPORT_HANGS)
        server.send(signal.SIGHUP)
        server.wait_for("import begins")
        stops_at_once(server)


@pytest.mark.parametrize(("mark", "times"), [("import ends", 2), ("import begins", 3), ("import ends", 3)])
def test_term_around_an_exec_in_place_stops_the_workers_of_before_and_the_master(
    directory: Path, mark: str, times: int
) -> None:
    """At the end of the trial, during the import after the exec, and just after that."""
    (directory / "app.py").write_text(source("one", SLOW_AT_WILL))
    with fleet(directory, "--preload") as server:
        (directory / "slow").touch()
        server.send(signal.SIGHUP)
        server.wait_for(mark, times)
        stops_at_once(server)
        assert "Traceback" not in server.output


@pytest.mark.parametrize("options", [(), ("--preload",), ("--reuse-port",)])
def test_after_a_storm_of_signals_it_still_serves(directory: Path, options: tuple[str, ...]) -> None:
    numbers = (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1, signal.SIGWINCH)
    chance = random.Random(7)
    with fleet(directory, "--no-access-log", *options) as server:
        for _ in range(50):
            server.send(chance.choice(numbers))
            time.sleep(0.04)
        (directory / "app.py").write_text(source("two"))
        server.send(signal.SIGHUP)
        only(server.port, "two")
        until(lambda: title_of(server.pid) == "monoceros: master [app:app]", "the end of the reload")
        has(server.pid, 2)
        assert {ask(server.port).split()[1] for _ in range(20)} == {"two"}
        stops_at_once(server)
