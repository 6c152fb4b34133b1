"""The master's loop over a kernel of data: no process is forked, no second is waited."""

import logging
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

from monoceros.config import Config
from monoceros.supervisor.arbiter import LONGEST_SLEEP, Arbiter
from monoceros.supervisor.channel import Word
from monoceros.supervisor.signals import DUMP_SIGNAL
from tests.doubles.kernel import FakeKernel, Story


def make_arbiter(kernel: FakeKernel, app: str = "nowhere:app", **options: Any) -> Arbiter:
    """A master over a kernel of data, whose options can be read again."""

    def read() -> Config:
        return Config(app, **{"port": 0, "log_config": None, **options})

    return Arbiter(read(), kernel=kernel, read=read)


def run(tell: Callable[[FakeKernel], Story], **options: Any) -> tuple[int, FakeKernel]:
    """Run a master through a story; returns its exit code."""
    kernel = FakeKernel(tell)
    return make_arbiter(kernel, **options).run(), kernel


def test_workers_are_forked_told_to_drain_and_collected(caplog: pytest.LogCaptureFixture) -> None:
    def story(kernel: FakeKernel) -> Story:
        first, second = kernel.processes
        first.say(Word.READY)
        second.say(Word.READY)
        yield
        signal.raise_signal(signal.SIGTERM)
        yield
        assert first.told() == second.told() == [Word.DRAIN]
        kernel.end(first)
        kernel.end(second)
        yield

    with caplog.at_level(logging.INFO, "monoceros.error"):
        code, _ = run(story, workers=2)
    assert code == 0
    said = [record.message.split(" [")[0] for record in caplog.records]
    assert said[0].startswith("Monoceros running on http://127.0.0.1:")
    assert said[1:] == ["Started parent process", "Received SIGTERM, exiting.", "Stopping parent process"]


def test_a_replacement_gets_ready_before_the_old_worker_is_told_to_drain() -> None:
    def story(kernel: FakeKernel) -> Story:
        (old,) = kernel.processes
        old.say(Word.READY)
        yield
        kernel.time += 5
        old.say(Word.LIMIT, "it has served 1000 requests")
        yield
        new = kernel.processes[1]
        new.say(Word.READY)
        yield
        assert old.told() == [Word.DRAIN]
        kernel.end(old)
        yield
        signal.raise_signal(signal.SIGINT)
        yield
        assert new.told() == [Word.HURRY]
        kernel.end(new)
        yield

    code, kernel = run(story)
    assert code == 0
    assert len(kernel.processes) == 2


def test_a_worker_that_dies_is_named_with_how_it_died(caplog: pytest.LogCaptureFixture) -> None:
    def story(kernel: FakeKernel) -> Story:
        (worker,) = kernel.processes
        worker.say(Word.READY)
        kernel.time += 5
        yield
        kernel.end(worker, -signal.SIGKILL)
        yield
        second = kernel.processes[1]
        second.say(Word.READY)
        kernel.end(second, 1)
        yield
        signal.raise_signal(signal.SIGTERM)
        yield

    run(story)
    assert "Worker 1 [pid 5001] was killed by SIGKILL (out of memory?)." in caplog.text
    assert "Worker 1 [pid 5002] exited with code 1." in caplog.text


def test_a_master_whose_workers_cannot_start_exits_with_code_three(caplog: pytest.LogCaptureFixture) -> None:
    def story(kernel: FakeKernel) -> Story:
        for worker in kernel.processes:
            kernel.end(worker, 3)
        yield

    code, _ = run(story, workers=3)
    assert code == 3
    assert caplog.text.count("No worker could start: stopping.") == 1


def test_a_worker_that_cannot_be_forked_is_a_worker_that_cannot_start(caplog: pytest.LogCaptureFixture) -> None:
    def story(kernel: FakeKernel) -> Story:
        (worker,) = kernel.processes
        worker.say(Word.READY)
        kernel.refuses = BlockingIOError(11, "Resource temporarily unavailable")
        kernel.end(worker, 1)
        kernel.time += 20
        yield
        assert kernel.asked == 0
        yield
        kernel.refuses = None
        kernel.pass_time()
        yield
        signal.raise_signal(signal.SIGTERM)
        kernel.end(kernel.processes[1])
        yield

    code, _ = run(story)
    assert code == 0
    assert "Worker 1 could not be forked: Resource temporarily unavailable." in caplog.text


