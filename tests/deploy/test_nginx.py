"""The configuration of deploy/nginx: a real nginx in front of a real server on a unix socket."""

import contextlib
import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monoceros.options.table import OPTIONS
from tests.doubles.websocket_client import WebSocketClient
from tests.process.serving import PATIENCE, ROOT, Serving, serving, until

CONFIGURATION = ROOT / "deploy" / "nginx" / "monoceros.conf"
SOCKET = "monoceros.sock"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed: Debian's nginx-light has it")

APP = """
import asyncio, json

released = asyncio.Event()

async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    if scope["type"] != "http":
        raise NotImplementedError
    fields = []
    if scope["path"] == "/events":
        fields = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    if scope["path"] == "/events":
        await send({"type": "http.response.body", "body": b"data: first\\n\\n", "more_body": True})
        await released.wait()
        await send({"type": "http.response.body", "body": b"data: second\\n\\n"})
    elif scope["path"] == "/release":
        released.set()
        await send({"type": "http.response.body"})
    elif scope["path"] == "/size":
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
        await send({"type": "http.response.body", "body": b"%d" % size})
    else:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        seen = {"client": scope["client"], "scheme": scope["scheme"], "headers": headers}
        await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
"""

# What the file of a distribution has around ours. In one process, so that nobody has to be allowed to read the socket.
AROUND = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    scgi_temp_path {directory}/scgi;
    uwsgi_temp_path {directory}/uwsgi;
    {site}
}}
"""


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{old!r} stands once in {CONFIGURATION.name}"
    return text.replace(old, new)


@contextlib.contextmanager
def nginx(directory: Path, upstream: Path) -> Iterator[int]:
    """Run nginx with the shipped configuration, the socket and the port replaced. Returns the port."""
    port = a_free_port()
    text = replaced(CONFIGURATION.read_text(), "unix:/run/monoceros.sock", f"unix:{upstream}")
    (directory / "monoceros.conf").write_text(replaced(text, "listen 80;", f"listen 127.0.0.1:{port};"))
    (directory / "nginx.conf").write_text(
        AROUND.format(directory=directory, site=f"include {directory}/monoceros.conf;")
    )
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
    # Errors are requests that went wrong, which some tests ask for; warnings are about the configuration.
    assert "[warn]" not in said, said


def listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
        return True
    return False


@contextlib.contextmanager
def behind(directory: Path) -> Iterator[Serving]:
    """Run our server on a unix socket in a directory."""
    (directory / "app.py").write_text(APP)
    options = ("--bind", f"unix:{directory / SOCKET}", "--forwarded-allow-ips", "unix:")
    with serving(directory, command=[sys.executable, "-m", "monoceros", "app:app", *options], ready=0) as server:
        server.wait_for("Monoceros running on unix socket")
        yield server


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Serving, int]]:
    """Our server behind nginx, and the port of nginx."""
    with behind(tmp_path) as server, nginx(tmp_path, tmp_path / SOCKET) as port:
        yield server, port


@contextlib.contextmanager
def client(port: int, source: str = "127.0.0.1") -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE, source_address=(source, 0))
    try:
        yield connection
    finally:
        connection.close()


def ask(
    connection: http.client.HTTPConnection, path: str, body: bytes | None = None, **fields: str
) -> tuple[int, bytes]:
    """Send a GET, or a POST if there is a body; return the status and the content."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    connection.request("GET" if body is None else "POST", path, body, headers)
    response = connection.getresponse()
    return response.status, response.read()


def test_the_application_sees_the_client_and_what_it_asked_for(site: tuple[Serving, int]) -> None:
    server, port = site
    with client(port, source="127.0.0.2") as connection:
        status, body = ask(connection, "/")
    assert status == 200
    seen = json.loads(body)
    assert seen["client"] == ["127.0.0.2", 0]
    assert seen["scheme"] == "http"
    assert seen["headers"]["host"] == seen["headers"]["x-forwarded-host"] == f"127.0.0.1:{port}"
    assert "connection" not in seen["headers"], "a connection that stays open"
    server.wait_for('127.0.0.2:0 - "GET / HTTP/1.1" 200')


def test_what_a_client_says_of_itself_is_not_passed_on(site: tuple[Serving, int]) -> None:
    _, port = site
    with client(port) as connection:
        _, body = ask(connection, "/", X_Forwarded_For="192.0.2.1", X_Forwarded_Proto="https")
    seen = json.loads(body)
    assert (seen["client"], seen["scheme"]) == (["127.0.0.1", 0], "http")


def test_a_body_of_a_mebibyte_arrives_and_one_over_the_limit_does_not(site: tuple[Serving, int]) -> None:
    _, port = site
    with client(port) as connection:
        assert ask(connection, "/size", b"x" * 2**20) == (200, b"1048576")
    with client(port) as connection:
        connection.putrequest("POST", "/size")
        connection.putheader("Content-Length", str(2**30))
        connection.endheaders()
        assert connection.getresponse().status == 413


def test_a_websocket_is_upgraded(site: tuple[Serving, int]) -> None:
    _, port = site
    with WebSocketClient.connect("127.0.0.1", port, "/") as websocket:
        websocket.send_text("through two servers")
        assert websocket.recv_message() == "through two servers"
        assert websocket.close() == (1000, "")


def test_events_arrive_one_by_one(site: tuple[Serving, int]) -> None:
    """The second is only sent when the first has been read."""
    _, port = site
    with client(port) as events, client(port) as other:
        events.request("GET", "/events")
        stream = events.getresponse()
        assert stream.readline() == b"data: first\n"
        assert ask(other, "/release")[0] == 200
        assert stream.read() == b"\ndata: second\n\n"


def test_a_server_that_was_away_is_asked_again_at_once(site: tuple[Serving, int], tmp_path: Path) -> None:
    """Nothing of the configuration remembers that it was once not there."""
    server, port = site
    with client(port) as connection:
        assert ask(connection, "/")[0] == 200
        server.send(signal.SIGINT)  # doesn't wait for nginx's idle connections
        assert server.exit_code() == 0
        assert ask(connection, "/")[0] == 502
        with behind(tmp_path):
            assert ask(connection, "/")[0] == 200


def test_nginx_closes_idle_connections_before_the_server_does() -> None:
    (kept,) = (option.default for option in OPTIONS if option.name == "timeout_keep_alive")
    assert isinstance(kept, int)
    assert f"    keepalive_timeout {kept - 1}s;\n" in CONFIGURATION.read_text()
