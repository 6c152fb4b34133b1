"""What `--reload` watches."""

from pathlib import Path

import pytest

from monoceros.options.watched import resolve


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Directories app/ and app/static, docs/ and .git; a file."""
    for name in ("app/static", "docs", ".git"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "main.py").touch()
    return tmp_path.resolve()


def test_the_current_directory_is_watched_if_none_is_named(project: Path) -> None:
    watched = resolve([], [], [], project)
    assert watched.directories == [project]
    assert not watched.fell_back


def test_relative_and_absolute_directories_are_watched(project: Path) -> None:
    watched = resolve(["app", project / "docs"], [], [], project)
    assert watched.directories == [project / "app", project / "docs"]


def test_a_directory_below_another_is_not_named_again(project: Path) -> None:
    assert resolve(["app/static", "app", "app"], [], [], project).directories == [project / "app"]


def test_directories_that_are_missing_are_left_out(project: Path) -> None:
    watched = resolve(["gone", "docs"], [], [], project)
    assert watched.directories == [project / "docs"]
    assert not watched.fell_back


def test_the_current_directory_is_watched_if_those_that_were_named_are_missing(project: Path) -> None:
    watched = resolve(["gone", "main.py"], [], [], project)
    assert watched.directories == [project]
    assert watched.fell_back


@pytest.mark.parametrize("pattern", ["docs", "do*"])
def test_an_included_directory_is_watched(project: Path, pattern: str) -> None:
    watched = resolve(["app"], [pattern], [], project)
    assert watched.directories == [project / "app", project / "docs"]
    assert watched.includes == [pattern]


@pytest.mark.parametrize("pattern", ["app", "ap*"])
def test_an_excluded_directory_is_not_watched_nor_what_is_below_it(project: Path, pattern: str) -> None:
    watched = resolve(["app/static", "docs"], [], [pattern], project)
    assert watched.directories == [project / "docs"]
    assert watched.excluded == [project / "app"]


def test_an_excluded_directory_below_a_watched_one_is_kept_for_the_watcher(project: Path) -> None:
    watched = resolve([], [], ["app/static"], project)
    assert watched.directories == [project]
    assert watched.excluded == [project / "app" / "static"]


def test_an_excluded_pattern_is_not_included(project: Path) -> None:
    watched = resolve([], ["*.html", "*.css", "*.html"], ["*.css"], project)
    assert watched.includes == ["*.html"]
    assert watched.excludes == ["*.css"]


def test_the_pattern_of_hidden_files_names_no_directory(project: Path) -> None:
    """As a glob it would match .git, and the default excludes it."""
    assert resolve([], [".*"], [], project).directories == [project]


@pytest.mark.parametrize("pattern", ["/nowhere/*.py", "**.py"])
def test_a_pattern_that_is_no_glob_matches_no_directory(project: Path, pattern: str) -> None:
    assert resolve([], [pattern], [], project).directories == [project]
