"""HUP to a master: new code and new options, one worker at a time, and the old ones as long as the new can't serve."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from tests.process.asking import Client, ask
from tests.process.fleet import (
    IMPORT_HANGS,
    START_FAILS,
    START_HANGS,
    Crowd,
    all_children,
    end_of,
    has,
    masters,
    only,
    ready,
    source,
    title_of,
)
from tests.process.serving import Serving, serving, until

COMMAND = [sys.executable, "-m", "monoceros", "app:app"]
FAILED = "The reload failed: the new code could not start. The workers of before go on serving."


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(source())
    return tmp_path


def reload(server: Serving, directory: Path, code: str) -> None:
    """Put other code there and ask for it."""
    (directory / "app.py").write_text(code)
    server.send(signal.SIGHUP)


def is_replaced(server: Serving, version: str) -> None:
    """Wait until the reload is over, and see that nothing but new code answers."""
    only(server.port, version)
    until(lambda: title_of(server.pid).startswith("monoceros: master ["), "the end of the reload")
    assert {ask(server.port).split()[1] for _ in range(20)} == {version}


class Census:
    """Counts the workers of a master all the time.

    Attributes:
        fewest: that served at any time.
        most_starting: that started at any time.
    """

    def __init__(self, master: int) -> None:
        self._master = master
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._count)
        self.fewest = 1000
        self.most_starting = 0

    def __enter__(self) -> "Census":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _count(self) -> None:
        before = 1000
        while not self._enough.wait(0.01):
            titles = [title_of(pid) for pid in all_children(self._master)]
            serves = sum(" serving " in title for title in titles)
            # Titles aren't read all at one moment: what is seen twice is so.
            self.fewest = min(self.fewest, max(before, serves))
            before = serves
            self.most_starting = max(self.most_starting, sum(" starting " in title for title in titles))


def test_a_reload_serves_new_code_one_worker_at_a_time_and_never_with_fewer_workers(directory: Path) -> None:
    with serving(directory, "--workers", "3", "--no-access-log", ready=3) as server:
        has(server.pid, 3)
        with Crowd(server.port) as crowd, Census(server.pid) as census:
            crowd.wait_for_more()
            reload(server, directory, source("two"))
            is_replaced(server, "two")
            crowd.wait_for_more()
        assert crowd.failures == []
        assert crowd.versions() == {"one", "two"}
        assert census.fewest == 3
        assert census.most_starting == 1
        assert len(server.started) == 6


def test_a_worker_that_drains_holds_up_no_other(directory: Path) -> None:
    with serving(directory, "--workers", "2", ready=2) as server, Client(server.port) as client:
        client.send("/endless")
        server.wait_for("endless begins in ")
        busy = int(server.output.rpartition("endless begins in ")[2].split()[0])
        for version in ("two", "three"):
            reload(server, directory, source(version))
            is_replaced(server, version)
        assert busy in all_children(server.pid)
        assert len(ready(server.pid)) == 2


# The file of options.


def test_the_file_of_options_is_read_again(directory: Path) -> None:
    options = directory / "monoceros.toml"
    options.write_text("port = 0\nworkers = 2\naccess_log = false\n")
    with serving(directory, command=COMMAND, ready=2) as server:
        options.write_text("port = 0\nworkers = 3\naccess_log = false\nlimit_max_requests = 5\n")
        server.send(signal.SIGHUP)
        until(lambda: len(ready(server.pid)) == 3, "three workers")
        is_replaced(server, "one")
        server.wait_for("Maximum request limit of 5")
        options.write_text("port = 0\nworkers = 1\naccess_log = false\n")
        server.send(signal.SIGHUP)
        has(server.pid, 1)


def test_the_file_of_environment_variables_is_read_again(directory: Path) -> None:
    (directory / ".env").write_text("SHOP=old\nGONE=yes\n")
    told = 'import os\nprint(f\'SHOP {os.getenv("SHOP")} {os.getenv("GONE")}\', flush=True)'
    (directory / "app.py").write_text(source("one", told))
    with serving(directory, "--workers", "2", "--env-file", ".env", ready=2) as server:
        assert server.output.count("SHOP old yes") == 2
        (directory / ".env").write_text("SHOP=new\n")
        server.send(signal.SIGHUP)
        server.wait_for("SHOP new None", 2)


def test_a_mistake_in_the_file_of_options_is_named_and_the_old_workers_serve(directory: Path) -> None:
    options = directory / "monoceros.toml"
    options.write_text("port = 0\nworkers = 2\n")
    with serving(directory, command=COMMAND, ready=2) as server:
        has(server.pid, 2)
        before = ready(server.pid)
        options.write_text("port = 0\nworkers = 'many'\n")
        server.send(signal.SIGHUP)
        server.wait_for("The reload failed, the options can't be used: ")
        reason = server.output.partition("can't be used: ")[2].partition("\n")[0]
        assert "workers" in reason
        assert "many" in reason
        assert "monoceros.toml" in reason
        assert ready(server.pid) == before
        options.write_text("port = 0\nworkers = 2\n")
        reload(server, directory, source("two"))
        is_replaced(server, "two")


def test_a_value_that_the_master_keeps_for_its_life_is_named(directory: Path) -> None:
    options = directory / "monoceros.toml"
    options.write_text("port = 0\nworkers = 2\n")
    with serving(directory, command=COMMAND, ready=2) as server:
        options.write_text("port = 1\nworkers = 2\n")
        reload(server, directory, source("two"))
        server.wait_for("The reload leaves port as before")
        is_replaced(server, "two")


# Code that can't be served.


@pytest.mark.parametrize(
    ("code", "reasons"),
    [
        ("import missing_module\n", ["missing_module"]),
        ("raise ValueError('half a deployment')\n", ["Traceback", "ValueError: half a deployment"]),
        ("def app(:\n", ["SyntaxError"]),
        (START_FAILS, ["Traceback", "ValueError: no database today"]),
        (START_HANGS, ["did not get ready within 1 s", "start begins"]),
        (IMPORT_HANGS, ["did not get ready within 1 s", "time.sleep(3600)"]),
    ],
    ids=["missing module", "import raises", "syntax", "start raises", "start hangs", "import hangs"],
)
def test_code_that_cannot_start_leaves_the_old_workers_serving_until_the_next_hangup(
    directory: Path, code: str, reasons: list[str]
) -> None:
    options = directory / "monoceros.toml"
    options.write_text("")
    with serving(directory, "--workers", "2", "--no-access-log", ready=2) as server:
        has(server.pid, 2)
        before = ready(server.pid)
        with Crowd(server.port) as crowd:
            options.write_text("timeout_worker_start = 1\n")
            reload(server, directory, code)
            server.wait_for(FAILED)
            crowd.wait_for_more()
            has(server.pid, 2)
            assert ready(server.pid) == before
            assert all(reason in server.output for reason in reasons)
            options.write_text("")
            reload(server, directory, source("two"))
            is_replaced(server, "two")
        assert crowd.failures == []
        assert server.output.count(FAILED) == 1


def test_the_scale_and_the_options_of_before_come_back_with_the_old_code(directory: Path) -> None:
    options = directory / "monoceros.toml"
    options.write_text("workers = 2\n")
    with serving(directory, ready=2) as server:
        has(server.pid, 2)
        options.write_text("workers = 4\n")
        reload(server, directory, START_FAILS)
        server.wait_for(FAILED)
        (directory / "app.py").write_text(source("mended"))
        has(server.pid, 2)
        os.kill(min(ready(server.pid)), signal.SIGKILL)
        server.wait_for("was killed by SIGKILL")
        has(server.pid, 2)


# Under --preload.


def test_a_preloading_master_executes_itself_in_place_and_loses_nothing(directory: Path) -> None:
    with (
        serving(directory, "--workers", "2", "--preload", "--no-access-log", ready=2) as server,
        Client(server.port) as slow,
    ):
        with Crowd(server.port) as crowd:
            slow.send("/slow")
            server.wait_for("slow begins")
            reload(server, directory, source("two"))
            server.wait_for("Executed anew: the 2 workers of before serve until they are replaced.")
            assert slow.read().endswith(" one")
            is_replaced(server, "two")
            has(server.pid, 2)
            reload(server, directory, source("three"))
            is_replaced(server, "three")
        assert crowd.failures == []
        assert crowd.versions() == {"one", "two", "three"}
        assert set(masters(server)) == {server.pid}
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import missing_module\n", "missing_module"),
        ("raise ValueError('half a deployment')\n", "ValueError: half a deployment"),
    ],
)
def test_under_preload_a_failed_trial_keeps_the_old_master_and_workers(directory: Path, code: str, reason: str) -> None:
    with serving(directory, "--workers", "2", "--preload", ready=2) as server:
        has(server.pid, 2)
        before = ready(server.pid)
        reload(server, directory, code)
        server.wait_for(FAILED)
        assert reason in server.output
        has(server.pid, 2)
        assert ready(server.pid) == before
        assert "Executed anew" not in server.output
        reload(server, directory, source("two"))
        is_replaced(server, "two")


def test_under_preload_code_whose_start_fails_leaves_the_old_workers_serving(directory: Path) -> None:
    """A trial imports it, so the master is a new one; its first worker shows that it can't be served."""
    with serving(directory, "--workers", "2", "--preload", ready=2) as server:
        has(server.pid, 2)
        before = ready(server.pid)
        reload(server, directory, START_FAILS)
        server.wait_for("ValueError: no database today")
        server.wait_for(FAILED)
        has(server.pid, 2)
        assert ready(server.pid) == before
        assert ask(server.port).endswith(" one")
        reload(server, directory, source("two"))
        is_replaced(server, "two")
        assert server.process.poll() is None


