"""The command, and `run`: who serves, what is printed, and the exit code."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import monoceros
from monoceros.cli import main, run, serve
from monoceros.config import Config
from monoceros.errors import StartupError, UsageError
from monoceros.options.option import Section
from monoceros.options.sources import FLAGS
from tests.options.restored import restored_logging as restored_logging

APPLICATION = "async def app(scope, receive, send):\n    pass\n"


class Server:
    """A server that starts, or doesn't, and ends at once."""

    def __init__(self, config: Config, *, starts: bool = True, ending: BaseException | None = None) -> None:
        self.config = config
        self.started = False
        self._starts = starts
        self._ending = ending

    def run(self) -> None:
        self.started = self._starts
        if self._ending is not None:
            raise self._ending


class Master:
    """A supervisor that ends at once, with an exit code."""

    def __init__(self, code: int) -> None:
        self._code = code

    def run(self) -> int:
        return self._code


def not_asked(_: Config) -> Any:
    raise AssertionError("the wrong one serves")


def configured(app: object = "app:app", **options: Any) -> Config:
    return Config(app, log_config=None, **options)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory, with an application in it, and an environment without our variables."""
    for name in list(os.environ):
        if name.startswith(("MONOCEROS_", "UVICORN_")) or name in ("WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS"):
            monkeypatch.delenv(name)
    (tmp_path / "served_by_cli.py").write_text(APPLICATION)
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("served_by_cli", None)


def command(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def printed(*words: str) -> dict[str, list[str]]:
    """The lines of --print-config, by the option's name."""
    result = command(*words, "--print-config")
    assert result.exit_code == 0, result.output
    return {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}


# Who serves.


def test_one_process_serves_by_itself() -> None:
    served: list[Config] = []

    def make_server(config: Config) -> Server:
        served.append(config)
        return Server(config)

    config = configured()
    serve(config, make_server=make_server, make_master=not_asked)
    assert served == [config]


@pytest.mark.parametrize("options", [{"workers": 2}, {"reload": True}])
def test_the_supervisor_serves_with_workers_and_reload(options: dict[str, Any]) -> None:
    serve(configured(**options), make_server=not_asked, make_master=lambda config, **_: Master(0))


def test_the_supervisors_exit_code_is_the_programs() -> None:
    with pytest.raises(SystemExit) as caught:
        serve(configured(workers=2), make_server=not_asked, make_master=lambda config, **_: Master(3))
    assert caught.value.code == 3


def test_a_server_that_never_started_gives_exit_code_3() -> None:
    with pytest.raises(SystemExit) as caught:
        serve(configured(), make_server=lambda config: Server(config, starts=False))
    assert caught.value.code == 3


def test_ctrl_c_ends_without_a_traceback() -> None:
    serve(configured(), make_server=lambda config: Server(config, ending=KeyboardInterrupt()))


