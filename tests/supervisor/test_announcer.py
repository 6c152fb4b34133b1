"""What the service manager hears, over a real datagram socket, and what the title shows."""

import math
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from monoceros.config import Config
from monoceros.service.notify import Notifier
from monoceros.service.title import current_title, restore_title
from monoceros.supervisor.announcer import Announcer
from monoceros.supervisor.handle import Handle, State
from monoceros.supervisor.rules import Condition

SECOND = 1_000_000  # microseconds, in which systemd counts


class Manager:
    """The service manager's end."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """All variables that have come, without a reload's time."""
        lines: list[str] = []
        while True:
            try:
                lines += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return [line for line in lines if not line.startswith("MONOTONIC_USEC=")]

    def hide(self) -> None:
        """Be out of reach for a while."""
        os.rename(self.path, self.path + ".hidden")

    def show(self) -> None:
        os.rename(self.path + ".hidden", self.path)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    title = current_title()
    yield made
    restore_title(title)
    made.close()


def announcer(manager: Manager, *, takes_over: bool = False, proc_name: str | None = None) -> Announcer:
    config = Config("shop:app", log_config=None, proc_name=proc_name)
    return Announcer(config, Notifier(manager.path, watchdog=20 * SECOND), takes_over=takes_over)


def handle(state: State, since: float = 0.0) -> Handle:
    made = Handle(1, 1, 1, since, math.inf)
    if state is not State.STARTING:
        made.enter(state, since)
    return made


READY = handle(State.READY)
STARTING = handle(State.STARTING)


def test_a_life_is_told_in_the_words_of_the_service_manager(manager: Manager) -> None:
    speaker = announcer(manager)
    speaker.announce(Condition.STARTING, [STARTING, READY], 2)
    assert manager.heard() == [
        "EXTEND_TIMEOUT_USEC=600000000",
        "STATUS=Starting: 1 of 2 workers ready, 1 starting",
    ]
    speaker.announce(Condition.SERVING, [READY, READY], 2)
    assert manager.heard() == ["READY=1", "STATUS=Serving: 2 of 2 workers ready"]
    speaker.announce(Condition.RELOADING, [READY, READY, STARTING], 2)
    assert manager.heard() == ["RELOADING=1", "STATUS=Reloading: 2 of 2 workers ready, 1 starting"]
    speaker.announce(Condition.SERVING, [READY, READY, handle(State.DRAINING)], 2)
    assert manager.heard() == ["READY=1", "STATUS=Serving: 2 of 2 workers ready, 1 draining"]
    speaker.announce(Condition.STOPPING, [handle(State.DRAINING)], 2)
    assert manager.heard() == ["STOPPING=1", "STATUS=Stopping: 0 of 2 workers ready, 1 draining"]
    speaker.close()


def test_a_reload_that_does_not_begin_is_ended_for_who_waits_for_it(manager: Manager) -> None:
    """A unit of Type=notify-reload does."""
    speaker = announcer(manager)
    speaker.announce(Condition.SERVING, [READY], 1)
    manager.heard()
    speaker.decline_reload()
    assert manager.heard() == ["RELOADING=1", "READY=1"]
    speaker.close()


def test_what_has_not_changed_is_not_said_again(manager: Manager) -> None:
    speaker = announcer(manager)
    speaker.announce(Condition.SERVING, [READY], 1)
    manager.heard()
    speaker.announce(Condition.SERVING, [READY], 1)
    assert manager.heard() == []
    speaker.close()


def test_a_second_master_is_the_main_process_once_it_serves(manager: Manager) -> None:
    speaker = announcer(manager, takes_over=True)
    speaker.announce(Condition.STARTING, [STARTING], 1)
    assert not [line for line in manager.heard() if line.startswith("MAINPID")]
    speaker.announce(Condition.SERVING, [READY], 1)
    assert manager.heard()[:2] == [f"MAINPID={os.getpid()}", "READY=1"]
    speaker.close()


