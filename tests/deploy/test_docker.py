"""The image of deploy/docker: what its Dockerfile says, and its entry point as process 1.

There is no engine here that could build it. What makes a container different for a server can be had without one: a
process of its own number 1, and a root that can't be written to.
"""

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from monoceros.options.table import OPTIONS
from monoceros.supervisor.rules import DRAIN_MARGIN, LAST_MOMENT
from tests.gunicorn.load import under_load
from tests.process.asking import Client, ask
from tests.process.serving import PATIENCE, ROOT, Serving, alive, serving, until

FOLDER = ROOT / "deploy" / "docker"

APP = """
import asyncio, os, subprocess

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    status, body = 200, str(os.getpid())
    if scope["path"] == "/held":
        print("held begins", flush=True)
        while not os.path.exists("release"):
            await asyncio.sleep(0.01)
    elif scope["path"] == "/orphan":
        left_behind = "cat fifo >/dev/null 2>&1 & echo $!"
        body = subprocess.run(["sh", "-c", left_behind], stdout=subprocess.PIPE, text=True).stdout.strip()
    elif scope["path"] == "/write":
        try:
            open("written", "w").close()
        except OSError as error:
            body = error.strerror
    elif scope["path"] == "/ill":
        status = 503
    head = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body.encode()})
"""


# what the Dockerfile says


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile and their arguments, in order."""
    lines = [line for line in (FOLDER / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in whole)]


def only(name: str) -> str:
    """The arguments of an instruction that stands once."""
    (found,) = (rest for each, rest in instructions() if each == name)
    return found


def command(name: str) -> list[str]:
    """A command in exec form; in shell form it isn't JSON."""
    words: list[str] = json.loads(only(name).partition("CMD ")[2] if name == "HEALTHCHECK" else only(name))
    return words


def health_url() -> str:
    (url,) = (rest.partition("=")[2] for name, rest in instructions() if rest.startswith("HEALTH_URL="))
    return url


def test_the_image_is_small_and_names_the_version_it_is_made_of() -> None:
    images = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert len(images) == 2, "the compilers stay in a stage of their own"
    for image in images:
        name, _, tag = image.partition(":")
        assert (name, tag.endswith("-slim"), "latest" in tag) == ("python", True, False)


def test_the_service_is_not_root_and_does_not_own_its_code() -> None:
    user, _, group = only("USER").partition(":")
    assert int(user) >= 10000 <= int(group)
    names = [name for name, _ in instructions()]
    assert not {"RUN", "COPY"} & set(names[names.index("USER") :])
    assert "--chown" not in (FOLDER / "Dockerfile").read_text()


def test_signals_reach_the_server_itself() -> None:
    assert command("ENTRYPOINT") == ["monoceros-serve"]
    assert only("STOPSIGNAL") == "SIGTERM"


def test_the_command_of_the_image_is_accepted() -> None:
    app, *options = command("CMD")
    assert app == "app:app"
    checked = subprocess.run(
        [sys.executable, "-m", "monoceros", "examples.hello:app", *options, "--check-config"],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
    )
    assert checked.returncode == 0, checked.stdout


def test_the_port_is_the_same_everywhere() -> None:
    port = only("EXPOSE")
    options = command("CMD")
    assert options[options.index("--bind") + 1] == f"0.0.0.0:{port}"
    assert health_url() == f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize(("path", "healthy"), [("/", True), ("/ill", False)])
def test_the_health_check_tells_an_answer_from_a_failure(tmp_path: Path, path: str, healthy: bool) -> None:
    """It asks directly: a proxy for the way out of the container can't reach the server in it."""
    (tmp_path / "app.py").write_text(APP)
    program, *arguments = command("HEALTHCHECK")
    assert program == "python"
    with serving(tmp_path) as server:
        url = health_url().replace(":8000/", f":{server.port}{path}")
        checked = subprocess.run(
            [sys.executable, *arguments],
            env=os.environ | {"HEALTH_URL": url, "http_proxy": "http://127.0.0.1:9"},
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
        )
        assert (checked.returncode == 0) is healthy, checked.stderr
        server.wait_for(f'"GET {path} HTTP/1.1"')


def test_the_readme_grants_more_time_than_a_graceful_stop_may_take() -> None:
    defaults = {option.name: option.default for option in OPTIONS}
    delay, graceful = defaults["drain_delay"], defaults["timeout_graceful_shutdown"]
    assert isinstance(delay, int)
    assert isinstance(graceful, int)
    readme = (FOLDER / "README.md").read_text()
    assert "stop_grace_period: 45s" in readme
    assert "--stop-timeout 45 " in readme
    assert delay + graceful + DRAIN_MARGIN + LAST_MOMENT < 45


