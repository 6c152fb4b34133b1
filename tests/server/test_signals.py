"""Which signals are taken, and that each is given back."""

import signal
import threading

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


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    with signals.taken({signal.SIGHUP: signal.SIG_IGN}):  # type: ignore[dict-item]
        assert signal.SIGHUP not in Told().handlers


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
