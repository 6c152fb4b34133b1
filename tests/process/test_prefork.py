"""The prefork master with real forks, real signals and real sockets."""

import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from tests.process.asking import Client, ask
from tests.process.serving import alive, serving, until

APP = """
import asyncio, os, time

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    path = scope["path"]
    if path == "/slow":
        print("slow begins in", os.getpid(), flush=True)
        await asyncio.sleep(1.5)
    elif path == "/endless":
        print("endless begins", flush=True)
        await asyncio.sleep(3600)
    elif path == "/block":
        time.sleep(3600)
    elif path == "/block-in-c":
        print("block begins", flush=True)
        import re
        re.match(r"(a+)+$", "a" * 64 + "b")
    elif path == "/die":
        os._exit(7)
    body = str(os.getpid()).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def test_several_workers_serve_one_port(directory: Path) -> None:
    with serving(directory, "--workers", "3", ready=3) as server:
        assert len(server.workers) == 3
        answers: list[str] = []

        def two_have_answered() -> bool:
            answers.append(ask(server.port))
            return len(set(answers)) > 1

        until(two_have_answered, "answers from two workers")
        assert set(answers) <= {str(pid) for pid in server.workers}


def test_a_killed_worker_is_replaced_while_the_others_serve(directory: Path) -> None:
    with serving(directory, "--workers", "2", ready=2) as server:
        victim = server.started[1]
        os.kill(victim, signal.SIGKILL)
        assert int(ask(server.port)) in server.started
        server.wait_for(f"[pid {victim}] was killed by SIGKILL (out of memory?)")
        server.wait_for("Application startup complete.", 3)
        until(lambda: len(server.workers) == 2, "two workers")
        assert victim not in server.workers


def test_a_worker_that_is_told_to_terminate_drains_and_is_replaced(directory: Path) -> None:
    with serving(directory, "--workers", "2", ready=2) as server, Client(server.port) as client:
        client.send("/slow")
        server.wait_for("slow begins in ")
        busy = int(server.output.rpartition("slow begins in ")[2].split()[0])
        os.kill(busy, signal.SIGTERM)
        server.wait_for("Application startup complete.", 3)
        assert client.read() == str(busy)
        until(lambda: not alive(busy), "the end of the worker")
        assert int(ask(server.port)) in server.workers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_graceful_stop_finishes_the_running_request(directory: Path, number: signal.Signals) -> None:
    with serving(directory, "--workers", "2", ready=2) as server, Client(server.port) as client:
        client.send("/slow")
        server.wait_for("slow begins")
        server.send(number)
        assert int(client.read()) in server.started
        assert server.exit_code() == 0
        assert server.workers == set()
        assert f"Received {number.name}, exiting." in server.output
        assert f"Stopping parent process [{server.pid}]" in server.output


def test_connections_are_refused_as_soon_as_the_server_stops_accepting(directory: Path) -> None:
    with serving(directory, "--workers", "2", ready=2) as server, Client(server.port) as client:
        port = server.port
        client.send("/endless")
        server.wait_for("endless begins")
        server.send(signal.SIGTERM)
        until(lambda: _refused(port), "a refused connection", within=10)
        assert server.workers


def _refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("numbers", [(signal.SIGINT, signal.SIGINT), (signal.SIGQUIT,)])
def test_a_second_interrupt_or_a_quit_does_not_wait_for_requests(
    directory: Path, numbers: tuple[signal.Signals, ...]
) -> None:
    with serving(directory, "--workers", "2", ready=2) as server, Client(server.port) as client:
        client.send("/endless")
        server.wait_for("endless begins")
        for count, number in enumerate(numbers, 1):
            server.send(number)
            server.wait_for(f"Received {number.name}", count)
        assert server.exit_code() == 0
        assert server.workers == set()


def test_what_does_not_finish_in_time_is_ended(directory: Path) -> None:
    with serving(directory, "--workers", "2", "--graceful-timeout", "1", ready=2) as server:
        with Client(server.port) as client:
            client.send("/endless")
            server.wait_for("endless begins")
            server.send(signal.SIGTERM)
            assert server.exit_code() == 0
        assert server.workers == set()


def test_workers_leave_when_their_master_is_killed(directory: Path) -> None:
    with serving(directory, "--workers", "2", ready=2) as server, Client(server.port) as client:
        client.send("/slow")
        server.wait_for("slow begins")
        server.send(signal.SIGKILL)
        assert int(client.read()) in server.started
        until(lambda: not server.workers, "the end of all workers")


def test_a_master_whose_application_cannot_start_exits_with_code_three(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import missing_module\n")
    with serving(tmp_path, "--workers", "2", ready=0) as server:
        assert server.exit_code() == 3
        assert "missing_module" in server.output
        assert server.output.count("No worker could start: stopping.") == 1


def test_a_worker_that_fails_later_does_not_stop_the_healthy_ones(directory: Path) -> None:
    with serving(directory, "--workers", "2", ready=2) as server:
        (directory / "app.py").write_text("raise ValueError('broken meanwhile')\n")
        os.kill(server.started[0], signal.SIGKILL)
        server.wait_for("keeps dying")
        assert ask(server.port) == str(server.started[1])
        (directory / "app.py").write_text(APP)
        server.wait_for("Application startup complete.", 3)


def test_a_crash_loop_backs_off_and_stops_when_told(directory: Path) -> None:
    with serving(directory, "--workers", "2", ready=2) as server:
        for count in range(1, 4):
            until(lambda: len(server.workers) == 2 or "keeps dying" in server.output, "workers")
            with pytest.raises(ConnectionError):
                ask(server.port, "/die")
            server.wait_for("exited with code 7", count)
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0


@pytest.mark.parametrize(("path", "stack"), [("/block", "in app"), ("/block-in-c", "in match")])
def test_a_blocked_worker_writes_its_stacks_and_is_replaced(directory: Path, path: str, stack: str) -> None:
    with (
        serving(directory, "--workers", "2", "--timeout-worker", "3", ready=2) as server,
        Client(server.port) as client,
    ):
        client.send(path)
        server.wait_for("has been blocked for 3 s")
        server.wait_for(stack)
        server.wait_for("Application startup complete.", 3)
        until(lambda: len(server.workers) == 2, "two workers")


def test_no_request_is_lost_while_workers_are_recycled(directory: Path) -> None:
    failures: list[str] = []
    served: list[str] = []
    enough = threading.Event()

    def ask_on_and_on(port: int) -> None:
        with Client(port) as client:
            while not enough.is_set():
                try:
                    served.append(client.ask())
                except (OSError, ValueError) as error:
                    failures.append(repr(error))
                    client.close()

    with serving(directory, "--workers", "2", "--limit-max-requests", "300", "--no-access-log", ready=2) as server:
        clients = [threading.Thread(target=ask_on_and_on, args=(server.port,)) for _ in range(8)]
        for client in clients:
            client.start()
        try:
            server.wait_for("Application startup complete.", 8)
            until(lambda: len(served) > 3000, "3000 requests")
        finally:
            enough.set()
            for client in clients:
                client.join()
    assert failures == []
    assert len(set(served)) >= 6
