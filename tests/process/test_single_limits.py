"""What a process without a master bears, and what ends it: limits, a loop that is blocked, threads, suspensions."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process.asking import Client, ask
from tests.process.serving import Serving, serving, until
from tests.process.test_single import Terminal, single

APP = """
import asyncio, multiprocessing, os, time

kept = []

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                print("the application has shut down", flush=True)
                return
    path, seconds = scope["path"], float(scope["query_string"] or 0)
    if path == "/block":
        time.sleep(3600)
    elif path == "/block-in-c":
        import re
        re.match(r"(a+)+$", "a" * 64 + "b")
    elif path == "/thread":
        asyncio.get_running_loop().run_in_executor(None, time.sleep, seconds)
    elif path == "/grow":
        kept.append(b"x" * (256 << 20))
    elif path == "/fork":
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        child.start()
        await asyncio.sleep(0.2)
        child.terminate()
        await asyncio.to_thread(child.join, 20)
        print("the child ended with", child.exitcode, flush=True)
    body = str(os.getpid()).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def ended(server: Serving) -> bool:
    return server.process.poll() is not None


def interrupted(server: Serving) -> bool:
    """Send an interrupt, and return whether it has ended a moment later."""
    server.send(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.process.wait(0.2)
    return ended(server)


def stays(condition: Callable[[], bool], seconds: float) -> None:
    """Look for so many seconds whether something stays as it is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition()
        time.sleep(0.05)


# Its limits.


def test_a_process_over_its_age_drains_and_ends_well(directory: Path) -> None:
    with single(directory, "--worker-lifetime", "0.5") as server:
        assert server.exit_code() == 0
        assert server.output.count("Lifetime of 0.5 s is over") == 1
        assert "the application has shut down" in server.output


def test_a_process_that_outgrows_its_memory_limit_drains_and_ends_well(directory: Path) -> None:
    with single(directory, "--worker-max-rss", "256") as server:
        ask(server.port, "/grow")
        assert server.exit_code() == 0
        assert len(re.findall(r"Memory limit of 256 MiB exceeded: \d+ MiB resident", server.output)) == 1
        assert "the application has shut down" in server.output


def test_a_process_that_begins_over_its_memory_limit_says_so_and_serves(directory: Path) -> None:
    """Whoever starts it would start it again and again."""
    with single(directory, "--worker-max-rss", "1", "--worker-lifetime", "3") as server:
        server.wait_for("MiB resident from the start: raise the limit, which isn't acted upon")
        assert server.exit_code() == 0
        assert "Memory limit" not in server.output
        assert "Lifetime of 3 s is over" in server.output


def test_a_limit_that_is_reached_during_its_delay_changes_nothing(directory: Path) -> None:
    """Those who send requests still have the time to learn that it leaves."""
    with single(directory, "--drain-delay", "600", "--limit-max-requests", "2") as server:
        server.send(signal.SIGTERM)
        server.wait_for("serving on for 600 s")
        for _ in range(4):
            assert ask(server.port) == str(server.pid)
        assert "limit" not in server.output
        server.send(signal.SIGINT)
        assert server.exit_code() == 0


# A loop that is blocked.


def test_a_blocked_loop_writes_its_stacks_and_ends_with_code_1(directory: Path) -> None:
    with single(directory, "--timeout-worker", "2") as server, Client(server.port) as client:
        client.send("/block")
        assert server.exit_code() == 1
        assert "time.sleep(3600)" in server.output
        assert server.output.index("(timeout_worker): this process ends") < server.output.index("It was here:")


def test_what_blocks_the_interpreter_itself_is_shown(directory: Path) -> None:
    """Nothing in the process can tell it from a suspension; the service manager's watchdog ends it."""
    with single(directory, "--timeout-worker", "2") as server, Client(server.port) as client:
        client.send("/block-in-c")
        server.wait_for("in match")
        assert not ended(server)


def test_a_process_that_was_suspended_for_longer_than_its_loop_may_be_blocked_serves_on(directory: Path) -> None:
    """SIGSTOP, `docker pause`, a machine that sleeps."""
    with single(directory, "--timeout-worker", "2") as server:
        assert ask(server.port) == str(server.pid)
        server.send(signal.SIGSTOP)
        stays(lambda: not ended(server), 5)
        server.send(signal.SIGCONT)
        # Its stacks may be in the log: what watches the interpreter goes by a clock.
        stays(lambda: not ended(server), 3)
        assert ask(server.port) == str(server.pid)


def test_a_loop_may_be_blocked_for_ever_if_that_is_wanted(directory: Path) -> None:
    with single(directory, "--timeout-worker", "0") as server:
        assert ask(server.port) == str(server.pid)
        assert len(list(Path(f"/proc/{server.pid}/task").iterdir())) == 1, "nobody watches"


def test_an_import_takes_as_long_as_it_likes_also_if_the_terminal_stops_it_meanwhile(tmp_path: Path) -> None:
    source = "import pathlib, time\nprint('import begins', flush=True)\nwhile not pathlib.Path('go').exists():\n"
    (tmp_path / "app.py").write_text(source + "    time.sleep(0.01)\n" + APP)
    terminal = Terminal()
    with serving(tmp_path, command=[*terminal.command, "--timeout-worker", "2"], ready=0) as server:
        server.wait_for("import begins")
        server.send(signal.SIGTSTP)
        until(lambda: Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", "it stops")
        server.send(signal.SIGCONT)
        stays(lambda: not ended(server) and "Timeout" not in server.output, 5)
        (tmp_path / "go").touch()
        server.wait_for("running on http")
    terminal.close()


# Threads and processes of the application's.


def test_threads_that_take_longer_than_a_loop_may_be_blocked_are_waited_for_at_its_end(directory: Path) -> None:
    with single(directory, "--timeout-worker", "2") as server:
        ask(server.port, "/thread?6")
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0
        assert "the application has shut down" in server.output


def test_whoever_has_no_patience_with_threads_ends_them_by_further_interrupts(directory: Path) -> None:
    with single(directory) as server:
        ask(server.port, "/thread?600")
        server.send(signal.SIGINT)
        server.wait_for("Finished server process")
        # One ends the wait of the loop for its threads, another that of the interpreter.
        until(lambda: interrupted(server), "its end")


def test_a_child_that_the_application_forks_and_terminates_ends_and_the_server_serves_on(directory: Path) -> None:
    with single(directory) as server:
        assert ask(server.port, "/fork") == str(server.pid)
        server.wait_for("the child ended with")
        assert f"the child ended with {-signal.SIGTERM}" in server.output
        assert ask(server.port) == str(server.pid)


# What root hands over.


def test_root_hands_its_log_over_as_it_is_and_not_what_is_behind_a_link(tmp_path: Path) -> None:
    """Who isn't root is told that only root can."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "link.log").symlink_to("kept.log")
    for name, owner in (("plain.log", 65534), ("link.log", 0)):
        options = ("--user", "65534", "--group", "65534", "--access-log-file", name, "--loop", "asyncio")
        # Imported while it may be read: the directory of tests is root's alone.
        program = "import app, monoceros.server.build as build; from monoceros.config import Config as C; "
        program += "build.check(C('app:app')); from monoceros.cli import main; main()"
        command = [sys.executable, "-c", program, "app:app", "--port", "0", *options]
        with serving(tmp_path, command=command, ready=0) as server:
            if os.geteuid() != 0:
                assert server.exit_code() == 2
                assert "only root" in server.output
                return
            server.wait_for("running on http")
            ask(server.port)
            log = (tmp_path / name).resolve()
            until(lambda log=log: "GET / HTTP/1.1" in log.read_text(), "the line")  # type: ignore[misc]
            assert log.stat().st_uid == owner
            assert ("it is a symbolic link" in server.output) == (name == "link.log")
            server.send(signal.SIGTERM)
            assert server.exit_code() == 0
