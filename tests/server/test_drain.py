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


class Peer:
    """A connection, which leaves when it is cut off."""

    def __init__(self, context: Context) -> None:
        self.deadline = 0
        self.context = context
        self.told: list[str] = []
        context.connections.add(self)

    def deadline_passed(self) -> None:
        pass

    def second_passed(self) -> None:
        pass

    def waits(self) -> None:
        return None

    def make_way(self) -> bool:
        return False

    def begin_drain(self) -> None:
        self.told.append("begin")

    def close_if_idle(self) -> None:
        self.told.append("idle")

    def cut_off(self) -> None:
        self.told.append("cut off")

    def abort(self) -> None:
        self.told.append("abort")
        self.context.connections.discard(self)


async def nothing(scope: object, receive: object, send: object) -> None:
    pass


def yes() -> bool:
    return True


def no() -> bool:
    return False


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
        drain = Drain(context, opening=no, forced=no, finish=yes, notice=notice, timeout=timeout)
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
        drain = Drain(context, opening=no, forced=no, finish=yes, notice=5, timeout=None)
        async with asyncio.timeout(5):
            await drain.run(hurry=lambda: False)

    asyncio.run(run())


def a_context() -> Context:
    loop = asyncio.get_running_loop()
    return Context(nothing, loop, make_parser=H11Parser, defaults=default_fields(None, None))


def test_connections_that_come_late_are_told_like_the_others_and_named_when_they_are_waited_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A TLS handshake ends late, a backlog is long: they mustn't get the time that one in a server at work has."""

    async def main() -> Peer:
        context = a_context()
        first = Peer(context)
        draining = asyncio.ensure_future(
            Drain(context, opening=no, forced=no, finish=yes, notice=5, timeout=1.3).run(hurry=no)
        )
        while not first.told:
            await asyncio.sleep(0)
        late = Peer(context)
        await draining
        return late

    with caplog.at_level(logging.INFO, "monoceros.error"):
        late = asyncio.run(main())
    assert late.told[0] == "begin"
    assert late.told[-1] == "abort"
    assert caplog.messages == ["Waiting for connections to close. (CTRL+C to force quit)"]


def test_a_drain_that_is_cancelled_ends_requests_and_connections_and_blames_no_timeout(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> Peer:
        context = a_context()
        peer = Peer(context)
        request = Request("/slow")
        request.task = asyncio.ensure_future(hang())
        context.running.add(request)
        draining = asyncio.ensure_future(
            Drain(context, opening=no, forced=no, finish=yes, notice=5, timeout=30).run(hurry=no)
        )
        while not peer.told:
            await asyncio.sleep(0)
        draining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await draining
        assert request.task.cancelled()
        return peer

    assert asyncio.run(main()).told[-1] == "abort"
    assert caplog.messages == ["The server was cancelled: cancelling GET /slow"]


def test_a_backlog_is_looked_at_until_the_last_descriptor_was_given_back_and_not_for_ever() -> None:
    async def main() -> list[int]:
        context = a_context()
        peer = Peer(context)
        looks: list[int] = []

        def finish() -> bool:
            looks.append(len(context.connections))
            if len(looks) == 3:
                context.connections.discard(peer)
            return False

        async with asyncio.timeout(5):
            await Drain(context, opening=no, forced=no, finish=finish, notice=5, timeout=None).run(hurry=no)
        return looks

    assert asyncio.run(main()) == [1, 1, 1, 0]
