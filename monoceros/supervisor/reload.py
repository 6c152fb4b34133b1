"""The watcher of `--reload`: a child process that tells the master which files were edited.

A process and not a thread: a master with threads could not fork safely. It knows neither workers nor policy. The rules
it keeps: it watches the same files whether watchfiles is installed or not, and it ends when its master does.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from monoceros.supervisor.channel import Channel, Word, end_with_the_master
from monoceros.supervisor.signals import settle

logger = logging.getLogger("monoceros.error")

DEFAULT_INCLUDES = ("*.py",)
DEFAULT_EXCLUDES = (".*", ".py[cod]", ".sw.*", "~*")

# Yields the files that changed since the last batch; an empty batch first, as soon as nothing can be missed any more.
Changes = Iterator[set[Path]]


@dataclass(slots=True)
class Watched:
    """What to watch.

    Arguments:
        directories: absolute, watched with everything below them.
        includes: patterns of file names to watch besides `*.py`.
        excludes: patterns of file names not to watch, besides hidden and temporary files.
        excluded_directories: absolute, not watched with everything below them.
        delay: seconds between two looks at the files.

    A default pattern that the user gives to the other side is no default any more.
    """

    directories: Sequence[Path]
    includes: Sequence[str] = ()
    excludes: Sequence[str] = ()
    excluded_directories: Sequence[Path] = ()
    delay: float = 0.25

    def __post_init__(self) -> None:
        includes = [each for each in DEFAULT_INCLUDES if each not in self.excludes]
        excludes = [each for each in DEFAULT_EXCLUDES if each not in self.includes]
        self.includes = [*includes, *self.includes]
        self.excludes = [*excludes, *self.excludes]

    def wants(self, path: Path) -> bool:
        """Whether an edit of this file counts.

        An include that is the end of the path itself (`.env`, `conf/app.ini`) wins over every exclude.
        """
        matching = [pattern for pattern in self.includes if path.match(pattern)]
        if not matching:
            return False
        if any(str(path).endswith(pattern) for pattern in matching):
            return True
        if any(directory in path.parents for directory in self.excluded_directories):
            return False
        return not any(path.match(pattern) for pattern in self.excludes)


def watch(watched: Watched, line: Channel) -> int:
    """Watch and tell until the master is gone: the whole life of the watcher's process."""
    settle({})
    threading.Thread(target=end_with_the_master, args=(line,), name="monoceros-lifeline", daemon=True).start()
    name, changes = _backend(watched)
    next(changes)
    line.send(Word.WATCHING, name)
    for paths in changes:
        edited = sorted(path for path in paths if watched.wants(path))
        if edited:
            line.send(Word.CHANGED, encode_paths(edited))
    return 0


def encode_paths(paths: Sequence[Path]) -> str:
    """File names may hold anything, line ends included; a message is one line."""
    return json.dumps([os.fspath(path) for path in paths])


def displayed(text: str) -> str:
    """The paths of a message as a person reads them: quoted, and relative where they are below the directory."""
    here = Path.cwd()
    paths = [Path(name) for name in json.loads(text)]
    return ", ".join(f"'{path.relative_to(here) if path.is_relative_to(here) else path}'" for path in paths)


def _backend(watched: Watched) -> tuple[str, Changes]:
    try:
        import watchfiles  # noqa: F401 - the import is the question
    except ImportError:
        return "StatReload", polled_changes(watched)
    return "WatchFiles", notified_changes(watched)


def notified_changes(watched: Watched) -> Changes:
    """Changes as the operating system reports them, through watchfiles."""
    from watchfiles import watch as watch_files

    # The first time-out says that the watch stands; it should come soon, the others needn't.
    batches = watch_files(
        *watched.directories,
        watch_filter=None,
        step=50,
        rust_timeout=200,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    )
    for batch in batches:
        yield {Path(name) for _, name in batch}
        if batch:
            time.sleep(watched.delay)


def polled_changes(watched: Watched, sleep: Callable[[float], None] = time.sleep) -> Changes:
    """Changes as a comparison of the files' times shows them; new and removed files are changes too."""
    former = _times(watched)
    yield set()
    while True:
        sleep(watched.delay)
        latest = _times(watched)
        yield {path for path in former.keys() | latest.keys() if former.get(path) != latest.get(path)}
        former = latest


def _times(watched: Watched) -> dict[Path, int]:
    times: dict[Path, int] = {}
    for top in watched.directories:
        for directory, subdirectories, names in os.walk(top):
            here = Path(directory)
            subdirectories[:] = [name for name in subdirectories if here / name not in watched.excluded_directories]
            for path in (here / name for name in names):
                if watched.wants(path):
                    try:
                        times[path] = path.stat().st_mtime_ns
                    except OSError:
                        continue  # removed since it was listed
    return times
