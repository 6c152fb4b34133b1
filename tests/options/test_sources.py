"""Where values come from: what each source reads, and what it says about what it can't read."""

from pathlib import Path

import pytest

from monoceros.errors import UsageError
from monoceros.options.sources import (
    Given,
    fall_back,
    from_command_line,
    from_environment,
    from_file,
    from_keywords,
    gather,
    settle,
)
from monoceros.options.table import KEYWORDS


def values(given: list[Given]) -> dict[str, object]:
    return {each.option.name: each.value for each in given}


def written(directory: Path, text: str, name: str = "monoceros.toml") -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


# The command line.


def test_two_spellings_of_one_option_are_refused() -> None:
    with pytest.raises(UsageError, match="--limit-max-requests and --max-requests are two names of one option"):
        from_command_line({"--limit-max-requests": "1", "--max-requests": "2"})


def test_another_spelling_sets_the_option() -> None:
    assert values(from_command_line({"--graceful-timeout": "7"})) == {"timeout_graceful_shutdown": 7}


# The environment.


def test_a_variable_sets_its_option() -> None:
    given, warnings = from_environment({"MONOCEROS_PORT": "9000", "PORT": "1", "HOME": "/root"})
    assert values(given) == {"port": 9000}
    assert warnings == []


def test_an_empty_variable_is_unset_unless_empty_text_is_a_value() -> None:
    given, _ = from_environment({"MONOCEROS_PORT": "", "MONOCEROS_UDS": "", "MONOCEROS_ROOT_PATH": ""})
    assert values(given) == {"root_path": ""}


def test_a_variable_with_several_values_is_a_list() -> None:
    given, _ = from_environment({"MONOCEROS_HEADERS": "X-A: 1\nX-B: 2", "MONOCEROS_RELOAD_INCLUDE": "*.html *.css"})
    assert values(given) == {"headers": [("X-A", "1"), ("X-B", "2")], "reload_includes": ["*.html", "*.css"]}


def test_an_unknown_variable_is_a_warning_that_names_the_closest() -> None:
    given, warnings = from_environment({"MONOCEROS_PROT": "1"})
    assert given == []
    assert warnings == ["MONOCEROS_PROT is not an option (did you mean MONOCEROS_PORT?): it is ignored"]


def test_a_variable_of_what_only_a_flag_can_give_is_a_warning() -> None:
    given, warnings = from_environment({"MONOCEROS_CHECK_CONFIG": "1"})
    assert given == []
    assert warnings == ["check_config can't be set by a variable: MONOCEROS_CHECK_CONFIG is ignored"]


def test_a_variable_of_the_incumbents_is_a_warning_that_names_ours() -> None:
    given, warnings = from_environment({"UVICORN_RELOAD_DIRS": "src", "UVICORN_APP": "main:app", "UVICORN_OTHER": "x"})
    assert given == []
    assert warnings == [
        "UVICORN_APP is not read: MONOCEROS_APP is the variable here",
        "UVICORN_RELOAD_DIRS is not read: MONOCEROS_RELOAD_DIRS is the variable here",
    ]


def test_two_variables_of_one_option_are_refused() -> None:
    with pytest.raises(UsageError, match="MONOCEROS_GRACEFUL_TIMEOUT and MONOCEROS_TIMEOUT_GRACEFUL_SHUTDOWN"):
        from_environment({"MONOCEROS_GRACEFUL_TIMEOUT": "1", "MONOCEROS_TIMEOUT_GRACEFUL_SHUTDOWN": "1"})


# The file.


def test_keys_are_written_with_hyphens_or_underscores(tmp_path: Path) -> None:
    written(tmp_path, 'root-path = "/a"\nws_max_size = 5\n')
    assert values(from_file(None, tmp_path)) == {"root_path": "/a", "ws_max_size": 5}


def test_a_table_of_the_project_is_read_where_there_is_no_file_of_ours(tmp_path: Path) -> None:
    written(tmp_path, "[tool.monoceros]\nport = 1\n[tool.other]\nx = 1", "pyproject.toml")
    assert values(from_file(None, tmp_path)) == {"port": 1}
    written(tmp_path, "port = 2")
    assert values(from_file(None, tmp_path)) == {"port": 2}


def test_a_project_without_the_table_sets_nothing(tmp_path: Path) -> None:
    written(tmp_path, "[project]\nname = 'x'", "pyproject.toml")
    assert from_file(None, tmp_path) == []


def test_no_file_sets_nothing(tmp_path: Path) -> None:
    assert from_file(None, tmp_path) == []


def test_a_named_file_is_read_in_place_of_the_others(tmp_path: Path) -> None:
    written(tmp_path, "port = 1")
    other = written(tmp_path, "port = 2", "other.toml")
    assert values(from_file("other.toml", tmp_path)) == {"port": 2}
    assert values(from_file(str(other), Path("/"))) == {"port": 2}


def test_several_values_are_a_list_and_headers_may_be_pairs(tmp_path: Path) -> None:
    written(tmp_path, 'reload-dir = ["."]\nheaders = ["X-A: 1", ["X-B", "2"]]\ntimeout-graceful-shutdown = "none"')
    assert values(from_file(None, tmp_path)) == {
        "reload_dirs": ["."],
        "headers": [("X-A", "1"), ("X-B", "2")],
        "timeout_graceful_shutdown": None,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", r"prot is not an option \(did you mean port\?\) \(from monoceros.toml\)"),
        ("zzzzz = 1", r"zzzzz is not an option \(from monoceros.toml\)"),
        ("config = 'x'", "config: this option can't be set in a file"),
        ("callback_notify = 'x'", "callback_notify: this option can't be set in a file"),
        ("root-path = 'a'\nroot_path = 'b'", "root-path and root_path are two names of one option"),
        ("port = 70000", r"port: 70000 is not a port \(from monoceros.toml\)"),
        ("port = 1979-05-27", "is not a port"),
        ("port\n", "monoceros.toml is not a TOML file: .*line 1"),
        ("[server]\nport = 1", r"\[server\] is not an option \(from monoceros.toml\): .* at the top of the file"),
        ("[tool.monoceros]\nport = 1", r"\[tool\] is not an option .* at the top of the file"),
    ],
)
def test_a_mistake_in_a_file_is_an_error_that_names_it(tmp_path: Path, text: str, message: str) -> None:
    written(tmp_path, text)
    with pytest.raises(UsageError, match=message):
        from_file(None, tmp_path)


