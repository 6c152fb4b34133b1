"""A server's processes: started in a session of their own on cores of their own, and what /proc says they cost."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60.0
"""How long a server may take to listen: far longer than any does."""


class BenchmarkError(Exception):
    """A server or the load failed; the message says which, and what it wrote last."""


@dataclass
class Server:
    """A server that runs.

    Attributes:
        name: of the contender.
        port: on 127.0.0.1.
        process: the one that was started; its session is the server's.
        log: where its output goes, the access log included.
    """

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def members(self) -> list[int]:
        """Return the processes of the server's session: itself, its workers, and whatever else they started."""
        found = []
        for entry in os.listdir("/proc"):
            fields = _stat(int(entry)) if entry.isdigit() else []
            if fields and int(fields[3]) == self.process.pid and fields[0] != "Z":
                found.append(int(entry))
        return found

    def cpu_seconds(self) -> float:
        """Return the CPU time of all processes and threads, user and system, ended ones included."""
        total = 0.0
        for pid in self.members():
            # Its own to the nanosecond, by the number that clock_getcpuclockid(3) gives; /proc counts in ticks.
            total += time.clock_gettime(~pid << 3 | 2)
            total += sum(map(int, _stat(pid)[13:15])) / TICKS
        return total

    def pss(self) -> int:
        """Return the bytes of memory of all processes, shared pages divided by those who share them."""
        total = 0
        for pid in self.members():
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) * 1024
        return total

    def peak_begins(self) -> int:
        """Let the peak of the resident set begin anew, and return the bytes it begins at, of all processes."""
        for pid in self.members():
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        return self.peak()

    def peak(self) -> int:
        """Return the bytes that the resident sets have reached since then."""
        total = 0
        for pid in self.members():
            status = Path(f"/proc/{pid}/status").read_text()
            total += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) * 1024
        return total

    def last_words(self) -> str:
        """Return the end of what it wrote."""
        return self.log.read_text(errors="replace")[-600:].strip()


@contextmanager
def on_cores(cores: Sequence[int]) -> Iterator[None]:
    """Let what is started inside run on these cores only.

    Arguments:
        cores: their numbers.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def started(name: str, command: Sequence[str], port: int, cores: Sequence[int]) -> Iterator[Server]:
    """Start a server and end it afterwards. It need not listen yet.

    Arguments:
        name: for the report.
        command: the command line, with the port in it.
        port: where it is going to listen.
        cores: where it may run.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        log = Path(directory, "output.log")
        with log.open("wb") as output, on_cores(cores):
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        server = Server(name, port, process, log)
        try:
            yield server
        finally:
            _end(server)


def wait_until_listening(server: Server) -> None:
    """Return when connections are accepted and the application answers nothing worse than an HTTP response.

    Arguments:
        server: one that was started.

    Raises:
        BenchmarkError: it ended, or didn't listen for a minute.
    """
    deadline = time.monotonic() + START_SECONDS
    while not _listens(server.port):
        if server.process.poll() is not None or time.monotonic() > deadline:
            raise BenchmarkError(f"{server.name} didn't start: {server.last_words() or 'it said nothing'}")
        time.sleep(0.02)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on, or none if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _end(server: Server) -> None:
    """Stop a server: politely, then what is left of its session."""
    server.process.terminate()
    try:
        server.process.wait(10)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
    for pid in server.members():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
