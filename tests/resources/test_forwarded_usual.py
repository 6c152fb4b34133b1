"""The fields of proxies that are read by default: as the incumbent does, or as Gunicorn's setting has it."""

import asyncio
from typing import Any

import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from monoceros.asgi import Scope
from monoceros.errors import RequestError
from monoceros.resources.forwarded import ForwardedFields
from monoceros.resources.proxy import TrustedHops

PEER = "127.0.0.1"
Fields = list[tuple[bytes, bytes]]

HEADERS: list[Fields] = [
    [],
    [(b"host", b"x"), (b"accept", b"*/*")],
    [(b"x-forwarded-proto", b"https")],
    [(b"x-forwarded-proto", b" wss ")],
    [(b"x-forwarded-proto", b"http")],
    [(b"x-forwarded-proto", b"ws")],
    [(b"x-forwarded-proto", b"HTTPS")],
    [(b"x-forwarded-proto", b"ftp")],
    [(b"x-forwarded-proto", b"https, http")],
    [(b"x-forwarded-proto", b"https"), (b"x-forwarded-proto", b"http")],
    [(b"x-forwarded-proto", b"https"), (b"x-forwarded-proto", b"gopher")],
    [(b"x-forwarded-for", b"1.2.3.4")],
    [(b"x-forwarded-for", b"")],
    [(b"x-forwarded-for", b" , ")],
    [(b"x-forwarded-for", b"1.2.3.4, ")],
    [(b"x-forwarded-for", b"1.2.3.4:1024, 127.0.0.1")],
    [(b"x-forwarded-for", b"1.2.3.4"), (b"host", b"x"), (b"x-forwarded-for", b"10.1.1.1")],
    [(b"x-forwarded-for", b"10.1.1.1, 10.1.1.2"), (b"x-forwarded-proto", b"https")],
    [(b"x-forwarded-for", b"[2001:db8::1]:99, proxy")],
    [(b"x-forwarded-for", b"2001:db8::1, 0:0:0:0:0:0:0:1")],
    [(b"x-forwarded-for", b"[2001:db8::1")],
    [(b"x-forwarded-for", b"[2001:db8::1]x")],
    [(b"x-forwarded-for", b"[2001:db8::1]:port")],
    [(b"x-forwarded-for", b"1.2.3.4:port")],
    [(b"x-forwarded-for", b"unknown, _hidden")],
    [(b"x-forwarded-for", b"unix:")],
]


@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("trusted", ["127.0.0.1,::1", "127.0.0.1,::1,10.0.0.0/8,proxy", "*"])
def test_a_scope_is_rewritten_as_the_incumbent_does(
    headers: list[tuple[bytes, bytes]], kind: str, trusted: str
) -> None:
    def scope_of_a_request() -> Scope:
        return {
            "type": kind,
            "scheme": "http" if kind == "http" else "ws",
            "client": (PEER, 5),
            "headers": list(headers),
        }

    expected: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        expected.append(scope)

    middleware: Any = ProxyHeadersMiddleware(app, trusted)
    asyncio.run(middleware(scope_of_a_request(), None, None))
    ours = scope_of_a_request()
    ForwardedFields(TrustedHops(trusted)).rewrite(ours)
    assert ours == expected[0]


SECURE = {"X-FORWARDED-PROTOCOL": "ssl", "X-Forwarded-Ssl": "on"}


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ([(b"x-forwarded-ssl", b"on")], "https"),
        ([(b"x-forwarded-ssl", b"ON")], "http"),
        ([(b"x-forwarded-ssl", b"off")], "http"),
        ([(b"x-forwarded-protocol", b"ssl"), (b"x-forwarded-ssl", b"on")], "https"),
        ([(b"x-forwarded-protocol", b"plain"), (b"x-forwarded-ssl", b"off")], "http"),
        ([(b"x-forwarded-proto", b"https")], "asis"),
        ([], "asis"),
    ],
)
def test_fields_that_tell_the_scheme_can_be_named(headers: list[tuple[bytes, bytes]], scheme: str) -> None:
    """A field that isn't named tells nothing, X-Forwarded-Proto included."""
    scope: Scope = {"type": "http", "scheme": "asis", "client": (PEER, 5), "headers": headers}
    ForwardedFields(TrustedHops(PEER), secure=SECURE).rewrite(scope)
    assert scope["scheme"] == scheme


def test_a_secure_websocket_is_told_by_the_same_fields() -> None:
    scope: Scope = {"type": "websocket", "scheme": "ws", "client": None, "headers": [(b"x-forwarded-ssl", b"on")]}
    ForwardedFields(TrustedHops(PEER), secure=SECURE).rewrite(scope)
    assert scope["scheme"] == "wss"


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-forwarded-ssl", b"on"), (b"x-forwarded-protocol", b"plain")],
        [(b"x-forwarded-ssl", b"on"), (b"x-forwarded-ssl", b"off")],
    ],
)
def test_a_request_whose_scheme_is_contradictory_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(RequestError, match="contradict each other: x-forwarded-ssl") as caught:
        ForwardedFields(TrustedHops(PEER), secure=SECURE).rewrite(
            {"type": "http", "scheme": "http", "headers": headers}
        )
    assert caught.value.status == 400


def test_no_field_tells_the_scheme_if_none_is_named() -> None:
    scope: Scope = {"type": "http", "scheme": "http", "headers": [(b"x-forwarded-proto", b"https")]}
    ForwardedFields(TrustedHops(PEER), secure={}).rewrite(scope)
    assert scope["scheme"] == "http"


def test_a_field_that_tells_the_scheme_tells_nothing_else_unless_it_is_named() -> None:
    scope: Scope = {
        "type": "http",
        "scheme": "http",
        "server": (PEER, 8000),
        "headers": [(b"x-forwarded-port", b"443")],
    }
    ForwardedFields(TrustedHops(PEER), secure={"X-Forwarded-Port": "443"}).rewrite(scope)
    assert (scope["scheme"], scope["server"]) == ("https", (PEER, 8000))
