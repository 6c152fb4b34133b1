"""What a client sends is shown in the logs of a real server, and never obeyed: no control, and no line of its own."""

import base64
import json
import socket
from pathlib import Path

import pytest

from tests.process.serving import Serving, serving, until

APP = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError("no lifespan")
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        return
    if "raise" in scope["path"]:
        raise ValueError("no such thing: " + scope["path"])
    headers = [(b"content-length", b"0"), (b"x-told", b"\\x9b2J\\x85FORGED"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body"})
"""

# C1 controls alone are CSI and NEL to a terminal; of C0, a field can have no more than tabs.
NASTY = b"9.9.9.9\x9b2J\x85FORGED\t\xa0"
USER = "me\r\nFORGED\x1b[2J\x7f\x9b\u2028\u202e"
ENCODED = "%0d%0aFORGED%1b[2J%7f%c2%9b%e2%80%a8%e2%80%a9"
FIELDS = b"Host: a\r\nX-Forwarded-For: %b\r\nUser-Agent: %b\r\nReferer: %b\r\nX-Evil: %b\r\n" % (
    (NASTY,) * 4
) + b"Authorization: Basic %b\r\n" % base64.b64encode(USER.encode())
UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
REQUESTS = (
    b"GET /there?%b HTTP/1.1\r\n%b\r\n" % (ENCODED.encode(), FIELDS),
    b"GET /raise%b HTTP/1.1\r\n%bConnection: close\r\n\r\n" % (ENCODED.encode(), FIELDS),
    b"GET /socket?%b HTTP/1.1\r\n%b%b\r\n" % (ENCODED.encode(), FIELDS, UPGRADE),
    # Heads that are refused: some logs show what was there.
    b"GET /refused\x1b[2J\x7f\x9b\rFORGED HTTP/1.1\r\n\r\n",
    b"FORGED\x1b[2J\x9b\r\n\r\n",
    b"GET /refused HTTP/1.1\r\nHost: \x1b[2J\x9bFORGED\r\n\r\n",
    b"GET /refused HTTP/1.1\r\nHost: a\r\nX\x1b[2J: FORGED\r\n\r\n",
)
ATOMS = '%(h)s %(u)s "%(r)s" %(m)s %(U)s %(q)s %(s)s "%(f)s" "%(a)s" %({x-evil}i)s %({x-told}o)s %({http_x_evil}e)s'
OWN_CONFIG = {
    "version": 1,
    "formatters": {
        "own": {
            "()": "monoceros.logging.AccessFormatter",
            "fmt": "%(levelprefix)s %(client_addr)s|%(request_line)s|%(status_code)s|%(message)s",
        },
        "default": {"()": "monoceros.logging.DefaultFormatter", "fmt": "%(levelprefix)s %(message)s"},
    },
    "handlers": {
        "own": {"class": "logging.StreamHandler", "formatter": "own"},
        "default": {"class": "logging.StreamHandler", "formatter": "default"},
    },
    "loggers": {
        "monoceros": {"handlers": ["default"], "level": "INFO", "propagate": False},
        "monoceros.access": {"handlers": ["own"], "level": "INFO", "propagate": False},
    },
}
WAYS = {
    "by default": (),
    "with atoms": ("--access-log-format", ATOMS),
    "as json": ("--access-log-format", "json"),
    "with a formatter of the user's": ("--log-config", "own.json"),
}


def ask(server: Serving, request: bytes) -> None:
    """Send a request, and read until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), 30) as sock:
        sock.sendall(request)
        if b"Upgrade" in request:
            sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("level", ["info", "trace"])
def test_no_client_writes_a_control_or_a_line_of_its_own(tmp_path: Path, way: str, level: str) -> None:
    """CVE-2020-7694 was about the first of the requests."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "own.json").write_text(json.dumps(OWN_CONFIG))
    options = ("--forwarded-allow-ips", "*", "--log-level", level, *WAYS[way])
    with serving(tmp_path, *options, ready=0) as server:
        for request in REQUESTS:
            ask(server, request)
        until(lambda: server.output.count("Invalid HTTP request received") == 4, "four complaints")
        until(lambda: "ValueError: no such thing: /raise" in server.output, "the traceback")
        server.wait_for("/socket?")
        server.wait_for("/there")
        output = server.output
    assert {character for character in output if not character.isprintable()} == {"\n"}
    # The one line feed that a client can bring is in the text of an exception, which is the application's own.
    forged = [line for line in output.splitlines() if line.startswith("FORGED")]
    assert len(forged) == 1
    assert forged == ["FORGED\\x1b[2J\\x7f\\x9b\\u2028\\u2029"]
