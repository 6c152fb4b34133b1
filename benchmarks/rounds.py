"""Rounds of load: all servers of a group run, one at a time is loaded, and they take turns.

So what disturbs the machine for a while disturbs all of them, and a ratio of two servers in one round is of one time.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from benchmarks.cases import Case, Group
from benchmarks.contenders import Contender, Setting
from benchmarks.load.report import Report
from benchmarks.load.websocket import NO_COMPRESSION
from benchmarks.machine import LOAD_CORES, SERVER_CORES
from benchmarks.processes import BenchmarkError, Server, free_port, on_cores, started, wait_until_listening
from benchmarks.results import CaseResult

WARM_SECONDS = 0.3


class Skipped(Exception):
    """A server can't do what a case asks for; the message says what."""


def run_load(case: Case, server: Server, seconds: float) -> dict[str, float]:
    """Load a server once. Return the measures of a round, by name.

    Arguments:
        case: what to send.
        server: to whom.
        seconds: for how long.

    Returns:
        cpu_us: CPU time of all the server's processes, for each answer.
        rate: answers a second.
        p50_us, p99_us: latencies.
        busy: the share of the time for which the server ran, and
        load_busy: that for which the load did.
        peak_mib: how far the server's memory rose meanwhile.

    Raises:
        Skipped: the server can't do this.
        BenchmarkError: an answer was wrong.
    """
    with loading(case, server.port, seconds) as process:
        before, floor = server.cpu_seconds(), server.peak_begins()
        _go_on(process)
        line = _line(process)
        cpu, peak = server.cpu_seconds() - before, server.peak()
        _go_on(process)
        if not line:
            raise _failure(process)
    report = Report(**json.loads(line))
    return {
        "cpu_us": cpu / report.answers * 1e6,
        "rate": report.answers / report.seconds,
        "p50_us": report.p50_us,
        "p99_us": report.p99_us,
        "busy": cpu / report.seconds,
        "load_busy": report.busy,
        "peak_mib": (peak - floor) / (1 << 20),
    }


@contextmanager
def loading(case: Case, port: int, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """Start the load, and have it connected and waiting for a line. It ends with the block.

    Arguments:
        case: what to send.
        port: of the server.
        seconds: for how long.

    Raises:
        Skipped: the server can't do this.
        BenchmarkError: the first answers were wrong.
    """
    command = [sys.executable, "-m", "benchmarks.load", case.kind, str(port), str(case.connections), str(seconds)]
    pipe = subprocess.PIPE
    with (
        on_cores(LOAD_CORES),
        subprocess.Popen([*command, *case.arguments], bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe) as process,
    ):
        try:
            if not _line(process):
                raise _failure(process)
            yield process
        finally:
            process.terminate()


def in_turns(case: Case, servers: Sequence[Server], rounds: int, seconds: float) -> CaseResult:
    """Return what each server did in each round of a case. Who begins changes from round to round.

    Arguments:
        case: what to send.
        servers: that run.
        rounds: how many.
        seconds: of load a round, for each.
    """
    result = CaseResult(case.name, case.title)
    able = []
    for server in servers:
        try:
            run_load(case, server, WARM_SECONDS)
            able.append(server)
        except (Skipped, BenchmarkError) as error:
            result.drop(server.name, str(error))
    for number in range(rounds):
        for server in rotated(able, number):
            if server.name in result.missing:
                continue
            try:
                result.add(server.name, **run_load(case, server, seconds))
            except (Skipped, BenchmarkError) as error:
                result.drop(server.name, str(error))
    return result


def rotated(servers: Sequence[Server], number: int) -> list[Server]:
    """Return the servers, beginning with another one each round.

    Arguments:
        servers: in any order.
        number: of the round, from 0.
    """
    first = number % len(servers) if servers else 0
    return [*servers[first:], *servers[:first]]


def group_results(
    group: Group, contenders: Sequence[Contender], rounds: int, seconds: float, tls: tuple[Path, Path] | None
) -> Iterator[CaseResult]:
    """Start the servers of a group, and yield the result of each of its cases.

    Arguments:
        group: which.
        contenders: those that are there.
        rounds: of each case.
        seconds: of load a round.
        tls: a certificate and its key, for groups that need them.
    """
    setting: Setting = replace(group.setting, tls=tls) if group.tls else group.setting
    floors = any(case.floors for case in group.cases)
    with ExitStack() as stack:
        servers = []
        failed = {}
        for contender in contenders:
            if floors or not contender.floor:
                port = free_port()
                context = started(contender.name, contender.command(setting, port), port, SERVER_CORES)
                servers.append(stack.enter_context(context))
        for server in [*servers]:
            try:
                wait_until_listening(server)
            except BenchmarkError as error:
                failed[server.name] = str(error)
                servers.remove(server)
        floor_names = {contender.name for contender in contenders if contender.floor}
        for case in group.cases:
            able = [server for server in servers if case.floors or server.name not in floor_names]
            result = in_turns(case, able, rounds, seconds)
            result.missing |= failed
            yield result
        # All at once: some take a second to stop.
        for server in servers:
            server.process.terminate()


def _line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def _go_on(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.write(b"\n")


def _failure(process: subprocess.Popen[bytes]) -> Exception:
    """Return what the load says went wrong."""
    assert process.stderr is not None
    reason = process.stderr.read().decode(errors="replace").strip()[-400:]
    return Skipped(reason) if reason == NO_COMPRESSION else BenchmarkError(reason)
