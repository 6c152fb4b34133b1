"""The server that is attacked: a process of its own, with few descriptors."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # seconds: only a server that doesn't start or end takes that long
PAGE = os.sysconf("SC_PAGE_SIZE")

OURS = (sys.executable, "-m", "monoceros")
APP = "tests.attacks.app:app"


class Victim:
    """A running server.

    Attributes:
        port: where it listens.
        pid: its process.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        self._process = process
        self._log = log
        self.port = port
        self.pid = process.pid

    @property
    def alive(self) -> bool:
        """It hasn't ended."""
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """What it has printed."""
        return self._log.read_text(errors="replace")

    def memory(self) -> int:
        """Its resident set, in bytes; 0 once it has ended."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE
        except (OSError, IndexError):
            return 0

    def descriptors(self) -> int:
        """How many descriptors it holds."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))


@contextlib.contextmanager
def attacked(command: Sequence[str] = OURS, options: Sequence[str] = (), descriptors: int = 1024) -> Iterator[Victim]:
    """Start a server of `tests.attacks.app`, and end it at the end.

    Arguments:
        command: runs the server; the application, its port and the options are appended.
        options: of the server.
        descriptors: how many it may have.
    """
    port = a_free_port()
    limited = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh", *command]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory(prefix="attacked-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*limited, APP, "--port", str(port), "--no-access-log", *options],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        victim = Victim(process, port, log)
        try:
            _await_start(victim)
            yield victim
        finally:
            process.kill()
            process.wait(PATIENCE)


def a_free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def _await_start(victim: Victim) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", victim.port), 1):
            return
        if not victim.alive or time.monotonic() > deadline:
            raise AssertionError(f"the server didn't start; it said:\n{victim.output}")
        time.sleep(0.02)
