"""What a process is told about its options, and what it tells; the rest is in tests/process/test_single.py."""

import logging
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
