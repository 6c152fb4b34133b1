"""The master's signal queue. What children make of signals is tested with real ones in tests/process."""

import select
import signal

import pytest

from monoceros.supervisor.signals import MASTERS_SIGNALS, Interrupted, SignalQueue, held, name_of


def test_signals_wake_the_loop_and_come_out_in_order() -> None:
    with SignalQueue() as queue:
        assert select.select([queue], [], [], 0)[0] == []
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert select.select([queue], [], [], 5)[0] == [queue]
        assert queue.take() == [signal.SIGTERM, signal.SIGINT]
        assert select.select([queue], [], [], 0)[0] == []
        assert queue.take() == []


def test_afterwards_signals_mean_what_they_meant_before() -> None:
    former = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    with SignalQueue():
        assert signal.getsignal(signal.SIGTERM) != former[0]
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == former
    assert signal.set_wakeup_fd(-1) == -1


def test_a_signal_that_arrives_while_held_is_delivered_at_the_end() -> None:
    with SignalQueue() as queue:
        with held():
            signal.raise_signal(signal.SIGTERM)
            assert queue.take() == []
        assert queue.take() == [signal.SIGTERM]


def test_a_hangup_that_was_ignored_at_the_start_stays_ignored() -> None:
    """nohup: the service outlives its terminal."""
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with SignalQueue() as queue:
            signal.raise_signal(signal.SIGHUP)
            assert queue.take() == []
    finally:
        signal.signal(signal.SIGHUP, former)


def test_signals_without_a_meaning_are_caught_too() -> None:
    with SignalQueue() as queue:
        for number in (signal.SIGALRM, signal.SIGPROF, signal.SIGRTMIN + 3):
            signal.raise_signal(number)
        assert queue.take() == [signal.SIGALRM, signal.SIGPROF, signal.SIGRTMIN + 3]


def test_signals_that_waited_for_the_queue_are_delivered_to_it() -> None:
    """A master that executes anew blocks them meanwhile."""
    signal.pthread_sigmask(signal.SIG_BLOCK, MASTERS_SIGNALS)
    signal.raise_signal(signal.SIGTERM)
    with SignalQueue() as queue:
        assert queue.take() == [signal.SIGTERM]


def test_a_stop_breaks_off_what_can_not_be_waited_for() -> None:
    with SignalQueue() as queue:
        with queue.breaking_off():
            signal.raise_signal(signal.SIGHUP)
            with pytest.raises(Interrupted):
                signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert queue.take() == [signal.SIGHUP, signal.SIGTERM, signal.SIGTERM]


def test_a_signal_has_a_name_or_a_number() -> None:
    assert name_of(signal.SIGHUP) == "SIGHUP"
    assert name_of(signal.SIGRTMIN + 3) == f"signal {signal.SIGRTMIN + 3}"
