"""What operators ask of a running master, over a kernel of data: reloads, upgrades, scaling, rotation."""

import logging
import os
import signal
import socket
from pathlib import Path

import pytest

from monoceros.config import Config
from monoceros.errors import UsageError
from monoceros.service.pidfile import PidFile
from monoceros.supervisor.arbiter import Arbiter
from monoceros.supervisor.channel import Message, Word
from monoceros.supervisor.luggage import Journey
from tests.doubles.kernel import Executed, FakeKernel, FakeProcess, Story
from tests.supervisor.test_arbiter import make_arbiter, run


def end(kernel: FakeKernel, *workers: FakeProcess) -> Story:
    """The end of a story: the master is told to stop, and the workers leave."""
    signal.raise_signal(signal.SIGINT)
    yield
    for worker in workers:
        kernel.end(worker)
    yield


def test_a_hangup_replaces_the_workers_one_by_one() -> None:
    def story(kernel: FakeKernel) -> Story:
        first, second = kernel.processes
        for worker in (first, second):
            worker.say(Word.READY)
        kernel.time += 5
        yield
        signal.raise_signal(signal.SIGHUP)
        yield
        third = kernel.processes[2]
        assert len(kernel.processes) == 3
        third.say(Word.READY)
        yield
        assert first.told() == [Word.DRAIN]
        fourth = kernel.processes[3]
        fourth.say(Word.READY)
        yield
        assert second.told() == [Word.DRAIN]
        kernel.end(first)
        kernel.end(second)
        yield
        yield from end(kernel, third, fourth)

    assert run(story, workers=2)[0] == 0


def test_options_that_can_not_be_read_leave_the_workers_alone(caplog: pytest.LogCaptureFixture) -> None:
    def read() -> Config:
        raise UsageError("workers: x is not a number of workers (from monoceros.toml)")

    def story(kernel: FakeKernel) -> Story:
        (worker,) = kernel.processes
        worker.say(Word.READY)
        kernel.time += 5
        yield
        signal.raise_signal(signal.SIGHUP)
        yield
        assert len(kernel.processes) == 1
        yield from end(kernel, worker)

    config = Config("nowhere:app", port=0, log_config=None)
    assert Arbiter(config, kernel=FakeKernel(story), read=read).run() == 0
    assert "The reload failed, the options can't be used: workers: x is not" in caplog.text


def test_one_worker_more_and_one_fewer() -> None:
    def story(kernel: FakeKernel) -> Story:
        (first,) = kernel.processes
        first.say(Word.READY)
        yield
        signal.raise_signal(signal.SIGTTIN)
        yield
        second = kernel.processes[1]
        second.say(Word.READY)
        yield
        signal.raise_signal(signal.SIGTTOU)
        yield
        assert second.told() == [Word.DRAIN]
        kernel.end(second)
        signal.raise_signal(signal.SIGTTOU)
        yield
        yield from end(kernel, first)

    assert run(story)[0] == 0


def test_workers_are_told_to_open_their_logs_again(tmp_path: Path) -> None:
    path = tmp_path / "access.log"

    def story(kernel: FakeKernel) -> Story:
        (worker,) = kernel.processes
        worker.say(Word.READY)
        yield
        path.rename(tmp_path / "access.log.1")
        signal.raise_signal(signal.SIGUSR1)
        yield
        assert path.exists()
        assert worker.line.receive() == [Message(Word.REOPEN)]
        yield from end(kernel, worker)

    access, handlers = logging.getLogger("monoceros.access"), logging.getLogger("monoceros.access").handlers
    try:
        assert run(story, access_log_file=path)[0] == 0
    finally:
        for handler in access.handlers:
            handler.close()
        access.handlers = handlers


def test_a_signal_without_a_meaning_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def story(kernel: FakeKernel) -> Story:
        (worker,) = kernel.processes
        signal.raise_signal(signal.SIGALRM)
        yield
        yield from end(kernel, worker)

    with caplog.at_level(logging.INFO, "monoceros.error"):
        run(story)
    assert "Received SIGALRM: it has no meaning here, and is ignored." in caplog.text


