"""Fair work under Gunicorn: of two workers that share a listener, neither is left with a small part of it."""

from pathlib import Path

import pytest

from tests.gunicorn.running import gunicorn
from tests.process.spread import APP, CONNECTIONS, REQUESTS, requests_by_worker

LEAST = 0.4  # of all requests


@pytest.mark.parametrize("worker", ["UvicornWorker", "AsyncioWorker"])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
def test_of_64_connections_neither_of_two_workers_gets_less_than_two_fifths(
    tmp_path: Path, worker: str, at_once: bool
) -> None:
    (tmp_path / "app.py").write_text(APP)
    with gunicorn(tmp_path, "--workers", "2", worker=f"monoceros.workers.{worker}", ready=2) as server:
        served = requests_by_worker(server.port, at_once=at_once)
    assert served.total() == CONNECTIONS * REQUESTS
    assert min(served.values()) >= LEAST * served.total(), served
