"""Children that are forked to do what would change, or end, the process of the tests. Each is ended by its pid.

A child ends with `os._exit`, so that it never comes back into the tests that it is a copy of.
"""

import contextlib
import json
import os
import select
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Never

PATIENCE = 30.0  # seconds: only a failing test waits that long


def forked(work: Callable[[], object]) -> Any:
    """Return what a function returns in a forked child, by way of JSON."""
    with child(work) as (_, answers):
        return answer(answers)


def answer(answers: int) -> Any:
    """Wait for what a child's function returned, on the descriptor that `child` gives."""
    text = b""
    while True:
        ready, _, _ = select.select([answers], [], [], PATIENCE)
        assert ready, "the child doesn't answer"
        received = os.read(answers, 65536)
        if not received:
            break
        text += received
        if text.endswith(b"\n"):
            break
    assert text, "the child failed: its traceback is on standard error"
    return json.loads(text)


@contextlib.contextmanager
def child(work: Callable[[], object], *, stays: bool = False) -> Iterator[tuple[int, int]]:
    """Run a function in a forked child, and end that at the end.

    Arguments:
        work: what it returns is sent to the parent, as JSON.
        stays: whether the child lives on then, until the end.

    Yields:
        the child's pid, and the descriptor to give to `answer`.
    """
    answers, answering = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on: pytest-xdist has a thread, which is idle
        pid = os.fork()
    if not pid:
        _live(work, answering, stays=stays)
    os.close(answering)
    try:
        yield pid, answers
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(answers)


def open_the_way(directory: Path) -> None:
    """Let anybody enter the directories that pytest made, for a child that gives up root."""
    for place in (directory, *directory.parents):
        if os.geteuid() == 0 and (place == directory or place.name.startswith(("pytest-", "popen-"))):
            place.chmod(place.stat().st_mode | 0o111)


def _live(work: Callable[[], object], answering: int, *, stays: bool) -> Never:
    try:
        os.write(answering, json.dumps(work()).encode() + b"\n")
        while stays:
            signal.pause()
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(0)
