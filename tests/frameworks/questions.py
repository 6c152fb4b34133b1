"""What every application is asked, and what it should answer, whoever serves it.

An answer keeps the application's part of a response: status, fields and content. `Date` and `Server` are the server's,
and how a body is framed is its choice.
"""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.doubles.websocket_client import WebSocketClient

PATIENCE = 30.0  # seconds: only a failing test waits that long

THE_SERVERS = {"date", "server", "connection", "content-length", "transfer-encoding"}

TEXT = "h\u00e9llo"
LARGE = bytes(range(256)) * 4096  # 1 MiB: more than any buffer on its way

BOUNDARY = "----boundary"
MULTIPART = (
    f"--{BOUNDARY}\r\n"
    'Content-Disposition: form-data; name="file"; filename="caf\u00e9.txt"\r\n'
    "Content-Type: text/plain\r\n"
    "\r\n"
    f"{'line' * 50_000}\r\n"
    f"--{BOUNDARY}--\r\n"
).encode()


class Answer(NamedTuple):
    """An application's part of a response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def content(self) -> object:
        """The body, decoded if it is JSON."""
        content_type = dict(self.headers).get("content-type", "")
        return json.loads(self.body) if content_type.startswith("application/json") else self.body


class Conversation(NamedTuple):
    """A WebSocket from its handshake to its close."""

    subprotocol: str | None
    messages: list[str | bytes]
    close: tuple[int, str]


def ask(port: int, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] = {}) -> Answer:
    """Send one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, PATIENCE)
    try:
        connection.request(method, target, body, dict(headers))
        response = connection.getresponse()
        fields = [(name.lower(), value) for name, value in response.getheaders()]
        return Answer(response.status, [each for each in fields if each[0] not in THE_SERVERS], response.read())
    finally:
        connection.close()


@dataclass(frozen=True)
class Question:
    """One thing to ask.

    Arguments:
        name: what it is about; an application may lack it.
        method, target, body, headers: the request.
        status: expected.
        content: expected; None if it is the framework's to choose.
        fields: expected among the response's.
    """

    name: str
    method: str
    target: str
    content: object
    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[tuple[str, str], ...] = ()

    def ask(self, port: int) -> Answer:
        """Ask the server on a port."""
        return ask(port, self.method, self.target, self.body, self.headers)

    def check(self, answer: object) -> None:
        """Raise AssertionError if this isn't the answer."""
        assert isinstance(answer, Answer)
        assert answer.status == self.status, answer
        assert self.content is None or answer.content == self.content, answer
        assert set(self.fields) <= set(answer.headers), answer


@dataclass(frozen=True)
class Conversing:
    """A WebSocket: a text and some bytes are echoed, then the application closes it. Otherwise like a question."""

    name: str = "websocket"

    def ask(self, port: int) -> Conversation:
        with WebSocketClient.connect("127.0.0.1", port, "/ws", subprotocols=["echo"], timeout=PATIENCE) as client:
            client.send_text(TEXT)
            messages = [client.recv_message()]
            client.send_bytes(LARGE)
            messages.append(client.recv_message())
            return Conversation(client.subprotocol, messages, client.recv_close())

    def check(self, answer: object) -> None:
        assert answer == Conversation("echo", [TEXT, LARGE], (4321, "enough"))


BYTES = {"content-type": "application/octet-stream"}
JSON = {"content-type": "application/json"}
CHUNKED = BYTES | {"transfer-encoding": "chunked"}

QUESTIONS: tuple[Question | Conversing, ...] = (
    Question("json", "GET", "/json", {"hello": "world"}),
    Question("json body", "POST", "/json", {"doubled": 42}, body=b'{"number": 21}', headers=JSON),
    Question("empty body", "POST", "/echo", b"", body=b"", headers=BYTES),
    Question("large body", "POST", "/echo", LARGE, body=LARGE, headers=BYTES),
    Question("chunked body", "POST", "/echo", b"part", body=b"4\r\npart\r\n0\r\n\r\n", headers=CHUNKED),
    Question(
        "path and query",
        "GET",
        "/path/caf%C3%A9%20au/l%61it?q=a%26b&q=%C3%BC+%2B",
        {"path": "caf\u00e9 au/lait", "query": ["a&b", "\u00fc +"]},
    ),
    Question(
        "headers",
        "GET",
        "/headers",
        {"question": "what, and why?"},
        headers={"X-Question": "what, and why?"},
        fields=(("x-answer", "42"),),
    ),
    Question("cookies", "GET", "/cookies", {"a": "1", "b": "2"}, headers={"Cookie": "a=1; b=2"}),
    Question("stream", "GET", "/stream", b"one two three"),
    Question("thread", "GET", "/thread", {"ran": "in a thread"}),
    Question(
        "upload",
        "POST",
        "/upload",
        {"name": "caf\u00e9.txt", "type": "text/plain", "size": 200_000},
        body=MULTIPART,
        headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
    ),
    Question("state", "GET", "/state", {"state": "from start-up"}),
    Question("no such path", "GET", "/nowhere", None, status=404),
    Question("error", "GET", "/error", None, status=500),
    Conversing(),
)
