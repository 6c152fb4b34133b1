"""An access log in a format, of a real server."""

import json
import socket
from pathlib import Path

from tests.process.asking import Client
from tests.process.serving import serving, until

APP = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})
"""


def test_json_lines_tell_of_served_and_refused_requests_alone(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    log = tmp_path / "access.log"
    options = ("--access-log-format", "json", "--access-log-file", str(log), "--workers", "2")
    with serving(tmp_path, *options, ready=2) as server:
        with Client(server.port) as client:
            client.ask("/a?b=%0a")
        with socket.create_connection(("127.0.0.1", server.port), 30) as sock:
            sock.sendall(b"GET /\x1b HTTP/1.1\r\nhost: a\r\n\r\n")
            assert b" 400 " in sock.recv(4096)
        until(lambda: log.read_text().count("\n") == 2, "two lines")
    entries = sorted((json.loads(line) for line in log.read_text().splitlines()), key=lambda entry: entry["status"])
    assert (entries[0]["status"], entries[0]["bytes"], entries[0]["query"]) == (200, 5, "b=%0a")
    assert (entries[1]["status"], entries[1]["path"]) == (400, "/\x1b")


def test_a_malformed_format_ends_the_start_with_the_atom_named(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with serving(tmp_path, "--access-log-format", "%(h)s %(tt)s", ready=0) as server:
        assert server.exit_code() == 2
        assert "access_log_format (--access-log-format): there is no atom %(tt)s. There are: a, B," in server.output
