"""What the master does about workers that hang, die, grow or grow old, and what it costs to watch them."""

import contextlib
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.doubles.websocket_client import WebSocketClient, close_frame
from tests.process.asking import Client, ask
from tests.process.fleet import IMPORT_HANGS, Crowd, all_children, end_of, has, ready, source
from tests.process.serving import PATIENCE, Serving, alive, serving, until

# Beside the application that all tests of the master share: what lasts, and what weighs.
LASTING = """
import asyncio, contextlib, os, time
from shop import answer, app as shop, say

KEPT = []

async def wait_for_the_database():
    await asyncio.sleep(3600)

async def app(scope, receive, send):
    path = scope.get("path")
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": str(os.getpid())})
        while (await receive())["type"] != "websocket.disconnect":
            pass
    elif path == "/events":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        while True:
            await send({"type": "http.response.body", "body": b"data: event\\n\\n", "more_body": True})
            with contextlib.suppress(TimeoutError):
                if (await asyncio.wait_for(receive(), 0.1))["type"] == "http.disconnect":
                    return
    elif path == "/download":
        say("download")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3000")]})
        for part in range(30):
            await send({"type": "http.response.body", "body": b"x" * 100, "more_body": part < 29})
            await asyncio.sleep(0.1)
    elif path == "/block":
        waiting = asyncio.create_task(wait_for_the_database())
        await asyncio.sleep(0)
        say("block")
        time.sleep(600)
    elif path == "/block-in-c":
        import re
        say("block")
        re.match(r"(a+)+$", "a" * 64 + "b")
    elif path == "/allocate":
        KEPT.append(bytearray(os.urandom(1)) * (64 << 20))
        await answer(send, str(os.getpid()).encode())
    elif path == "/die":
        os._exit(7)
    else:
        await shop(scope, receive, send)
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(source())
    (tmp_path / "app.py").write_text(LASTING)
    return tmp_path


def begun_in(server: Serving, what: str) -> int:
    """Wait until a worker says that something begins in it, and return its pid."""
    server.wait_for(f"{what} begins in ")
    return int(server.output.rpartition(f"{what} begins in ")[2].split()[0])


# Those that hang.


@pytest.mark.parametrize(
    ("path", "where"), [("/block", "time.sleep(600)"), ("/block-in-c", "in match")], ids=["in Python", "in C"]
)
def test_a_blocked_worker_is_replaced_and_the_log_shows_where_it_was(directory: Path, path: str, where: str) -> None:
    with (
        serving(directory, "--workers", "2", "--timeout-worker", "3", "--no-access-log", ready=2) as server,
        Client(server.port) as client,
    ):
        client.send(path)
        blocked = begun_in(server, "block")
        server.wait_for(f"[pid {blocked}] has been blocked for 3 s. Its stacks follow; then it is killed.")
        end_of(blocked)
        has(server.pid, 2)
        assert where in server.output
        assert ask(server.port).endswith(" one")


def test_the_log_shows_what_the_tasks_of_a_blocked_worker_wait_for(directory: Path) -> None:
    with (
        serving(directory, "--workers", "2", "--timeout-worker", "3", ready=2) as server,
        Client(server.port) as client,
    ):
        client.send("/block")
        blocked = begun_in(server, "block")
        server.wait_for(f"[{blocked}] is here:")
        end_of(blocked)
        threads, _, tasks = server.output.partition(f"[{blocked}] is here:")[2].partition("Stack for <Task")
        assert "time.sleep(600)" in threads
        assert "wait_for_the_database" in tasks
        assert "await asyncio.sleep(3600)" in tasks


# Those that die.


def test_a_worker_that_is_killed_costs_the_requests_it_ran_and_is_replaced_at_once(directory: Path) -> None:
    with serving(directory, "--workers", "2", "--no-access-log", ready=2) as server:
        has(server.pid, 2)
        with Crowd(server.port, 6) as crowd:
            crowd.wait_for_more()
            victim = min(ready(server.pid))
            os.kill(victim, signal.SIGKILL)
            until(lambda: len(ready(server.pid) - {victim}) == 2, "its replacement", within=PATIENCE / 3)
            crowd.wait_for_more()
        assert len(crowd.failures) <= 6, "each client was in a request at most"
        assert not any("refused" in failure for failure in crowd.failures)


def test_connections_wait_while_no_worker_is_left(directory: Path) -> None:
    with serving(directory, "--workers", "2", ready=2) as server:
        has(server.pid, 2)
        victims = ready(server.pid)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        assert int(ask(server.port).split()[0]) not in victims
        has(server.pid, 2)
        assert server.output.count("was killed by SIGKILL") == 2


def test_a_slot_whose_workers_keep_dying_waits_longer_each_time_while_the_other_serves(directory: Path) -> None:
    with serving(directory, "--workers", "2", "--no-access-log", ready=2) as server:
        has(server.pid, 2)
        victim, healthy = sorted(ready(server.pid))
        (directory / "app.py").write_text("import os\nprint('another start', flush=True)\nos._exit(7)\n")
        os.kill(victim, signal.SIGKILL)
        with contextlib.suppress(ConnectionError):  # one that the victim had taken
            ask(server.port)
        with Crowd(server.port) as crowd:
            server.wait_for("keeps dying: the next one starts in 1 s.")
            server.wait_for("keeps dying: the next one starts in 2 s.")
            crowd.wait_for_more()
            assert server.output.count("another start") <= 3
        assert crowd.failures == []
        assert {int(answer.split()[0]) for answer in crowd.answers} == {healthy}
        (directory / "app.py").write_text(LASTING)
        has(server.pid, 2)


@pytest.mark.parametrize(
    "code",
    ["import os\nos._exit(7)\n", "import sys\nsys.exit(7)\n", "async def other(scope, receive, send): ...\n"],
    ids=["dies", "exits", "lacks the application"],
)
def test_a_first_generation_that_cannot_start_ends_the_master_with_code_3(directory: Path, code: str) -> None:
    (directory / "app.py").write_text(code)
    path = directory / "server.sock"
    command = [sys.executable, "-m", "monoceros", "app:app", "--workers", "2", "--uds", str(path)]
    with serving(directory, command=command, ready=0) as server:
        assert server.exit_code() == 3
        assert server.output.count("No worker could start: stopping.") == 1
        assert not path.exists()


# Those whose master dies.


@pytest.mark.parametrize("path", ["/slow", "/block"])
def test_no_worker_outlives_its_master_for_long(directory: Path, path: str) -> None:
    options = ("--workers", "2", "--timeout-worker", "2", "--graceful-timeout", "3")
    with serving(directory, *options, ready=2) as server, Client(server.port) as client:
        client.send(path)
        server.wait_for("begins in ")
        left = all_children(server.pid)
        server.send(signal.SIGKILL)
        if path == "/slow":
            assert int(client.read().split()[0]) in left
        until(lambda: not any(alive(pid) for pid in left), "the end of all workers", within=PATIENCE / 2)


def test_a_worker_that_starts_does_not_outlive_its_master(directory: Path) -> None:
    (directory / "app.py").write_text(IMPORT_HANGS)
    with serving(directory, "--workers", "2", ready=0) as server:
        server.wait_for("import begins", 2)
        left = all_children(server.pid)
        server.send(signal.SIGKILL)
        for pid in left:
            end_of(pid)


# What watching costs.


def test_an_idle_master_wakes_at_most_once_a_second(directory: Path) -> None:
    with serving(directory, "--workers", "2", ready=2) as server:
        has(server.pid, 2)
        seconds, before = 5, wakes(server.pid)
        time.sleep(seconds)
        assert wakes(server.pid) - before <= seconds + 1


def wakes(pid: int) -> int:
    """How often a process has gone to sleep by its own will (proc_pid_status(5))."""
    found = re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])


# Those that grow, or grow old.


def test_a_worker_that_has_grown_too_large_is_replaced_and_no_request_is_lost(directory: Path) -> None:
    with serving(directory, "--workers", "2", "--worker-max-rss", "300", "--no-access-log", ready=2) as server:
        has(server.pid, 2)
        with Crowd(server.port) as crowd, Client(server.port) as client:
            fat = {int(client.ask("/allocate")) for _ in range(5)}
            assert len(fat) == 1
            server.wait_for("Memory limit of 300 MiB exceeded")
            client.close()
            end_of(fat.pop())
            has(server.pid, 2)
        assert crowd.failures == []
        assert len(server.started) == 3


def test_workers_that_have_grown_old_are_replaced_and_no_request_is_lost(directory: Path) -> None:
    with serving(directory, "--workers", "2", "--worker-lifetime", "1", "--no-access-log", ready=2) as server:
        with Crowd(server.port) as crowd:
            until(lambda: len(server.started) >= 6, "four replacements")
        assert crowd.failures == []
        assert "Lifetime of 1 s is over" in server.output


# Those that leave.


def test_a_download_that_lasts_longer_than_the_notice_arrives_whole(directory: Path) -> None:
    with serving(directory, "--workers", "2", "--drain-notice", "1", ready=2) as server, Client(server.port) as client:
        client.send("/download")
        old = begun_in(server, "download")
        server.send(signal.SIGHUP)
        assert client.read() == "x" * 3000
        client.close()
        end_of(old)


def test_a_websocket_and_an_event_stream_are_told_after_the_notice(directory: Path) -> None:
    with (
        serving(directory, "--workers", "2", "--drain-notice", "1", ready=2) as server,
        WebSocketClient.connect("127.0.0.1", server.port, timeout=PATIENCE) as websocket,
        Client(server.port) as events,
    ):
        assert int(str(websocket.recv_message())) in server.workers
        events.send("/events")
        events.read_until("data: event")
        began = time.monotonic()
        server.send(signal.SIGHUP)
        assert websocket.recv_close() == (1012, "")
        assert time.monotonic() - began >= 1
        websocket.send_raw(close_frame(1012))
        assert websocket.recv_eof() == b""
        assert events.read_until("\r\n0\r\n\r\n")
        events.close()
        has(server.pid, 2)
