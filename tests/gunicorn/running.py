"""A real Gunicorn with our worker classes, in a process of its own: started, read, signalled and ended by pid."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gunicorn.config import Config

from tests.process.serving import PATIENCE, ROOT, Serving

WORKER = "monoceros.workers.UvicornWorker"
READY = "Application startup complete."

# What the tests ask for. Environment variables and files say how it starts and stops.
APP = """
import asyncio, os, time
from pathlib import Path

if "IMPORT_SECONDS" in os.environ:
    print("importing", flush=True)
    time.sleep(float(os.environ["IMPORT_SECONDS"]))

async def lifespan(receive, send):
    await receive()
    seconds = Path("start_seconds")
    if seconds.exists():
        await asyncio.sleep(float(seconds.read_text()))
    if os.environ.get("START_FAILS"):
        raise RuntimeError("the database is away")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await asyncio.sleep(float(os.environ.get("STOP_SECONDS", "0")))
    print("the application has shut down", flush=True)
    await send({"type": "lifespan.shutdown.complete"})

async def echo(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    if scope["type"] == "websocket":
        return await echo(receive, send)
    path = scope["path"].removeprefix(scope["root_path"])
    body = str(os.getpid())
    if path == "/slow":
        print("slow begins", flush=True)
        await asyncio.sleep(1)
    elif path == "/hang":
        print("hang begins", flush=True)
        await asyncio.sleep(3600)
    elif path == "/block":
        time.sleep(3600)
    elif path == "/block-in-c":
        sum(range(10**15))
    elif path == "/loop":
        body = type(asyncio.get_running_loop()).__module__
    elif path == "/scope":
        body = f"{scope['scheme']} {scope['client']} {scope['root_path']}"
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body.encode()})
"""


class Gunicorn(Serving):
    """A running arbiter and its workers."""

    @property
    def port(self) -> int:
        """The TCP port it serves."""
        found = re.search(r"Listening at: https?://[^ ]*:(\d+)", self.output)
        assert found, self.output
        return int(found[1])

    @property
    def booted(self) -> list[int]:
        """The pids of all workers that were forked, in that order."""
        return [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", self.output)]

    def stop(self) -> None:
        """End whatever is left of it; first the arbiter, which would fork more."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        for pid in self.booted:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        super().stop()


@contextlib.contextmanager
def gunicorn(
    directory: Path,
    *options: str,
    worker: str = WORKER,
    ready: int = 1,
    environ: Mapping[str, str] | None = None,
    app: str = "app:app",
    pass_fds: Sequence[int] = (),
) -> Iterator[Gunicorn]:
    """Start Gunicorn with the application in a directory, on a free port, and end it at the end.

    Arguments:
        directory: where the application's module is; the current directory of Gunicorn.
        options: of its command line.
        worker: the worker class.
        ready: wait until so many workers have started up; 0 doesn't wait.
        environ: variables for the application.
        app: the application; empty, if a configuration file names it.
        pass_fds: descriptors that it inherits.
    """
    bind = () if "--bind" in options else ("--bind", "127.0.0.1:0")
    # Releases that have a control socket would put it into the home directory.
    control = ("--no-control-socket",) if "control_socket_disable" in Config().settings else ()
    command = [sys.executable, "-m", "gunicorn", *control, "-k", worker, *bind, *options, *([app] if app else [])]
    path = os.pathsep.join([str(ROOT), str(directory)])
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **(environ or {}),
    }
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=pass_fds,
    )
    server = Gunicorn(process)
    try:
        if ready:
            server.wait_for(READY, ready)
        yield server
    finally:
        server.stop()
