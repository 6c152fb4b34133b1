"""Which signals are taken, and that each is given back."""

import os
import signal
import threading
import time

import pytest

from monoceros.server import signals

IGNORED = ("SIGHUP", "SIGUSR2", "SIGTTIN", "SIGTTOU")


class Told:
    """Writes down what the handlers ask for, and does at once what is meant for the loop."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.handlers = signals.of_single_process(
            lambda number, _frame: self.words.append(signal.Signals(number).name),
            reopen=lambda: self.words.append("reopen"),
            on_loop=lambda action: action(),
            process=self,
        )

    def suspended(self) -> None:
        self.words.append("suspended")

    def resumed(self) -> None:
        self.words.append("resumed")


@pytest.mark.parametrize("name", IGNORED)
def test_what_only_a_master_can_do_is_answered_by_one_line_that_says_so(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told()
    told.handlers[signal.Signals[name]](signal.Signals[name], None)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"Received {name}: ignored, for a single process ")
    assert "--workers 2 or more" in record.getMessage()
    assert told.words == []


def test_the_others_stop_it_or_open_its_logs() -> None:
    told = Told()
    for name in ("SIGINT", "SIGTERM", "SIGQUIT", "SIGUSR1"):
        told.handlers[signal.Signals[name]](signal.Signals[name], None)
    assert told.words == ["SIGINT", "SIGTERM", "SIGQUIT", "reopen"]


def test_a_change_of_the_terminals_size_is_not_taken() -> None:
    assert signal.SIGWINCH not in Told().handlers


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda number, frame: None], ids=["ignored", "the program's"])
@pytest.mark.parametrize("name", [*IGNORED, "SIGUSR1"])
def test_a_signal_that_means_something_else_already_is_left_alone(name: str, handler: signal.Handlers) -> None:
    """Somebody said nohup; or the program, which calls the server, has its reasons."""
    former = signal.signal(signal.Signals[name], handler)
    try:
        assert signal.Signals[name] not in Told().handlers
    finally:
        signal.signal(signal.Signals[name], former)
    assert signal.Signals[name] in Told().handlers


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGQUIT"])
def test_what_stops_it_is_taken_whatever_it_meant(name: str) -> None:
    former = signal.signal(signal.Signals[name], lambda number, frame: None)
    try:
        assert signal.Signals[name] in Told().handlers
    finally:
        signal.signal(signal.Signals[name], former)


def test_a_process_that_the_application_forks_is_ended_as_ever_and_its_parent_hears_nothing() -> None:
    heard: list[int] = []
    reading, writing = os.pipe()
    with signals.taken({signal.SIGTERM: lambda number, _frame: heard.append(number)}):
        pid = os.fork()
        if pid == 0:
            os.write(writing, b"it runs")
            time.sleep(30)
            os._exit(1)
        os.read(reading, 10)
        os.kill(pid, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM
    assert heard == []
    os.close(reading)
    os.close(writing)


def test_in_such_a_process_a_handler_that_the_program_had_is_called() -> None:
    heard: list[int] = []
    former = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    try:
        with signals.taken({signal.SIGTERM: lambda number, _frame: os._exit(1)}):
            pid = os.fork()
            if pid == 0:
                signal.raise_signal(signal.SIGTERM)
                os._exit(7 if heard else 2)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    finally:
        signal.signal(signal.SIGTERM, former)


def test_signals_mean_afterwards_what_they_meant_before() -> None:
    heard: list[int] = []
    before = signal.getsignal(signal.SIGUSR2)
    with signals.taken({signal.SIGUSR2: lambda number, _frame: heard.append(number)}):
        signal.raise_signal(signal.SIGUSR2)
    assert heard == [signal.SIGUSR2]
    assert signal.getsignal(signal.SIGUSR2) is before


def test_in_another_thread_none_is_taken() -> None:
    seen: list[object] = []

    def run() -> None:
        with signals.taken({signal.SIGUSR2: lambda number, _frame: None}):
            seen.append(signal.getsignal(signal.SIGUSR2))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGUSR2)]
