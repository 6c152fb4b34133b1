"""PROXY headers on real sockets: read before anything else, nothing beyond them, and only from those who may."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from monoceros.asgi import Receive, Scope, Send
from monoceros.errors import RequestError
from monoceros.server.proxied import ProxyHeaders
from monoceros.wire.proxy_protocol import SIGNATURE, Accepted, Ends
from tests.doubles.served import PATIENCE, read_all, read_answer, run, serving, until

LINE = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"
BLOCK = SIGNATURE + b"\x21\x11\x00\x0c" + bytes([192, 0, 2, 1, 198, 51, 100, 1]) + b"\xdc\x04\x01\xbb"
ENDS = Ends(("192.0.2.1", 56324), ("198.51.100.1", 443))
NAMED = b"192.0.2.1:56324 198.51.100.1:443"
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.7\r\nConnection: close\r\n\r\n"


class Watched(socket.socket):
    """A socket that counts how often it was looked at."""

    looks = 0

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if flags:
            self.looks += 1
        return super().recv(size, flags)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Watched]]:
    """Both ends of a connection: the peer's, and ours."""
    theirs, other = socket.socketpair()
    with theirs, Watched(fileno=other.detach()) as ours:
        ours.setblocking(False)
        yield theirs, ours


def headers(*, timeout: float = PATIENCE) -> ProxyHeaders:
    return ProxyHeaders(Accepted.AUTO, lambda host: host != "203.0.113.9", timeout)


def test_a_header_is_taken_and_what_follows_it_is_left(pair: tuple[socket.socket, Watched]) -> None:
    theirs, ours = pair
    for header in (LINE, BLOCK):
        theirs.sendall(header + REQUEST)
        assert run(headers().read(ours, None)) == ENDS
        assert ours.recv(65536) == REQUEST


