"""The master's signal queue. What children make of signals is tested with real ones in tests/process."""

import select
import signal

from monoceros.supervisor.signals import SignalQueue, held


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
