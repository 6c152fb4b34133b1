"""How many connections a process can hold."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from monoceros.service import descriptors
from monoceros.service.descriptors import affordable_connections


def listing(directory: Path, used: int) -> str:
    for number in range(used):
        (directory / str(number)).touch()
    return str(directory)


@pytest.mark.parametrize(
    ("soft", "used", "expected"), [(1024, 24, 936), (256, 6, 218), (65536, 36, 61404), (40, 30, 1)]
)
def test_some_descriptors_are_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, soft: int, used: int, expected: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, soft))
    assert affordable_connections(listing(tmp_path, used)) == expected


def test_without_a_limit_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert affordable_connections() is None


def test_what_is_open_need_not_be_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 1024))
    assert affordable_connections(str(tmp_path / "missing")) == 1024 - 64


def test_a_real_process_counts_what_it_has_open() -> None:
    code = (
        "import os, resource\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512))\n"
        f"from {descriptors.__name__} import affordable_connections as count\n"
        "before = count()\n"
        "held = [os.open(os.devnull, os.O_RDONLY) for _ in range(100)]\n"
        "print(before - count())\n"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True, env=os.environ) == "100\n"
