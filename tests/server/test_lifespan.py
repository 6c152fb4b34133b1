"""Start-up and shutdown of applications that speak lifespan, don't, or fail at it."""

import asyncio
import logging

import pytest

from monoceros.asgi import Application, Message, Receive, Scope, Send
from monoceros.errors import StartupError
from monoceros.server.lifespan import Lifespan


def run(app: Application, mode: str = "auto") -> tuple[Lifespan, bool]:
    """Start an application up and shut it down. Return its lifespan, and whether the shutdown succeeded."""

    async def both() -> tuple[Lifespan, bool]:
        lifespan = Lifespan(app, mode)
        await lifespan.startup()
        return lifespan, await lifespan.shutdown()

    return asyncio.run(both())


def speaking(seen: list[str]) -> Application:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        scope["state"]["database"] = "open"
        for _ in range(2):
            message = await receive()
            seen.append(message["type"])
            await send({"type": message["type"] + ".complete"})

    return app


def scripted(*sent: Message, receives: int = 1) -> Application:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(receives):
            await receive()
        for message in sent:
            await send(message)

    return app


def test_an_application_is_started_up_and_shut_down_and_its_state_is_kept() -> None:
    seen: list[str] = []
    lifespan, succeeded = run(speaking(seen))
    assert seen == ["lifespan.startup", "lifespan.shutdown"]
    assert lifespan.state == {"database": "open"}
    assert succeeded


def test_off_does_not_call_the_application() -> None:
    seen: list[str] = []
    run(speaking(seen), "off")
    assert seen == []


def test_auto_takes_an_application_that_refuses_the_scope_as_one_that_does_not_speak_lifespan(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("Django can only handle ASGI/HTTP connections, not lifespan.")

    with caplog.at_level(logging.INFO, "monoceros.error"):
        run(app)
    assert "appears unsupported (ValueError: Django can only" in caplog.text


def test_auto_takes_an_application_that_answers_with_http_as_one_that_does_not_speak_lifespan() -> None:
    run(scripted({"type": "http.response.start", "status": 200}, receives=0))
    run(scripted({"type": "http.response.start", "status": 200}, receives=1))


def test_auto_takes_an_application_that_returns_at_once_as_one_that_does_not_speak_lifespan() -> None:
    run(scripted(receives=0))


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_an_exception_in_start_up_is_never_swallowed(mode: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise ConnectionError("no database")

    with pytest.raises(StartupError, match="ConnectionError: no database") as caught:
        run(app, mode)
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_a_start_up_that_the_application_calls_failed_stops_the_server_with_its_words() -> None:
    with pytest.raises(StartupError, match="no licence"):
        run(scripted({"type": "lifespan.startup.failed", "message": "no licence"}))


def test_on_asks_for_an_application_that_speaks_lifespan() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("only http")

    with pytest.raises(StartupError, match="only http"):
        run(app, "on")
    with pytest.raises(StartupError, match=r"without sending 'lifespan\.startup\.complete'"):
        run(scripted(receives=0), "on")


def test_an_application_that_leaves_its_lifespan_early_is_served_all_the_same() -> None:
    _, succeeded = run(scripted({"type": "lifespan.startup.complete"}))
    assert succeeded


def test_a_failed_shutdown_is_logged_with_the_words_of_the_application(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "a queue wasn't empty"})

    _, succeeded = run(app)
    assert not succeeded
    assert "a queue wasn't empty" in caplog.text


def test_an_exception_in_shutdown_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise OSError("disk full")

    _, succeeded = run(app)
    assert not succeeded
    assert "OSError: disk full" in caplog.text
    assert "Traceback" in caplog.text


def test_messages_out_of_order_say_what_the_application_did() -> None:
    with pytest.raises(StartupError, match=r"sent 'lifespan.shutdown.complete' in its lifespan before start-up"):
        run(scripted({"type": "lifespan.shutdown.complete"}))
