"""What the log shows of a worker that hangs."""

import asyncio
import inspect
import logging
import threading
from pathlib import Path

from monoceros.server.stacks import TASKS, BlockWatch, describe_stacks
from tests.process.serving import until


def test_every_thread_is_shown_by_its_name() -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="the-thread-that-waits")
    thread.start()
    text = describe_stacks(None, None)
    over.set()
    thread.join()
    assert "Thread the-thread-that-waits:" in text
    assert "test_every_thread_is_shown_by_its_name" in text


def test_the_main_thread_is_shown_where_it_was_interrupted() -> None:
    def handler() -> str:
        frame = inspect.currentframe()
        assert frame is not None
        return describe_stacks(frame.f_back, None)

    main = handler().partition("Thread MainThread:")[2]
    assert "return describe_stacks" not in main
    assert "main = handler()" in main


def test_tasks_that_wait_are_shown_and_not_thousands_of_them() -> None:
    async def waits_for_ever() -> None:
        await asyncio.Event().wait()

    async def main() -> str:
        tasks = [asyncio.ensure_future(waits_for_ever()) for _ in range(TASKS + 7)]
        await asyncio.sleep(0)
        text = describe_stacks(None, asyncio.get_running_loop())
        for task in tasks:
            task.cancel()
        return text

    text = asyncio.run(main())
    assert "await asyncio.Event().wait()" in text
    assert text.endswith("... and 7 tasks more")
    assert "coro=<test_tasks_that_wait_are_shown_and_not_thousands_of_them.<locals>.main" not in text


def test_a_task_is_shown_down_to_where_it_waits() -> None:
    async def innermost() -> None:
        await asyncio.Event().wait()

    async def between() -> None:
        await innermost()

    async def outermost() -> None:
        await between()

    async def main() -> str:
        task = asyncio.ensure_future(outermost())
        await asyncio.sleep(0)
        text = describe_stacks(None, asyncio.get_running_loop())
        task.cancel()
        return text

    text = asyncio.run(main())
    places = [text.index(line) for line in ("await between()", "await innermost()", "asyncio.Event().wait()")]
    assert places == sorted(places)


class Nameless(asyncio.Task[None]):
    """A task that can't even say what it is, as one over compiled code may be."""

    def __repr__(self) -> str:
        raise AttributeError("cr_code")


def test_a_task_that_cannot_be_shown_is_named_and_hides_no_other() -> None:
    async def waits_for_ever() -> None:
        await asyncio.Event().wait()

    async def main() -> str:
        loop = asyncio.get_running_loop()
        tasks = [kind(waits_for_ever(), loop=loop, name=kind.__name__) for kind in (Nameless, asyncio.Task)]
        await asyncio.sleep(0)
        text = describe_stacks(None, loop)
        for task in tasks:
            task.cancel()
        return text

    text = asyncio.run(main())
    assert "Nameless object at 0x" in text
    assert "its stack can't be shown (AttributeError: cr_code)" in text
    assert "await asyncio.Event().wait()" in text


def test_a_watch_that_is_not_put_off_writes_to_the_log(tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "error.log")
    watch = BlockWatch(0.1, [logging.NullHandler(), handler])
    try:
        watch.put_off()
        until(lambda: "most recent call first" in (tmp_path / "error.log").read_text(), "the stacks")
    finally:
        watch.end()
        handler.close()


def test_a_watch_of_no_time_does_not_watch() -> None:
    watch = BlockWatch(0, [])
    watch.put_off()
    watch.end()
