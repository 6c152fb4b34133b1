"""Config: what it holds, when it can be changed, and what loading makes of it."""

import logging
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest

from monoceros import config as config_module
from monoceros.config import LOGGING_CONFIG, Config
from monoceros.errors import UsageError
from monoceros.options.sources import gather
from tests.options.restored import restored_logging as restored_logging


async def application(scope: Any, receive: Any, send: Any) -> None:
    """An application that does nothing."""


def quiet(app: object = application, **options: Any) -> Config:
    """A Config that leaves the logging as it is, so that the test can see the log."""
    return Config(app, log_config=None, **options)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS"):
        monkeypatch.delenv(name, raising=False)


# Values.


def test_options_are_given_by_position_in_the_order_of_the_incumbent() -> None:
    config = Config(application, "0.0.0.0", 9000)
    assert (config.host, config.port, config.sources["port"]) == ("0.0.0.0", 9000, "keyword")


def test_an_option_given_twice_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="two values for host"):
        Config(application, "0.0.0.0", host="::1")


def test_too_many_positions_are_a_type_error() -> None:
    with pytest.raises(TypeError, match="at most"):
        Config(application, *[None] * 200)


def test_an_unknown_option_is_a_type_error_that_names_the_closest() -> None:
    wrong: dict[str, Any] = {"prot": 1}
    with pytest.raises(TypeError, match="did you mean port"):
        Config(application, **wrong)


def test_a_wrong_value_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"port: 70000 is not a port \(from a keyword argument\)"):
        Config(application, port=70000)


def test_the_defaults_of_an_unset_config() -> None:
    config = Config(application)
    assert config.log_config is LOGGING_CONFIG
    assert config.workers == 1
    assert config.forwarded_allow_ips == "127.0.0.1,::1"
    assert config.headers == []
    assert config.timeout_graceful_shutdown == 30
    assert set(config.sources.values()) == {"default"}
    assert not config.loaded
    assert config.ssl is None


def test_variables_of_other_servers_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    config = Config("app:app")
    assert (config.workers, config.sources["workers"]) == (4, "environment WEB_CONCURRENCY")
    assert config.forwarded_allow_ips == "*"
    assert Config("app:app", workers=2, forwarded_allow_ips="::1").workers == 2


def test_a_variable_of_other_servers_that_makes_no_sense_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "many")
    with pytest.raises(UsageError, match="WEB_CONCURRENCY: many is not"):
        Config("app:app")


def test_no_workers_are_one_worker() -> None:
    assert Config(application, workers=0).workers == 1


def test_the_healthchecks_timeout_sets_the_workers_when_it_is_given() -> None:
    assert Config(application).timeout_worker == 60
    assert Config(application, timeout_worker_healthcheck=7).timeout_worker == 7
    assert Config(application, timeout_worker_healthcheck=7, timeout_worker=8).timeout_worker == 8