def test_a_first_master_says_nothing_of_its_end_and_speaks_again_if_it_stays(manager: Manager) -> None:
    speaker = announcer(manager)
    speaker.announce(Condition.SERVING, [READY], 1)
    manager.heard()
    speaker.fall_silent()
    speaker.announce(Condition.STOPPING, [handle(State.DRAINING)], 1)
    assert manager.heard() == []
    speaker.speak_again()
    speaker.announce(Condition.SERVING, [READY], 1)
    assert manager.heard() == [f"MAINPID={os.getpid()}", "READY=1"]
    speaker.close()


@pytest.mark.parametrize(
    ("handles", "wanted", "condition", "fed"),
    [
        ([handle(State.READY, 95.0)], 1, Condition.SERVING, True),
        ([handle(State.READY, 80.0)], 1, Condition.SERVING, False),
        ([handle(State.READY, 80.0), handle(State.READY, 95.0)], 2, Condition.SERVING, True),
        ([handle(State.STARTING, 0.0)], 1, Condition.SERVING, True),
        ([handle(State.DRAINING, 99.0)], 1, Condition.SERVING, False),
        ([], 1, Condition.SERVING, False),
        ([], 0, Condition.SERVING, True),
        ([handle(State.DRAINING, 0.0)], 1, Condition.STOPPING, True),
    ],
    ids=["ready", "blocked", "one of two", "starting", "only draining", "nobody", "none wanted", "stopping"],
)
def test_the_watchdog_is_fed_for_the_workers_sake(
    manager: Manager, handles: list[Handle], wanted: int, condition: Condition, fed: bool
) -> None:
    speaker = announcer(manager)
    speaker.feed(condition, handles, wanted, 100.0)
    assert manager.heard() == (["WATCHDOG=1"] if fed else [])
    assert speaker.wake_at(100.0) == (110.0 if fed else 101.0)
    if fed:
        speaker.feed(condition, handles, wanted, 109.0)
        assert manager.heard() == []
    speaker.close()


def test_what_could_not_be_said_is_said_again(manager: Manager) -> None:
    """A service manager that never hears READY ends a healthy service."""
    speaker = Announcer(Config("shop:app", log_config=None), Notifier(manager.path))
    manager.hide()
    speaker.announce(Condition.SERVING, [READY], 1)
    assert speaker.wake_at(100.0) == 101.0
    manager.show()
    speaker.announce(Condition.SERVING, [READY], 1)
    assert "READY=1" in manager.heard()
    assert speaker.wake_at(101.0) == math.inf
    speaker.close()


def test_without_a_watchdog_nothing_wakes_the_master() -> None:
    speaker = Announcer(Config("shop:app", log_config=None), Notifier())
    assert speaker.wake_at(100.0) == math.inf
    speaker.close()


def test_the_title_shows_the_condition_and_the_services_name(manager: Manager) -> None:
    speaker = announcer(manager, proc_name="shop")
    titles = []
    for condition in (Condition.STARTING, Condition.SERVING, Condition.RELOADING, Condition.STOPPING):
        speaker.announce(condition, [READY], 1)
        titles.append(current_title())
    speaker.close()
    assert titles == [f"monoceros: {role} [shop]" for role in (
        "master starting", "master", "master reloading", "master stopping",
    )]  # fmt: skip


def test_the_watchdog_is_patient_while_a_master_executes_itself_anew(manager: Manager) -> None:
    """The exec and the import of a large application may take longer than it waits."""
    speaker = announcer(manager)
    speaker.begin_absence(600.0)
    speaker.end_absence()
    assert manager.heard() == ["WATCHDOG_USEC=600000000", f"WATCHDOG_USEC={20 * SECOND}"]
    speaker.close()
    silent = Announcer(Config("shop:app", log_config=None), Notifier(manager.path))
    silent.begin_absence(600.0)
    silent.end_absence()
    assert manager.heard() == []
    silent.close()
