"""Fair work: of two workers that share a listener, neither is left with a small part of it."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from tests.process.asking import Client
from tests.process.serving import serving, until
from tests.process.spread import APP, CONNECTIONS, REQUESTS, requests_by_worker

LEAST = 0.4  # of all requests


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with the application."""
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
def test_of_64_connections_neither_of_two_workers_gets_less_than_two_fifths(
    directory: Path, loop: str, at_once: bool
) -> None:
    with serving(directory, "--workers", "2", "--loop", loop, ready=2) as server:
        served = requests_by_worker(server.port, at_once=at_once)
    assert served.total() == CONNECTIONS * REQUESTS
    assert min(served.values()) >= LEAST * served.total(), served


def test_a_worker_that_is_stopped_leaves_its_share_to_the_other(directory: Path) -> None:
    """Nobody can know at once that it is. All connections are kept, so that the other one is far ahead."""
    with serving(directory, "--workers", "2", ready=2) as server, contextlib.ExitStack() as opened:
        port = server.port
        stopped, other = sorted(server.workers)
        os.kill(stopped, signal.SIGSTOP)
        try:
            until(lambda: state_of(stopped) == "T", "the worker to stop")
            clients = [opened.enter_context(Client(port)) for _ in range(CONNECTIONS)]
            assert {client.ask().split()[0] for client in clients} == {str(other)}
        finally:
            os.kill(stopped, signal.SIGCONT)


def state_of(pid: int) -> str:
    """The letter that the system has for what a process does."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
