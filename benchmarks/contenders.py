"""The servers: how each is told the same thing. No option here makes one faster than its users have it.

All run on uvloop. Options that a case needs - the access log, TLS, workers, more idle connections for longer - are
given to each in its own words.
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from benchmarks.results import Run

OURS = "monoceros"
INCUMBENT = "uvicorn (httptools)"


@dataclass(frozen=True)
class Setting:
    """How a server is to run.

    Attributes:
        app: the application, as `module:attribute`.
        access_log: write a line for each request to standard output, which is a file.
        tls: a certificate and its key, both PEM.
        workers: processes that serve.
        preload: import the application before the workers are forked.
        patient: keep 10,000 idle connections for a minute, where the defaults have less.
    """

    app: str = "benchmarks.app:app"
    access_log: bool = False
    tls: tuple[Path, Path] | None = None
    workers: int = 1
    preload: bool = False
    patient: bool = False


@dataclass(frozen=True)
class Contender:
    """A server in one configuration.

    Attributes:
        name: how the report calls it.
        needs: the modules it can't run without.
        distributions: those whose versions say what was measured.
        command: makes the command line of a setting and a port.
        floor: it is none, only what servers are measured from.
        preloads: it can import the application before the fork.
    """

    name: str
    needs: tuple[str, ...]
    distributions: tuple[str, ...]
    command: Callable[[Setting, int], list[str]]
    floor: bool = False
    preloads: bool = False

    def missing(self) -> str:
        """Return which modules it lacks, or nothing."""
        return ", ".join(module for module in self.needs if not _present(module))

    def version(self) -> str:
        """Return the versions of its distributions, those that are installed."""
        return ", ".join(f"{name} {found}" for name in self.distributions if (found := version_of(name)))


def enlist(run: Run, contenders: Iterable[Contender]) -> list[Contender]:
    """Enter contenders in a run, say who they are and on what machine, and return those that can run.

    Arguments:
        run: one that has measured nothing yet.
        contenders: all that are asked for.
    """
    present = []
    for contender in contenders:
        if missing := contender.missing():
            run.missing[contender.name] = f"{missing} not installed"
            continue
        present.append(contender)
        run.servers[contender.name] = contender.version()
        if contender.floor:
            run.floors.append(contender.name)
    for label, value in (*run.machine.items(), *run.servers.items()):
        print(f"{label}: {value}")
    for name, reason in run.missing.items():
        print(f"{name}: left out: {reason}")
    return present


def version_of(distribution: str) -> str:
    """Return the version that is installed, or nothing.

    Arguments:
        distribution: its name on PyPI.
    """
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _present(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _monoceros(setting: Setting, port: int) -> list[str]:
    command = [sys.executable, "-m", "monoceros", setting.app, "--port", str(port), "--workers", str(setting.workers)]
    command += [] if setting.access_log else ["--no-access-log"]
    command += ["--preload"] if setting.preload else []
    command += ["--timeout-keep-alive", "60"] if setting.patient else []
    return command + _uvicorn_tls(setting)


def _uvicorn(parser: str) -> Callable[[Setting, int], list[str]]:
    def command(setting: Setting, port: int) -> list[str]:
        words = [sys.executable, "-m", "uvicorn", setting.app, "--port", str(port), "--workers", str(setting.workers)]
        words += ["--http", parser, "--loop", "uvloop"]
        words += [] if setting.access_log else ["--no-access-log"]
        words += ["--timeout-keep-alive", "60"] if setting.patient else []
        return words + _uvicorn_tls(setting)

    return command


def _uvicorn_tls(setting: Setting) -> list[str]:
    if setting.tls is None:
        return []
    certificate, key = setting.tls
    return ["--ssl-certfile", str(certificate), "--ssl-keyfile", str(key)]


def gunicorn(worker_class: str, *options: str) -> Callable[[Setting, int], list[str]]:
    """Return what makes command lines of Gunicorn's.

    Arguments:
        worker_class: its `-k`.
        options: more of its options.
    """

    def command(setting: Setting, port: int) -> list[str]:
        words = [sys.executable, "-m", "gunicorn", "-k", worker_class, "-b", f"127.0.0.1:{port}", *options]
        words += ["-w", str(setting.workers), setting.app]
        # Releases that have a control socket would put it into the home directory.
        words += ["--no-control-socket"] if _present("gunicorn.ctl") else []
        words += ["--access-logfile", "-"] if setting.access_log else []
        words += ["--preload"] if setting.preload else []
        words += ["--keep-alive", "60", "--worker-connections", "10000"] if setting.patient else []
        if setting.tls is not None:
            words += ["--certfile", str(setting.tls[0]), "--keyfile", str(setting.tls[1])]
        return words

    return command


def _granian(tasks: str) -> Callable[[Setting, int], list[str]]:
    def command(setting: Setting, port: int) -> list[str]:
        words = [sys.executable, "-m", "granian", setting.app, "--interface", "asgi", "--port", str(port)]
        words += ["--workers", str(setting.workers), "--loop", "uvloop", "--task-impl", tasks]
        words += ["--access-log"] if setting.access_log else []
        words += ["--backpressure", "10000"] if setting.patient else []
        if setting.tls is not None:
            words += ["--ssl-certificate", str(setting.tls[0]), "--ssl-keyfile", str(setting.tls[1])]
        return words

    return command


def _hypercorn(setting: Setting, port: int) -> list[str]:
    words = [sys.executable, "-m", "hypercorn", "-k", "uvloop", "-b", f"127.0.0.1:{port}", "-w", str(setting.workers)]
    words += ["--access-logfile", "-"] if setting.access_log else []
    words += ["--keep-alive", "60"] if setting.patient else []
    if setting.tls is not None:
        words += ["--certfile", str(setting.tls[0]), "--keyfile", str(setting.tls[1])]
    return [*words, setting.app]


def _floor(kind: str) -> Callable[[Setting, int], list[str]]:
    return lambda _setting, port: [sys.executable, "-m", "benchmarks.floors", kind, str(port)]


CONTENDERS = [
    Contender(
        OURS, ("uvloop", "httptools", "websockets"), ("monoceros", "httptools", "websockets"), _monoceros, preloads=True
    ),
    Contender(
        INCUMBENT, ("uvicorn", "uvloop", "httptools", "websockets"), ("uvicorn", "httptools"), _uvicorn("httptools")
    ),
    Contender(
        "uvicorn (zttp)",
        ("uvicorn.protocols.http.zttp_impl", "zttp", "uvloop", "websockets"),
        ("uvicorn", "zttp"),
        _uvicorn("zttp"),
    ),
    Contender(
        "gunicorn (asgi)",
        ("gunicorn.workers.gasgi", "uvloop"),
        ("gunicorn", "gunicorn_h1c"),
        gunicorn("asgi", "--asgi-loop", "uvloop"),
        preloads=True,
    ),
    Contender("granian (asyncio)", ("granian", "uvloop"), ("granian",), _granian("asyncio")),
    Contender("granian (rust)", ("granian", "uvloop"), ("granian",), _granian("rust")),
    Contender("hypercorn", ("hypercorn", "uvloop"), ("hypercorn", "h11"), _hypercorn),
    Contender("floor (bytes)", ("uvloop",), ("uvloop",), _floor("bytes"), floor=True),
    Contender("floor (httptools)", ("uvloop", "httptools"), ("uvloop", "httptools"), _floor("httptools"), floor=True),
]
