"""Trust in proxies, and the scope that they rewrite; compared with what the incumbent makes of the same headers."""

import asyncio
from typing import Any

import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from monoceros.asgi import Scope
from monoceros.errors import RequestError, UsageError
from monoceros.resources.proxy import TrustedHops

PEER = "127.0.0.1"


@pytest.mark.parametrize(
    ("trusted", "host", "expected"),
    [
        ("127.0.0.1,::1", "127.0.0.1", True),
        (" 127.0.0.1 , ::1 ", "::1", True),
        (["10.0.0.1"], "10.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("fd00::/8", "fd12::1", True),
        ("0:0:0:0:0:0:0:1", "::1", True),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:0:0/96", "::ffff:10.0.0.1", True),
        ("proxy", "proxy", True),
        ("proxy", "proxy2", False),
        ("x" * 300, "x" * 300, False),
        ("*", "8.8.8.8", True),
        ("10.0.0.1,*", "8.8.8.8", True),
        ("", "127.0.0.1", False),
        ([], "127.0.0.1", False),
    ],
)
def test_a_peer_is_trusted_by_address_network_or_name(trusted: str | list[str], host: str, expected: bool) -> None:
    assert TrustedHops(trusted).trusts(host) is expected


@pytest.mark.parametrize("host", [None, ""])
@pytest.mark.parametrize(
    ("trusted", "expected"), [("127.0.0.1,unix:", True), ("*", True), ("127.0.0.1", False), ("", False)]
)
def test_peers_of_a_unix_socket_are_trusted_only_when_it_was_said(
    trusted: str, host: str | None, expected: bool
) -> None:
    assert TrustedHops(trusted).trusts(host) is expected


def test_trust_in_unix_peers_trusts_no_empty_hop() -> None:
    assert TrustedHops("unix:").client_of("1.2.3.4, ") is None


@pytest.mark.parametrize(
    ("entry", "advice"),
    [
        ("10.0.0.1/8", "write 10.0.0.0/8 for the network, or 10.0.0.1 for the address"),
        ("fd00::1/8", "write fd00::/8"),
        ("10.0.0.0/33", "is no network: write one as 10.0.0.0/8"),
        ("unix:/run/nginx.sock", "write 'unix:' to trust"),
    ],
)
def test_a_malformed_network_is_answered_with_what_to_write(entry: str, advice: str) -> None:
    with pytest.raises(UsageError) as caught:
        TrustedHops(f"127.0.0.1,{entry}")
    assert repr(entry) in str(caught.value)
    assert advice in str(caught.value)
    assert "--forwarded-allow-ips" in str(caught.value)


@pytest.mark.parametrize(
    ("trusted", "forwarded_for", "client"),
    [
        ("127.0.0.1", "1.2.3.4", ("1.2.3.4", 0)),
        ("127.0.0.1", "1.2.3.4:5000", ("1.2.3.4", 5000)),
        ("127.0.0.1", "[2001:db8::1]:5000", ("2001:db8::1", 5000)),
        ("127.0.0.1", "[2001:db8::1]", ("2001:db8::1", 0)),
        ("127.0.0.1", "2001:db8::1", ("2001:db8::1", 0)),
        ("127.0.0.1", "6.6.6.6, 1.2.3.4", ("1.2.3.4", 0)),
        ("127.0.0.1,10.0.0.0/8", "1.2.3.4, 10.0.0.9:443, 10.0.0.1", ("1.2.3.4", 0)),
        ("127.0.0.1,10.0.0.0/8", "6.6.6.6, 1.2.3.4, 10.0.0.1", ("1.2.3.4", 0)),
        ("10.0.0.0/8", "10.0.0.1, 10.0.0.2", ("10.0.0.1", 0)),
        ("10.0.0.0/8", "1.2.3.4, ::ffff:10.0.0.2", ("1.2.3.4", 0)),
        ("unix:", "1.2.3.4, unix:", ("1.2.3.4", 0)),
        ("*", "1.2.3.4:80, 5.6.7.8", ("1.2.3.4", 80)),
        ("127.0.0.1", "", None),
        ("*", "", None),
        ("127.0.0.1", "1.2.3.4:99999", ("1.2.3.4:99999", 0)),
        ("127.0.0.1", "1.2.3.4:-1", ("1.2.3.4:-1", 0)),
    ],
)
def test_the_client_is_the_first_hop_from_the_right_that_is_not_trusted(
    trusted: str, forwarded_for: str, client: tuple[str, int] | None
) -> None:
    assert TrustedHops(trusted).client_of(forwarded_for) == client


HEADERS: list[list[tuple[bytes, bytes]]] = [
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
    [(b"x-forwarded-for", b"[]")],
    [(b"x-forwarded-for", b"1.2.3.4:port")],
    [(b"x-forwarded-for", b"unknown, _hidden, \xe9")],
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
    hops = TrustedHops(trusted)
    assert hops.trusts(PEER)
    hops.rewrite(ours)
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
    TrustedHops(PEER, secure=SECURE).rewrite(scope)
    assert scope["scheme"] == scheme


def test_a_secure_websocket_is_told_by_the_same_fields() -> None:
    scope: Scope = {"type": "websocket", "scheme": "ws", "client": None, "headers": [(b"x-forwarded-ssl", b"on")]}
    TrustedHops(PEER, secure=SECURE).rewrite(scope)
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
        TrustedHops(PEER, secure=SECURE).rewrite({"type": "http", "scheme": "http", "headers": headers})
    assert caught.value.status == 400


def test_no_field_tells_the_scheme_if_none_is_named() -> None:
    scope: Scope = {"type": "http", "scheme": "http", "headers": [(b"x-forwarded-proto", b"https")]}
    TrustedHops(PEER, secure={}).rewrite(scope)
    assert scope["scheme"] == "http"


def test_a_malformed_network_of_another_option_is_answered_with_its_name() -> None:
    with pytest.raises(UsageError, match=r"^--proxy-allow-ips has '10\.0\.0\.1/8'"):
        TrustedHops("10.0.0.1/8", "--proxy-allow-ips")
