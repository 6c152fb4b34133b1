"""CPU time per request, Monoceros beside Uvicorn: `python -m benchmarks [--rounds 5] [--seconds 3] [--json PATH]`.

Under Gunicorn, beside uvicorn-worker: `python -m benchmarks.gunicorn`, with the same options.

One worker each, uvloop and httptools, 64 keep-alive connections. The servers stand on one core and the load on another,
in turns, so that what disturbs the machine disturbs both; the figure is the median of the rounds, and the ratio of two
medians is what counts. Absolute times mean nothing on a shared machine.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
NOISY = 0.25
"""Spread between rounds, relative to their median, above which a result says that it is noisy."""


@dataclass
class Contender:
    """A server in one configuration, and what was measured of it.

    Attributes:
        name: how the report calls it.
        command: the command line, to which the address is appended.
        address: what is appended, with the port in it.
        rate: requests per second, one figure a round.
        cpu: microseconds of CPU time per request, one figure a round.
    """

    name: str
    command: list[str]
    address: str = "{port}"
    rate: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.cpu)

    @property
    def spread(self) -> float:
        return (max(self.cpu) - min(self.cpu)) / self.median


def contenders(access_log: bool) -> list[Contender]:
    """Return the two servers, alike but for their names."""
    options = ["--loop", "uvloop", "--http", "httptools"] + ([] if access_log else ["--no-access-log"])
    app = ["benchmarks.app:hello", *options, "--port"]
    return [
        Contender("monoceros", [sys.executable, "-m", "monoceros", *app]),
        Contender("uvicorn", [sys.executable, "-m", "uvicorn", *app]),
    ]


@contextmanager
def serving(contender: Contender) -> Iterator[tuple[int, int]]:
    """Run a server. Give its port and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*_pinned(0), *contender.command, contender.address.format(port=port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 15
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{contender.name} didn't start: {' '.join(contender.command)}")
            time.sleep(0.05)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(10)


def measure(contender: Contender, port: int, pid: int, connections: int, seconds: float, kind: str) -> None:
    """Add one round to what is known of a server."""
    before = _cpu_seconds(pid)
    load = [*_pinned(1), sys.executable, str(Path(__file__).with_name("load.py"))]
    output = subprocess.run(
        [*load, str(port), str(connections), str(seconds), kind], check=True, capture_output=True, text=True
    ).stdout
    answers = int(output)
    contender.rate.append(answers / seconds)
    contender.cpu.append((_cpu_seconds(pid) - before) / answers * 1e6)


def run_case(title: str, access_log: bool, kind: str, options: argparse.Namespace) -> dict[str, object]:
    """Start both servers, and measure them."""
    servers = contenders(access_log)
    with serving(servers[0]) as first, serving(servers[1]) as second:
        return alternate(title, servers, [first, second], kind, options)


def alternate(
    title: str, servers: list[Contender], running: list[tuple[int, int]], kind: str, options: argparse.Namespace
) -> dict[str, object]:
    """Measure both servers in turns, print a line each, and return all figures.

    Arguments:
        title: what is measured.
        servers: ours and the peer.
        running: the port and the process of each.
        kind: of the request, "small" or "usual".
        options: `rounds`, `seconds` and `connections`.
    """
    for contender, (port, pid) in zip(servers, running, strict=True):
        measure(contender, port, pid, options.connections, 0.5, kind)  # warm
        contender.rate.clear()
        contender.cpu.clear()
    for _ in range(options.rounds):
        for contender, (port, pid) in zip(servers, running, strict=True):
            measure(contender, port, pid, options.connections, options.seconds, kind)
    ours, theirs = servers
    print(f"\n{title}")
    for contender in servers:
        noise = "  NOISY" if contender.spread > NOISY else ""
        rate = statistics.median(contender.rate)
        print(f"  {contender.name:14} {contender.median:7.2f} us CPU a request  {rate:9.0f} requests/s"
              f"  spread {contender.spread:4.0%}{noise}")  # fmt: skip
    print(f"  {'ratio':14} {ours.median / theirs.median:7.2f}")
    return {
        "case": title,
        "ratio": ours.median / theirs.median,
        **{contender.name: {"cpu_us": contender.cpu, "requests_per_s": contender.rate} for contender in servers},
    }


def options_of(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line.

    Arguments:
        parser: a new one.
    """
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--json", type=Path, help="write all rounds to this file")
    return parser.parse_args()


def main() -> None:
    """Measure the small GET with few and with four fields, and with the access log on at both."""
    options = options_of(argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__))
    print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores")
    cases = [
        run_case("GET with one field, access log off", False, "small", options),
        run_case("GET with four fields, access log off", False, "usual", options),
        run_case("GET with one field, access log on", True, "small", options),
    ]
    if options.json is not None:
        options.json.write_text(json.dumps(cases, indent=2) + "\n")


def _pinned(core: int) -> list[str]:
    usable = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(usable[core])] if len(usable) > core else []


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
