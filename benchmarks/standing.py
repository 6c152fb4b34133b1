"""What a server costs while it stands: idle connections, the time until it answers, memory."""

import compileall
import resource
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import benchmarks
import monoceros
from benchmarks.cases import Case
from benchmarks.contenders import Contender, Setting
from benchmarks.machine import CORES, SERVER_CORES
from benchmarks.processes import START_SECONDS, BenchmarkError, Server, free_port, started, wait_until_listening
from benchmarks.results import CaseResult
from benchmarks.rounds import Skipped, loading, run_load

IDLE = 8000
FRAMEWORK = "benchmarks.framework:app"
SETTLED_SECONDS = 1.0
"""After connections are made, until what was needed only for making them is given back."""
REQUEST = b"GET /items/7 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
WARMTH = Case("warmth", "", "few", 64)
LIVELINESS = Case("liveliness", "", "framework", 64)


def open_files() -> int:
    """Allow this process, and those it starts, as many open files as the system lets it. Return how many."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def compile_sources() -> None:
    """Compile what pip didn't install, as it does what it installs: or ours alone might be compiled at each start."""
    for package in (monoceros, benchmarks):
        compileall.compile_dir(Path(package.__path__[0]), quiet=1)


def idle_connections(contender: Contender, count: int) -> dict[str, float]:
    """Return the `bytes` of memory for each idle keep-alive connection that has had a request.

    Arguments:
        contender: started anew for this.
        count: of connections.
    """
    port = free_port()
    with started(contender.name, contender.command(Setting(patient=True), port), port, SERVER_CORES) as server:
        wait_until_listening(server)
        run_load(WARMTH, server, 0.5)
        time.sleep(SETTLED_SECONDS)
        before = server.pss()
        with loading(Case("idle", "", "few", count), port, 0):
            time.sleep(SETTLED_SECONDS)
            return {"bytes": (server.pss() - before) / count}


def start_time(contender: Contender, setting: Setting) -> dict[str, float]:
    """Return the `ms` from the start of the command until the first answer of a FastAPI application, and `cpu_ms`.

    Arguments:
        contender: which.
        setting: with its workers.
    """
    port = free_port()
    begun = time.perf_counter()
    # All cores: several workers that import at once are several because there are several cores.
    with started(contender.name, contender.command(setting, port), port, CORES) as server:
        while not _answers(port):
            if server.process.poll() is not None or time.perf_counter() - begun > START_SECONDS:
                raise BenchmarkError(f"didn't start: {server.last_words() or 'it said nothing'}")
            time.sleep(0.001)
        seconds = time.perf_counter() - begun
        return {"ms": seconds * 1e3, "cpu_ms": server.cpu_seconds() * 1e3}


def memory(contender: Contender, setting: Setting) -> dict[str, float]:
    """Return the `mib` of memory of all processes after some load, shared pages counted once.

    Arguments:
        contender: which.
        setting: with its workers.
    """
    port = free_port()
    with started(contender.name, contender.command(setting, port), port, CORES) as server:
        wait_until_listening(server)
        _wait_until_quiet(server)
        run_load(LIVELINESS, server, 1.0)
        time.sleep(SETTLED_SECONDS)
        return {"mib": server.pss() / (1 << 20)}


def standing_results(contenders: Sequence[Contender], rounds: int, files: int) -> Iterator[CaseResult]:
    """Measure each server by itself, and yield the results.

    Arguments:
        contenders: those that are there.
        rounds: of each start; memory, which hardly changes, is measured twice at most.
        files: how many may be open in a process.
    """
    servers = [contender for contender in contenders if not contender.floor]
    compile_sources()
    few = min(rounds, 2)
    count = min(IDLE, files - 500)
    title = f"{count:,} idle connections, each"
    yield _in_turns("idle", title, "bytes", servers, few, lambda server: idle_connections(server, count))
    for workers in (1, 4):
        setting = Setting(app=FRAMEWORK, workers=workers)
        title = f"start to first answer, {workers} worker{'s' * (workers > 1)}"
        result = _in_turns(f"start-{workers}", title, "ms", servers, rounds, _of(start_time, setting))
        yield result
        if workers == 1:
            yield replace(result, name="start-1-cpu", title="CPU time to first answer", figure="cpu_ms")
    preloading = [contender for contender in servers if contender.preloads]
    setting = Setting(app=FRAMEWORK, workers=4, preload=True)
    title = "start to first answer, 4 workers, preloaded"
    yield _in_turns("start-preload", title, "ms", preloading, rounds, _of(start_time, setting))
    plain = Setting(app=FRAMEWORK, workers=4)
    yield _in_turns("memory", "memory of 4 workers", "mib", servers, few, _of(memory, plain))
    title = "memory of 4 workers, preloaded"
    yield _in_turns("memory-preload", title, "mib", preloading, few, _of(memory, setting))


def _of(
    measured: Callable[[Contender, Setting], dict[str, float]], setting: Setting
) -> Callable[[Contender], dict[str, float]]:
    return lambda contender: measured(contender, setting)


def _in_turns(
    name: str,
    title: str,
    figure: str,
    contenders: Sequence[Contender],
    rounds: int,
    measured: Callable[[Contender], dict[str, float]],
) -> CaseResult:
    result = CaseResult(name, title, figure)
    for _ in range(rounds):
        for contender in contenders:
            if contender.name not in result.missing:
                try:
                    result.add(contender.name, **measured(contender))
                except (BenchmarkError, Skipped) as error:
                    result.drop(contender.name, str(error))
    return result


def _answers(port: int) -> bool:
    """Return whether a 200 comes."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(REQUEST)
            return sock.recv(65536).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def _wait_until_quiet(server: Server) -> None:
    """Return when the server uses no more CPU: all its workers have started."""
    deadline = time.monotonic() + START_SECONDS
    before, after = -1.0, server.cpu_seconds()
    while after - before > 0.02 and time.monotonic() < deadline:
        time.sleep(0.5)
        before, after = after, server.cpu_seconds()