def test_gathered_settings_keep_their_sources_and_their_warnings(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = gather({"--port": "1"}, {"MONOCEROS_UDS": "a", "MONOCEROS_PROT": "2"}, tmp_path)
    settings.values["log_config"] = None
    config = Config.from_settings(application, settings)
    assert config.sources["port"] == "command line --port"
    assert config.sources["uds"] == "environment MONOCEROS_UDS"
    assert "MONOCEROS_PROT is not an option" in caplog.text


# Changes.


def test_an_attribute_can_be_set_and_is_checked_until_the_config_is_loaded() -> None:
    config = quiet()
    config.port = 9000
    config.h11_max_incomplete_event_size = 1234
    config.workers = 3
    assert (config.port, config.sources["port"]) == (9000, "attribute")
    assert config.limit_request_head == 1234
    with pytest.raises(UsageError, match=r"port: -1 is not a port \(set as an attribute\)"):
        config.port = -1


def test_an_option_cannot_be_set_after_loading() -> None:
    config = quiet()
    config.load()
    with pytest.raises(RuntimeError, match=r"Config\.port was set after load\(\)"):
        config.port = 1
    with pytest.raises(RuntimeError, match=r"Config\.app was set after load\(\)"):
        config.app = None
    assert config.port == 8000


def test_what_loading_made_may_be_replaced() -> None:
    config = quiet()
    config.load()
    config.loaded_app = quiet
    config.ssl = None
    assert config.loaded_app is quiet


# Reloading and processes.


def test_reloading_takes_an_import_string() -> None:
    assert quiet("app:app", reload=True).should_reload
    config = quiet(application, reload=True)
    assert not config.should_reload
    assert config.use_subprocess


def test_several_workers_are_processes() -> None:
    assert quiet("app:app", workers=2).use_subprocess
    assert not quiet("app:app").use_subprocess


def test_workers_that_are_counted_have_a_master_also_on_one_cpu() -> None:
    """Where it runs decides how many there are, and shall not decide whether a reload is possible."""
    counted = quiet("app:app", workers="auto")
    assert counted.workers >= 1
    assert counted.use_subprocess


def test_reload_directories_are_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    config = quiet("app:app", reload=True, reload_dirs="src", reload_includes="*.html", reload_excludes=["*.css"])
    assert config.reload_dirs == [tmp_path.resolve() / "src"]
    assert (config.reload_includes, config.reload_excludes) == (["*.html"], ["*.css"])
    assert config.reload_dirs_excludes == []


def test_directories_that_are_missing_are_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert quiet("app:app", reload=True, reload_dirs=["gone"]).reload_dirs == [tmp_path.resolve()]
    assert "['gone'] can be watched" in caplog.text


def test_reload_options_without_reload_are_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert quiet("app:app", reload_dirs=["src"]).reload_dirs == []
    assert "The reload options have no effect" in caplog.text


def test_workers_with_reload_are_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    quiet("app:app", reload=True, workers=2)
    assert "workers has no effect" in caplog.text


@pytest.mark.parametrize("options", [{"ssl_ca_certs": "ca.pem"}, {"ssl_cert_reqs": 2}])
def test_asking_clients_for_certificates_without_tls_is_a_warning(
    options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    quiet("app:app", **options)
    assert "TLS is not served" in caplog.text
    caplog.clear()
    quiet("app:app", ssl_certfile="cert.pem", **options)
    assert "TLS is not served" not in caplog.text


# The environment file.


def test_an_environment_file_is_read_before_the_variables_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "0")  # so that it is restored
    monkeypatch.delenv("WEB_CONCURRENCY")
    (tmp_path / ".env").write_text("WEB_CONCURRENCY=5\n")
    assert quiet("app:app", env_file=tmp_path / ".env").workers == 5


def test_an_environment_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="env_file: .*missing can't be read: No such file"):
        quiet(env_file=tmp_path / "missing")
    with pytest.raises(UsageError, match="can't be read: Is a directory"):
        quiet(env_file=tmp_path)
    (tmp_path / "latin").write_bytes(b"A=\xe9")
    with pytest.raises(UsageError, match="is not UTF-8"):
        quiet(env_file=tmp_path / "latin")


def test_an_environment_file_without_the_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dotenv", None)
    with pytest.raises(UsageError, match=r"pip install 'monoceros\[env\]'"):
        quiet(env_file=".env")


# Logging, and names.


def test_logging_is_configured_when_the_config_is_made() -> None:
    Config(application, log_level="DEBUG", access_log=False)
    assert logging.getLogger("monoceros.error").level == logging.DEBUG
    assert logging.getLogger("monoceros.access").handlers == []
    assert logging.getLogger("monoceros").handlers


def test_the_module_has_the_incumbents_names() -> None:
    assert config_module.STARTUP_FAILURE == 3
    assert config_module.LOG_LEVELS["trace"] == 5
    assert config_module.SSL_PROTOCOL_VERSION == ssl.PROTOCOL_TLS_SERVER
