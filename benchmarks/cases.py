"""What is measured under load. Cases that ask the same of a server are one group, which starts the servers once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from benchmarks.contenders import Setting


@dataclass(frozen=True)
class Case:
    """One kind of load.

    Attributes:
        name: for options and file names.
        title: for people.
        kind: of the load, as benchmarks.load takes it.
        connections: at a time.
        arguments: more of the load's.
        quick: part of the quick run.
        floors: measured for the floors, too.
    """

    name: str
    title: str
    kind: str
    connections: int = 64
    arguments: tuple[str, ...] = ()
    quick: bool = False
    floors: bool = False


@dataclass(frozen=True)
class Group:
    """Cases under one setting.

    Attributes:
        cases: in order.
        setting: of the servers.
        tls: they need a certificate.
    """

    cases: tuple[Case, ...]
    setting: Setting = field(default_factory=Setting)
    tls: bool = False


def _echo(label: str, size: int, *, compress: bool = False, quick: bool = False) -> Case:
    title = f"WebSocket echo, {label}" + (", compressed" if compress else "")
    name = f"echo-{size}" + ("-compressed" if compress else "")
    arguments = ("--size", str(size), *(("--compress",) if compress else ()))
    return Case(name, title, "echo", 64 if size < 60_000 else 16, arguments, quick)


GROUPS = (
    Group(
        (
            Case("get-few", "GET, 1 header field", "few", quick=True, floors=True),
            Case("get-many", "GET, 12 header fields", "many", floors=True),
            Case("get-new", "GET, 12 header fields, two of them new each time", "new", floors=True),
            Case("json", "POST, JSON of 1 KiB", "json", quick=True),
            Case("stream", "response in 100 pieces", "stream"),
            Case("upload", "upload of 100 MiB", "upload", 2),
            Case("download", "download of 100 MiB", "download", 2),
            Case("opened", "a connection for each request", "opened", 16),
            _echo("16 B", 16),
            _echo("1 KiB", 1024, quick=True),
            _echo("64 KiB", 65536),
            _echo("16 B", 16, compress=True),
            _echo("1 KiB", 1024, compress=True),
            _echo("64 KiB", 65536, compress=True),
        )
    ),
    Group((Case("log", "GET, access log on", "few", quick=True),), Setting(access_log=True)),
    Group((Case("framework", "FastAPI route", "framework", quick=True),), Setting(app="benchmarks.framework:app")),
    Group((Case("tls", "GET over TLS", "few", arguments=("--tls",)),), tls=True),
)


def chosen(groups: Sequence[Group], quick: bool, names: Sequence[str]) -> list[Group]:
    """Return the groups with the cases that are asked for, without those that have none.

    Arguments:
        groups: all of them.
        quick: only the quick cases.
        names: only these cases; if empty, all.
    """
    wanted = []
    for group in groups:
        cases = tuple(case for case in group.cases if (case.quick or not quick) and (not names or case.name in names))
        if cases:
            wanted.append(replace(group, cases=cases))
    return wanted
