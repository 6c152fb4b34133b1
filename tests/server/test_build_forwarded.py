"""Which fields of a proxy count, as the options say, on real sockets: by whom they come, and over what."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from monoceros.asgi import Receive, Scope, Send
from monoceros.config import Config
from monoceros.errors import UsageError
from monoceros.server.build import check
from tests.doubles.applications import hello
from tests.doubles.served import PATIENCE, read_answer, serving

FAMILY = "x-forwarded-for, X-Forwarded-Proto, x-forwarded-host, x-forwarded-port, x-forwarded-prefix"
TOLD = (
    "X-Forwarded-For: 203.0.113.7:4711\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: example.org\r\n"
    "X-Forwarded-Port: 8443\r\nX-Forwarded-Prefix: /app\r\nForwarded: for=203.0.113.8;proto=http;host=example.net\r\n"
)
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
STRANGER = b"PROXY TCP4 198.51.100.1 192.0.2.1 4712 80\r\n"
KEYS = ("client", "scheme", "server", "root_path", "path", "host")


async def tell(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what the scope says, also to a handshake."""
    found = {**scope, "host": dict(scope["headers"])[b"host"].decode()}
    body = json.dumps({key: found[key] for key in KEYS}).encode()
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    length = (b"content-length", b"%d" % len(body))
    await send({"type": f"{kind}.start", "status": 403, "headers": [length]})
    await send({"type": f"{kind}.body", "body": body})


def seen_by(sock: socket.socket, before: bytes = b"", upgrade: bool = False) -> dict[str, Any]:
    """What the application says of a request for /x with all fields that a proxy could send."""
    sock.sendall(before + f"GET /x HTTP/1.1\r\nHost: inside\r\n{UPGRADE if upgrade else ''}{TOLD}\r\n".encode())
    answer: dict[str, Any] = json.loads(read_answer(sock)[1])
    return answer


def seen(before: bytes = b"", upgrade: bool = False, **options: Any) -> dict[str, Any]:
    with serving(tell, **options) as served, served.connect() as sock:
        answer = seen_by(sock, before, upgrade)
        host, port = sock.getsockname()
        names = {(host, port): "peer", served.address: "own"}
        return answer | {key: names.get(tuple(answer[key]), answer[key]) for key in ("client", "server")}


NOTHING = {"client": "peer", "scheme": "http", "server": "own", "root_path": "", "path": "/x", "host": "inside"}
ALL = {
    "client": ["203.0.113.7", 4711],
    "scheme": "https",
    "server": ["example.org", 8443],
    "root_path": "/app",
    "path": "/app/x",
    "host": "example.org",
}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, NOTHING | {"client": ["203.0.113.7", 4711], "scheme": "https"}),
        ({"forwarded_headers": FAMILY}, ALL),
        ({"forwarded_headers": FAMILY, "root_path": "/mine"}, ALL),
        ({"forwarded_headers": ["x-forwarded-prefix"]}, NOTHING | {"root_path": "/app", "path": "/app/x"}),
        (
            {"forwarded_headers": "forwarded"},
            NOTHING | {"client": ["203.0.113.8", 0], "host": "example.net", "server": ["example.net", 80]},
        ),
        ({"forwarded_headers": []}, NOTHING),
        ({"forwarded_headers": FAMILY, "proxy_headers": False}, NOTHING),
        ({"forwarded_headers": FAMILY, "forwarded_allow_ips": "192.0.2.1,unix:"}, NOTHING),
        ({"forwarded_headers": FAMILY, "forwarded_allow_ips": ""}, NOTHING),
        ({"forwarded_headers": FAMILY, "header_map": "drop"}, ALL),
    ],
)
def test_the_fields_that_were_named_count_if_they_come_from_a_trusted_peer(
    options: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert seen(**options) == expected


def test_they_count_for_a_websocket_as_well() -> None:
    assert seen(upgrade=True, forwarded_headers=FAMILY) == ALL | {"scheme": "wss"}


def test_whom_a_proxy_header_names_is_the_one_that_must_be_trusted() -> None:
    """Though the load balancer, which is the peer, would be."""
    options: dict[str, Any] = {"forwarded_headers": FAMILY, "proxy_protocol": "v1"}
    named = {"client": ["198.51.100.1", 4712], "server": ["192.0.2.1", 80]}
    assert seen(STRANGER, **options) == NOTHING | named
    assert seen(STRANGER, forwarded_allow_ips="198.51.100.0/24", **options) == ALL


@pytest.mark.parametrize(("trusted", "expected"), [("unix:", ALL), ("127.0.0.1,::1", None)])
def test_peers_of_a_unix_socket_are_asked_for_by_name(
    tmp_path: Path, trusted: str, expected: dict[str, Any] | None
) -> None:
    path = str(tmp_path / "app.sock")
    options: dict[str, Any] = {"uds": path, "forwarded_headers": FAMILY, "forwarded_allow_ips": trusted}
    with serving(tell, **options), socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(path)
        assert seen_by(sock) == (expected or NOTHING | {"client": None, "server": [path, None]})


@pytest.mark.parametrize(
    ("options", "others"),
    [
        ({"forwarded_headers": "forwarded, x-forwarded-for"}, "x-forwarded-for"),
        ({"forwarded_headers": "forwarded", "secure_scheme_headers": {"X-Scheme": "https"}}, "secure_scheme_headers"),
    ],
)
def test_two_families_are_an_error_at_start(options: dict[str, Any], others: str) -> None:
    config = Config(hello, log_config=None, **options)
    config.load()
    with pytest.raises(UsageError, match=f"--forwarded-headers: forwarded can't be read beside {others}"):
        check(config)