# the entry point as process 1


class Contained(Serving):
    """A server that is process 1 of a namespace. It prints the numbers that hold in there; the tests' are the outer."""

    @functools.cached_property
    def first(self) -> int:
        """Process 1."""
        until(lambda: children(self.pid), "process 1")
        (pid,) = children(self.pid)
        return pid

    @property
    def workers(self) -> set[int]:
        """The children of process 1 that live."""
        if self.process.poll() is not None:
            return set()
        return {pid for pid in children(self.first) if alive(pid)}


def children(parent: int) -> list[int]:
    """The children of a process, also those that ended and weren't collected."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def inner(pid: int) -> int:
    """The number that a process has in its namespace; 0 if it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("NSpid:"))
        return int(line.split()[-1])
    return 0


@pytest.fixture(scope="module")
def isolation() -> Sequence[str]:
    """What to put before a command, to make it process 1 with a root that can't be written to."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare, of util-linux, is not installed")
    namespaces = ["--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]
    read_only = ["sh", "-c", 'mount -o remount,bind,ro / && exec "$@"', "sh"]
    prefix = ["unshare", *namespaces, *read_only]
    tried = subprocess.run([*prefix, "true"], text=True, stderr=subprocess.PIPE, timeout=PATIENCE)
    if tried.returncode:
        pytest.skip(f"a process namespace of one's own needs root: {tried.stderr.strip()}")
    return prefix


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    os.mkfifo(tmp_path / "fifo")
    return tmp_path


@contextlib.contextmanager
def contained(isolation: Sequence[str], directory: Path, *options: str, ready: int = 2) -> Iterator[Contained]:
    """Start the image's entry point as process 1, and end it with all that is in its namespace."""
    process = subprocess.Popen(
        [*isolation, sys.executable, "-m", "monoceros", "app:app", "--port", "0", *options],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    server = Contained(process)
    try:
        server.wait_for("Application startup complete.", ready)
        yield server
    finally:
        server.stop()


def test_process_one_serves_from_a_root_that_cannot_be_written_to(isolation: Sequence[str], directory: Path) -> None:
    with contained(isolation, directory, "--workers", "2") as server:
        assert inner(server.first) == 1
        assert int(ask(server.port)) in {inner(pid) for pid in server.workers}
        assert ask(server.port, "/write") == "Read-only file system"


def test_process_one_collects_what_others_left_behind(isolation: Sequence[str], directory: Path) -> None:
    with contained(isolation, directory, "--workers", "2") as server:
        orphan = int(ask(server.port, "/orphan"))
        until(lambda: orphan in map(inner, children(server.first)), "the orphan to be process 1's child")
        (directory / "fifo").write_text("")  # what it waits for
        until(lambda: len(children(server.first)) == 2, "the end of the orphan; a zombie would stay")
        assert int(ask(server.port)) in server.started


@pytest.mark.parametrize("workers", [1, 2])
def test_process_one_drains_once_however_often_it_is_told(
    isolation: Sequence[str], directory: Path, workers: int
) -> None:
    options = ("--workers", str(workers))
    with contained(isolation, directory, *options, ready=workers) as server, Client(server.port) as client:
        client.send("/held")
        server.wait_for("held begins")
        os.kill(server.first, signal.SIGTERM)
        server.wait_for("Shutting down", workers)
        os.kill(server.first, signal.SIGTERM)
        (directory / "release").touch()
        assert client.read()
        assert server.exit_code() == 0, server.output
        assert server.output.count("Shutting down") == workers


def test_process_one_starts_itself_anew_in_place(isolation: Sequence[str], directory: Path) -> None:
    """Its end would be that of the container, so there can't be a second master."""
    with contained(isolation, directory, "--workers", "2", "--no-access-log") as server:
        first, old = server.first, server.workers
        with under_load(server.port, clients=4) as load:
            load.wait_for_more(100)
            os.kill(first, signal.SIGUSR2)
            server.wait_for("Executed anew: the 2 workers of before serve until they are replaced.")
            until(lambda: len(server.workers) == 2 and not server.workers & old, "two new workers")
            load.wait_for_more(100)
        assert load.failures == []
        assert (children(server.pid), inner(first)) == ([first], 1)
        os.kill(first, signal.SIGTERM)
        assert server.exit_code() == 0, server.output
