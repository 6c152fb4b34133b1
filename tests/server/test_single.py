"""What a process is told about its options, and what it tells; the rest is in tests/process/test_single.py."""

import logging
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from monoceros.config import Config
from monoceros.errors import UsageError
from monoceros.server.server import Server
from monoceros.server.single import MASTERS, SingleProcess
from monoceros.service.title import current_title
from tests.doubles.applications import hello
from tests.doubles.served import run, serving


def configured(**options: Any) -> Config:
    return Config(hello, log_config=None, **options)


def begun(**options: Any) -> SingleProcess:
    process = SingleProcess(configured(**options), lambda: None, environ={})
    process.begin()
    return process


@pytest.mark.parametrize(("name", "value"), [("preload", True), ("timeout_worker_start", 5)])
def test_an_option_that_only_a_master_can_act_on_is_named(
    name: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    assert name in MASTERS
    with caplog.at_level(logging.WARNING, "monoceros.error"):
        begun(**{name: value}).over()
    (record,) = caplog.records
    assert record.getMessage() == f"{name} has no effect in a single process: start with --workers 2 or more"


def test_options_that_nobody_gave_are_not_named(caplog: pytest.LogCaptureFixture) -> None:
    begun().over()
    assert caplog.records == []


def test_the_title_is_changed_only_for_a_name_that_was_given_and_is_given_back() -> None:
    before = current_title()
    begun().over()
    assert current_title() == before
    named = begun(proc_name="shop")
    assert current_title() == "monoceros: single [shop]"
    named.over()
    assert current_title() == before


def test_a_limit_makes_it_drain() -> None:
    drained: list[bool] = []
    process = SingleProcess(configured(), lambda: drained.append(True), environ={})
    process.limit_reached("Lifetime of 1 s is over")
    process.over()
    assert drained == [True]


class Listened:
    """A LoopWatch that notes whether it watches."""

    def __init__(self) -> None:
        self.watches = False

    def start(self) -> None:
        self.watches = True

    def turned(self) -> None:
        pass

    def suspend(self) -> None:
        pass

    def end(self) -> None:
        self.watches = False


def test_it_is_not_watched_while_threads_of_the_application_end() -> None:
    """They may take longer than a loop may be blocked, and there is no loop any more that could turn."""
    watch: Any = Listened()
    process = SingleProcess(configured(), lambda: None, environ={}, watch=watch)
    process.server_ready()
    assert watch.watches
    process.server_stopped()
    assert not watch.watches
    process.over()


def test_the_application_does_not_speak_to_the_service_manager_and_a_server_after_this_one_does(
    tmp_path: Path,
) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "10000000", "HOME": "/"}
    before = dict(environ)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(environ["NOTIFY_SOCKET"])
        manager.setblocking(False)
        process = SingleProcess(configured(timeout_worker=0), lambda: None, environ=environ)
        process.begin()
        assert environ == {"HOME": "/"}
        process.server_ready()
        assert manager.recv(4096).startswith(b"READY=1")
        process.beat()
        assert manager.recv(4096) == b"WATCHDOG=1"
        process.over()
    assert environ == before


def test_a_word_that_the_service_manager_could_not_take_is_said_with_a_later_beat(tmp_path: Path) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    process = SingleProcess(configured(timeout_worker=0), lambda: None, environ=environ)
    process.begin()
    process.server_ready()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        process.beat()
        assert manager.recv(4096).startswith(b"READY=1")
    process.over()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to lose")
@pytest.mark.parametrize("account", [{"user": "nobody"}, {"group": "nogroup"}])
def test_root_that_is_to_give_itself_up_runs_no_loop_of_the_users(
    account: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SystemExit) as caught:
        Server(configured(port=0, loop="no.such.module:factory", **account)).run()
    assert caught.value.code == UsageError.exit_code
    assert "would import and call it as root" in caplog.text


@pytest.mark.parametrize("option", ["user", "group"])
def test_in_a_loop_of_the_users_no_other_account_is_assumed(option: str, caplog: pytest.LogCaptureFixture) -> None:
    """It would be the whole program's, and a server that goes on as root would be worse."""

    async def main() -> None:
        await Server(configured(port=0, **{option: "nobody"})).serve()

    with pytest.raises(SystemExit) as caught:
        run(main())
    assert caught.value.code == UsageError.exit_code
    assert f"{option}: a server in a thread or an event loop of a program's own" in caplog.text


def test_nor_in_a_thread_of_the_users() -> None:
    with pytest.raises(SystemExit) as caught, serving(hello, user="nobody"):
        pass
    assert caught.value.code == UsageError.exit_code
