"""No request is lost, whatever is done to the server meanwhile: the short version of `make soak`.

Each test puts a server under load, disturbs it until the effect is seen in its processes, and counts: a request that
isn't answered in full, once, and rightly, is lost. The load retries nothing.
"""

import os
from pathlib import Path

import pytest

from tests.deploy.nginx import NginxError, executable
from tests.soak.masters import WORKERS
from tests.soak.scenarios import SCENARIOS
from tests.soak.transports import TRANSPORTS
from tests.soak.trial import Outcome, attempt

REQUESTS = 3000
"""At least, in each test. Most send more, for the load goes on until the last disturbance is over."""

REST = 0.3
"""Seconds under load before each disturbance."""


def disturbed(scenario: str, transport: str, directory: Path, times: int) -> Outcome:
    """Make a trial, and see that nothing was lost and nothing else went wrong."""
    outcome = attempt(SCENARIOS[scenario], TRANSPORTS[transport], directory, requests=REQUESTS, times=times, rest=REST)
    verdict = outcome.verdict()
    if verdict:
        raise AssertionError(verdict)
    assert outcome.report["losses"] == []
    assert outcome.report["ok"] == outcome.requests >= REQUESTS
    assert len(outcome.disturbances) == times
    return outcome


@pytest.fixture
def _nginx() -> None:
    """Nginx is there. Root could have installed it, and `make test` does; nobody else can."""
    try:
        executable()
    except NginxError as error:
        if os.geteuid() == 0:
            raise
        pytest.skip(str(error))


def test_recycling_workers_loses_no_request(tmp_path: Path) -> None:
    """Workers that have served a thousand requests go, one after the other."""
    outcome = disturbed("recycling", "tcp", tmp_path, times=3)
    assert outcome.workers >= WORKERS + 3
    assert len(outcome.report["processes"]) >= 3


def test_a_reload_loses_no_request(tmp_path: Path) -> None:
    """HUP replaces all workers."""
    outcome = disturbed("reload", "tcp", tmp_path, times=2)
    assert outcome.workers == WORKERS * 3
    assert outcome.masters == 1


@pytest.mark.usefixtures("_nginx")
def test_a_reload_behind_nginx_loses_no_request(tmp_path: Path) -> None:
    """Nginx keeps connections to the server open, and sends no request twice."""
    outcome = disturbed("reload", "nginx-tcp", tmp_path, times=2)
    assert outcome.workers == WORKERS * 3


def test_a_reload_that_executes_the_master_anew_loses_no_request(tmp_path: Path) -> None:
    """HUP under --preload: the sockets and the workers pass through an exec."""
    outcome = disturbed("renewal", "unix", tmp_path, times=2)
    assert outcome.workers == WORKERS * 3
    assert outcome.masters == 1


def test_sockets_of_each_worker_lose_no_request(tmp_path: Path) -> None:
    """--reuse-port: the system goes on giving connections to the socket of a worker that is gone."""
    outcome = disturbed("spreading", "tcp", tmp_path, times=6)
    assert outcome.workers == WORKERS + 2 * (1 + WORKERS)


def test_scaling_up_and_down_loses_no_request(tmp_path: Path) -> None:
    """TTIN adds a worker, TTOU takes one away."""
    outcome = disturbed("scaling", "tcp", tmp_path, times=4)
    assert outcome.workers == WORKERS + 2


@pytest.mark.usefixtures("_nginx")
def test_recycling_workers_behind_nginx_on_a_unix_socket_loses_no_request(tmp_path: Path) -> None:
    """The commonest set-up: one machine, nginx, a socket in the file system."""
    outcome = disturbed("recycling", "nginx-unix", tmp_path, times=3)
    assert outcome.workers >= WORKERS + 3


def test_an_upgrade_loses_no_request(tmp_path: Path) -> None:
    """USR2 starts a second master on the same unix socket, TERM ends the first. Then the second is upgraded, too."""
    outcome = disturbed("upgrade", "unix", tmp_path, times=2)
    assert outcome.masters == 3
    assert outcome.workers == WORKERS * 3


def test_masters_that_take_turns_on_a_socket_of_systemd_lose_no_request(tmp_path: Path) -> None:
    """Two masters are given the same socket. One ends while the other serves, and another one begins."""
    outcome = disturbed("activation", "tcp", tmp_path, times=2)
    assert outcome.masters == 4
    assert outcome.workers == WORKERS * 4
