"""The thread that beats while a worker starts."""

import threading

from monoceros.workers.heartbeat import StartupHeartbeat
from tests.process.serving import until


def running() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "monoceros-starting"]


def test_it_beats_from_its_start_until_the_event_loop_takes_over() -> None:
    beats: list[str] = []
    heartbeat = StartupHeartbeat(lambda: beats.append(threading.current_thread().name), interval=0.01, patience=0)
    heartbeat.start()
    until(lambda: len(beats) >= 3, "three beats")
    heartbeat.stop()
    until(lambda: not running(), "the end of the thread")
    assert set(beats) == {"monoceros-starting"}


def test_it_gives_a_start_up_that_takes_too_long() -> None:
    beats: list[int] = []
    StartupHeartbeat(lambda: beats.append(1), interval=0.01, patience=0.05).start()
    until(lambda: not running(), "the end of the thread")
    assert beats


def test_it_ends_quietly_with_its_process() -> None:
    def beat() -> None:
        raise ValueError("I/O operation on closed file")

    StartupHeartbeat(beat, interval=0.01, patience=0).start()
    until(lambda: not running(), "the end of the thread")
