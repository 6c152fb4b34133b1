"""When a worker needs a new interpreter. That one works is tested in tests/process."""

import sys
from pathlib import Path

import pytest

from monoceros.supervisor.fresh import imported_from


def test_the_imported_modules_of_the_program_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "part_of_the_program.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert imported_from([tmp_path]) == []
    __import__("part_of_the_program")
    try:
        assert imported_from([tmp_path]) == ["part_of_the_program"]
        assert imported_from([tmp_path / "elsewhere"]) == []
    finally:
        del sys.modules["part_of_the_program"]


def test_installed_packages_and_the_server_itself_are_not_the_program() -> None:
    names = {name.partition(".")[0] for name in imported_from([Path("/")])}
    assert names.isdisjoint({"pytest", "monoceros"})
