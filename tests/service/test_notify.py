"""What a service manager hears: real datagrams on a socket of the tests' own."""

import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monoceros.service.notify import Notifier, strip


class Manager:
    """A socket that hears what a service says: on this machine, at once."""

    def __init__(self, address: str | bytes) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def hears(self) -> str:
        return self.socket.recv(4096).decode()

    def hears_nothing(self) -> bool:
        try:
            return not self.socket.recv(4096)
        except BlockingIOError:
            return True


@pytest.fixture
def address(tmp_path: Path) -> str:
    return str(tmp_path / "notify")


@pytest.fixture
def manager(address: str) -> Iterator[Manager]:
    manager = Manager(address)
    yield manager
    manager.socket.close()


@pytest.fixture
def notifier(address: str) -> Iterator[Notifier]:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address}, os.getpid())
    yield notifier
    notifier.close()


def test_each_word_is_one_datagram(manager: Manager, notifier: Notifier) -> None:
    notifier.extend_start(2.5)
    notifier.ready("2 workers serve")
    notifier.watchdog()
    notifier.main_pid(4711)
    notifier.stopping()
    assert [manager.hears() for _ in range(5)] == [
        "EXTEND_TIMEOUT_USEC=2500000",
        "READY=1\nSTATUS=2 workers serve",
        "WATCHDOG=1",
        "MAINPID=4711",
        "STOPPING=1",
    ]


def test_a_reload_says_when_it_began_in_the_same_datagram(manager: Manager, notifier: Notifier) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.reloading("reloading")
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    word, moment, status = manager.hears().split("\n")
    assert (word, status) == ("RELOADING=1", "STATUS=reloading")
    assert before <= int(moment.removeprefix("MONOTONIC_USEC=")) <= after


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract names")
def test_a_name_in_the_abstract_namespace_is_reached() -> None:
    name = f"monoceros-test-{os.getpid()}"
    manager = Manager(f"\0{name}".encode())
    notifier = Notifier(f"@{name}")
    notifier.ready()
    assert manager.hears() == "READY=1"
    notifier.close()
    manager.socket.close()


def test_the_same_status_is_sent_once(manager: Manager, notifier: Notifier) -> None:
    notifier.status("2 workers")
    notifier.status("2 workers")
    notifier.ready("2 workers")
    notifier.status("3 workers")
    notifier.ready()
    notifier.status("3 workers")
    notifier.status("")
    heard = [manager.hears() for _ in range(5)]
    assert heard == ["STATUS=2 workers", "READY=1", "STATUS=3 workers", "READY=1", "STATUS="]
    assert manager.hears_nothing()


def test_a_status_that_was_lost_is_sent_again(address: str, notifier: Notifier) -> None:
    notifier.status("starting")
    manager = Manager(address)
    notifier.status("starting")
    assert manager.hears() == "STATUS=starting"
    manager.socket.close()


def test_a_status_cannot_say_another_word(manager: Manager, notifier: Notifier) -> None:
    notifier.status("one\nSTOPPING=1\r\0two\x85three\u2028")
    assert manager.hears() == "STATUS=one STOPPING=1 two three "


