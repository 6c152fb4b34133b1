"""Where a server listens: several addresses, sockets of others, unix sockets, and a socket for each worker."""

import contextlib
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.process.asking import ask
from tests.process.fleet import all_children, ask_at, has, ready, refuses, second_master, source, title_of, upgraded
from tests.process.serving import PATIENCE, Serving, serving, until

COMMAND = (sys.executable, "-m", "monoceros", "app:app")

# Puts the socket whose descriptor is given first at descriptor 3, and says that it was passed to this process.
ACTIVATED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}
os.execv(sys.executable, [sys.executable, "-m", "monoceros", *sys.argv[2:]])
"""

BOTH = pytest.mark.parametrize("workers", [1, 2])


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(source())
    return tmp_path


@pytest.fixture
def passed() -> Iterator[socket.socket]:
    """A listening socket that a server inherits."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.set_inheritable(True)
        yield sock


@contextlib.contextmanager
def listening(directory: Path, workers: int, *options: str, inherited: int | None = None) -> Iterator[Serving]:
    """A server of one process or of several workers, at the addresses of its options alone."""
    command: Sequence[str] = [*COMMAND, "--workers", str(workers), *options]
    if inherited is not None:
        # Popen passes no descriptor on but the standard three: this one goes as standard input.
        command = [sys.executable, "-c", _WITH_STDIN_AT.format(inherited), *command[1:]]
    with serving(directory, command=command, ready=workers) as server:
        yield server


def answered_by(server: Serving) -> set[int]:
    """Who may answer: the single process, or the workers."""
    return server.workers | {server.pid}
