"""What a person is told who mistyped a reference."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from monoceros.errors import StartupError
from monoceros.resources import suggestions
from monoceros.resources.loading import import_object


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("main.py", "Write it as 'main:app'."),
        ("main.py:create_app", "Write it as 'main:create_app'."),
        ("./main.py:app", "Write it as 'main:app'."),
        ("pkg/main:app", "Write it as 'pkg.main:app'."),
        ("pkg/__init__.py:app", "Write it as 'pkg:app'."),
        ("../main.py:app", "Write it as 'main:app' with --app-dir ..."),
        ("/srv/app/main.py:app", "Write it as 'main:app' with --app-dir /srv/app."),
    ],
)
def test_a_path_is_translated_into_a_reference(
    reference: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "main.py").write_text("raise RuntimeError('a reference that is a path is never imported')")
    with pytest.raises(StartupError) as caught:
        import_object(reference)
    assert str(caught.value) == f"'{reference}' is a file's path. {hint}"


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("main", "such as 'main:app'"),
        ("main:", "such as 'main:app'"),
        ("elsewhere.py", "such as 'elsewhere:app'"),
        (":app", "An example is 'main:app'"),
        ("", "An example is 'main:app'"),
    ],
)
def test_a_malformed_reference_is_answered_with_its_form(reference: str, hint: str) -> None:
    with pytest.raises(StartupError) as caught:
        import_object(reference)
    assert f"'{reference}' isn't 'module:attribute'." in str(caught.value)
    assert hint in str(caught.value)


def test_a_relative_module_is_answered_without_its_dots() -> None:
    with pytest.raises(StartupError, match=r"without the leading dots: 'main:app'"):
        import_object(".main:app")


def test_a_module_of_the_working_directory_is_found_for_app_dir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "main.py").touch()
    monkeypatch.chdir(tmp_path)
    hint = suggestions.for_module("main", "app", str(tmp_path / "elsewhere"))
    assert hint == f" There's one in {tmp_path}: add --app-dir {tmp_path}."


def test_a_misspelt_module_of_a_package_is_suggested_in_full(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "server.py").touch()
    assert "'pkg.server:app'" in suggestions.for_module("pkg.sever", "app", str(tmp_path))


def test_a_misspelt_package_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "website").mkdir()
    (tmp_path / "website" / "__init__.py").touch()
    assert "'website:app'" in suggestions.for_module("webiste", "app", str(tmp_path))


def test_a_call_is_answered_with_the_flag_for_factories() -> None:
    assert suggestions.for_attribute(SimpleNamespace(), "create_app()") == (
        " It's a name, not a call: for a factory, write 'create_app' and add --factory."
    )


def test_nothing_is_suggested_where_nothing_can_be_called() -> None:
    assert suggestions.for_attribute(SimpleNamespace(limit=3), "app") == ""
    assert suggestions.for_attribute(3, "app") == ""