def test_a_table_inside_the_table_of_options_is_an_error_that_says_where_they_stand(tmp_path: Path) -> None:
    written(tmp_path, "[tool.monoceros.server]\nport = 1", "pyproject.toml")
    with pytest.raises(
        UsageError, match=r"\[server\] is not an option \(from pyproject.toml\): .* in \[tool.monoceros\]"
    ):
        from_file(None, tmp_path)


@pytest.mark.parametrize("text", ["[tool]\nmonoceros = 1", "tool = 1"])
def test_a_table_that_is_none_is_an_error(tmp_path: Path, text: str) -> None:
    written(tmp_path, text, "pyproject.toml")
    with pytest.raises(UsageError, match=r"tool\.monoceros is not a table"):
        from_file(None, tmp_path)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.toml can't be read: No such file"):
        from_file("missing.toml", tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"app = '\xe9'")
    with pytest.raises(UsageError, match=r"latin\.toml is not a TOML file"):
        from_file("latin.toml", tmp_path)


# Python.


@pytest.mark.parametrize(
    ("name", "meant"),
    [("prot", "port"), ("graceful_timeout", "timeout_graceful_shutdown"), ("max_requests", "limit_max_requests")],
)
def test_an_unknown_keyword_is_a_type_error_that_names_the_closest(name: str, meant: str) -> None:
    with pytest.raises(TypeError, match=rf"{name} is not an option \(did you mean {meant}\?\)"):
        from_keywords({name: 1})


def test_an_option_of_the_command_is_no_keyword() -> None:
    with pytest.raises(TypeError, match="check_config is not an option"):
        from_keywords({"check_config": True})


# All of them.


def test_an_option_may_set_another_unless_that_is_set_itself() -> None:
    assert settle(from_keywords({"timeout_worker_healthcheck": 9})).values["timeout_worker"] == 9
    assert settle(from_keywords({"h11_max_incomplete_event_size": 9})).values["limit_request_head"] == 9
    both = settle(from_keywords({"timeout_worker_healthcheck": 9, "timeout_worker": 8}))
    assert both.values["timeout_worker"] == 8
    assert settle(from_keywords({"h11_max_incomplete_event_size": None})).values["limit_request_head"] == 65536


def test_an_option_that_sets_another_has_the_strength_of_its_source(tmp_path: Path) -> None:
    written(tmp_path, "limit-request-head = 1000")
    settings = gather({"--h11-max-incomplete-event-size": "2000"}, {}, tmp_path)
    assert settings.values["limit_request_head"] == 2000
    assert settings.sources["limit_request_head"] == "command line --h11-max-incomplete-event-size"
    settings = gather({"--limit-request-head": "3000"}, {"MONOCEROS_H11_MAX_INCOMPLETE_EVENT_SIZE": "4000"}, tmp_path)
    assert settings.values["limit_request_head"] == 3000


def test_the_file_may_be_named_by_a_variable_or_a_flag(tmp_path: Path) -> None:
    written(tmp_path, "port = 1", "a.toml")
    written(tmp_path, "port = 2", "b.toml")
    environ = {"MONOCEROS_CONFIG": "a.toml"}
    assert gather({}, environ, tmp_path).values["port"] == 1
    assert gather({"--config": "b.toml"}, environ, tmp_path).values["port"] == 2


def test_warnings_come_with_the_settings(tmp_path: Path) -> None:
    assert len(gather({}, {"MONOCEROS_PROT": "1"}, tmp_path).warnings) == 1


def test_a_variable_of_other_servers_stands_in_for_an_option_that_nobody_set() -> None:
    assert fall_back(KEYWORDS["workers"], {"WEB_CONCURRENCY": "3"}) == (3, "environment WEB_CONCURRENCY")
    assert fall_back(KEYWORDS["workers"], {"WEB_CONCURRENCY": ""}) == (1, "default")
    assert fall_back(KEYWORDS["workers"], {}) == (1, "default")
    with pytest.raises(UsageError, match=r"WEB_CONCURRENCY: two is not .* \(from the environment\)"):
        fall_back(KEYWORDS["workers"], {"WEB_CONCURRENCY": "two"})


def test_an_empty_list_of_trusted_proxies_trusts_nobody() -> None:
    """It would be worse to fall back to a wider default."""
    assert fall_back(KEYWORDS["forwarded_allow_ips"], {"FORWARDED_ALLOW_IPS": ""})[0] == ""
    assert fall_back(KEYWORDS["forwarded_allow_ips"], {})[0] == "127.0.0.1,::1"


def test_a_secret_is_not_in_the_representation_of_settings() -> None:
    """A debugger, or a report of an exception, shows what stands in a frame."""
    given = from_keywords({"ssl_keyfile_password": "hunter2"})
    settings = settle(given)
    assert settings.values["ssl_keyfile_password"] == "hunter2"
    assert "hunter2" not in repr(given) + repr(settings)
