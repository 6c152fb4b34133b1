"""CPU time per request under Gunicorn, our worker class beside uvicorn-worker's: `python -m benchmarks.gunicorn`.

The same Gunicorn, the same application, one worker each, uvloop and httptools, 64 keep-alive connections; measured in
turns as `python -m benchmarks` does, and with its options. The CPU time is the worker's: that of the arbiter, which
does nothing meanwhile, isn't counted. The access log goes to a file that is thrown away, in each worker's own format
and in Gunicorn's.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gunicorn import __version__
from gunicorn.config import Config

from benchmarks.__main__ import Contender, alternate, options_of, serving

OURS = "monoceros.workers.UvicornWorker"
THEIRS = "uvicorn_worker.UvicornWorker"


def contenders(options: Sequence[str]) -> list[Contender]:
    """Return the two servers, alike but for their worker classes.

    Arguments:
        options: of Gunicorn's command line.
    """
    # Releases that have a control socket would put it into the home directory.
    control = ["--no-control-socket"] if "control_socket_disable" in Config().settings else []
    command = [sys.executable, "-m", "gunicorn", *control, *options, "benchmarks.app:hello"]
    return [
        Contender("monoceros", [*command, "-k", OURS, "-b"], address="127.0.0.1:{port}"),
        Contender("uvicorn-worker", [*command, "-k", THEIRS, "-b"], address="127.0.0.1:{port}"),
    ]


@contextmanager
def worker_of(contender: Contender) -> Iterator[tuple[int, int]]:
    """Run a server. Give its port and its only worker's process."""
    with serving(contender) as (port, arbiter):
        children = Path(f"/proc/{arbiter}/task/{arbiter}/children")
        # The arbiter listens before it forks.
        deadline = time.monotonic() + 15
        while not (workers := children.read_text().split()):
            if time.monotonic() > deadline:
                raise SystemExit(f"{contender.name} has no worker: {' '.join(contender.command)}")
            time.sleep(0.05)
        yield port, int(workers[0])


def main() -> None:
    """Measure the small GET without an access log, and with one."""
    options = options_of(argparse.ArgumentParser(prog="python -m benchmarks.gunicorn", description=__doc__))
    print(f"Gunicorn {__version__}, Python {platform.python_version()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as directory:
        log = ["--access-logfile", f"{directory}/access.log"]
        cases = []
        for title, command in (("access log off", []), ("access log on", log)):
            servers = contenders(command)
            with ExitStack() as stack:
                running = [stack.enter_context(worker_of(server)) for server in servers]
                cases.append(alternate(f"GET with one field, {title}", servers, running, "small", options))
    if options.json is not None:
        options.json.write_text(json.dumps(cases, indent=2) + "\n")


if __name__ == "__main__":
    main()
