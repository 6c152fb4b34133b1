"""What an option is: its names, its messages, and what it shows of itself."""

from pathlib import Path

import pytest

from monoceros.errors import UsageError
from monoceros.options import field_kinds, kinds
from monoceros.options.option import ANYWHERE, BuiltIn, Kind, Option, Origin, Place, Section, Source, display

COMMAND_LINE = Source(Origin.COMMAND_LINE, "--port")


def option(
    kind: Kind,
    *,
    name: str = "port",
    default: object = None,
    places: Place = ANYWHERE,
    flags: tuple[str, ...] = (),
    must_exist: bool = False,
    secret: bool = False,
) -> Option:
    return Option(
        name=name,
        kind=kind,
        default=default,
        help="Does something.",
        section=Section.ADDRESS,
        places=places,
        flags=flags,
        must_exist=must_exist,
        secret=secret,
    )


PORT = option(kinds.integer(0, 65535, noun="a port", metavar="PORT"), default=8000)


def test_a_wrong_value_is_told_with_its_option_its_source_and_what_is_accepted() -> None:
    with pytest.raises(UsageError) as caught:
        PORT.read("70000", COMMAND_LINE)
    message = "--port: 70000 is not a port (from the command line): an integer from 0 to 65535 is accepted"
    assert str(caught.value) == message


@pytest.mark.parametrize("given", [("X-A: 1", "X-B", "X-C: 3"), ["X-A: 1", "X-B"], ["X-B"], "X-B"])
def test_of_several_values_the_wrong_one_is_shown(given: object) -> None:
    with pytest.raises(UsageError, match=r"^--header: X-B is not a header field \(from the command line\)"):
        option(field_kinds.fields(), name="headers").read(given, Source(Origin.COMMAND_LINE, "--header"))


@pytest.mark.parametrize(
    ("source", "beginning", "phrase"),
    [
        (Source(Origin.ENVIRONMENT, "MONOCEROS_PORT"), "MONOCEROS_PORT: ", "(from the environment)"),
        (Source(Origin.FILE, "port", "conf/web.toml"), "port: ", "(from conf/web.toml)"),
        (Source(Origin.KEYWORD, "port"), "port: ", "(from a keyword argument)"),
        (Source(Origin.ATTRIBUTE, "port"), "port: ", "(set as an attribute)"),
        (Source(Origin.DEFAULT, "port"), "port: ", "(the default)"),
    ],
)
def test_a_message_says_which_source_the_value_has(source: Source, beginning: str, phrase: str) -> None:
    with pytest.raises(UsageError) as caught:
        PORT.read("x", source)
    assert str(caught.value).startswith(beginning)
    assert phrase in str(caught.value)


@pytest.mark.parametrize(("value", "shown"), [("", "''"), ("a\nb", r"'a\nb'"), ([1], "[1]"), (None, "None")])
def test_a_value_that_would_be_misread_is_quoted(value: object, shown: str) -> None:
    with pytest.raises(UsageError, match="is not a port") as caught:
        PORT.read(value, COMMAND_LINE)
    assert f"--port: {shown} is not" in str(caught.value)


def test_a_secret_is_not_shown_in_a_message() -> None:
    secret = option(kinds.text(), name="password", secret=True)
    with pytest.raises(UsageError) as caught:
        secret.read(b"hunter2", Source(Origin.KEYWORD, "password"))
    assert "hunter2" not in str(caught.value)


def test_a_refusal_says_what_to_use_instead_and_where_the_value_came_from() -> None:
    loop = option(kinds.implementation(("auto",), custom="module:factory", refused={"fast": "use auto"}), name="loop")
    with pytest.raises(UsageError) as caught:
        loop.read("fast", Source(Origin.COMMAND_LINE, "--loop"))
    assert str(caught.value) == "--loop: fast is not supported: use auto (from the command line)"


def test_a_file_that_must_exist_is_missed_unless_python_code_names_it(tmp_path: Path) -> None:
    """A program may name one that it makes later; a person at a terminal mistyped it."""
    file = option(kinds.path(), must_exist=True)
    missing = str(tmp_path / "missing")
    assert file.read(missing, Source(Origin.KEYWORD, "port")) == missing
    with pytest.raises(UsageError, match="missing does not exist"):
        file.read(missing, COMMAND_LINE)
    assert file.read(str(tmp_path), COMMAND_LINE) == str(tmp_path)
    assert file.read(None, COMMAND_LINE) is None


def test_each_of_several_files_must_exist(tmp_path: Path) -> None:
    files = option(kinds.paths(), must_exist=True)
    with pytest.raises(UsageError, match="other does not exist"):
        files.read([str(tmp_path), str(tmp_path / "other")], COMMAND_LINE)


def test_another_flag_is_another_name_everywhere_but_in_python() -> None:
    requests = option(kinds.limit(), name="limit_requests", flags=("--limit-requests", "--max-requests"))
    assert requests.spellings == ("--limit-requests", "--max-requests")
    assert requests.names == ("limit_requests", "max_requests")
    assert requests.variables == ("MONOCEROS_LIMIT_REQUESTS", "MONOCEROS_MAX_REQUESTS")


def test_an_option_for_python_has_neither_flag_nor_variable() -> None:
    callback = option(kinds.function("Any"), places=Place.KEYWORD)
    assert callback.spellings == ()
    assert callback.variables == ()
    assert callback.usages == ()


@pytest.mark.parametrize(
    ("shown", "usages"),
    [
        (PORT, ("--port PORT",)),
        (option(kinds.switch(), name="reload"), ("--reload/--no-reload",)),
        (option(kinds.switch(value=True), name="deflate"), ("--deflate BOOLEAN",)),
        (option(kinds.switch(), name="version", places=Place.FLAG), ("--version",)),
    ],
)
def test_the_usage_shows_what_follows_a_flag(shown: Option, usages: tuple[str, ...]) -> None:
    assert shown.usages == usages


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "on"),
        (False, "off"),
        (["a", "b"], "a, b"),
        ([("X-A", "1")], "X-A: 1"),
        (BuiltIn.LOGGING, "the built-in logging configuration"),
        (2.5, "2.5"),
    ],
)
def test_a_value_is_displayed_as_it_would_be_written(value: object, shown: str) -> None:
    assert display(value) == shown
