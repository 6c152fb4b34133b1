"""The log of ASGI messages at level trace."""

import asyncio

import pytest

from monoceros.asgi import Message, Receive, Scope, Send
from monoceros.logging import TRACE_LOG_LEVEL
from monoceros.server.trace import traced


def exchange(app: object, caplog: pytest.LogCaptureFixture) -> list[str]:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"secret", "more_body": False}

    async def send(message: Message) -> None:
        pass

    scope = {"type": "http", "client": ("127.0.0.1", 5000), "headers": [(b"cookie", b"secret")]}
    with caplog.at_level(TRACE_LOG_LEVEL, "monoceros.asgi"):
        asyncio.run(traced(app)(scope, receive, send))  # type: ignore[arg-type]
    return caplog.messages


def test_messages_are_logged_with_the_size_of_their_content_and_without_headers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"set-cookie", b"secret")]})
        await send({"type": "http.response.body", "body": b"abc"})

    lines = exchange(app, caplog)
    assert [line.split(" - ")[0] for line in lines] == ["127.0.0.1:5000"] * 5
    assert "<6 bytes>" in lines[1]
    assert "<3 bytes>" in lines[3]
    assert lines[4].endswith("Completed")
    assert "secret" not in "".join(lines)


def test_an_exception_passes_and_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        exchange(app, caplog)
    assert caplog.messages[-1].endswith("Raised exception")
