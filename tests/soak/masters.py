"""The masters of one run, first and later ones, those that it started and those that they started themselves.

It may not know the load, nor why a master is started or ended. The rules it keeps: processes are found by what they log
and by the directory they run in, which no other process runs in; and at the end none of them is left.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.process.serving import PATIENCE, ROOT, Serving, alive, until
from tests.soak import activated, app

WORKERS = 2
"""Workers of each master."""

READY = "Application startup complete."
SHOWN = 40
"""Lines of what the servers said that are shown with a failure."""


class Masters:
    """Servers of one application, one after the other or together, in one directory.

    Arguments:
        directory: the current one of all of them. The application is put there.
        options: of the command line, the address among them.
        python: the interpreter that runs them.
        sock: a listening socket to pass to each, as systemd passes it.
    """

    def __init__(
        self, directory: Path, options: Sequence[str], *, python: str, sock: socket.socket | None = None
    ) -> None:
        self._directory = directory.resolve()
        self._command = [python, "-m", "monoceros", "app:app", "--workers", str(WORKERS), "--no-access-log", *options]
        self._sock = sock
        self._servings: list[Serving] = []
        shutil.copy(app.__file__, self._directory / "app.py")

    @property
    def output(self) -> str:
        """What all of them have printed so far."""
        return "".join(serving.output for serving in self._servings)

    @property
    def first(self) -> Serving:
        """The one that was started first."""
        return self._servings[0]

    @property
    def pids(self) -> list[int]:
        """The processes of all masters that have begun to serve; in that order, if none was started by us later on."""
        return [int(pid) for pid in re.findall(r"Started parent process \[(\d+)\]", self.output)]

    @property
    def living(self) -> list[int]:
        """Those of them that still live."""
        return [pid for pid in self.pids if alive(pid)]

    @property
    def started(self) -> list[int]:
        """The processes of all workers that have begun to serve."""
        return [pid for serving in self._servings for pid in serving.started]

    @property
    def workers(self) -> list[int]:
        """Those of them that still live."""
        return [pid for pid in self.started if alive(pid)]

    @property
    def ready(self) -> int:
        """How many workers have started up their application so far."""
        return self.output.count(READY)

    def start(self) -> None:
        """Start one more, and wait until its workers are ready."""
        command, passed = self._command, []
        if self._sock is not None:
            passed = [self._sock.fileno()]
            command = [command[0], activated.__file__, str(passed[0]), *command]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.Popen(
            command,
            cwd=self._directory,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=passed,
        )
        serving = Serving(process)
        self._servings.append(serving)
        serving.wait_for(READY, WORKERS)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait for what a disturbance has to bring about.

        Raises:
            AssertionError: it didn't come in time, or all masters have ended.
        """
        try:
            until(lambda: condition() or not self.living, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; the servers said:\n{self.last_words()}") from None
        if not self.living:
            raise AssertionError(f"all masters ended instead of {what}; they said:\n{self.last_words()}")

    def last_words(self) -> str:
        """Return the end of what was printed."""
        return "\n".join(self.output.splitlines()[-SHOWN:])

    def end(self) -> list[int]:
        """End all of them, gracefully at first, and return the processes that had to be killed."""
        deadline = time.monotonic() + PATIENCE
        for pid in self.living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        while self._processes() and time.monotonic() < deadline:
            for serving in self._servings:
                serving.process.poll()
            time.sleep(0.01)
        left = self._processes()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for serving in self._servings:
            serving.stop()
        return left

    def _processes(self) -> list[int]:
        """The processes in our directory, whatever they are; a zombie has none any more."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if (entry / "cwd").readlink() == self._directory:
                        found.append(int(entry.name))
        return found
