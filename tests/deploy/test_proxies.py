"""What docs/proxies.md says: its commands are ones, and its nginx in front of our server tells what the page tells."""

import contextlib
import http.client
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monoceros.options.option import Origin, Source
from monoceros.options.table import KEYWORDS, OPTIONS
from tests.deploy.test_nginx import AROUND
from tests.process.serving import PATIENCE, ROOT, serving, until

PAGE = (ROOT / "docs" / "proxies.md").read_text()
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")

APP = """
import json

async def app(scope, receive, send):
    assert scope["type"] == "http"
    keys = ("client", "scheme", "root_path", "path")
    fields = {name.decode(): value.decode() for name, value in scope["headers"]}
    body = json.dumps({key: scope[key] for key in keys} | {"host": fields["host"]}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


def blocks(language: str) -> list[str]:
    """The page's blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """The words of each command that the page gives, without its name."""
    texts = [block.replace("\\\n", "").removeprefix("$ ") for block in blocks("console")]
    return [shlex.split(text)[1:] for text in texts]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_has_options_that_there_are_with_values_they_accept(words: list[str]) -> None:
    by_flag = {flag: option for option in OPTIONS for flag in option.spellings}
    app, *given = words
    assert app == "app:app"
    for flag, value in zip(given[::2], given[1::2], strict=True):
        option = by_flag[flag]
        # What would name a file need not be there.
        option.kind.convert(value)


def test_the_fields_of_the_table_are_those_of_the_option() -> None:
    table = re.findall(r"^\| `(x-forwarded-[a-z]+|forwarded)` \|", PAGE, re.MULTILINE)
    source = Source(Origin.KEYWORD, "forwarded_headers")
    assert KEYWORDS["forwarded_headers"].read(table, source) == table
    assert len(table) == 6
    for name in table:
        assert name in KEYWORDS["forwarded_headers"].kind.accepted
    assert KEYWORDS["forwarded_headers"].otherwise == table[:2]


@contextlib.contextmanager
def nginx(directory: Path, upstream: int) -> Iterator[int]:
    """Run the page's nginx, its two ports replaced. Returns the one that it listens on."""
    (site,) = blocks("nginx")
    assert site.count("127.0.0.1:8000") == site.count("listen 8080;") == 1
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    site = site.replace("127.0.0.1:8000", f"127.0.0.1:{upstream}").replace("8080", f"127.0.0.1:{port}")
    (directory / "nginx.conf").write_text(AROUND.format(directory=directory, site=site))
    assert NGINX is not None
    command = [NGINX, "-p", str(directory), "-c", str(directory / "nginx.conf"), "-e", "stderr"]
    process = subprocess.Popen(command, text=True, stderr=subprocess.PIPE)
    try:
        until(lambda: process.poll() is not None or listens(port), "nginx")
        assert process.poll() is None, process.stderr and process.stderr.read()
        yield port
    finally:
        process.terminate()
        _, said = process.communicate(timeout=PATIENCE)
    assert said == ""


def listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
        return True
    return False


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed: Debian's nginx-light has it")
def test_its_nginx_tells_the_client_the_scheme_the_host_and_the_prefix(tmp_path: Path) -> None:
    """And not what the client says of itself."""
    (tmp_path / "app.py").write_text(APP)
    command = [sys.executable, "-m", "monoceros", *commands()[0], "--port", "0"]
    made_up = dict.fromkeys(("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Forwarded-Host"), "x")
    with serving(tmp_path, command=command) as server, nginx(tmp_path, server.port) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE, source_address=("127.0.0.2", 0))
        with contextlib.closing(connection):
            connection.request("GET", "/app/a%20b", headers=made_up)
            told: dict[str, Any] = json.loads(connection.getresponse().read())
    assert told == {
        "client": ["127.0.0.2", 0],
        "scheme": "http",
        "root_path": "/app",
        "path": "/app/a b",
        "host": f"127.0.0.1:{port}",
    }
