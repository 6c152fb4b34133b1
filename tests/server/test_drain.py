"""The end of connections and requests, seen from the log; what clients see is in test_server.py."""

import asyncio
import logging

import pytest

from monoceros.protocol.context import Context
from monoceros.server.drain import NAMED, Drain
from monoceros.wire.h11_parser import H11Parser
from monoceros.wire.response import default_fields


class Request:
    """An application at work for a request."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.task: asyncio.Task[None] | None = None
        self.told: list[str] = []

    def tick(self) -> None:
        pass

    def notify_drain(self) -> None:
        self.told.append("notified")

    def cut_off(self) -> None:
        self.told.append("cut off")

    def describe(self) -> str:
        return f"GET {self.path}"


async def nothing(scope: object, receive: object, send: object) -> None:
    pass


async def hang() -> None:
    await asyncio.Event().wait()


def drained(paths: list[str], *, timeout: float | None, notice: float = 5, hurry: bool = False) -> list[Request]:
    """Drain a server on which requests hang, and return them."""

    async def run() -> list[Request]:
        loop = asyncio.get_running_loop()
        context = Context(nothing, loop, make_parser=H11Parser, defaults=default_fields(None, None))
        requests = [Request(path) for path in paths]
        for request in requests:
            request.task = loop.create_task(hang())
        context.running.update(requests)
        drain = Drain(context, opening=lambda: False, forced=lambda: False, notice=notice, timeout=timeout)
        await drain.run(hurry=lambda: hurry)
        assert not context.lasting
        return requests

    return asyncio.run(run())


def test_what_is_waited_for_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "monoceros.error"):
        drained(["/slow"], timeout=1.2)
    assert "Waiting for GET /slow. (CTRL+C to force quit)" in caplog.text


def test_what_is_cut_off_is_named_in_the_log_but_not_all_of_it(caplog: pytest.LogCaptureFixture) -> None:
    drained([f"/{number}" for number in range(NAMED + 2)], timeout=0)
    assert "Graceful timeout of 0 s exceeded: cancelling GET /" in caplog.text
    assert caplog.text.count("GET /") == NAMED
    assert "and 2 more" in caplog.text


def test_requests_are_told_at_the_end_of_the_notice_period() -> None:
    assert drained(["/"], timeout=0.2, notice=0)[0].told[0] == "notified"


def test_in_a_hurry_what_was_told_is_cut_off_once() -> None:
    (request,) = drained(["/"], timeout=0.8, hurry=True)
    assert request.told[0] == "notified"
    assert request.told.count("cut off") == 1


def test_a_task_cancelled_before_its_first_step_holds_up_nothing() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        context = Context(nothing, loop, make_parser=H11Parser, defaults=default_fields(None, None))
        request = Request("/")
        request.task = loop.create_task(hang())
        request.task.cancel()
        context.running.add(request)
        drain = Drain(context, opening=lambda: False, forced=lambda: False, notice=5, timeout=None)
        async with asyncio.timeout(5):
            await drain.run(hurry=lambda: False)

    asyncio.run(run())
