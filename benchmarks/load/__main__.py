"""One round of load: `python -m benchmarks.load KIND PORT CONNECTIONS SECONDS [--tls] [--size BYTES] [--compress]`.

Connects, sees one answer on each connection, writes `ready`, and waits for a line; then it sends what it has to, and
writes a report as JSON. Whoever reads the server's CPU time does it between.
"""

import argparse
import sys
import time
from typing import Protocol

from benchmarks.load.answers import LoadError
from benchmarks.load.bulk import Download, Upload
from benchmarks.load.http import KeepAlive, Opened
from benchmarks.load.report import report
from benchmarks.load.websocket import Echo


class Load(Protocol):
    """What a round is made of."""

    def run(self, seconds: float) -> list[float]:
        """Return the latencies, in seconds."""


def load_of(options: argparse.Namespace) -> Load:
    """Connect, and return what sends.

    Arguments:
        options: of the command line.
    """
    port, connections = options.port, options.connections
    if options.kind == "opened":
        return Opened(port, connections)
    if options.kind == "upload":
        return Upload(port, connections)
    if options.kind == "download":
        return Download(port, connections)
    if options.kind == "echo":
        return Echo(port, connections, options.size, options.compress)
    return KeepAlive(port, connections, options.kind, options.tls)


def main() -> None:
    """Read the command line, and run. Exits with 1, and a line that says why, if an answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("kind")
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--size", type=int, default=0, help="bytes of a WebSocket's text")
    parser.add_argument("--compress", action="store_true")
    options = parser.parse_args()
    try:
        load = load_of(options)
        print("ready", flush=True)
        sys.stdin.readline()
        begun, cpu = time.perf_counter(), time.process_time()
        latencies = load.run(options.seconds)
        print(report(latencies, time.perf_counter() - begun, time.process_time() - cpu).encoded(), flush=True)
        sys.stdin.readline()
    except (LoadError, OSError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
