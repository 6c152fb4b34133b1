"""What --preload saves: memory beside the incumbent, and time beside a cold start, each pair measured in one run.

Ratios only, for absolute figures are the machine's; and the best of three times, for a machine may be busy.
"""

import contextlib
import http.client
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from monoceros.supervisor.rules import SPACING
from tests.process.asking import Client, ask
from tests.process.serving import PATIENCE, Serving, serving, until

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="the proportional memory of a process is told by Linux only"
)

WORKERS = 4
REQUESTS = 400
ROUNDS = 3

APP = """
import os
from examples.fastapi_app import app

@app.get("/process")
async def process() -> int:
    return os.getpid()
"""


def proportional_memory(pid: int) -> int:
    """The memory of a process in KiB; a page that several share counts by its part."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise AssertionError("the kernel doesn't tell Pss")


def use(port: int) -> None:
    """Ask from several sides, each time on a new connection, so that every worker gets its share."""

    def ask_on() -> None:
        for _ in range(REQUESTS // WORKERS):
            assert store(port) == 201
            assert ask(port, "/items/0") == '{"detail":"no such item"}'

    clients = [threading.Thread(target=ask_on) for _ in range(WORKERS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


def store(port: int) -> int:
    """Post an item on a connection of its own, and return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("POST", "/items", b'{"name": "horn", "price": 9.5}', {"content-type": "application/json"})
        return connection.getresponse().status


def memory_in_use(*command: str, directory: Path) -> int:
    """Serve, answer some hundred requests, and return the memory of all workers together, in KiB."""
    port = a_free_port()
    whole = [sys.executable, "-m", *command, "--workers", str(WORKERS), "--port", str(port), "--no-access-log"]
    with serving(directory, command=whole, ready=WORKERS) as server:
        until(lambda: answers(port), "an answer")
        use(port)
        workers = server.workers
        assert len(workers) == WORKERS
        return sum(proportional_memory(pid) for pid in workers)


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def answers(port: int) -> str:
    """What the server answers, and nothing if it doesn't."""
    try:
        with Client(port, PATIENCE) as client:
            return client.ask("/process")
    except OSError:
        return ""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def test_preloaded_workers_take_at_most_half_of_the_incumbents_memory(directory: Path) -> None:
    theirs = memory_in_use("uvicorn", "app:app", directory=directory)
    ours = memory_in_use("monoceros", "app:app", "--preload", directory=directory)
    assert ours <= theirs / 2, f"{ours} KiB of {theirs} KiB"


def cold_start(directory: Path) -> float:
    """Seconds from the command to its first answer."""
    port = a_free_port()
    begun = time.monotonic()
    command = [sys.executable, "-m", "monoceros", "app:app", "--port", str(port)]
    with serving(directory, command=command, ready=0):
        until(lambda: answers(port), "an answer")
        return time.monotonic() - begun


def renewal(server: Serving) -> float:
    """Seconds from the end of the only worker to an answer of the next one."""
    (old,) = server.workers
    born = time.monotonic()
    until(lambda: time.monotonic() > born + SPACING, "the time that lies between two starts of one slot")
    begun = time.monotonic()
    os.kill(old, signal.SIGTERM)
    until(lambda: ask(server.port, "/process") != str(old), "an answer of the replacement")
    took = time.monotonic() - begun
    until(lambda: len(server.workers) == 1, "the end of the old worker")
    return took


def test_a_preloaded_worker_is_replaced_in_a_tenth_of_a_cold_start(directory: Path) -> None:
    cold = min(cold_start(directory) for _ in range(ROUNDS))
    with serving(directory, "--workers", "2", "--preload", ready=2) as server:
        server.send(signal.SIGTTOU)  # one worker, so that it is the replacement that answers
        until(lambda: len(server.workers) == 1, "one worker")
        warm = min(renewal(server) for _ in range(ROUNDS))
    assert warm <= cold / 10, f"{warm:.3f} s of {cold:.3f} s"
