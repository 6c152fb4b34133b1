"""The system calls of a real server, as strace tells them, from one read of a text to another.

Knows strace and its lines. The rule it keeps: calls that do the same count as one kind, whichever library makes them.
"""

import contextlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.process.serving import PATIENCE, Serving, serving

# The tracer is the child here (-D), so that the server is what a test signals and waits for.
STRACE = ("strace", "-D", "-f", "-qq", "-o")

BEGUN = re.compile(r"(\d+) +(\w+)\((.*)")
RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)")

KINDS = {
    "read": {"read", "readv", "recvfrom", "recvmsg"},
    "write": {"write", "writev", "pwritev2", "sendto", "sendmsg"},
    "wait": {"epoll_wait", "epoll_pwait", "epoll_pwait2"},
    "interest": {"epoll_ctl", "io_uring_enter"},
}

ALLOCATOR = {"brk", "madvise", "mmap", "mremap", "munmap"}
"""Not counted: when memory crosses a border is chance, and asyncio's loop asks for 256 KiB before each read."""


def why_not(directory: Path) -> str:
    """Why no process can be traced here, or nothing if one can."""
    log = directory / "attempt"
    try:
        tried = subprocess.run([*STRACE, log, "true"], capture_output=True, text=True, timeout=PATIENCE)
    except FileNotFoundError:
        return "strace is not installed"
    return "" if log.read_text() else f"no process can be traced: {tried.stderr.strip()}"


class Call:
    """A system call.

    Attributes:
        thread: the number of the thread that made it.
        kind: of KINDS, or else its name.
        text: its arguments and its result.
    """

    def __init__(self, thread: str, name: str, text: str) -> None:
        self.thread = thread
        self.kind = next((kind for kind, names in KINDS.items() if name in names), name)
        self.text = text


class Trace:
    """What a server did.

    Arguments:
        lines: as strace wrote them.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self._calls: list[Call] = []
        latest: dict[str, Call] = {}
        for line in lines:
            if begun := BEGUN.match(line):
                if begun[2] not in ALLOCATOR:
                    latest[begun[1]] = Call(*begun.groups())
                    self._calls.append(latest[begun[1]])
            elif (resumed := RESUMED.match(line)) and resumed[1] in latest:
                latest[resumed[1]].text += resumed[2]

    def of_reader(self, mark: str) -> tuple[int, Counter[str]]:
        """Return how often a text was read before the last time, and the calls of the thread that read it until then.

        Each read begins what follows it, and of what follows the last one nobody knows where it ends.
        """
        reads, thread, calls = self._while_read(mark)
        return reads - 1, Counter(call.kind for call in calls if call.thread == thread)

    def of_others(self, mark: str) -> Counter[str]:
        """Return the calls of all other threads meanwhile."""
        _, thread, calls = self._while_read(mark)
        return Counter(call.kind for call in calls if call.thread != thread)

    def between(self, first: str, last: str) -> Counter[str]:
        """Return the calls of all threads from the first read of a text to the first read of another one."""
        return Counter(call.kind for call in self._calls[self._reads(first)[0] : self._reads(last)[0]])

    def _while_read(self, mark: str) -> tuple[int, str, list[Call]]:
        """How often a text was read, by which thread, and all calls from the first time to the last."""
        reads = self._reads(mark)
        return len(reads), self._calls[reads[0]].thread, self._calls[reads[0] : reads[-1]]

    def _reads(self, mark: str) -> list[int]:
        return [at for at, call in enumerate(self._calls) if call.kind == "read" and mark in call.text]


@contextlib.contextmanager
def traced(directory: Path, log: Path, *options: str, ready: int = 1) -> Iterator[Serving]:
    """Start a server of `app:app` in a directory under strace, as `serving` does; its end completes the log."""
    command = [*STRACE, str(log), "--", sys.executable, "-m", "monoceros", "app:app", "--port", "0", *options]
    with serving(directory, command=command, ready=ready) as server:
        yield server
