"""What a service goes through in years: files that are edited, logs that are rotated."""

import os
import signal
from pathlib import Path

from tests.gunicorn.load import under_load
from tests.gunicorn.running import READY, gunicorn
from tests.process.asking import Client, ask
from tests.process.serving import until


def served_by(port: int) -> str:
    """The Server field of an answer."""
    with Client(port) as client:
        client.send("/")
        head = client.read_until("\r\n\r\n")
        return next(line.partition(": ")[2] for line in head.split("\r\n") if line.lower().startswith("x-edition: "))


def test_a_mistake_in_the_file_of_options_does_not_end_a_service_that_runs(directory: Path) -> None:
    """Files are read at the start and at a reload, not whenever a worker is forked."""
    file = directory / "monoceros.toml"
    file.write_text('headers = ["X-Edition: one"]\n')
    with gunicorn(directory, "--workers", "2", ready=2) as server:
        file.write_text("drain_notcie = 3\n")
        os.kill(server.started[0], signal.SIGKILL)
        server.wait_for(READY, 3)
        assert served_by(server.port) == "one"
        server.send(signal.SIGHUP)
        server.wait_for(READY, 5)
        server.wait_for("drain_notcie is not an option")
        server.wait_for("The options of before are kept")
        assert served_by(server.port) == "one"
        file.write_text('headers = ["X-Edition: two"]\n')
        server.send(signal.SIGHUP)
        server.wait_for(READY, 7)
        until(lambda: len(server.workers) == 2 and served_by(server.port) == "two", "the new options")


def test_no_line_is_lost_when_logs_are_rotated_under_load(directory: Path) -> None:
    access = directory / "access.log"
    with gunicorn(directory, "--access-logfile", str(access)) as server:
        with under_load(server.port) as load:
            for number in range(1, 6):
                load.wait_for_more(300)
                access.rename(directory / f"access.log.{number}")
                server.send(signal.SIGUSR1)
                until(lambda: access.exists() and access.stat().st_size > 0, "lines in the new file")
            load.wait_for_more(300)
        assert load.failures == []

        def lines() -> int:
            return sum(path.read_text().count('"GET /') for path in directory.glob("access.log*"))

        until(lambda: lines() >= len(load.answers), f"{len(load.answers)} lines", within=5)
        assert lines() == len(load.answers)
        assert "lines dropped" not in server.output
        ask(server.port)
