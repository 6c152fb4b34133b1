"""What the tests of the master share: an application that says whose code answers, a crowd that asks all the time, and
commands that start a server in circumstances of their own.
"""

import contextlib
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.process.asking import Client, ask
from tests.process.serving import PATIENCE, Serving, alive, serving, until

_APP = """
import asyncio, os, time

def say(what):
    os.write(1, f"{what} begins in {os.getpid()}\\n".encode())  # whole, whatever others write

async def answer(send, body):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    path = scope["path"]
    if path == "/slow":
        say("slow")
        await asyncio.sleep(2)
    elif path == "/endless":
        say("endless")
        await asyncio.sleep(3600)
    elif path == "/block":
        say("block")
        time.sleep(600)
    await answer(send, f"{os.getpid()} {VERSION}".encode())
"""

IMPORT_HANGS = "import time\nprint('import begins', flush=True)\ntime.sleep(3600)\n"

START_HANGS = """
import asyncio
async def app(scope, receive, send):
    print("start begins", flush=True)
    await asyncio.sleep(3600)
"""

START_FAILS = """
async def app(scope, receive, send):
    message = await receive()
    raise ValueError("no database today")
"""

PAUSE = 0.01
"""Seconds between two requests of one client in a crowd: enough to notice a gap, and no load that is one."""


def source(version: str = "one", before: str = "") -> str:
    """The text of an application that answers `PID VERSION`.

    Arguments:
        version: what it calls itself.
        before: code that its module runs first.
    """
    return f"{before}\nVERSION = {version!r}\n{_APP}"


def after(preparation: str, *arguments: str) -> list[str]:
    """The command of a server whose process does something before it becomes one.

    Arguments:
        preparation: code that is run in the process; `os`, `signal` and `sys` are imported.
        arguments: the server's command line; empty for the application on a free port.
    """
    program = (
        f"import os, signal, sys\n{preparation}\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'monoceros', *sys.argv[1:]])"
    )
    return [sys.executable, "-c", program, *(arguments or ("app:app", "--port", "0"))]


@contextlib.contextmanager
def upgraded(directory: Path, *options: str, workers: int = 2, command: Sequence[str] = ()) -> Iterator[Serving]:
    """A server as `serving` starts it, with so many workers, whose second masters are ended, too."""
    with serving(directory, "--workers", str(workers), *options, ready=workers, command=command) as server:
        try:
            has(server.pid, workers)
            yield server
        finally:
            for pid in {*masters(server), *all_children(server.pid)} - {server.pid}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def masters(server: Serving) -> list[int]:
    """The pids of all masters that have said they started, in that order; one that executed itself says it again."""
    return [int(pid) for pid in re.findall(r"Started parent process \[(\d+)\]", server.output)]


def second_master(server: Serving, workers: int = 2) -> int:
    """Ask for a second master, wait until its workers serve, and return its pid."""
    before = len(masters(server))
    server.send(signal.SIGUSR2)
    until(lambda: len(masters(server)) > before, "a second master")
    pid = masters(server)[-1]
    has(pid, workers)
    return pid


def ready(master: int) -> set[int]:
    """The workers of a master that serve, by what `ps` shows."""
    return {pid for pid in all_children(master) if re.match(r"monoceros: worker \d+ serving ", title_of(pid))}


def has(master: int, count: int) -> None:
    """Wait until a master has so many workers that serve, and no other children."""
    until(lambda: len(ready(master)) == len(all_children(master)) == count, f"{count} workers of {master}")


def parent_of(pid: int) -> int:
    """The parent of a process; 0 if there is no such process."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def title_of(pid: int) -> str:
    """What `ps` shows of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def all_children(pid: int) -> set[int]:
    """The living children of a process, whatever they are."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return {each for each in pids if parent_of(each) == pid and alive(each)}


def only(port: int, version: str) -> None:
    """Wait until nothing but one version answers; old workers may still take what they were told late not to take."""
    until(lambda: {ask(port).split()[1] for _ in range(20)} == {version}, f"answers of {version} alone")


def end_of(pid: int) -> None:
    """Wait until a process is gone."""
    until(lambda: not alive(pid), f"the end of process {pid}")


def refuses(port: int) -> bool:
    """Whether nobody listens on a port."""
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except ConnectionRefusedError:
        return True
    return False


def ask_at(family: int, address: str | tuple[str, int], path: str = "/") -> str:
    """One GET at an address of any family; returns the body."""
    with socket.socket(family) as client:
        client.settimeout(PATIENCE)
        client.connect(address)
        client.sendall(f"GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n".encode())
        with client.makefile("rb") as answer:
            return answer.read().partition(b"\r\n\r\n")[2].decode()


class Crowd:
    """Clients that ask all the time, until they are told that it is enough: half of them on connections they keep.

    Arguments:
        port: whom.
        size: how many they are.

    Attributes:
        answers: the bodies, in the order of their arrival.
        failures: what went wrong; an answer that didn't come is one.
    """

    def __init__(self, port: int, size: int = 4) -> None:
        self._port = port
        self._enough = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number % 2 == 0,)) for number in range(size)]
        self.answers: list[str] = []
        self.failures: list[str] = []

    def versions(self) -> set[str]:
        """The versions of the code that have answered."""
        return {answer.split()[1] for answer in list(self.answers)}

    def wait_for_more(self, count: int = 20) -> None:
        """Wait until so many more answers have come."""
        enough = len(self.answers) + count
        until(lambda: len(self.answers) >= enough or self.failures, f"{count} answers")

    def __enter__(self) -> "Crowd":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, keeps: bool) -> None:
        with Client(self._port) as client:
            while not self._enough.wait(PAUSE):
                try:
                    self.answers.append(client.ask())
                except (OSError, ValueError) as error:
                    self.failures.append(repr(error))
                    client.close()
                if not keeps:
                    client.close()
