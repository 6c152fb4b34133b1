"""Slow clients of a real server: each limit is that of its option, over plain connections and TLS, on both loops."""

import asyncio
import logging
from typing import Any

import pytest

from monoceros.asgi import Receive, Scope, Send
from tests.doubles.certificates import Pair
from tests.doubles.served import PATIENCE, serving, until

LOOPS = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
LARGE = bytes(16 << 20)  # more than the kernel holds for a peer that doesn't read


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(tmp_path_factory.mktemp("tls"))


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/work":
        await asyncio.sleep(PATIENCE)
    body = LARGE if scope["path"] == "/large" else b"hello"
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


@LOOPS
def test_a_tls_handshake_that_never_begins_is_given_up(pair: Pair, loop: str) -> None:
    with serving(app, loop=loop, timeout_tls_handshake=0.2, **pair.options) as served, served.connect() as sock:
        assert sock.recv(1) == b""


@LOOPS
@pytest.mark.parametrize("tls", [False, True])
def test_a_body_that_stops_coming_is_answered_with_408(pair: Pair, loop: str, tls: bool) -> None:
    options: dict[str, Any] = pair.options if tls else {}
    with (
        serving(app, loop=loop, timeout_request_body=1, **options) as served,
        served.connect() as plain,
        pair.wrap(plain) if tls else plain as sock,
    ):
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfive!")
        assert sock.recv(13) == b"HTTP/1.1 408 "


@LOOPS
@pytest.mark.parametrize("tls", [False, True])
def test_a_response_that_nobody_reads_is_given_up(
    pair: Pair, caplog: pytest.LogCaptureFixture, loop: str, tls: bool
) -> None:
    options: dict[str, Any] = pair.options if tls else {}
    with (
        caplog.at_level(logging.WARNING, "monoceros.error"),
        serving(app, loop=loop, timeout_write=1, timeout_keep_alive=1, **options) as served,
        served.connect() as plain,
        pair.wrap(plain) if tls else plain as sock,
    ):
        sock.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: caplog.records, "it is given up")
        until(lambda: not served.server.server_state.connections, "the connection is gone")
    assert [record.message.partition(" ")[2] for record in caplog.records] == ["doesn't read what it is sent; closing"]


@LOOPS
def test_a_request_that_takes_too_long_is_answered_with_503(loop: str) -> None:
    with serving(app, loop=loop, timeout_request=1) as served:
        assert served.get("/work").startswith(b"HTTP/1.1 503 ")
        assert served.get().startswith(b"HTTP/1.1 200 ")
