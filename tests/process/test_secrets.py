"""Secrets in a real service: neither its logs nor what `ps` shows of it have them."""

import os
import signal
import socket
from functools import partial
from pathlib import Path

import pytest

from tests.process.asking import Client
from tests.process.serving import serving, until

PASSWORD = "hunter2"

APP = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        scope["state"]["dsn"] = "postgres://me:hunter2@db"
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    password = "hunter2"
    if scope["path"] == "/hang":
        print("hanging", flush=True)
        await asyncio.sleep(3600)
    if scope["path"] == "/raise":
        raise ValueError("no password here")
    await send({"type": "http.response.start", "status": 200, "headers": [
        (b"content-length", b"2"), (b"set-cookie", b"session=hunter2"),
    ]})
    await send({"type": "http.response.body", "body": b"ok"})
"""
CREDENTIALS = (
    "Authorization: Bearer hunter2\r\nProxy-Authorization: Bearer hunter2\r\nCookie: session=hunter2\r\n"
    "Sec-WebSocket-Protocol: hunter2\r\nSec-WebSocket-Key: hunter2\r\n"
)


def shown_by_ps(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def is_titled(pid: int) -> bool:
    return shown_by_ps(pid).startswith("monoceros: ")


def ask(port: int, path: str) -> None:
    """Ask with credentials, and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), 30) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n{CREDENTIALS}Connection: close\r\n\r\n".encode())
        while sock.recv(65536):
            pass


def test_a_service_shows_no_secret_at_any_level_and_in_no_stack(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    options = ("--workers", "2", "--log-level", "trace", "--ssl-keyfile-password", PASSWORD)
    with serving(tmp_path, *options, ready=2) as server:
        for pid in (server.pid, *server.workers):
            until(partial(is_titled, pid), "a title")
            assert PASSWORD not in shown_by_ps(pid)
        ask(server.port, "/")
        ask(server.port, "/raise")
        server.wait_for("no password here")
        with Client(server.port) as client:
            client.send("/hang")
            server.wait_for("hanging")
            for pid in server.workers:
                os.kill(pid, signal.SIGUSR2)
            server.wait_for("is here:", 2)
            server.send(signal.SIGQUIT)
            server.exit_code()
        assert "Send {'type': 'http.response.start', 'status': 200, 'headers': '<2 fields>'}" in server.output
        assert "await asyncio.sleep(3600)" in server.output
    assert PASSWORD not in server.output


@pytest.mark.parametrize(
    ("files", "options"),
    [
        ({}, ("--print-config",)),
        ({}, ("--check-config", "--ssl-certfile", "gone.pem")),
        ({"junk.pem": "hunter2"}, ("--check-config", "--ssl-certfile", "junk.pem")),
        ({"junk.pem": "hunter2"}, ("--ssl-certfile", "junk.pem")),
        ({"monoceros.toml": "ssl-keyfile-password = ['hunter2']"}, ("--check-config",)),
        ({"monoceros.toml": "ssl-keyfile-password = 'hunter2\n"}, ("--check-config",)),
        ({"log.yaml": "password: 'hunter2\n"}, ("--check-config", "--log-config", "log.yaml")),
        ({"log.ini": "password: hunter2"}, ("--check-config", "--log-config", "log.ini")),
        ({"log.ini": "[loggers]\nhunter2"}, ("--check-config", "--log-config", "log.ini")),
    ],
)
def test_what_is_printed_of_the_options_has_no_secret(
    tmp_path: Path, files: dict[str, str], options: tuple[str, ...]
) -> None:
    (tmp_path / "app.py").write_text(APP)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with serving(tmp_path, "--ssl-keyfile-password", PASSWORD, *options, ready=0) as server:
        server.exit_code()
        assert server.output
        assert PASSWORD not in server.output
