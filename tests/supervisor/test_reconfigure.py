"""Options that are read again, and what the policy makes of them."""

import logging
import math
import os
from pathlib import Path

import pytest

from monoceros.config import Config
from monoceros.errors import UsageError
from monoceros.supervisor.reconfigure import KEPT, reconfigured, rules_of


def config(**options: object) -> Config:
    return Config("shop:app", log_config=None, **options)  # type: ignore[arg-type]


def test_new_options_count_from_the_next_generation_on() -> None:
    new = reconfigured(config(workers=2), lambda: config(workers=5, timeout_worker=7), os.getcwd(), ())
    assert (new.workers, new.timeout_worker) == (5, 7)


def test_what_the_master_holds_for_its_life_stays_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    former = config(port=8001, workers=2)
    new = reconfigured(former, lambda: config(port=8002, bind="127.0.0.1:9000", workers=3), os.getcwd(), ())
    assert (new.port, new.bind, new.workers) == (8001, [], 3)
    assert "The reload leaves port, bind as before" in caplog.text


def test_every_kept_option_can_be_kept() -> None:
    former = config(port=1, bind="127.0.0.1:9000", uds_permissions="660", umask="027", chdir="/", pid_file="/x")
    new = reconfigured(former, config, os.getcwd(), ())
    assert all(getattr(new, name) == getattr(former, name) for name in KEPT)


def test_options_that_can_not_be_used_change_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def read() -> Config:
        raise UsageError("port: x is not a port")

    with pytest.raises(UsageError, match="x is not a port"):
        reconfigured(config(), read, os.getcwd(), ())
    with pytest.raises(UsageError, match="ssl_keyfile"):
        reconfigured(config(), lambda: config(ssl_keyfile="key.pem"), os.getcwd(), ())


def test_the_file_of_environment_variables_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHOP_A", "SHOP_B", "SHOP_C"):
        monkeypatch.setenv(name, "of before")
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHOP_C", "set by hand")
    file = tmp_path / ".env"
    file.write_text("SHOP_A=1\nSHOP_B=1\nSHOP_C=1\n")
    former = config(env_file=file)
    assert former.from_env_file == {"SHOP_A": "1", "SHOP_B": "1"}
    file.write_text("SHOP_A=2\nSHOP_C=2\n")
    new = reconfigured(former, lambda: config(env_file=file), os.getcwd(), former.from_env_file)
    assert (os.environ["SHOP_A"], os.environ.get("SHOP_B"), os.environ["SHOP_C"]) == ("2", None, "set by hand")

    def fail() -> Config:
        raise UsageError("no")

    with pytest.raises(UsageError):
        reconfigured(new, fail, os.getcwd(), ["SHOP_A", "SHOP_B"])
    assert os.environ["SHOP_A"] == "2"
    os.environ.pop("SHOP_A")


def test_no_limit_is_infinite() -> None:
    rules = rules_of(config(workers=2, timeout_worker=0, timeout_worker_start=0, timeout_graceful_shutdown=None))
    assert (rules.start_timeout, rules.beat_timeout, rules.graceful_timeout) == (math.inf,) * 3


def test_the_rules_are_the_options() -> None:
    rules = rules_of(config(workers=3, drain_delay=4, reuse_port=True), fresh=True)
    assert (rules.workers, rules.drain_delay, rules.own_listeners, rules.fresh) == (3, 4, True, True)
    assert (rules.reload, rules.in_place, rules.first) == (False, False, 64)


def test_under_reload_there_is_one_worker_and_no_deadline_but_the_drains(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        rules = rules_of(config(reload=True, workers=4, drain_delay=4))
    assert (rules.workers, rules.reload, rules.drain_delay) == (1, True, 0)
    assert rules.beat_timeout == rules.start_timeout == math.inf
    assert rules.graceful_timeout == 30


def test_options_are_read_again_where_they_were_read_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path / "app")
    seen: list[str] = []

    def read() -> Config:
        seen.append(os.getcwd())
        return config(chdir="app", access_log_file=tmp_path / "log", access_log=False)

    reconfigured(config(chdir="app"), read, str(tmp_path), ())
    assert seen == [str(tmp_path)]
    assert os.getcwd() == str(tmp_path / "app")
    with pytest.raises(UsageError, match="/nowhere, where this program was started, can't be entered: No such file"):
        reconfigured(config(), read, "/nowhere", ())
