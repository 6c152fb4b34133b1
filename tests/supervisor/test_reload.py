"""Which files are watched, and how their changes are noticed. The reload itself is tested in tests/process."""

import os
from pathlib import Path

import pytest

from monoceros.supervisor.reload import Watched, displayed, encode_paths, polled_changes

HERE = Path("/project")


@pytest.mark.parametrize(
    ("name", "includes", "excludes", "wanted"),
    [
        ("app.py", [], [], True),
        ("deep/down/app.py", [], [], True),
        ("page.html", [], [], False),
        ("page.html", ["*.html"], [], True),
        ("app.py", ["*.html"], [], True),
        ("app.py", [], ["*.py"], False),
        (".hidden.py", [], [], False),
        (".hidden.py", [".*"], [], True),
        ("~backup.py", [], [], False),
        ("test_app.py", [], ["test_*"], False),
        (".env", [".env"], [], True),
        ("conf/app.ini", ["conf/app.ini"], ["*.ini"], True),
        ("conf/app.ini", ["*.ini"], ["app.*"], False),
        ("build/app.py", [], [], False),
        ("build/deep/app.py", [], [], False),
    ],
)
def test_a_file_is_watched_as_its_name_and_the_patterns_say(
    name: str, includes: list[str], excludes: list[str], wanted: bool
) -> None:
    watched = Watched([HERE], includes, excludes, [HERE / "build"])
    assert watched.wants(HERE / name) is wanted


def test_polling_sees_edited_new_and_removed_files(tmp_path: Path) -> None:
    edited, removed, other = tmp_path / "edited.py", tmp_path / "sub" / "removed.py", tmp_path / "other.txt"
    removed.parent.mkdir()
    for path in (edited, removed, other):
        path.write_text("1")
    changes = polled_changes(Watched([tmp_path]), sleep=lambda _: None)
    assert next(changes) == set()
    assert next(changes) == set()
    os.utime(edited, (1, 1))  # older than before is a change too: a checkout does that
    removed.unlink()
    other.write_text("2")
    (tmp_path / "new.py").write_text("1")
    assert next(changes) == {edited, removed, tmp_path / "new.py"}
    assert next(changes) == set()


def test_polling_does_not_descend_into_excluded_directories(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    changes = polled_changes(Watched([tmp_path], excluded_directories=[tmp_path / "build"]), sleep=lambda _: None)
    next(changes)
    (tmp_path / "build" / "app.py").write_text("1")
    assert next(changes) == set()


def test_paths_are_shown_quoted_and_relative_where_they_are_below_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = encode_paths([tmp_path / "app.py", Path("/elsewhere/two\nlines.py")])
    assert "\n" not in text
    assert displayed(text) == "'app.py', '/elsewhere/two\nlines.py'"
