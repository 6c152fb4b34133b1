"""A worker's way from start to end, step by step, with a server that notes what it is told. No process is forked."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from gunicorn.config import Config as GunicornConfig
from gunicorn.errors import HaltServer
from gunicorn.glogging import Logger

from monoceros.server.server import Server
from monoceros.workers import UvicornWorker
from monoceros.workers.base import EXIT_ABORTED, Life, MonocerosWorker
from monoceros.workers.siblings import Siblings, Stage


@dataclass
class FakeState:
    total_requests: int = 7
    tasks: set[object] = field(default_factory=set)


@dataclass
class FakeServer:
    server_state: FakeState = field(default_factory=FakeState)
    told: list[str] = field(default_factory=list)
    within: float | None = None

    def drain(self, *, hurry: bool = False, within: float | None = None, replaced: bool = False) -> None:
        self.told.append("hurry" if hurry else "drain")
        self.within = within

    def stop(self) -> None:
        self.told.append("stop")


class Alone(UvicornWorker):
    """Its siblings are those of one test."""

    crew: ClassVar[Siblings]

    def _crew(self) -> Siblings:
        return self.crew


@pytest.fixture
def cfg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    settings = GunicornConfig()
    settings.set("errorlog", str(tmp_path / "error.log"))
    Alone.crew = Siblings()
    monkeypatch.setattr(MonocerosWorker, "_options", None)  # those of this test's arbiter
    return settings


@pytest.fixture
def make(cfg: Any) -> Iterator[Callable[..., Any]]:
    made: list[Any] = []
    log = Logger(cfg)

    def make(worker_class: type[MonocerosWorker] = Alone) -> Any:
        worker = worker_class(len(made) + 1, os.getppid(), [], None, cfg.timeout / 2, cfg, log)
        worker.pid = os.getpid()
        worker.server = cast(Server, FakeServer())
        made.append(worker)
        return worker

    yield make
    for worker in made:
        worker.tmp.close()
    for handler in log.error_log.handlers[:]:
        log.error_log.removeHandler(handler)
        handler.close()


def on_a_loop(steps: Callable[[], Awaitable[None]]) -> None:
    """Run the steps of a test where a worker expects to be: on an event loop's thread."""

    async def main() -> None:
        await steps()

    asyncio.run(main())


def test_a_worker_has_its_config_before_the_fork(make: Callable[..., Any]) -> None:
    class Custom(Alone):
        CONFIG_KWARGS = {"root_path": "/api"}  # noqa: RUF012 - as users write it

    assert make(Custom).config.root_path == "/api"


@pytest.mark.parametrize("options", [{"ws_max_size": "big"}, {"no_such_option": 1}])
def test_a_wrong_option_halts_the_arbiter(make: Callable[..., Any], options: dict[str, Any]) -> None:
    class Wrong(Alone):
        CONFIG_KWARGS = options

    with pytest.raises(HaltServer) as caught:
        make(Wrong)
    assert caught.value.exit_status == 2
    assert caught.value.reason.startswith("Wrong: ")


def test_a_worker_starts_then_serves_then_drains(make: Callable[..., Any]) -> None:
    worker = make()

    async def steps() -> None:
        assert worker._seat.stage is Stage.STARTING
        worker.server_ready()
        assert (worker._life, worker._seat.stage) == (Life.SERVING, Stage.SERVING)
        worker.beat()
        assert worker.nr == 7
        worker.handle_exit(15, None)
        worker.handle_exit(15, None)
        await asyncio.sleep(0)
        assert (worker._life, worker._seat.stage) == (Life.DRAINING, Stage.LEAVING)
        assert worker.server.told == ["drain"]

    on_a_loop(steps)
    worker._watch.end()


def test_a_dismissed_worker_drains_once_the_younger_one_serves(make: Callable[..., Any]) -> None:
    old, young = make(), make()

    async def steps() -> None:
        old.server_ready()
        old.handle_exit(15, None)
        await asyncio.sleep(0)
        assert (old._life, old.server.told) == (Life.DISMISSED, [])
        young.server_ready()
        while not old.server.told:
            await asyncio.sleep(0.01)
        assert old._life is Life.DRAINING

    on_a_loop(steps)


class Delayed(Alone):
    CONFIG_KWARGS = {"drain_delay": 600}  # noqa: RUF012 - as users write it


def test_a_worker_that_ends_for_good_serves_on_for_its_delay_within_the_arbiters_patience(
    make: Callable[..., Any], cfg: Any
) -> None:
    cfg.set("graceful_timeout", 1)
    worker = make(Delayed)

    async def steps() -> None:
        begun = asyncio.get_running_loop().time()
        worker.server_ready()
        worker.handle_exit(15, None)
        await asyncio.sleep(0)
        assert (worker._life, worker.server.told) == (Life.DISMISSED, [])
        while not worker.server.told:
            await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() - begun >= 0.7
        assert worker.server.within == 0
        while "stop" not in worker.server.told:
            await asyncio.sleep(0.01)

    on_a_loop(steps)


