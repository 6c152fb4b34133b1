"""Log files that are open, handed over to another user: which are, and which aren't."""

import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from monoceros.logs.reopen import hand_over_log_files
from tests.logs.conftest import new_logger


class Given:
    """Notes the files that it is given."""

    def __init__(self) -> None:
        self.files: list[os.stat_result] = []

    def own(self, descriptor: int) -> None:
        self.files.append(os.fstat(descriptor))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(logging.root.manager, "loggerDict", {})  # no file that another test left open
    return tmp_path / "app.log"


@pytest.fixture
def given() -> Given:
    return Given()


@pytest.fixture
def opened(path: Path) -> Iterator[list[logging.FileHandler]]:
    """Handlers that a test opens."""
    handlers: list[logging.FileHandler] = []
    yield handlers
    for handler in handlers:
        handler.close()


def log_to(path: Path, opened: list[logging.FileHandler], *, delay: bool = False) -> logging.FileHandler:
    handler = logging.FileHandler(path, delay=delay)
    opened.append(handler)
    new_logger().addHandler(handler)
    return handler


def test_the_file_that_is_open_is_given_and_stays_open(
    path: Path, given: Given, opened: list[logging.FileHandler]
) -> None:
    handler = log_to(path, opened)
    stream = handler.stream
    assert hand_over_log_files(given.own) == [str(path)]
    assert os.path.samestat(given.files[0], path.stat())
    assert handler.stream is stream


def test_what_is_behind_a_link_is_not_given_and_it_is_said_what_to_do(
    path: Path, given: Given, opened: list[logging.FileHandler], caplog: pytest.LogCaptureFixture
) -> None:
    path.symlink_to(path.with_name("another's"))
    log_to(path, opened)
    assert hand_over_log_files(given.own) == []
    assert given.files == []
    (message,) = caplog.messages
    assert message.startswith(f"Log file {path} keeps its owner: it is a symbolic link")
    assert "name the file itself" in message


def test_a_link_that_was_put_in_its_place_meanwhile_gives_nothing_away(
    path: Path, given: Given, opened: list[logging.FileHandler]
) -> None:
    log_to(path, opened)
    another = path.with_name("another's")
    path.rename(another)
    path.hardlink_to(another)
    assert hand_over_log_files(given.own) == []
    assert given.files == []


def test_a_device_behind_a_link_is_passed_over_in_silence(
    path: Path, given: Given, opened: list[logging.FileHandler], caplog: pytest.LogCaptureFixture
) -> None:
    """In a container the access log is /dev/stdout."""
    path.symlink_to("/dev/null")
    log_to(path, opened)
    assert hand_over_log_files(given.own) == []
    assert given.files == []
    assert caplog.messages == []


def test_a_standard_stream_that_is_a_file_is_passed_over_in_silence(
    path: Path, given: Given, opened: list[logging.FileHandler], caplog: pytest.LogCaptureFixture
) -> None:
    target = path.with_name("output")
    kept = os.dup(1)
    with open(target, "w") as output:
        os.dup2(output.fileno(), 1)
    try:
        path.symlink_to("/dev/stdout")
        log_to(path, opened)
        assert hand_over_log_files(given.own) == []
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert given.files == []
    assert caplog.messages == []


def test_handlers_without_an_open_file_are_passed_over(
    path: Path, given: Given, opened: list[logging.FileHandler]
) -> None:
    log_to(path, opened, delay=True)
    closed = log_to(path, opened)
    stream = closed.stream
    assert isinstance(stream, io.TextIOWrapper)
    stream.close()
    removed = log_to(path.with_name("removed.log"), opened)
    os.unlink(removed.baseFilename)
    assert hand_over_log_files(given.own) == []
    assert given.files == []
    vars(closed)["stream"] = None  # `logging` can't close what is closed
