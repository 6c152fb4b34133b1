"""Counting, limits and deadlines of a process."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from monoceros.protocol.context import Context
from tests.doubles.applications import hello
from tests.doubles.loop import ManualLoop
from tests.doubles.stage import GET, PARSERS, Stage


@pytest.mark.parametrize(("seconds", "ticks"), [(0, 1), (0.2, 2), (1, 2), (1.5, 3), (10, 11)])
def test_a_deadline_in_seconds_is_never_early(stage: Stage, seconds: float, ticks: int) -> None:
    """The next tick may come at once: it ends no whole second."""
    stage.context.tick = 100
    assert stage.context.in_seconds(seconds) == 100 + ticks


def test_the_request_limit_is_told_once(stage: Stage) -> None:
    told: list[int] = []
    stage.context.request_limit = 2
    stage.context.limit_reached = lambda: told.append(stage.context.requests)
    peer = stage.connect()
    for _ in range(2):
        peer.send()
        stage.call.answer()
    stage.context.request_ended()
    assert (stage.context.requests, told) == (3, [2])


def test_a_session_counts_for_the_request_limit(stage: Stage) -> None:
    told: list[int] = []
    stage.context.request_limit = 1
    stage.context.limit_reached = lambda: told.append(1)
    peer = stage.connect()
    peer.upgrade()
    stage.call.accept()
    assert told == []
    peer.vanish()
    assert told == [1]


def test_without_a_limit_nothing_is_full(stage: Stage) -> None:
    stage.connect().send()
    assert not stage.context.is_full()
    stage.context.limit_concurrency = 1
    assert stage.context.is_full()


def test_each_request_gets_its_own_copy_of_the_state(stage: Stage) -> None:
    shared: list[int] = []
    stage.context.state = {"shared": shared}
    peer = stage.connect()
    peer.send()
    stage.call.scope["state"]["own"] = 1
    stage.call.scope["state"]["shared"].append(2)
    stage.call.answer()
    peer.send()
    assert stage.call.scope["state"] == {"shared": [2]}
    assert stage.context.state == {"shared": [2]}


def test_a_task_factory_of_the_loop_is_respected() -> None:
    loop = ManualLoop()
    made: list[object] = []

    def factory(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    loop.set_task_factory(factory)  # type: ignore[arg-type]
    stage = Stage(app=hello)
    context = Context(hello, loop, make_parser=PARSERS["h11"], defaults=stage.context.defaults)
    coroutine = _nothing()
    context.create_task(coroutine)
    loop.run_ready()
    assert made == [coroutine]
    stage.close()
    loop.settle()


def test_requests_are_tasks_that_one_finds_by_name(stage: Stage) -> None:
    stage.connect().send(GET)
    (running,) = stage.context.running
    assert running.task is not None
    assert running.task.get_name() == "request"


async def _nothing() -> None:
    pass
