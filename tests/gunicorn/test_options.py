"""Options that Gunicorn has no name for count under it all the same: from the environment, and from a worker class."""

import json
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.doubles.websocket_client import WebSocketClient
from tests.gunicorn.production import exchange
from tests.gunicorn.running import WORKER, Gunicorn, gunicorn
from tests.process.asking import Client

OPTIONS: dict[str, Any] = {
    "limit_request_body": 10,
    "timeout_request_body": 1,
    "timeout_request": 3,
    "timeout_write": 1,
    "forwarded_headers": ["x-forwarded-host"],
    "ws_max_fragments": 2,
}
HANDSHAKE = {"timeout_tls_handshake": 1}

# Far below what these options are by default, and so below what would end the same if they didn't count.
SOON = 20.0

APPLICATION = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError("no lifespan here")
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": "a message"})
        return
    body = dict(scope["headers"])[b"host"]
    if scope["path"] == "/hang":
        await asyncio.sleep(3600)
    elif scope["path"] == "/large":
        body = bytes(50_000_000)
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


def given(way: str, directory: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Say options in one of two ways; returns the arguments for `gunicorn`."""
    (directory / "app.py").write_text(APPLICATION)
    if way == "environment":
        values = {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in options.items()}
        return {"environ": {f"MONOCEROS_{name.upper()}": value for name, value in values.items()}}
    name = WORKER.rpartition(".")[2]
    (directory / "own.py").write_text(
        f"from monoceros.workers import {name}\n\nclass Own({name}):\n    CONFIG_KWARGS = {json.dumps(options)}\n"
    )
    return {"worker": "own.Own"}


@pytest.fixture(scope="module", params=["environment", "class"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    directory = tmp_path_factory.mktemp(request.param)
    with gunicorn(directory, ready=0, **given(request.param, directory, OPTIONS)) as server:
        server.wait_for("Started server process")
        yield server


def test_content_over_the_limit_is_refused(server: Gunicorn) -> None:
    post = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{}"
    assert exchange(server.port, post.format(10, "x" * 10).encode()).startswith("HTTP/1.1 200 ")
    assert exchange(server.port, post.format(11, "x" * 11).encode()).startswith("HTTP/1.1 413 ")


def test_content_that_does_not_come_is_waited_for_no_longer(server: Gunicorn) -> None:
    begun = time.monotonic()
    answer = exchange(server.port, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nx")
    assert answer.startswith("HTTP/1.1 408 ")
    assert time.monotonic() - begun < SOON


def test_an_application_that_takes_too_long_is_ended(server: Gunicorn) -> None:
    answer = exchange(server.port, b"GET /hang HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    assert answer.startswith("HTTP/1.1 503 ")


def test_a_client_that_takes_nothing_loses_its_connection(server: Gunicorn) -> None:
    with Client(server.port) as client:
        client.send("/large")
        server.wait_for("doesn't read")


def test_the_fields_that_count_of_a_trusted_proxy_are_those_that_are_named(server: Gunicorn) -> None:
    fields = b"host: a\r\nx-forwarded-host: shop.example\r\nconnection: close\r\n\r\n"
    assert exchange(server.port, b"GET / HTTP/1.1\r\n" + fields).endswith("\r\n\r\nshop.example")


def test_a_message_of_too_many_frames_ends_its_session(server: Gunicorn) -> None:
    with WebSocketClient.connect("127.0.0.1", server.port) as session:
        session.send_frame(0x1, b"a", fin=False)
        session.send_frame(0x0, b"b")
        assert session.recv_message() == "a message"
        session.send_frame(0x1, b"a", fin=False)
        session.send_frame(0x0, b"b", fin=False)
        session.send_frame(0x0, b"c")
        assert session.recv_close()[0] == 1009


@pytest.mark.parametrize("way", ["environment", "class"])
def test_a_tls_handshake_that_does_not_come_is_waited_for_no_longer(directory: Path, way: str) -> None:
    certificate = trustme.CA().issue_cert("localhost")
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    options = ("--certfile", "cert.pem", "--keyfile", "key.pem")
    with gunicorn(directory, *options, ready=0, **given(way, directory, HANDSHAKE)) as server:
        server.wait_for("Started server process")
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", server.port), 30) as sock:
            assert sock.recv(1) == b""
        assert time.monotonic() - begun < 8, "its default is 10"