@pytest.mark.parametrize("header", [LINE, BLOCK])
def test_a_header_in_pieces_is_waited_for_without_looking_all_the_time(
    pair: tuple[socket.socket, Watched], header: bytes
) -> None:
    theirs, ours = pair

    async def read() -> Ends | None:
        reading = asyncio.ensure_future(headers().read(ours, None))
        for at in range(0, len(header), 7):
            looks = ours.looks
            theirs.sendall(header[at : at + 7])
            while ours.looks == looks and not reading.done():
                await asyncio.sleep(0)
        return await reading

    assert run(read()) == ENDS
    assert ours.looks <= 2 * (len(header) // 7 + 1)


def test_a_header_may_be_larger_than_what_is_looked_at_in_one_go(pair: tuple[socket.socket, Watched]) -> None:
    theirs, ours = pair
    theirs.sendall(SIGNATURE + b"\x20\x00\x9c\x40" + b"x" * 40000 + REQUEST)
    assert run(headers().read(ours, None)) is None
    assert ours.recv(65536) == REQUEST


def test_from_others_nothing_is_read(pair: tuple[socket.socket, Watched]) -> None:
    theirs, ours = pair
    theirs.sendall(LINE)
    with pytest.raises(RequestError, match="not in --proxy-allow-ips"):
        run(headers().read(ours, "203.0.113.9"))
    assert ours.looks == 0


def test_a_header_must_come_in_time(pair: tuple[socket.socket, Watched]) -> None:
    theirs, ours = pair
    theirs.sendall(LINE[:-1])
    with pytest.raises(RequestError, match="no PROXY header came within 0 s") as caught:
        run(headers(timeout=0).read(ours, None))
    assert caught.value.status == 408


@pytest.mark.parametrize("sent", [b"", LINE[:-1]])
def test_a_peer_that_closes_before_its_header_is_gone(pair: tuple[socket.socket, Watched], sent: bytes) -> None:
    theirs, ours = pair
    theirs.sendall(sent)
    theirs.close()
    with pytest.raises(ConnectionAbortedError):
        run(headers().read(ours, None))


class Losing(Watched):
    """A socket that loses what has come once it was looked at."""

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        return super().recv(size, flags) if flags else b""


def test_a_peer_whose_header_is_lost_to_a_reset_is_gone() -> None:
    """And doesn't keep the loop busy for ever."""
    theirs, other = socket.socketpair()
    with theirs, Losing(fileno=other.detach()) as ours:
        ours.setblocking(False)
        theirs.sendall(LINE)
        with pytest.raises(ConnectionAbortedError, match="gone with what it had sent"):
            run(headers().read(ours, None))


# Whole servers.


async def tell(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with both ends, as the scope has them, and the scheme."""
    ends = (f"{end[0]}:{end[1]}" if end else "nobody" for end in (scope["client"], scope["server"]))
    body = " ".join([*ends, scope["scheme"]]).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]}
    )
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], ssl.SSLContext]:
    """The options of a server with TLS, and the context of a client that trusts it."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(path)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return {"ssl_certfile": str(path), "ssl_keyfile": str(path)}, client


def ask_encrypted(sock: socket.socket, context: ssl.SSLContext, header: bytes) -> bytes:
    """Send a header and the first octets of TLS in one piece; then ask, and return what comes until the end."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    sock.setblocking(True)
    sock.settimeout(PATIENCE)
    answer, asked, before = b"", False, header
    while True:
        try:
            if not asked:
                peer.do_handshake()
                peer.write(REQUEST)
                asked = True
            while piece := peer.read(65536):
                answer += piece
            return answer
        except ssl.SSLWantReadError:
            sock.sendall(before + outgoing.read())
            before = b""
            data = sock.recv(65536)
            incoming.write(data) if data else incoming.write_eof()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize(("version", "header"), [("v1", LINE), ("v2", BLOCK), ("auto", LINE), ("auto", BLOCK)])
def test_a_load_balancer_names_the_client(loop: str, version: str, header: bytes) -> None:
    """It isn't the client that is trusted with X-Forwarded-For then, although the balancer would be."""
    with serving(tell, loop=loop, proxy_protocol=version) as served:
        assert served.ask(header + REQUEST).endswith(NAMED + b" http")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("header", [LINE, BLOCK])
def test_it_does_so_before_tls_begins(tls: tuple[dict[str, Any], ssl.SSLContext], loop: str, header: bytes) -> None:
    options, client = tls
    with serving(tell, loop=loop, proxy_protocol="auto", **options) as served, served.connect() as sock:
        assert ask_encrypted(sock, client, header).endswith(NAMED + b" https")


def test_a_header_that_names_nobody_leaves_the_ends_as_they_are() -> None:
    with serving(tell, proxy_protocol="auto", forwarded_allow_ips="") as served, served.connect() as sock:
        sock.sendall(b"PROXY UNKNOWN\r\n" + REQUEST)
        host, port = sock.getsockname()
        assert read_answer(sock)[1].startswith(f"{host}:{port} {served.address[0]}:{served.address[1]} ".encode())


def test_whom_it_names_may_speak_for_others_if_it_is_trusted() -> None:
    with serving(tell, proxy_protocol="v1", forwarded_allow_ips="192.0.2.0/24") as served:
        assert b"\r\n\r\n203.0.113.7:0 " in served.ask(LINE + REQUEST)


def test_who_names_a_unix_socket_is_not_trusted_as_one() -> None:
    """Peers of a unix socket may be trusted; a header that came over TCP must not make one of its sender."""
    header = BLOCK[:12] + b"\x21\x31" + (216).to_bytes(2) + bytes(216)
    with serving(tell, proxy_protocol="v2", forwarded_allow_ips="unix:") as served:
        assert b"\r\n\r\nnobody " in served.ask(header + REQUEST)


@pytest.mark.parametrize(
    ("options", "sent", "reason"),
    [
        ({"proxy_allow_ips": "192.0.2.1"}, LINE + REQUEST, "its peer is not in --proxy-allow-ips"),
        ({}, REQUEST, "it doesn't begin with a PROXY header of v1"),
        ({}, BLOCK + REQUEST, "it doesn't begin with a PROXY header of v1"),
        ({}, b"PROXY TCP4 a b c d\r\n" + REQUEST, "its PROXY line is malformed"),
    ],
)
def test_a_connection_that_is_not_a_load_balancers_is_refused_with_one_line(
    caplog: pytest.LogCaptureFixture, options: dict[str, Any], sent: bytes, reason: str
) -> None:
    with caplog.at_level(logging.WARNING, "monoceros.error"), serving(tell, proxy_protocol="v1", **options) as served:
        with served.connect() as sock:
            peer = "{}:{}".format(*sock.getsockname())
            sock.sendall(sent)
            assert read_all(sock) == b""
        assert [record.message for record in caplog.records] == [f"A connection from {peer} was refused: {reason}"]


def test_a_probe_that_says_nothing_is_no_matter(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "monoceros.error"), serving(tell, proxy_protocol="v1") as served:
        served.connect().close()
        assert served.ask(LINE + REQUEST).endswith(NAMED + b" http")
        until(lambda: not served.server.servers[0].opening, "the probe is let go")
    assert caplog.records == []


@pytest.mark.parametrize(("allowed", "answered"), [("unix:", True), ("*", True), ("127.0.0.1", False)])
def test_peers_of_a_unix_socket_are_load_balancers_if_it_was_said(tmp_path: Path, allowed: str, answered: bool) -> None:
    path = str(tmp_path / "app.sock")
    with (
        serving(tell, proxy_protocol="auto", proxy_allow_ips=allowed, uds=path),
        socket.socket(socket.AF_UNIX) as sock,
    ):
        sock.settimeout(PATIENCE)
        sock.connect(path)
        with contextlib.suppress(BrokenPipeError):
            sock.sendall(BLOCK + REQUEST)
        assert read_all(sock).endswith(NAMED + b" http") is answered


def test_headers_are_off_by_default() -> None:
    with serving(tell) as served:
        assert served.ask(LINE + REQUEST).startswith(b"HTTP/1.1 400 ")


def test_a_silent_peer_does_not_put_off_a_stop() -> None:
    with serving(tell, proxy_protocol="v1") as served, served.connect() as sock:
        until(lambda: served.server.servers[0].opening, "the connection is accepted")
        served.server.drain(hurry=True)
        served.join()
        assert read_all(sock) == b""


def test_who_waited_in_the_backlog_is_served_in_a_drain() -> None:
    with serving(tell, proxy_protocol="v1") as served, served.connect() as sock:
        served.server.drain()
        sock.sendall(LINE + REQUEST)
        assert read_answer(sock)[1].startswith(NAMED)
        served.join()
