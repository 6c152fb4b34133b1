"""Gunicorn's settings for what stands in front of it: who is believed, what is passed on, and how many may come."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gunicorn.production import exchange
from tests.gunicorn.running import Gunicorn, gunicorn
from tests.process.asking import Client
from tests.process.serving import until

APPLICATION = """
import json

async def app(scope, receive, send):
    assert scope["type"] == "http"
    fields = {name.decode(): value.decode() for name, value in scope["headers"]}
    body = json.dumps({"client": scope["client"], "scheme": scope["scheme"], "fields": fields}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
"""

CONFIGURATION = """
proxy_protocol = True
proxy_allow_ips = "10.0.0.1,127.0.0.1"
forwarded_allow_ips = "203.0.113.9"
secure_scheme_headers = {"X-SCHEME": "tls", "X-PORT": "443"}
forwarder_headers = "REMOTE_USER"
header_map = "refuse"
"""

V2 = b"\r\n\r\n\x00\r\nQUIT\n"
PROXY, STRANGER = "203.0.113.9", "203.0.113.10"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    directory = tmp_path_factory.mktemp("proxy")
    (directory / "app.py").write_text(APPLICATION)
    (directory / "gunicorn.conf.py").write_text(CONFIGURATION)
    with gunicorn(directory, ready=0) as server:
        server.wait_for("Started server process")
        yield server


def v1(client: str) -> bytes:
    return f"PROXY TCP4 {client} 192.0.2.1 5000 443\r\n".encode()


def v2(client: str) -> bytes:
    ends = socket.inet_aton(client) + socket.inet_aton("192.0.2.1") + (5000).to_bytes(2) + (443).to_bytes(2)
    return V2 + b"\x21\x11" + len(ends).to_bytes(2) + ends


def answer_to(server: Gunicorn, proxied: bytes, *fields: str) -> str:
    lines = "".join(f"{field}\r\n" for field in fields)
    return exchange(server.port, proxied + f"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{lines}\r\n".encode())


def seen(server: Gunicorn, proxied: bytes, *fields: str) -> Any:
    return json.loads(answer_to(server, proxied, *fields).rpartition("\r\n\r\n")[2])


@pytest.mark.parametrize("proxied", [v1(STRANGER), v2(STRANGER)], ids=["v1", "v2"])
def test_a_proxy_header_names_the_client(server: Gunicorn, proxied: bytes) -> None:
    assert seen(server, proxied)["client"] == [STRANGER, 5000]


def test_the_fields_of_secure_scheme_headers_tell_the_scheme_if_a_trusted_proxy_sends_them(server: Gunicorn) -> None:
    assert seen(server, v1(PROXY), "x-scheme: tls")["scheme"] == "https"
    assert seen(server, v1(PROXY), "x-scheme: plain")["scheme"] == "http"
    assert seen(server, v1(STRANGER), "x-scheme: tls")["scheme"] == "http"
    assert answer_to(server, v1(PROXY), "x-scheme: tls", "x-port: 80").startswith("HTTP/1.1 400 ")


def test_a_field_with_an_underscore_is_refused_unless_a_trusted_proxy_may_send_it(server: Gunicorn) -> None:
    assert answer_to(server, v1(STRANGER), "x_some: 1").startswith("HTTP/1.1 400 ")
    assert answer_to(server, v1(STRANGER), "remote_user: me").startswith("HTTP/1.1 400 ")
    assert seen(server, v1(PROXY), "remote_user: me")["fields"]["remote_user"] == "me"


def test_the_fields_that_count_are_named_by_an_option_of_ours_beside_those_of_gunicorns_settings(
    tmp_path: Path,
) -> None:
    """What tells the scheme, and who may send underscores, stays Gunicorn's to say."""
    (tmp_path / "app.py").write_text(APPLICATION)
    (tmp_path / "gunicorn.conf.py").write_text(CONFIGURATION)
    environ = {"MONOCEROS_FORWARDED_HEADERS": "x-forwarded-host,x-forwarded-proto"}
    fields = ("x-forwarded-host: example.org", "x-forwarded-for: 1.2.3.4", "remote_user: me", "x-scheme: plain")
    with gunicorn(tmp_path, ready=0, environ=environ) as server:
        server.wait_for("Started server process")
        told = seen(server, v1(PROXY), *fields, "x-forwarded-proto: https")
        assert (told["client"], told["scheme"]) == ([PROXY, 5000], "http")
        assert (told["fields"]["host"], told["fields"]["remote_user"]) == ("example.org", "me")
        assert seen(server, v1(STRANGER), "x-forwarded-host: example.org")["fields"]["host"] == "a"


def test_forwarded_beside_secure_scheme_headers_is_refused_at_start(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APPLICATION)
    (tmp_path / "gunicorn.conf.py").write_text(CONFIGURATION)
    with gunicorn(tmp_path, ready=0, environ={"MONOCEROS_FORWARDED_HEADERS": "forwarded"}) as server:
        until(lambda: "forwarded can't be read beside secure_scheme_headers" in server.output, "the reason in the log")


def test_who_is_not_in_proxy_allow_ips_is_refused(directory: Path) -> None:
    with gunicorn(directory, "--proxy-protocol", "--proxy-allow-from", "10.0.0.1") as server:
        try:
            answer = exchange(server.port, v1(STRANGER) + b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        except ConnectionResetError:
            answer = ""
        assert " 200 " not in answer
        until(lambda: "proxy-allow-ips" in server.output, "the reason in the log")


def test_connections_over_worker_connections_wait_until_one_ends(directory: Path) -> None:
    with gunicorn(directory, "--worker-connections", "2") as server:
        first, second, third = (Client(server.port) for _ in range(3))
        with first, second, third:
            assert first.ask() == second.ask()
            third.send("/")
            # It waits for longer than anything else takes here: the others are served meanwhile.
            for _ in range(200):
                assert first.ask() == second.ask()
            first.close()
            assert third.read().isdigit()


def test_idle_connections_make_room_for_one_more_than_worker_connections(directory: Path) -> None:
    """They would be kept for longer than anybody here waits."""
    options = ("--worker-connections", "20", "--keep-alive", "3600")
    with gunicorn(directory, *options) as server, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(Client(server.port)) for _ in range(20)]
        for client in idle:
            client.ask()
        more = stack.enter_context(Client(server.port))
        assert more.ask().isdigit()
        closed = 0
        for client in idle:
            try:
                client.ask()
            except ConnectionError:
                closed += 1
        assert closed == 1
        assert more.ask().isdigit()
