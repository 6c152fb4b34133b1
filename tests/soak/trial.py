"""One trial: servers, a way to them, a load, disturbances, and the count of what was lost.

It may not know what a disturbance is. The rules it keeps: the load runs before the first disturbance and after the last
one; and what it counted is told also if a disturbance failed.
"""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.process.serving import PATIENCE, ROOT
from tests.soak.masters import Masters
from tests.soak.scenarios import Scenario
from tests.soak.transports import Transport

FOR_EVER = 86_400
"""Seconds for which the load goes on unless it is told that they are over."""

SHOWN = 10
"""Complaints of nginx that are told in full."""

SLOWEST = 100
"""Requests per second that a load makes at least: one that doesn't is stuck."""


@dataclass
class Outcome:
    """What a trial has shown.

    Attributes:
        scenario: its name.
        transport: its name.
        report: of the load; see `client.Report`.
        disturbances: the time of day of each.
        workers: processes that served as workers.
        masters: processes that served as masters.
        faults: what else went wrong than lost requests.
    """

    scenario: str
    transport: str
    report: dict[str, Any] = field(default_factory=dict)
    disturbances: list[str] = field(default_factory=list)
    workers: int = 0
    masters: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """Requests begun."""
        return int(self.report.get("requests", 0))

    @property
    def lost(self) -> int:
        """Requests without their answer, and connections that broke between two requests."""
        losses: dict[str, int] = self.report.get("kinds", {})
        return sum(losses.values())

    def verdict(self) -> str:
        """Return what went wrong, for people; "" if nothing did."""
        lines = []
        if self.lost:
            kinds = ", ".join(f"{count} x {kind}" for kind, count in self.report["kinds"].items())
            lines.append(f"{self.lost} of {self.requests} requests lost: {kinds}")
            lines += [json.dumps(loss) for loss in self.report["losses"]]
        lines += self.faults
        if lines:
            lines.append(f"disturbed at {', '.join(self.disturbances) or 'no time'}")
        return "\n".join(lines)


def attempt(
    scenario: Scenario,
    transport: Transport,
    directory: Path,
    *,
    requests: int,
    seconds: float = 0.0,
    times: int = 1,
    rest: float | None = None,
    python: str = sys.executable,
) -> Outcome:
    """Disturb servers under load.

    Arguments:
        scenario: what is done to them.
        transport: how the load reaches them.
        directory: an empty one, for files and sockets.
        requests: to send at least.
        seconds: to go on at least.
        times: disturbances at least.
        rest: seconds before each of them; None for those of the scenario.
        python: the interpreter that runs the servers.

    Raises:
        NginxError: nginx is needed and isn't there.
        AssertionError: the servers didn't start.
    """
    outcome = Outcome(scenario.name, transport.name)
    rest = scenario.rest if rest is None else rest
    with _served(scenario, transport, directory, python, outcome) as (masters, address):
        load = _start_load(address, requests)
        try:
            _await_load(load)
            ends = time.monotonic() + seconds
            while len(outcome.disturbances) < times or time.monotonic() < ends:
                _let_it_run(load, rest)
                outcome.disturbances.append(time.strftime("%H:%M:%S"))
                scenario.disturb(masters, len(outcome.disturbances) - 1)
            load.send_signal(signal.SIGUSR1)
        except AssertionError as error:
            outcome.faults.append(str(error))
            load.terminate()
        finally:
            _end_load(load, PATIENCE + requests / SLOWEST, outcome)
        outcome.workers, outcome.masters = len(masters.started), len(masters.pids)
    complaints = transport.complaints(directory).splitlines()
    if complaints:
        outcome.faults.append("\n".join([f"nginx complained {len(complaints)} times:", *complaints[:SHOWN]]))
    return outcome


@contextlib.contextmanager
def _served(
    scenario: Scenario, transport: Transport, directory: Path, python: str, outcome: Outcome
) -> Iterator[tuple[Masters, str]]:
    """Start the servers and what stands before them, and end both."""
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(transport.listen(directory)) if scenario.activated else None
        options = scenario.options if sock else (*transport.options(directory), *scenario.options)
        masters = Masters(directory, options, python=python, sock=sock)
        stack.callback(_end_masters, masters, outcome)
        for _ in range(scenario.masters):
            masters.start()
        port = 0 if transport.unix else sock.getsockname()[1] if sock else masters.first.port
        yield masters, stack.enter_context(transport.way(directory, transport.address(directory, port)))


def _end_masters(masters: Masters, outcome: Outcome) -> None:
    left = masters.end()
    if left:
        outcome.faults.append(f"processes {left} had to be killed; they said:\n{masters.last_words()}")


def _start_load(address: str, requests: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.soak.client", address, "--json", "--announce"]
    command += ["--requests", str(requests), "--seconds", str(FOR_EVER)]
    # Without a buffer of ours: what is read of its first line must not take anything of the report along.
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, bufsize=0)


def _await_load(load: "subprocess.Popen[bytes]") -> None:
    """Wait until all connections of the load are in use. It gives up late answers by itself."""
    assert load.stdout is not None
    if not load.stdout.readline():
        raise AssertionError("the load didn't begin")


def _let_it_run(load: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Let some time pass under load."""
    try:
        code = load.wait(seconds)
    except subprocess.TimeoutExpired:
        return
    raise AssertionError(f"the load ended by itself, with {code}")


def _end_load(load: "subprocess.Popen[bytes]", patience: float, outcome: Outcome) -> None:
    """Wait for the end of the load, and take its report."""
    try:
        printed, _ = load.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        load.kill()
        printed, _ = load.communicate()
    if printed:
        outcome.report = json.loads(printed)
    else:
        outcome.faults.append(f"the load ended without a report, with {load.returncode}")
