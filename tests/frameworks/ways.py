"""The ways in which users run an application, as they type them, and the incumbent's, which ours are compared with."""

import contextlib
import re
import signal
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from tests.process.serving import ROOT, Serving, serving, until

COMMANDS = Path(sysconfig.get_path("scripts"))

INCUMBENT = "uvicorn"

# The application comes last; the port is one that is free.
WAYS: dict[str, tuple[str, ...]] = {
    f"{http}-{loop}": ("monoceros-serve", "--port", "0", "--http", http, "--loop", loop)
    for http in ("httptools", "h11")
    for loop in ("uvloop", "asyncio")
} | {
    "workers": ("monoceros-serve", "--port", "0", "--workers", "2"),
    "gunicorn": ("gunicorn", "-k", "monoceros.workers.UvicornWorker", "-w", "2", "-b", "127.0.0.1:0"),
}

_ADDRESS = re.compile(r"(?:running on|Listening at:) http://127\.0\.0\.1:(\d+)")


@contextlib.contextmanager
def all_ways(app: str) -> Iterator[dict[str, Serving]]:
    """Start an application in all ways at once, the incumbent's among them, and end them gracefully.

    Arguments:
        app: "module:attribute", from the project's root.
    """
    with contextlib.ExitStack() as stack:
        servers: dict[str, Serving] = {}
        for way, (program, *options) in {INCUMBENT: (INCUMBENT, "--port", "0"), **WAYS}.items():
            command = [str(COMMANDS / program), *options, app]
            servers[way] = stack.enter_context(serving(ROOT, command=command, ready=0))
        yield servers
        serving_still = [way for way in WAYS if servers[way].process.poll() is None]
        for way in serving_still:
            servers[way].send(signal.SIGTERM)
        for way in serving_still:
            assert servers[way].exit_code() == 0, f"{way}: {servers[way].output}"


def port_of(server: Serving) -> int:
    """Wait for the line that has it. Workers may still be starting: until one is ready, connections wait."""

    def found() -> re.Match[str] | None:
        assert server.process.poll() is None, server.output
        return _ADDRESS.search(server.output)

    until(found, "its address")
    match = found()
    assert match is not None
    return int(match[1])
