"""The promise: workers come and go, and no request is lost."""

import re
import signal
from pathlib import Path

import pytest

from tests.gunicorn.load import under_load
from tests.gunicorn.running import READY, gunicorn
from tests.process.asking import ask
from tests.process.serving import until


@pytest.mark.parametrize("worker", ["UvicornWorker", "AsyncioWorker", "UvicornH11Worker"])
def test_recycling_workers_by_max_requests_loses_no_request(directory: Path, worker: str) -> None:
    options = ("--workers", "2", "--max-requests", "400", "--max-requests-jitter", "100")
    with gunicorn(directory, *options, worker=f"monoceros.workers.{worker}", ready=2) as server:
        with under_load(server.port) as load:
            until(lambda: len(load.answers) >= 5000, "5000 answers")
            until(lambda: len(set(load.answers)) >= 6, "answers of 6 workers")
        assert load.failures == []
        limits = {int(limit) for limit in re.findall(r"Maximum request limit of (\d+) reached", server.output)}
        assert 400 <= min(limits) < max(limits) <= 500
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0


def test_reloading_twice_under_load_loses_no_request(directory: Path) -> None:
    with gunicorn(directory, "--workers", "2", ready=2) as server:
        with under_load(server.port) as load:
            for ready in (4, 6):
                server.send(signal.SIGHUP)
                server.wait_for(READY, ready)
                load.wait_for_more(1000)
        assert load.failures == []
        until(lambda: server.workers == set(server.started[-2:]), "the end of the old workers")


def test_the_old_workers_accept_connections_until_the_new_ones_are_ready(directory: Path) -> None:
    with gunicorn(directory, "--workers", "2", ready=2) as server:
        old = server.workers
        (directory / "start_seconds").write_text("4")
        server.send(signal.SIGHUP)
        until(lambda: len(server.started) == 4, "two more workers")
        answered = {int(ask(server.port)) for _ in range(20)}
        assert server.output.count(READY) == 2, "the new ones were ready too early for this test"
        assert answered <= old
        server.wait_for(READY, 4)
        until(lambda: server.workers == set(server.started[2:]), "the end of the old workers")
        assert int(ask(server.port)) in server.workers


def test_a_worker_serves_beyond_its_limit_while_its_sibling_is_being_replaced(directory: Path) -> None:
    with gunicorn(directory, "--workers", "2", "--max-requests", "50", ready=2) as server:
        (directory / "start_seconds").write_text("3")
        with under_load(server.port, clients=4) as load:
            server.wait_for("Shutting down")
            server.wait_for("Started server process", 3)
            load.wait_for_more(500)
            assert server.output.count("Shutting down") == 1
            assert server.output.count(READY) == 2, "the new one was ready too early for this test"
            server.wait_for(READY, 3)
            server.wait_for("Shutting down", 2)
        assert load.failures == []


def test_an_only_worker_is_recycled_without_losing_a_request(directory: Path) -> None:
    """Connections wait in the backlog meanwhile: the arbiter holds the listener."""
    with gunicorn(directory, "--max-requests", "200") as server:
        with under_load(server.port, clients=4) as load:
            until(lambda: server.output.count(READY) >= 3, "two replacements")
        assert load.failures == []