def test_a_status_that_is_no_text_or_too_long_is_heard_all_the_same(manager: Manager, notifier: Notifier) -> None:
    notifier.status("caf\udce9")
    assert manager.hears() == "STATUS=caf?"
    notifier.status("\U0001f984" * 5000)
    assert manager.hears().startswith("STATUS=\U0001f984")


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_a_socket_to_speak_on_nothing_is_said(
    environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier.from_environment({**environ, "WATCHDOG_USEC": "1000000"}, 1)
    notifier.ready("serving")
    notifier.status("serving")
    notifier.stopping()
    assert notifier.watchdog_interval is None
    assert caplog.records == []


def test_a_closed_notifier_says_nothing(manager: Manager, notifier: Notifier) -> None:
    notifier.close()
    notifier.ready()
    assert manager.hears_nothing()


def test_words_that_are_lost_are_complained_about_once(notifier: Notifier, caplog: pytest.LogCaptureFixture) -> None:
    notifier.ready()
    notifier.reloading()
    notifier.stopping()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.records[0].name == "monoceros.error"
    assert "READY=1" in caplog.text
    assert "No such file or directory" in caplog.text


def fill(address: str) -> None:
    """Say so much that the manager's queue takes no more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
        speaker.setblocking(False)
        for _ in range(5000):
            try:
                speaker.sendto(b"", address)
            except BlockingIOError:
                return
    raise AssertionError("its queue has no end")


def empty(manager: Manager) -> None:
    with contextlib.suppress(BlockingIOError):
        while not manager.socket.recv(4096):
            pass


@pytest.mark.parametrize("next_word", ["watchdog", "status", "extend", "retry"])
def test_words_that_found_no_room_are_said_before_what_is_said_next(
    address: str, manager: Manager, notifier: Notifier, next_word: str, caplog: pytest.LogCaptureFixture
) -> None:
    fill(address)
    notifier.ready("2 workers")
    notifier.main_pid(4711)
    notifier.reloading("reloading")
    notifier.ready("3 workers")
    assert notifier.pending
    assert "READY=1 on NOTIFY_SOCKET" in caplog.text
    assert "will be told again" in caplog.text
    empty(manager)
    {
        "watchdog": notifier.watchdog,
        "status": lambda: notifier.status("3 workers"),
        "extend": lambda: notifier.extend_start(1),
        "retry": notifier.retry,
    }[next_word]()
    assert not notifier.pending
    assert manager.hears() == "MAINPID=4711"
    assert manager.hears().startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert manager.hears() == "READY=1\nSTATUS=3 workers"
    assert manager.hears_nothing() == (next_word in ("status", "retry"))


def test_a_status_does_not_overtake_a_word(address: str, manager: Manager, notifier: Notifier) -> None:
    manager.socket.close()
    notifier.ready("2 workers")
    notifier.status("3 workers")
    os.unlink(address)
    late = Manager(address)
    notifier.status("3 workers")
    assert [late.hears(), late.hears()] == ["READY=1\nSTATUS=2 workers", "STATUS=3 workers"]
    late.socket.close()


def test_what_was_heard_is_not_said_again(manager: Manager, notifier: Notifier) -> None:
    notifier.ready()
    assert not notifier.pending
    notifier.retry()
    assert manager.hears() == "READY=1"
    assert manager.hears_nothing()


def test_after_its_end_nothing_is_pending(notifier: Notifier) -> None:
    notifier.ready()
    assert notifier.pending
    notifier.close()
    assert not notifier.pending


def test_signs_of_life_and_statuses_are_lost_in_silence(notifier: Notifier, caplog: pytest.LogCaptureFixture) -> None:
    notifier.status("serving")
    notifier.watchdog()
    notifier.extend_start(1)
    assert caplog.records == []


def test_a_manager_that_does_not_read_is_not_waited_for(
    address: str, manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    former = socket.getdefaulttimeout()
    socket.setdefaulttimeout(1)  # by an application: a sender isn't to wait so long either
    try:
        notifier = Notifier(address)
    finally:
        socket.setdefaulttimeout(former)
    deadline = time.monotonic() + 30
    for _ in range(5000):  # more than any queue holds
        notifier.watchdog()
        assert time.monotonic() < deadline
    notifier.ready()
    notifier.close()
    assert "READY=1" in caplog.text
    assert manager.hears() == "WATCHDOG=1"


def test_the_watchdog_is_fed_after_half_of_its_time(address: str) -> None:
    def interval(**variables: str) -> float | None:
        notifier = Notifier.from_environment({"NOTIFY_SOCKET": address, **variables}, 4711)
        notifier.close()
        return notifier.watchdog_interval

    assert interval(WATCHDOG_USEC="30000000") == 15.0
    assert interval(WATCHDOG_USEC="30000000", WATCHDOG_PID="4711") == 15.0
    assert interval(WATCHDOG_USEC="30000000", WATCHDOG_PID="4712") is None
    assert interval(WATCHDOG_USEC="0") is None
    assert interval(WATCHDOG_USEC="soon") is None
    assert interval() is None


def test_the_variables_stay_until_they_are_stripped(address: str) -> None:
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    Notifier.from_environment(environ, 1).close()
    assert len(environ) == 4
    strip(environ)
    assert environ == {"HOME": "/"}
    strip(environ)
    assert environ == {"HOME": "/"}