def test_a_second_master_is_started_once_and_the_first_goes_on_if_it_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "pid"
    pid_file = PidFile(path)
    pid_file.claim()

    def story(kernel: FakeKernel) -> Story:
        (worker,) = kernel.processes
        worker.say(Word.READY)
        yield
        signal.raise_signal(signal.SIGUSR2)
        yield
        successor = kernel.processes[1]
        assert not path.exists()
        assert (tmp_path / "pid.oldbin").read_text() == f"{os.getpid()}\n"
        signal.raise_signal(signal.SIGUSR2)
        yield
        assert len(kernel.processes) == 2
        kernel.end(successor, 3)
        yield
        assert path.read_text() == f"{os.getpid()}\n"
        yield from end(kernel, worker)

    config = Config("nowhere:app", port=0, log_config=None)
    arbiter = Arbiter(config, kernel=FakeKernel(story), read=lambda: config, pid_file=pid_file)
    assert arbiter.run() == 0
    pid_file.release()
    assert "a second master was started already, and lives" in caplog.text
    assert "The second master [pid 5002] could not start: this one goes on." in caplog.text


def test_the_file_of_a_unix_socket_stays_for_the_second_master(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    def story(kernel: FakeKernel) -> Story:
        (worker,) = kernel.processes
        worker.say(Word.READY)
        yield
        signal.raise_signal(signal.SIGUSR2)
        yield
        kernel.processes[1].line.close()
        yield from end(kernel, worker)

    assert run(story, uds=str(path))[0] == 0
    assert path.exists()


def preloaded(kernel: FakeKernel) -> Arbiter:
    """A master that has its application in memory."""
    return make_arbiter(kernel, preload=True, app="tests.doubles.applications:hello", workers=2)


def test_a_preloading_master_tries_new_code_before_it_executes_in_place() -> None:
    def story(kernel: FakeKernel) -> Story:
        for worker in kernel.processes:
            worker.say(Word.READY)
        yield
        signal.raise_signal(signal.SIGHUP)
        yield
        trial = kernel.processes[2]
        kernel.end(trial, 3)
        yield
        assert kernel.executed == []
        signal.raise_signal(signal.SIGHUP)
        yield
        kernel.end(kernel.processes[3], 0)
        yield
        assert kernel.executed == [], "it left without saying that all was well"
        signal.raise_signal(signal.SIGHUP)
        yield
        kernel.processes[4].say(Word.READY)
        kernel.end(kernel.processes[4], 0)
        yield

    kernel = FakeKernel(story)
    with pytest.raises(Executed):
        preloaded(kernel).run()
    for process in kernel.processes:
        process.line.close()
    (luggage,) = kernel.executed
    assert luggage.journey is Journey.IN_PLACE
    assert [(each.serial, each.slot, each.state, each.pid) for each in luggage.passengers] == [
        (1, 1, "READY", 5001),
        (2, 2, "READY", 5002),
    ]
    assert len(luggage.sockets) == 1
    assert luggage.generation == 1


def test_an_exec_that_fails_leaves_everything_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    def story(kernel: FakeKernel) -> Story:
        workers = list(kernel.processes)
        for worker in workers:
            worker.say(Word.READY)
        yield
        signal.raise_signal(signal.SIGHUP)
        yield
        kernel.refuses = OSError(12, "Cannot allocate memory")
        kernel.processes[2].say(Word.READY)
        kernel.end(kernel.processes[2], 0)
        yield
        kernel.refuses = None
        yield from end(kernel, *workers)

    assert preloaded(FakeKernel(story)).run() == 0
    assert "This program could not be executed again" in caplog.text


def test_a_stop_ends_a_trial() -> None:
    def story(kernel: FakeKernel) -> Story:
        workers = list(kernel.processes)
        for worker in workers:
            worker.say(Word.READY)
        yield
        signal.raise_signal(signal.SIGHUP)
        yield
        yield from end(kernel, *workers)

    kernel = FakeKernel(story)
    assert preloaded(kernel).run() == 0
    assert kernel.killed == [(5003, signal.SIGKILL)]


def test_a_preloading_master_whose_application_fails_does_not_start(caplog: pytest.LogCaptureFixture) -> None:
    def story(_: FakeKernel) -> Story:
        yield

    kernel = FakeKernel(story)
    assert make_arbiter(kernel, preload=True).run() == 3
    assert kernel.processes == []
    assert "nowhere" in caplog.text


def test_a_slot_without_a_worker_is_served_by_another() -> None:
    def story(kernel: FakeKernel) -> Story:
        first, second = kernel.processes
        first.say(Word.READY)
        yield
        assert first.line.receive() == [Message(Word.COVER, "2")]
        (copy,) = first.line.take_sockets()
        assert copy.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
        copy.close()
        second.say(Word.READY)
        yield
        assert first.line.receive() == [Message(Word.UNCOVER, "2")]
        yield from end(kernel, first, second)

    assert run(story, workers=2, reuse_port=True)[0] == 0
