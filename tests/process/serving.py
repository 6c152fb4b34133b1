"""A real `monoceros-serve` in a process of its own: started, read, signalled and ended by pid.

What it prints is read all the time, so that it never blocks on a full pipe, and waited for with a deadline instead of
slept for. However a test ends, no process of it is left.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

PATIENCE = 30.0  # seconds: only a failing test waits that long
ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], object], what: str, within: float = PATIENCE) -> None:
    """Wait for a condition; `what` says what was waited for if it doesn't come."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {within:g} s for {what}")
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie doesn't."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


class Serving:
    """A running server.

    Arguments:
        process: its master, or itself if there is none.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        """What it has printed so far, to both streams."""
        return "".join(self._lines)

    @property
    def port(self) -> int:
        """The TCP port it serves; a single process names it a moment after its application has started."""
        self.wait_for("running on http")
        found = re.search(r"running on https?://[^ ]*:(\d+)", self.output)
        assert found, self.output
        return int(found[1])

    @property
    def started(self) -> list[int]:
        """The pids of all workers that have started serving, in that order."""
        return [int(pid) for pid in re.findall(r"Started server process \[(\d+)\]", self.output)]

    @property
    def workers(self) -> set[int]:
        """The pids of the workers that have started and still live."""
        return {pid for pid in self.started if alive(pid)}

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until it has printed a text so many times."""
        try:
            until(lambda: self.output.count(text) >= times or not self._reader.is_alive(), f"{text!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it said:\n{self.output}") from None
        assert self.output.count(text) >= times, f"it ended without {text!r}; it said:\n{self.output}"

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the master."""
        self.process.send_signal(number)

    def exit_code(self) -> int:
        """Wait for the end of the master and of all it printed."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it doesn't end; it said:\n{self.output}") from None
        self._reader.join(PATIENCE)
        return code

    def stop(self) -> None:
        """End whatever is left of it."""
        left = self.workers
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        for pid in left | self.workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._reader.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextlib.contextmanager
def serving(
    directory: Path, *options: str, app: str = "app:app", ready: int = 1, command: Sequence[str] = ()
) -> Iterator[Serving]:
    """Start a server of the application in a directory, and end it at the end.

    Arguments:
        directory: where the application's module is; the current directory of the server.
        options: of the command line; the port is one that is free.
        app: the import string.
        ready: wait until so many workers have started up; 0 doesn't wait.
        command: what to run instead of the command line and its options.
    """
    command = command or [sys.executable, "-m", "monoceros", app, "--port", "0", *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command, cwd=directory, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    server = Serving(process)
    try:
        if ready:
            server.wait_for("Application startup complete.", ready)
        yield server
    finally:
        server.stop()
