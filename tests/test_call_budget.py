"""How many calls a small request, and a small message, costs: the one measure of speed that every machine agrees on.

A real connection on a real event loop, a client in a thread of its own, and `sys.setprofile` in the thread of the loop.
The budgets may shrink, never grow. System calls have theirs in `tests/process/test_system_calls.py`.
"""

import asyncio
import socket
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from monoceros.asgi import Receive, Scope, Send
from monoceros.protocol.context import Context, WebSocketOptions
from monoceros.protocol.http1 import HTTP1Connection
from monoceros.wire.engine import EngineOptions
from monoceros.wire.httptools_parser import HttptoolsParser
from monoceros.wire.response import default_fields
from monoceros.wire.websockets_engine import WebsocketsEngine
from tests.doubles.counting import CallCounter, Calls, Stretch
from tests.doubles.websocket_client import BINARY, TEXT, frame, handshake_request

uvloop = pytest.importorskip("uvloop")


class Budget(NamedTuple):
    """Calls in Python and in C: ours, and those below us on each of the loops."""

    own: tuple[int, int]
    uvloop: tuple[int, int]
    asyncio: tuple[int, int]


BUDGETS = {
    "GET of 1 field": Budget((13, 23), (2, 2), (23, 24)),
    "GET of 12 fields": Budget((13, 23), (2, 2), (23, 24)),
    "GET of 12 fields, one a new cookie": Budget((15, 34), (2, 2), (23, 24)),
    "POST of 1 KiB": Budget((17, 22), (2, 2), (23, 24)),
    "text message": Budget((11, 16), (0, 0), (23, 26)),
    "text message of 1 KiB": Budget((11, 17), (0, 0), (23, 26)),
    "binary message": Budget((13, 17), (0, 0), (23, 26)),
    "10 text messages at once": Budget((81, 205), (0, 0), (43, 36)),
}
"""As measured. Of the 11 calls of a message, three are coroutines that go on: `run`, and `receive` twice."""

MEASURED = (3, 11)
BELOW_ELSEWHERE = (50, 50)
"""What lies below us on another version of Python is its own affair, within reason."""

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "uvloop": uvloop.new_event_loop,
    "asyncio": asyncio.SelectorEventLoop,
}

TIMES, FIRST = 10, 5
"""How often each is sent, and how many of these don't count: caches fill, and a connection learns what comes again."""

HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"13")]
BROWSER = (
    "Host: 127.0.0.1:8000\r\nConnection: keep-alive\r\nCache-Control: max-age=0\r\nUpgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nSec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nAccept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-GB,en;q=0.5\r\n"
)
POST = f"POST /hello HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n{'1':>1024}"
GREETING = b"Hello, world!"
PAYLOAD = b"sixteen octets.."

SENT = {
    "GET of 1 field": b"GET /hello?x=1 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n",
    "GET of 12 fields": f"GET /hello?x=1 HTTP/1.1\r\n{BROWSER}Priority: u=0, i\r\n\r\n".encode(),
    "GET of 12 fields, one a new cookie": f"GET /hello?x=1 HTTP/1.1\r\n{BROWSER}Cookie: seen=(time)\r\n\r\n".encode(),
    "POST of 1 KiB": POST.encode(),
    "text message": frame(TEXT, PAYLOAD),
    "text message of 1 KiB": frame(TEXT, PAYLOAD.rjust(1024)),
    "binary message": frame(BINARY, PAYLOAD),
    "10 text messages at once": frame(TEXT, PAYLOAD) * 10,
}


class Repetition:
    """One thing, sent and answered again and again on one connection; its calls are counted from one time to the next.

    Arguments:
        name: of SENT.
    """

    def __init__(self, name: str) -> None:
        self._sent = SENT[name]
        self._websocket = "message" in name
        self._at_once = 10 if name.startswith("10 ") else 1
        self._counter = CallCounter()

    def count(self, make_loop: Callable[[], asyncio.AbstractEventLoop]) -> list[Stretch]:
        """Have it answered, and return the calls of each time but the first ones and the last."""
        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(self._serve())
        return self._counter.stretches[FIRST:]

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        context = Context(
            self._application,
            loop,
            make_parser=HttptoolsParser,
            defaults=default_fields("Thu, 01 Jan 1970 00:00:00 GMT", "monoceros"),
            websocket=WebSocketOptions(lambda: WebsocketsEngine(EngineOptions())),
        )
        server = await loop.create_server(lambda: HTTP1Connection(context), "127.0.0.1", 0)
        async with server:
            client = loop.run_in_executor(None, self._ask, server.sockets[0].getsockname()[1])
            with self._counter:
                await client

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._echo(receive, send)
            return
        self._counter.mark()
        if scope["method"] == "POST":
            assert len((await receive())["body"]) == 1024
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": GREETING})

    async def _echo(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        received = 0
        while (message := await receive())["type"] == "websocket.receive":
            if received % self._at_once == 0:
                self._counter.mark()
            received += 1
            await send({**message, "type": "websocket.send"})

    def _ask(self, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), 10) as sock:
            if self._websocket:
                sock.sendall(handshake_request("dGhlIHNhbXBsZSBub25jZQ=="))
                self._read_until(sock, b"\r\n\r\n", 1)
            for time in range(TIMES):
                sock.sendall(self._sent.replace(b"(time)", b"%d" % time))
                self._read_until(sock, PAYLOAD if self._websocket else GREETING, self._at_once)

    @staticmethod
    def _read_until(sock: socket.socket, end: bytes, times: int) -> None:
        data = b""
        while data.count(end) < times:
            piece = sock.recv(4096)
            assert piece, f"closed after {data!r}"
            data += piece


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("name", BUDGETS)
def test_what_is_small_stays_within_its_budget_of_calls(name: str, loop: str) -> None:
    below = getattr(BUDGETS[name], loop) if sys.version_info[:2] == MEASURED else BELOW_ELSEWHERE
    budget = Calls(*BUDGETS[name].own, *below)
    stretches = Repetition(name).count(LOOPS[loop])
    assert len(stretches) == TIMES - FIRST - 1
    for stretch in stretches:
        assert not stretch.beyond(budget), (stretch.calls, stretch.beyond(budget))
