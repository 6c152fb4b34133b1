"""The log of ASGI messages at level trace."""

import asyncio

import pytest

from monoceros.asgi import Message, Receive, Scope, Send
from monoceros.logging import TRACE_LOG_LEVEL
from monoceros.server.trace import traced


def exchange(app: object, caplog: pytest.LogCaptureFixture, **changed: object) -> list[str]:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"secret", "more_body": False}

    async def send(message: Message) -> None:
        pass

    scope = {"type": "http", "client": ("127.0.0.1", 5000), "headers": [(b"cookie", b"secret")]} | changed
    with caplog.at_level(TRACE_LOG_LEVEL, "monoceros.asgi"):
        asyncio.run(traced(app)(scope, receive, send))  # type: ignore[arg-type]
    return caplog.messages


def test_messages_are_logged_with_the_size_of_their_content_and_the_number_of_their_fields(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"set-cookie", b"secret")]})
        await send({"type": "http.response.body", "body": b"abc"})

    lines = exchange(app, caplog)
    assert [line.split(" - ")[0] for line in lines] == ["127.0.0.1:5000"] * 5
    assert "'headers': '<1 fields>'" in lines[0]
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


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    """Do nothing."""


def test_what_the_lifespan_left_and_the_subprotocols_are_counted_only(caplog: pytest.LogCaptureFixture) -> None:
    """There are databases' addresses in the one, and tokens in the others: a browser has no other place for them."""
    lines = exchange(silent, caplog, state={"dsn": "secret"}, subprotocols=["bearer", "secret"])
    assert "'state': '<1 entries>', 'subprotocols': '<2 names>'" in lines[0]
    assert "secret" not in "".join(lines)


def test_whatever_a_message_holds_is_shown_on_one_line(caplog: pytest.LogCaptureFixture) -> None:
    class Shown:
        def __repr__(self) -> str:
            return "\x1b[2J\r\n\x9b\u2028"

    (started, _) = exchange(silent, caplog, client=("\x1b\x85", 1), path="/\x9b\u2028\udc80", mine=Shown())
    assert started.isprintable()
    assert started.startswith("\\x1b\\x85:1 - ASGI [1] Started scope=")
    assert "\\x1b[2J\\x0d\\x0a\\x9b\\u2028" in started


def test_a_message_of_another_shape_is_passed_on_for_the_server_to_judge(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": iter([(b"a", b"secret")])})
        await send({"type": "http.response.body", "body": 5})

    lines = exchange(app, caplog)
    assert "'headers': '<...>'" in lines[1]
    assert "'body': '<...>'" in lines[2]


def test_without_a_client_a_line_begins_with_the_request(caplog: pytest.LogCaptureFixture) -> None:
    assert exchange(silent, caplog, client=None)[0].startswith("ASGI [1] Started")