def test_a_worker_that_is_replaced_does_not_wait_for_its_delay(make: Callable[..., Any]) -> None:
    old, young = make(Delayed), make(Delayed)

    async def steps() -> None:
        old.server_ready()
        old.handle_exit(15, None)
        await asyncio.sleep(0)
        young.server_ready()
        while not old.server.told:
            await asyncio.sleep(0.01)
        assert old._life is Life.DRAINING

    on_a_loop(steps)


def test_workers_at_their_limit_leave_one_at_a_time(make: Callable[..., Any]) -> None:
    first, second = make(), make()

    async def steps() -> None:
        first.server_ready()
        second.server_ready()
        first.limit_reached("spent")
        second.limit_reached("spent")
        assert (first.server.told, second.server.told) == (["drain"], [])
        assert second._life is Life.SPENT
        second.handle_exit(15, None)
        while not second.server.told:
            await asyncio.sleep(0.01)

    on_a_loop(steps)


def test_a_quick_stop_is_one_whatever_came_before(make: Callable[..., Any]) -> None:
    worker = make()

    async def steps() -> None:
        worker.server_ready()
        worker.handle_exit(15, None)
        worker.handle_quit(3, None)
        worker.handle_quit(2, None)
        await asyncio.sleep(0)
        assert worker.server.told == ["drain", "hurry"]
        assert worker._life is Life.ENDING
        worker._end_at_once(True)
        assert worker.server.told == ["drain", "hurry", "stop"]

    on_a_loop(steps)


def test_a_worker_without_its_arbiter_drains(make: Callable[..., Any]) -> None:
    worker = make()

    async def steps() -> None:
        worker.server_ready()
        worker.ppid = -1
        worker.beat()
        worker.beat()
        assert worker.server.told == ["drain"]

    on_a_loop(steps)
    worker._watch.end()


def test_a_start_is_broken_off_by_a_stop(make: Callable[..., Any]) -> None:
    worker = make()
    worker.handle_exit(15, None)
    assert (worker.server.told, worker._seat.stage) == (["hurry"], Stage.LEAVING)
    worker.server = None
    with pytest.raises(SystemExit) as caught:
        worker.handle_quit(3, None)
    assert caught.value.code == 0


def test_an_aborted_worker_logs_where_it_was(make: Callable[..., Any], tmp_path: Path) -> None:
    worker = make()
    with pytest.raises(SystemExit) as caught:
        worker.handle_abort(6, None)
    assert caught.value.code == EXIT_ABORTED
    assert worker.server.told == ["stop"]
    assert "Thread MainThread:" in (tmp_path / "error.log").read_text()


def test_a_reload_waits_for_the_thread_that_calls_the_hook(make: Callable[..., Any]) -> None:
    """It writes to the worker's pipe before it calls `worker_int`."""
    worker, told = make(), threading.Event()
    worker.reloader = threading.Thread(target=told.wait, daemon=True)
    reading, writing = os.pipe()
    worker.PIPE = (reading, writing)

    async def steps() -> None:
        worker.reloader.start()
        worker.server_ready()
        worker.alive = False
        os.write(writing, b"1")
        await asyncio.sleep(0.05)
        assert worker.server.told == []
        told.set()
        while not worker.server.told:
            await asyncio.sleep(0.01)
        assert worker.server.told == ["hurry"]

    on_a_loop(steps)
    for descriptor in worker.PIPE:
        os.close(descriptor)


def test_a_hook_that_raises_in_a_signal_handler_is_logged_by_its_name(
    make: Callable[..., Any], cfg: Any, tmp_path: Path
) -> None:
    def broken(worker: Any) -> None:
        raise LookupError("nobody to tell")

    cfg.set("worker_int", broken)
    cfg.set("worker_abort", broken)
    worker = make()
    worker.handle_quit(3, None)
    assert worker.server.told == ["hurry"]
    with pytest.raises(SystemExit) as caught:
        worker.handle_abort(6, None)
    assert caught.value.code == EXIT_ABORTED
    errors = (tmp_path / "error.log").read_text()
    for name in ("worker_int", "worker_abort"):
        assert f"The hook {name} raised: worker {worker.pid} goes on without it" in errors
    assert errors.count("LookupError: nobody to tell") == 2


def test_warnings_about_options_are_logged_once_by_the_arbiter(
    cfg: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[..., Any]
) -> None:
    monkeypatch.setenv("MONOCEROS_PORT", "80")
    log = make().log
    UvicornWorker.check_config(cfg, log)
    assert (tmp_path / "error.log").read_text().count("is not read: under Gunicorn") == 1
