"""Which directories and patterns `--reload` watches, from what the user wrote.

Looks at directories, never into files. The rule it keeps: a directory is named once, and not together with one above
it.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

HIDDEN = ".*"
"""The default pattern of what is not watched. As a glob it would match every hidden directory, which nobody means."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What to watch.

    Arguments:
        directories: absolute, watched with everything below them.
        excluded: absolute directories that are not watched.
        includes: patterns of file names that are watched.
        excludes: patterns of file names that are not.
        fell_back: directories were named and none of them exists, so the current one is watched.
    """

    directories: list[Path]
    excluded: list[Path]
    includes: list[str]
    excludes: list[str]
    fell_back: bool = False


def resolve(
    directories: Sequence[str | os.PathLike[str]], includes: Sequence[str], excludes: Sequence[str], cwd: Path
) -> Watched:
    """Return what is to be watched.

    Arguments:
        directories: what the user wants watched. Those that don't exist are left out; if none is left, it is `cwd`.
        includes: patterns of file names; one that names or matches directories adds these.
        excludes: the same for what isn't to be watched. It wins.
        cwd: the current directory, to which all the paths are relative.
    """
    excluded = _topmost(_matching(excludes, cwd))
    named = [cwd / directory for directory in directories]
    wanted = _topmost(path.resolve() for path in [*named, *_matching(includes, cwd)] if path.is_dir())
    kept = [path for path in wanted if not any(path.is_relative_to(other) for other in excluded)]
    return Watched(
        kept or [cwd.resolve()],
        excluded,
        [pattern for pattern in dict.fromkeys(includes) if pattern not in excludes],
        list(dict.fromkeys(excludes)),
        fell_back=bool(directories) and not kept,
    )


def _matching(patterns: Iterable[str], cwd: Path) -> list[Path]:
    """The directories that the patterns name or match."""
    found: list[Path] = []
    for pattern in patterns:
        if pattern == HIDDEN:
            continue
        if (cwd / pattern).is_dir():
            found.append((cwd / pattern).resolve())
        else:
            found.extend(match.resolve() for match in _glob(pattern, cwd) if match.is_dir())
    return found


def _glob(pattern: str, cwd: Path) -> list[Path]:
    try:
        return sorted(cwd.glob(pattern))
    except (NotImplementedError, ValueError):  # absolute, or `**` inside a name: a pattern of names, not of directories
        return []


def _topmost(directories: Iterable[Path]) -> list[Path]:
    """Each directory once, without those below another."""
    unique = list(dict.fromkeys(directories))
    return [path for path in unique if not any(other in path.parents for other in unique)]
