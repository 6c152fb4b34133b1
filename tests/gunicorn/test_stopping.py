"""How workers start, stop, hang and fail under the real arbiter."""

import os
import signal
from pathlib import Path

import pytest

from tests.gunicorn.running import READY, gunicorn
from tests.process.asking import Client, ask
from tests.process.serving import alive, until

KILLED = "was sent SIGKILL"


def test_sigterm_lets_a_running_request_finish(directory: Path) -> None:
    with gunicorn(directory, "--workers", "2", ready=2) as server, Client(server.port) as client:
        client.send("/slow")
        server.wait_for("slow begins")
        server.send(signal.SIGTERM)
        assert int(client.read()) in server.started
        assert server.exit_code() == 0
        assert server.output.count("the application has shut down") == 2


def test_a_second_sigterm_to_a_worker_changes_nothing(directory: Path) -> None:
    with gunicorn(directory) as server, Client(server.port) as client:
        (worker,) = server.workers
        client.send("/slow")
        server.wait_for("slow begins")
        os.kill(worker, signal.SIGTERM)
        server.wait_for("Shutting down")
        os.kill(worker, signal.SIGTERM)
        assert client.read() == str(worker)
        until(lambda: not alive(worker), "the end of the worker")
        server.wait_for(READY, 2)
        assert "exited with code" not in server.output


@pytest.mark.parametrize("stop_seconds", ["0", "3600"])
def test_what_hangs_is_cut_off_before_the_arbiter_kills(directory: Path, stop_seconds: str) -> None:
    """Be it a request or the application's own end."""
    environ = {"STOP_SECONDS": stop_seconds}
    with gunicorn(directory, "--graceful-timeout", "4", environ=environ) as server, Client(server.port) as client:
        client.send("/hang")
        server.wait_for("hang begins")
        server.send(signal.SIGTERM)
        assert client.read_until("\r\n").startswith("HTTP/1.1 500 ")
        assert server.exit_code() == 0
        assert KILLED not in server.output
        assert ("the application has shut down" in server.output) == (stop_seconds == "0")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_a_quick_stop_waits_for_no_request(directory: Path, number: signal.Signals) -> None:
    with gunicorn(directory, "--graceful-timeout", "600") as server, Client(server.port) as client:
        client.send("/hang")
        server.wait_for("hang begins")
        server.send(number)
        assert server.exit_code() == 0
        assert KILLED not in server.output


def test_a_quick_stop_shuts_an_idle_application_down(directory: Path) -> None:
    """Also for longer than its requests would have had."""
    with gunicorn(directory, environ={"STOP_SECONDS": "2"}) as server, Client(server.port) as client:
        client.ask()
        server.send(signal.SIGINT)
        assert server.exit_code() == 0
        assert "the application has shut down" in server.output


def test_a_slow_application_startup_is_not_killed(directory: Path) -> None:
    (directory / "start_seconds").write_text("4")
    with gunicorn(directory, "--timeout", "2") as server:
        assert int(ask(server.port)) in server.workers
        assert "WORKER TIMEOUT" not in server.output


def test_a_slow_import_is_not_killed(directory: Path) -> None:
    with gunicorn(directory, "--timeout", "2", environ={"IMPORT_SECONDS": "4"}) as server:
        assert int(ask(server.port)) in server.workers
        assert "WORKER TIMEOUT" not in server.output


def test_a_start_that_takes_longer_than_the_deadline_is_killed(directory: Path) -> None:
    environ = {"IMPORT_SECONDS": "3600", "MONOCEROS_TIMEOUT_WORKER_START": "1"}
    with gunicorn(directory, "--timeout", "2", ready=0, environ=environ) as server:
        server.wait_for("WORKER TIMEOUT")
        server.wait_for("time.sleep(float(os.environ")


def test_a_worker_beats_often_enough_for_the_shortest_timeout(directory: Path) -> None:
    with gunicorn(directory, "--timeout", "1") as server, Client(server.port) as client:
        for _ in range(4):
            client.ask("/slow")
        assert "WORKER TIMEOUT" not in server.output


