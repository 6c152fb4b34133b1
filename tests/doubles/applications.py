"""Applications to serve: one that the test plays itself, and a few that are done in a line."""

import asyncio
from typing import Any

from monoceros.asgi import Message, Receive, Scope, Send
from tests.doubles.loop import ManualLoop

PLAIN = [(b"content-type", b"text/plain")]


class Call:
    """One call of a PlayedApplication: the test says what the application does next.

    Attributes:
        scope: the connection scope.
        cancelled: the call was cancelled, which is how it ended.
    """

    def __init__(self, loop: ManualLoop, scope: Scope, receive: Receive, send: Send) -> None:
        self._loop = loop
        self._receive = receive
        self._send = send
        self._ended: asyncio.Future[Any] = loop.create_future()
        self.scope = scope
        self.cancelled = False

    async def run(self) -> None:
        try:
            return await self._ended  # type: ignore[no-any-return]
        except asyncio.CancelledError:
            self.cancelled = True
            raise

    def begin_send(self, kind: str, **fields: object) -> "asyncio.Task[None]":
        """Send a message. The task is done once the server took it."""
        return self.begin_send_message({"type": kind, **fields})

    def begin_send_message(self, message: Message) -> "asyncio.Task[None]":
        task = self._loop.create_task(self._send_message(message))
        self._loop.run_ready()
        return task

    def send_next_turn(self, kind: str, **fields: object) -> "asyncio.Task[None]":
        """Send a message in the next turn of the loop, which the test runs."""
        return self._loop.create_task(self._send_message({"type": kind, **fields}))

    def send(self, kind: str, **fields: object) -> None:
        """Send a message that the server takes at once; raises what `send` raises."""
        self.send_message({"type": kind, **fields})

    def send_message(self, message: Message) -> None:
        task = self.begin_send_message(message)
        assert task.done(), f"the server doesn't take {message['type']!r} yet"
        task.result()

    def begin_receive(self) -> "asyncio.Task[Message]":
        """Wait for a message."""
        task = self._loop.create_task(self._receive_message())
        self._loop.run_ready()
        return task

    def receive(self) -> Message:
        """Return the message that is there."""
        task = self.begin_receive()
        if not task.done():
            task.cancel()
            self._loop.run_ready()
            raise AssertionError("there is no message to receive")
        return task.result()

    def start(self, status: int = 200, headers: object = (), **fields: object) -> None:
        """Send `http.response.start`."""
        self.send("http.response.start", status=status, headers=headers, **fields)

    def body(self, body: object = b"", more: bool = False) -> None:
        """Send `http.response.body`."""
        self.send("http.response.body", body=body, more_body=more)

    def answer(self, body: bytes = b"", status: int = 200) -> None:
        """Send a whole response and return."""
        self.start(status)
        self.body(body)
        self.returns()

    def accept(self, **fields: object) -> None:
        """Take `websocket.connect` and accept it."""
        assert self.receive() == {"type": "websocket.connect"}
        self.send("websocket.accept", **fields)

    def returns(self, result: object = None) -> None:
        """Return from the application."""
        self._ended.set_result(result)
        self._loop.run_ready()

    def raises(self, exc: BaseException) -> None:
        """Raise from the application."""
        self._ended.set_exception(exc)
        self._loop.run_ready()

    @property
    def returned(self) -> bool:
        """The application isn't running any more."""
        return self._ended.done()

    async def _send_message(self, message: Message) -> None:
        await self._send(message)

    async def _receive_message(self) -> Message:
        return await self._receive()


class PlayedApplication:
    """An application whose part the test plays.

    Attributes:
        calls: one for each request and session, in order.
    """

    def __init__(self, loop: ManualLoop) -> None:
        self._loop = loop
        self.calls: list[Call] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(self._loop, scope, receive, send)
        self.calls.append(call)
        return await call.run()


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer each request in two messages, as frameworks do, without a look at its body."""
    await send({"type": "http.response.start", "status": 200, "headers": PLAIN})
    await send({"type": "http.response.body", "body": b"Hello, world!"})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body of the request; echo the messages of a WebSocket."""
    if scope["type"] == "websocket":
        await echo_messages(receive, send)
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": PLAIN})
    await send({"type": "http.response.body", "body": body})


async def echo_messages(receive: Receive, send: Send) -> None:
    """Accept a WebSocket, and say what comes until it ends."""
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({**message, "type": "websocket.send"})
