"""The end of TLS connections, on both loops: no silent peer puts off a stop, no slow reader is cut."""

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from monoceros.asgi import Receive, Scope, Send
from monoceros.server.unsent import MOST_UNSENT, holds_unsent
from tests.doubles.certificates import Pair
from tests.doubles.served import Served, read_answer, serving, until

PROMPT = 6.0
"""Seconds: less than a TLS handshake (10) or a close (30) may take by themselves, many times what a stop needs."""

BIG = b"x" * (16 << 20)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["asyncio", "uvloop"])
def served(pair: Pair, request: pytest.FixtureRequest) -> Iterator[Served]:
    with serving(answer, loop=request.param, **pair.options) as running:
        yield running


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": BIG if scope["path"] == "/big" else b"hello"})


def ask(sock: socket.socket, path: str) -> None:
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


def until_some(look: Callable[[], list[Any]]) -> list[Any]:
    until(look, "there is one")
    return look()


def stop(served: Served) -> float:
    """Stop in a hurry; return how long it took."""
    begun = time.monotonic()
    served.server.drain(hurry=True)
    served.join()
    return time.monotonic() - begun


def test_an_idle_peer_that_does_not_answer_a_close_is_not_waited_for(served: Served, pair: Pair) -> None:
    with served.connect() as plain, pair.client.wrap_socket(plain, server_hostname="localhost") as sock:
        ask(sock, "/")
        assert read_answer(sock)[1] == b"hello"
        assert stop(served) < PROMPT


def test_a_peer_that_does_not_shake_hands_is_not_waited_for(served: Served) -> None:
    with served.connect():
        until(lambda: served.server.servers[0].opening, "the connection is accepted")
        assert stop(served) < PROMPT


def test_a_response_that_the_peer_still_reads_is_known_of(served: Served, pair: Pair) -> None:
    """It has left the buffer that the transport tells of."""
    seen: list[Any] = []
    with contextlib.ExitStack() as stack:
        sock = pair.client.wrap_socket(stack.enter_context(served.connect()), server_hostname="localhost")
        stack.enter_context(sock)
        ask(sock, "/")
        read_answer(sock)
        (connection,) = served.server.server_state.connections
        transport: asyncio.Transport = connection._transport
        assert not holds_unsent(transport)
        ask(sock, "/big")
        until(lambda: served.server.server_state.total_requests == 2, "the response is written")
        assert holds_unsent(transport)
        seen.append(read_answer(sock)[1])
        until(lambda: not holds_unsent(transport), "the response is read")
    assert seen == [BIG]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has accepted connections inherit the option")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_kernel_holds_little_for_a_client_that_does_not_read_until_the_process_is_to_end(loop: str) -> None:
    """What it holds then is delivered also when the process is gone."""
    with serving(answer, loop=loop) as served, served.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ask(sock, "/big")
        (connection,) = until_some(lambda: list(served.server.server_state.connections))
        transport = connection._transport
        until(lambda: transport.get_write_buffer_size(), "the kernel takes no more")
        held = len(BIG) - transport.get_write_buffer_size()
        assert held < 4 * MOST_UNSENT
        served.server.drain()
        until(lambda: len(BIG) - transport.get_write_buffer_size() > 2 * held, "it takes more")
        served.server.force_exit = True