@pytest.mark.parametrize(("path", "line"), [("/block", "time.sleep(3600)"), ("/block-in-c", 'File "{}/app.py", line')])
def test_a_blocked_loop_is_replaced_and_its_stacks_are_logged(directory: Path, path: str, line: str) -> None:
    (directory / "gunicorn.conf.py").write_text('def worker_abort(worker):\n    print("worker_abort", flush=True)\n')
    with gunicorn(directory, "--timeout", "2") as server, Client(server.port) as client:
        (blocked,) = server.workers
        client.send(path)
        server.wait_for("WORKER TIMEOUT")
        server.wait_for(line.format(directory))
        server.wait_for(READY, 2)
        assert int(ask(server.port)) in server.workers - {blocked}
        assert ("worker_abort" in server.output) == (path == "/block")


@pytest.mark.parametrize(
    "environ", [{"START_FAILS": "yes"}, {"IMPORT_SECONDS": "never"}, {"MONOCEROS_LOOP": "no:such"}]
)
def test_a_start_that_fails_halts_the_arbiter_with_exit_code_3(directory: Path, environ: dict[str, str]) -> None:
    with gunicorn(directory, ready=0, environ=environ) as server:
        assert server.exit_code() == 3
        assert "Reason: Worker failed to boot." in server.output


def test_a_wrong_option_halts_the_arbiter_with_exit_code_2_and_no_traceback(directory: Path) -> None:
    with gunicorn(directory, ready=0, environ={"MONOCEROS_WS_MAX_SIZE": "big"}) as server:
        assert server.exit_code() == 2
        assert "MONOCEROS_WS_MAX_SIZE: big is not" in server.output
        assert "Traceback" not in server.output


def test_sigterm_ends_a_worker_that_still_starts(directory: Path) -> None:
    (directory / "start_seconds").write_text("3600")
    with gunicorn(directory, ready=0) as server:
        server.wait_for("Waiting for application startup.")
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0
        assert KILLED not in server.output


def test_a_stop_in_the_middle_of_a_reload_ends_old_and_new_workers(directory: Path) -> None:
    """The old ones wait for the new ones, which break off their start."""
    with gunicorn(directory, "--graceful-timeout", "4") as server, Client(server.port) as client:
        (directory / "start_seconds").write_text("3600")
        server.send(signal.SIGHUP)
        server.wait_for("Waiting for application startup.", 2)
        client.send("/slow")
        server.send(signal.SIGTERM)
        assert int(client.read()) == server.started[0]
        assert server.exit_code() == 0
        assert KILLED not in server.output


def test_workers_leave_when_their_arbiter_was_killed(directory: Path) -> None:
    with gunicorn(directory, "--workers", "2", ready=2) as server, Client(server.port) as client:
        client.send("/slow")
        server.wait_for("slow begins")
        server.process.kill()
        assert int(client.read()) in server.started
        until(lambda: not server.workers, "the end of the workers")


def test_sigusr1_opens_the_logs_again(directory: Path) -> None:
    access = directory / "access.log"
    with gunicorn(directory, "--access-logfile", str(access)) as server:
        ask(server.port, "/before")
        until(lambda: "/before" in access.read_text(), "a line")
        access.rename(directory / "rotated.log")
        server.send(signal.SIGUSR1)
        until(access.exists, "a new file")
        # The arbiter opens it first, and then tells its worker.
        until(lambda: bool(ask(server.port, "/after")) and "/after" in access.read_text(), "a line in the new file")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGWINCH, signal.SIGUSR2])
def test_a_worker_leaves_the_arbiters_signals_to_the_arbiter(directory: Path, number: signal.Signals) -> None:
    with gunicorn(directory) as server:
        (worker,) = server.workers
        os.kill(worker, number)
        assert ask(server.port) == str(worker)
        assert server.workers == {worker}


def test_a_changed_source_restarts_the_worker_in_a_hurry(directory: Path) -> None:
    with gunicorn(directory, "--reload", "--reload-engine", "poll") as server, Client(server.port) as client:
        client.send("/hang")
        server.wait_for("hang begins")
        file = directory / "app.py"
        source = file.read_text()
        file.write_text("def app(:\n")
        server.wait_for("Worker reloading: ")
        server.wait_for("Started server process", 2)
        until(lambda: "SyntaxError" in ask(server.port), "the error in an answer")
        file.write_text(source + "\n")

        def repaired() -> bool:
            if ask(server.port).isdigit():
                return True
            # Gunicorn's polling takes as unchanged what it finds at its first look, which may be after the answer.
            file.touch()
            return False

        until(repaired, "the application in an answer")
        assert int(ask(server.port)) in server.workers