def test_a_failed_start_is_logged_once_and_gives_exit_code_3(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        serve(configured(), make_server=lambda config: Server(config, ending=StartupError("no port")))
    assert caught.value.code == 3
    assert [record.getMessage() for record in caplog.records] == ["no port"]


@pytest.mark.parametrize("options", [{"workers": 2}, {"reload": True}])
def test_processes_need_an_import_string(options: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        serve(configured(object(), **options), make_server=not_asked, make_master=not_asked)
    assert caught.value.code == 3
    assert "import string" in caplog.text


def test_options_that_contradict_each_other_are_told_before_anything_starts() -> None:
    with pytest.raises(UsageError, match="ssl_keyfile"):
        serve(configured(ssl_keyfile="key.pem"), make_server=not_asked)


def test_run_raises_what_is_wrong_with_a_value() -> None:
    with pytest.raises(UsageError, match="port: -1"):
        run("app:app", port=-1)


def test_run_looks_for_the_application_in_app_dir_first(project: Path) -> None:
    with pytest.raises(SystemExit):
        run(object(), app_dir="sub", reload=True, log_config=None)
    assert sys.path[0] == str(project / "sub")


# What is printed.


def test_the_version_names_the_interpreter_and_the_system() -> None:
    interpreter = f"{platform.python_implementation()} {platform.python_version()}"
    result = command("--version")
    assert result.exit_code == 0
    assert result.stdout == f"Running monoceros {monoceros.__version__} with {interpreter} on {platform.system()}\n"


def test_the_help_has_every_flag_in_its_section() -> None:
    text = command("--help").stdout
    for section in Section:
        assert f"\n{section.value}:\n" in text
    for flag in (*FLAGS, "--help"):
        assert flag in text


def test_each_value_is_printed_with_its_source(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    monkeypatch.setenv("MONOCEROS_BACKLOG", "5")
    (project / "monoceros.toml").write_text("root-path = '/file'")
    lines = printed("served_by_cli:app", "--port", "9000", "--no-access-log")
    assert lines["app"] == ["served_by_cli:app", "command", "line", "APP"]
    assert lines["port"] == ["9000", "command", "line", "--port"]
    assert lines["access_log"] == ["off", "command", "line", "--access-log"]
    assert lines["backlog"] == ["5", "environment", "MONOCEROS_BACKLOG"]
    assert lines["root_path"] == ["/file", "monoceros.toml"]
    assert lines["host"] == ["127.0.0.1", "default"]


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONOCEROS_SSL_KEYFILE_PASSWORD", "hunter2")
    assert printed("a:b")["ssl_keyfile_password"][0] == "********"


def test_the_configuration_is_checked_with_the_application() -> None:
    result = command("served_by_cli:app", "--check-config")
    assert result.exit_code == 0
    assert "served_by_cli:app can be served" in result.stdout


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["gone:app"], 3, "Module 'gone' can't be found"),
        (["served_by_cli:app", "--ssl-certfile", "gone.pem"], 3, "gone.pem"),
        (["served_by_cli:app", "--ssl-keyfile", "gone.pem"], 2, "without ssl_certfile"),
        (["served_by_cli:app", "--loop", "gone:loop"], 3, "gone"),
        (["served_by_cli:app", "--port", "x"], 2, "--port: x is not a port (from the command line)"),
        (["served_by_cli:app", "--log-config", "gone.ini"], 2, "--log-config: gone.ini does not exist"),
        (["served_by_cli:app", "--env-file", "gone"], 2, "--env-file: gone does not exist"),
        (["served_by_cli:app", "--reload-dir", "gone"], 2, "--reload-dir: gone does not exist"),
        (["served_by_cli:app", "--config", "gone.toml"], 2, "gone.toml can't be read"),
        (["served_by_cli:app", "--http2"], 2, "HTTP/2 is not served yet"),
        (["served_by_cli:app", "--header", "X"], 2, "is not a header field"),
        ([], 2, "APP is missing"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_the_exit_code_of_its_sort(
    words: list[str], code: int, message: str
) -> None:
    result = command(*words, "--check-config")
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_unknown_flag_is_a_usage_error() -> None:
    result = command("served_by_cli:app", "--prot", "1")
    assert result.exit_code == 2
    assert "--port" in result.stderr


def test_the_application_may_be_named_by_a_variable_or_the_file(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    (project / "monoceros.toml").write_text("app = 'file:app'")
    assert printed()["app"][0] == "file:app"
    monkeypatch.setenv("MONOCEROS_APP", "variable:app")
    assert printed()["app"][0] == "variable:app"
    assert printed("line:app")["app"][0] == "line:app"


def test_the_application_is_looked_for_in_the_current_directory_or_in_app_dir(project: Path) -> None:
    (project / "sub").mkdir()
    (project / "sub" / "deep_served_by_cli.py").write_text(APPLICATION)
    assert command("deep_served_by_cli:app", "--check-config").exit_code == 3
    assert command("deep_served_by_cli:app", "--check-config", "--app-dir", "sub").exit_code == 0


def test_warnings_about_variables_are_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UVICORN_PORT", "1")
    assert "UVICORN_PORT is not read: MONOCEROS_PORT" in command("a:b", "--print-config").stderr


# A process of its own.


def python(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60, check=False)


def test_the_package_is_a_command_too() -> None:
    done = python("-m", "monoceros", "served_by_cli:app", "--check-config")
    assert done.returncode == 0, done.stderr
    assert "can be served" in done.stdout


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("click", "asyncio", "ssl", "h11", "httptools", "uvloop", "websockets", "monoceros.config")
    done = python("-c", f"import monoceros, sys; print([name for name in {heavy} if name in sys.modules])")
    assert done.stdout.strip() == "[]"


def test_a_config_can_be_made_without_a_codec_or_an_event_loop() -> None:
    heavy = ("click", "asyncio", "h11", "httptools", "uvloop", "websockets")
    done = python("-c", f"import monoceros, sys; monoceros.Config; print([n for n in {heavy} if n in sys.modules])")
    assert done.stdout.strip() == "[]"


def test_a_server_that_cannot_start_ends_with_3_and_one_line() -> None:
    done = python("-m", "monoceros", "gone:app", "--port", "0")
    assert done.returncode == 3
    assert done.stderr.count("ERROR") == 1
    assert "Traceback" not in done.stderr


def test_the_package_gives_its_names_when_they_are_used() -> None:
    assert monoceros.Config is Config
    assert monoceros.run is run
    assert monoceros.main is main
    assert {"Config", "Server", "main", "run", "__version__"} <= set(dir(monoceros))
    with pytest.raises(AttributeError, match="has no attribute 'Confg'"):
        _ = monoceros.Confg