@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_a_release_behind_a_symbolic_link_is_served_after_the_link_has_turned(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    current = tmp_path / "current"
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "app.py").write_text(source(version))
    current.symlink_to("one")
    with serving(tmp_path, "--workers", "2", "--chdir", str(current), *options, ready=2) as server:
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").replace(current)
        server.send(signal.SIGHUP)
        is_replaced(server, "two")


# A program that runs its own server.


def test_a_program_that_had_imported_its_application_serves_new_code(directory: Path) -> None:
    (directory / "main.py").write_text("import monoceros, app\nmonoceros.run('app:app', port=0, workers=2)\n")
    with serving(directory, command=[sys.executable, "main.py"], ready=2) as server, Client(server.port) as slow:
        has(server.pid, 2)
        slow.send("/slow")
        server.wait_for("slow begins")
        reload(server, directory, source("two"))
        is_replaced(server, "two")
        assert slow.read().endswith(" one")
        assert set(masters(server)) == {server.pid}
        left = all_children(server.pid)
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0
        for pid in left:
            end_of(pid)


def test_a_program_that_had_imported_its_application_keeps_it_if_the_new_code_is_broken(directory: Path) -> None:
    (directory / "main.py").write_text("import monoceros, app\nmonoceros.run('app:app', port=0, workers=2)\n")
    with serving(directory, command=[sys.executable, "main.py"], ready=2) as server:
        reload(server, directory, "raise ValueError('half a deployment')\n")
        server.wait_for(FAILED)
        assert ask(server.port).endswith(" one")
        assert "ValueError: half a deployment" in server.output
