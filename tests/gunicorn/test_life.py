"""A worker's life beside what Gunicorn's settings say of it: its hooks, its heartbeat, its reloads, its exit codes."""

import itertools
import os
import re
import signal
from pathlib import Path

import pytest

from tests.gunicorn.running import READY, gunicorn
from tests.process.asking import Client, ask
from tests.process.serving import alive, until


def configure(directory: Path, text: str) -> None:
    """Write Gunicorn's configuration file, which it finds by itself."""
    (directory / "gunicorn.conf.py").write_text(text)


def test_a_worker_that_ends_for_longer_than_timeout_still_beats(directory: Path) -> None:
    """Its arbiter doesn't know that it ends, for it does so by itself."""
    options = ("--timeout", "2", "--max-requests", "1")
    with gunicorn(directory, *options, environ={"STOP_SECONDS": "5"}) as server:
        ask(server.port)
        server.wait_for("the application has shut down")
        server.wait_for(READY, 2)
        assert "WORKER TIMEOUT" not in server.output


def test_an_application_that_cannot_be_found_halts_the_arbiter_with_exit_code_4(directory: Path) -> None:
    with gunicorn(directory, ready=0, app="app:nothing") as server:
        assert server.exit_code() == 4
        assert "Reason: App failed to load." in server.output


def test_sigterm_ends_a_worker_that_imports_its_application(directory: Path) -> None:
    with gunicorn(directory, ready=0, environ={"IMPORT_SECONDS": "3600"}) as server:
        server.wait_for("importing")
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0
        assert "was sent SIGKILL" not in server.output


def test_hooks_that_raise_are_named_and_the_worker_goes_its_way(directory: Path) -> None:
    configure(
        directory,
        "def worker_abort(worker):\n    raise LookupError(f'abort of {worker.pid}')\n"
        "def worker_exit(server, worker):\n    raise LookupError(f'exit of {worker.pid}')\n",
    )
    with gunicorn(directory, "--timeout", "2") as server, Client(server.port) as client:
        (blocked,) = server.workers
        client.send("/block")
        server.wait_for("time.sleep(3600)")
        server.wait_for(READY, 2)
        assert not alive(blocked)
        assert f"The hook worker_abort raised: worker {blocked} goes on without it" in server.output
        assert f"LookupError: abort of {blocked}" in server.output
        assert server.output.count(f"LookupError: exit of {blocked}") == 1
        assert "exited with code 1" in server.output
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0


def test_a_post_worker_init_that_raises_fails_the_start(directory: Path) -> None:
    """It is Gunicorn's rule: the worker isn't initialized without it."""
    configure(directory, "def post_worker_init(worker):\n    raise LookupError('no cache')\n")
    with gunicorn(directory, ready=0) as server:
        assert server.exit_code() == 3
        assert "in post_worker_init" in server.output
        assert "LookupError: no cache" in server.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_worker_int_is_called_once_for_each_worker(directory: Path, number: signal.Signals) -> None:
    # In one write: two workers share the pipe, and an unbuffered `print` makes several.
    configure(directory, "import os\ndef worker_int(worker):\n    os.write(1, b'interrupted %d\\n' % worker.pid)\n")
    with gunicorn(directory, "--workers", "2", ready=2) as server:
        workers = server.workers
        for worker in workers:
            os.kill(worker, number)
        server.send(number)
        assert server.exit_code() == 0
        assert sorted(re.findall(r"interrupted (\d+)", server.output)) == sorted(map(str, workers))


def test_a_change_of_an_extra_file_restarts_the_worker(directory: Path) -> None:
    """The file is none of the application's sources."""
    extra = directory / "settings.ini"
    extra.write_text("a = 1\n")
    # In one write: two workers share the pipe, and an unbuffered `print` makes several.
    configure(directory, "import os\ndef worker_int(worker):\n    os.write(1, b'interrupted %d\\n' % worker.pid)\n")
    options = ("--reload", "--reload-engine", "poll", "--reload-extra-file", str(extra))
    with gunicorn(directory, *options) as server:
        (first,) = server.workers
        assert int(ask(server.port)) == first
        later = itertools.count(int(extra.stat().st_mtime) + 1)

        def touched() -> bool:
            # The engine only tells what changes after its first look.
            now = next(later)
            os.utime(extra, (now, now))
            return f"Worker reloading: {extra} modified" in server.output

        until(touched, "the reload")
        server.wait_for(READY, 2)
        assert server.output.count(f"interrupted {first}") == 1
        assert int(ask(server.port)) == server.started[-1] != first
