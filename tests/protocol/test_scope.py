"""Scopes, as far as they don't depend on a parser: addresses, trust, labels."""

from collections.abc import Callable

import pytest

from monoceros.asgi import Headers, Scope
from monoceros.errors import RequestError
from monoceros.protocol.connection import STRANGER
from monoceros.protocol.scope import client_label, connection_scope, fill_scope, path_label, turn_into_websocket
from monoceros.wire.proxy_protocol import Ends
from tests.doubles.stage import Stage
from tests.doubles.transport import FakeTransport


@pytest.mark.parametrize(
    ("peername", "sockname", "client", "server"),
    [
        (("10.0.0.1", 5000), ("10.0.0.2", 80), ("10.0.0.1", 5000), ("10.0.0.2", 80)),
        (("::1", 5000, 0, 0), ("::1", 80, 0, 0), ("::1", 5000), ("::1", 80)),
        ("", "/run/app.sock", None, ("/run/app.sock", None)),
        (None, None, None, None),
    ],
)
def test_the_addresses_are_those_of_the_socket(
    stage: Stage, peername: object, sockname: object, client: object, server: object
) -> None:
    """A unix socket has a path and no client; a peer that is gone already has no address."""
    scope = connection_scope(FakeTransport(stage.loop, peername=peername, sockname=sockname), "")
    assert (scope["client"], scope["server"]) == (client, server)
    assert client_label(scope) == (f"{peername[0]}:{peername[1]}" if isinstance(peername, tuple) else "")


def test_the_addresses_are_those_of_the_connection_that_was_forwarded(stage: Stage) -> None:
    peer = stage.connect(ends=Ends(("203.0.113.9", 4000), ("203.0.113.1", 443)))
    peer.send()
    assert (stage.call.scope["client"], stage.call.scope["server"]) == (("203.0.113.9", 4000), ("203.0.113.1", 443))
    stage.call.answer()
    assert [values[0] for values in stage.log] == [peer.connection.client] == ["203.0.113.9:4000"]
    scope = connection_scope(FakeTransport(stage.loop), "", Ends("", "/run/balancer.sock"))
    assert (scope["client"], scope["server"]) == (None, ("/run/balancer.sock", None))


def test_an_encrypted_connection_has_the_scheme_https(stage: Stage) -> None:
    assert connection_scope(FakeTransport(stage.loop, tls=True), "")["scheme"] == "https"


def test_a_target_of_another_scheme_is_refused() -> None:
    with pytest.raises(RequestError) as caught:
        fill_scope({}, "GET", b"ftp://a/", "", [])
    assert caught.value.status == 400


def test_the_asterisk_is_a_path_of_its_own() -> None:
    """RFC 9112, section 3.2.4."""
    scope: Scope = {}
    fill_scope(scope, "OPTIONS", b"*", "", [])
    assert (scope["path"], scope["raw_path"]) == ("*", b"*")


@pytest.mark.parametrize(("scheme", "expected"), [("http", "ws"), ("https", "wss"), ("wss", "wss"), ("ws", "ws")])
def test_a_websocket_has_a_scheme_of_its_own(scheme: str, expected: str) -> None:
    """A proxy may have said what it is already."""
    scope: Scope = {"scheme": scheme, "method": "GET"}
    turn_into_websocket(scope, [])
    assert scope["scheme"] == expected
    assert "method" not in scope


@pytest.mark.parametrize(("query", "label"), [(b"", "/a%20b"), (b"c=%20", "/a%20b?c=%20")])
def test_a_path_is_logged_as_it_came(query: bytes, label: str) -> None:
    assert path_label({"raw_path": b"/a%20b", "query_string": query}) == label


def _speak_for(scope: Scope) -> None:
    scope["client"] = ("203.0.113.9", 0)
    scope["scheme"] = "https"


@pytest.mark.parametrize("trusted", [True, False])
def test_only_a_trusted_peer_speaks_for_a_client(stage: Stage, trusted: bool) -> None:
    asked: list[str | None] = []

    def rewriter(host: str | None) -> Callable[[Scope], None] | None:
        asked.append(host)
        return _speak_for if trusted else None

    stage.context.rewriter = rewriter
    peer = stage.connect()
    for _ in range(2):
        peer.send()
        assert stage.call.scope["scheme"] == ("https" if trusted else "http")
        stage.call.answer()
    client = "203.0.113.9:0" if trusted else "127.0.0.1:50000"
    assert [values[0] for values in stage.log] == [client, client]
    assert asked == ["127.0.0.1"]


def test_fields_that_say_nothing_of_the_client_are_read_once_while_they_come_again(stage: Stage) -> None:
    read: list[Headers] = []

    def rewrite(scope: Scope) -> bool:
        read.append(scope["headers"].copy())
        if tells := (b"x-forwarded-proto", b"https") in scope["headers"]:
            scope["scheme"] = "https"
        return not tells

    stage.context.rewriter = lambda host: rewrite
    peer = stage.connect()
    schemes = []
    for fields in ("", "", "X-Forwarded-Proto: https\r\n", "X-Forwarded-Proto: https\r\n", "", ""):
        peer.send(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
        schemes.append(stage.call.scope["scheme"])
        stage.call.answer()
    assert schemes == ["http", "http", "https", "https", "http", "http"]
    assert [len(headers) for headers in read] == [1, 2, 2, 1]


def test_what_an_application_does_to_its_headers_is_not_seen_by_the_next_request(stage: Stage) -> None:
    peer = stage.connect()
    for _ in range(3):
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\n\r\n")
        assert stage.call.scope["headers"] == [(b"host", b"a"), (b"x-one", b"1")]
        stage.call.scope["headers"].clear()
        stage.call.answer()


def test_a_unix_socket_is_asked_for_as_no_host(stage: Stage) -> None:
    stage.context.rewriter = lambda host: _speak_for if host is None else None
    stage.connect(peername="", sockname="/run/app.sock").send()
    assert stage.call.scope["scheme"] == "https"


def test_who_forwards_a_connection_is_not_asked_for_but_whom_it_names(stage: Stage) -> None:
    asked: list[str | None] = []
    stage.context.rewriter = asked.append
    stage.connect(ends=Ends(("203.0.113.9", 4000), ("203.0.113.1", 443)))
    stage.connect(ends=Ends("", "/run/balancer.sock"))
    assert asked == ["203.0.113.9", STRANGER]


def test_a_request_that_a_rewriter_refuses_reaches_no_application(stage: Stage) -> None:
    def refuse(scope: Scope) -> None:
        raise RequestError(400, "doubtful")

    stage.context.rewriter = lambda host: refuse
    peer = stage.connect()
    peer.send()
    assert peer.take().startswith(b"HTTP/1.1 400 ")
    assert stage.calls == []