def test_a_blocked_worker_writes_its_stacks_and_is_killed_a_second_later() -> None:
    def story(kernel: FakeKernel) -> Story:
        (worker,) = kernel.processes
        worker.say(Word.READY)
        yield
        assert kernel.asked == 8
        kernel.pass_time()
        yield
        assert kernel.asked == 2
        kernel.pass_time()
        yield
        assert kernel.killed == [(worker.pid, DUMP_SIGNAL)]
        kernel.pass_time()
        yield
        assert kernel.killed[1:] == [(worker.pid, signal.SIGKILL)]
        kernel.end(worker, -signal.SIGKILL)
        signal.raise_signal(signal.SIGTERM)
        kernel.end(kernel.processes[1])
        yield

    run(story, timeout_worker=10)


def test_nobody_is_killed_for_the_time_the_machine_was_suspended() -> None:
    def story(kernel: FakeKernel) -> Story:
        (worker,) = kernel.processes
        worker.say(Word.READY)
        yield
        kernel.time += 100_000
        yield
        assert kernel.killed == []
        assert kernel.asked == 8
        signal.raise_signal(signal.SIGTERM)
        kernel.end(worker)
        yield

    run(story, timeout_worker=10)


def test_a_second_interrupt_does_not_wait(caplog: pytest.LogCaptureFixture) -> None:
    def story(kernel: FakeKernel) -> Story:
        (worker,) = kernel.processes
        worker.say(Word.READY)
        yield
        signal.raise_signal(signal.SIGINT)
        yield
        signal.raise_signal(signal.SIGINT)
        yield
        assert worker.told() == [Word.HURRY, Word.STOP]
        kernel.pass_time()
        yield
        assert kernel.killed == [(worker.pid, signal.SIGKILL)]
        kernel.end(worker, -signal.SIGKILL)
        yield

    run(story)
    assert "out of memory" not in caplog.text


def test_a_worker_that_does_not_listen_gets_a_signal_instead() -> None:
    def story(kernel: FakeKernel) -> Story:
        (worker,) = kernel.processes
        worker.say(Word.READY)
        worker.line.close()
        yield
        signal.raise_signal(signal.SIGTERM)
        yield
        assert kernel.killed == [(worker.pid, signal.SIGTERM)]
        kernel.end(worker)
        yield

    run(story)


def test_the_listeners_are_closed_as_soon_as_nobody_will_accept() -> None:
    arbiters: list[Arbiter] = []

    def story(kernel: FakeKernel) -> Story:
        (worker,) = kernel.processes
        worker.say(Word.READY)
        (address,) = [sock.getsockname() for sock in arbiters[0].listeners.every]
        socket.create_connection(address).close()
        yield
        signal.raise_signal(signal.SIGTERM)
        yield
        assert arbiters[0].listeners.every == []
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        kernel.end(worker)
        yield

    arbiters.append(make_arbiter(FakeKernel(story)))
    assert arbiters[0].run() == 0


def test_a_taken_port_is_an_exit_code_of_three(caplog: pytest.LogCaptureFixture) -> None:
    def story(_: FakeKernel) -> Story:
        yield from ()

    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _ = run(story, port=taken.getsockname()[1])
    assert code == 3
    assert caplog.records


def test_an_edit_reloads_and_the_watcher_ends_with_the_master(caplog: pytest.LogCaptureFixture) -> None:
    def story(kernel: FakeKernel) -> Story:
        watcher, old = kernel.processes
        watcher.say(Word.WATCHING, "WatchFiles")
        old.say(Word.READY)
        kernel.time += 5
        yield
        watcher.say(Word.CHANGED, '["/project/app.py"]')
        yield
        assert old.told() == [Word.HURRY]
        kernel.end(old)
        yield
        kernel.end(kernel.processes[2], 3)
        yield
        assert kernel.asked == LONGEST_SLEEP
        signal.raise_signal(signal.SIGINT)
        yield

    with caplog.at_level(logging.INFO, "monoceros.error"):
        code, kernel = run(story, reload=True, workers=4)
    assert code == 0
    assert kernel.killed == [(kernel.processes[0].pid, signal.SIGKILL)]
    assert "WatchFiles detected changes in '/project/app.py'. Reloading..." in caplog.text
    assert "Waiting for the next change of its files." in caplog.text
    assert "Stopping reloader process" in caplog.text


def test_a_watcher_that_dies_is_missed(caplog: pytest.LogCaptureFixture) -> None:
    def story(kernel: FakeKernel) -> Story:
        watcher, worker = kernel.processes
        worker.say(Word.READY)
        kernel.end(watcher, 1)
        yield
        signal.raise_signal(signal.SIGINT)
        kernel.end(worker)
        yield

    assert run(story, reload=True)[0] == 0
    assert "The reloader exited with code 1: edits of the code are not seen any more." in caplog.text
