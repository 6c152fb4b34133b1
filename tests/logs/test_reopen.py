"""Log files that were renamed, opened anew: on real files, pipes, threads and signals."""

import gzip
import io
import logging
import logging.handlers
import os
import signal
import stat
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monoceros.logs.reopen import reopen_log_files
from tests.logs.conftest import Said, new_logger, run_within

DEADLINE = 20.0  # seconds: only a failing test waits that long


class Files:
    """Loggers of this test, each with a file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.kept: list[tuple[logging.Logger, logging.Handler]] = []

    def keep(self, handler: logging.Handler) -> logging.Logger:
        logger = new_logger()
        logger.addHandler(handler)
        self.kept.append((logger, handler))
        return logger

    def open(self, name: str, mode: str = "a", *, delay: bool = False) -> tuple[logging.Logger, Path]:
        path = self.directory / name
        return self.keep(logging.FileHandler(path, mode, encoding="utf-8", delay=delay)), path

    def rotate(self, path: Path, suffix: str = ".1") -> Path:
        return path.rename(path.with_name(path.name + suffix))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    monkeypatch.setattr(logging.root.manager, "loggerDict", {})  # no file that another test left open
    files = Files(tmp_path)
    yield files
    for logger, handler in files.kept:
        logger.removeHandler(handler)
        handler.close()


@pytest.fixture
def errors(files: Files) -> list[str]:
    """What is said on the server's logger."""
    handler = Said()
    logging.getLogger("monoceros.error").addHandler(handler)
    return handler.messages


def stream_of(logger: logging.Logger) -> io.TextIOWrapper:
    handler = logger.handlers[0]
    assert isinstance(handler, logging.FileHandler)
    assert handler.stream is not None
    return handler.stream


def test_after_a_rename_lines_go_to_the_new_file_by_the_same_descriptor(files: Files) -> None:
    logger, path = files.open("app.log")
    logger.info("before")
    former = files.rotate(path)
    logger.info("meanwhile")
    stream_of(logger).write("in its buffer\n")
    descriptor, opened = stream_of(logger).fileno(), os.listdir("/dev/fd")
    assert reopen_log_files() == [str(path)]
    assert len(os.listdir("/dev/fd")) == len(opened)
    logger.info("after")
    os.write(descriptor, b"by number\n")
    assert former.read_text() == "before\nmeanwhile\nin its buffer\n"
    assert path.read_text() == "after\nby number\n"
    assert stream_of(logger).fileno() == descriptor
    assert not os.get_inheritable(descriptor)
    assert os.get_blocking(descriptor)


def test_a_file_that_is_where_it_was_keeps_its_lines_whatever_its_mode(files: Files) -> None:
    logger, path = files.open("app.log", "w")
    logger.info("before")
    assert reopen_log_files() == [str(path)]
    logger.info("after")
    assert path.read_text() == "before\nafter\n"


def test_handlers_are_found_at_every_logger_and_behind_others_each_once(files: Files) -> None:
    queued, buffered, rotating, both = (files.directory / name for name in ("queued", "buffered", "rotating", "both"))
    listener = logging.FileHandler(queued)
    queue_handler = logging.Handler()
    vars(queue_handler)["listener"] = type("Listener", (), {"handlers": (listener,)})()
    memory = logging.handlers.MemoryHandler(1, target=logging.FileHandler(buffered))
    for handler in (queue_handler, memory, logging.handlers.RotatingFileHandler(rotating)):
        files.keep(handler)
    shared = logging.FileHandler(both)
    circle = logging.handlers.MemoryHandler(1)
    circle.setTarget(circle)
    for handler in (shared, shared, memory, circle):
        files.keep(handler)
    logging.root.addHandler(shared)
    owned: list[int] = []
    try:
        assert sorted(reopen_log_files(owned.append)) == sorted(map(str, (queued, buffered, rotating, both)))
    finally:
        logging.root.removeHandler(shared)
        assert memory.target is not None
        memory.target.close()
        listener.close()
    assert len(owned) == 4


def test_a_rotating_handler_goes_on_to_rotate_by_size(files: Files) -> None:
    path = files.directory / "app.log"
    logger = files.keep(logging.handlers.RotatingFileHandler(path, maxBytes=20, backupCount=1))
    logger.info("x" * 15)
    files.rotate(path, ".away")
    reopen_log_files()
    logger.info("y" * 15)
    logger.info("z" * 15)
    assert path.read_text() == "z" * 15 + "\n"
    assert path.with_name("app.log.1").read_text() == "y" * 15 + "\n"


def test_a_handler_without_a_stream_and_one_that_was_closed_are_left_alone(files: Files) -> None:
    _, late = files.open("late.log", delay=True)
    logger, _ = files.open("closed.log")
    stream_of(logger).close()
    assert reopen_log_files() == []
    assert not late.exists()
    vars(logger.handlers[0])["stream"] = None  # `logging` can't close what is closed


def test_a_file_that_cannot_be_opened_keeps_its_descriptor_and_is_named(files: Files, errors: list[str]) -> None:
    (files.directory / "gone").mkdir()
    logger, path = files.open("gone/app.log")
    other, other_path = files.open("other.log")
    path.parent.rename(files.directory / "moved")
    files.rotate(other_path)
    assert reopen_log_files() == [str(other_path)]
    logger.info("still here")
    other.info("anew")
    assert (files.directory / "moved" / "app.log").read_text() == "still here\n"
    assert other_path.read_text() == "anew\n"
    assert errors == [
        f"Log file {path} can't be opened anew: No such file or directory. Its lines go on to the file that was open."
    ]


def test_the_new_file_is_handed_over_before_it_is_written_to(files: Files) -> None:
    logger, path = files.open("app.log")
    former = files.rotate(path)

    def own(descriptor: int) -> None:
        assert os.path.samestat(os.fstat(descriptor), path.stat())
        os.fchmod(descriptor, 0o600)
        logger.info("not yet")

    assert reopen_log_files(own) == [str(path)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == ""
    assert former.read_text() == "not yet\n"


def test_a_file_that_cannot_be_handed_over_is_not_written_to(files: Files, errors: list[str]) -> None:
    def refuse(descriptor: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    logger, path = files.open("app.log")
    former = files.rotate(path)
    assert reopen_log_files(refuse) == []
    logger.info("line")
    assert former.read_text() == "line\n"
    assert f"{path} can't be opened anew: Operation not permitted" in errors[0]


def test_a_link_is_followed_unless_the_file_is_to_be_handed_over(files: Files, errors: list[str]) -> None:
    """Whoever may write to the directory could have another's file given to him."""
    logger, path = files.open("app.log")
    former, target = files.rotate(path), files.directory / "another's"
    path.symlink_to(target)
    owned: list[int] = []
    assert reopen_log_files(owned.append) == []
    logger.info("first")
    assert "it is a symbolic link" in errors[0]
    assert not target.exists()
    assert reopen_log_files() == [str(path)]
    logger.info("second")
    assert former.read_text() == "first\n"
    assert target.read_text() == "second\n"
    assert owned == []


def test_a_file_with_a_second_name_is_not_handed_over(files: Files) -> None:
    logger, path = files.open("app.log")
    another = files.directory / "another's"
    another.touch()
    files.rotate(path)
    path.hardlink_to(another)
    owned: list[int] = []
    assert reopen_log_files(owned.append) == [str(path)]
    logger.info("line")
    assert another.read_text() == "line\n"
    assert owned == []


def test_a_pipe_in_its_place_is_left_alone(files: Files, errors: list[str]) -> None:
    path = files.directory / "app.log"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    logger = files.keep(logging.FileHandler(path))
    os.close(reader)
    assert run_within(DEADLINE, lambda: reopen_log_files(lambda descriptor: None))
    assert errors == []
    path.unlink()
    assert reopen_log_files() == [str(path)]
    logger.info("now a file")
    assert path.read_text() == "now a file\n"


def test_a_pipe_that_nobody_reads_is_an_error_and_no_wait(files: Files, errors: list[str]) -> None:
    logger, path = files.open("app.log")
    former = files.rotate(path)
    os.mkfifo(path)
    assert run_within(DEADLINE, reopen_log_files)
    logger.info("line")
    assert former.read_text() == "line\n"
    assert "No such device or address" in errors[0]


def test_a_stream_that_compresses_is_not_cut(files: Files, errors: list[str]) -> None:
    path = files.directory / "app.log.gz"

    class Compressing(logging.FileHandler):
        def _open(self) -> io.TextIOWrapper:
            return io.TextIOWrapper(gzip.GzipFile(self.baseFilename, "wb"))

    logger = files.keep(Compressing(path))
    former = files.rotate(path)
    assert reopen_log_files() == []
    assert "does more than encode" in errors[0]
    logger.info("line")
    logger.handlers[0].close()
    assert gzip.decompress(former.read_bytes()) == b"line\n"


def test_a_stream_that_was_detached_is_named_and_the_others_are_reopened(files: Files, errors: list[str]) -> None:
    logger, path = files.open("detached.log")
    _, other = files.open("other.log")
    binary = stream_of(logger).detach()
    assert reopen_log_files() == [str(other)]
    assert f"{path} can't be opened anew: underlying buffer has been detached" in errors[0]
    vars(logger.handlers[0])["stream"] = io.TextIOWrapper(binary)


def test_what_a_full_disk_did_not_take_is_written_with_the_next_line(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    path = files.directory / "app.log"
    path.symlink_to("/dev/full")
    logger = files.keep(logging.FileHandler(path))
    logger.info("kept")
    path.unlink()
    assert reopen_log_files() == [str(path)]
    logger.info("next")
    assert path.read_text() == "kept\nnext\n"


def test_a_handler_that_a_stuck_thread_holds_is_reopened_all_the_same(files: Files) -> None:
    logger, path = files.open("app.log")
    files.rotate(path)
    handler = logger.handlers[0]
    assert handler.lock is not None
    holder = threading.Thread(target=handler.lock.acquire)
    holder.start()
    holder.join()
    assert run_within(DEADLINE, reopen_log_files)
    handler.createLock()
    logger.info("line")
    assert path.read_text() == "line\n"


def test_a_line_that_another_thread_is_writing_in_pieces_is_ended_first(files: Files) -> None:
    class Piecewise(io.FileIO):
        def write(self, data: Any) -> int:
            half = super().write(bytes(data)[:2])
            threads.append(threading.Thread(target=lambda: reopen_log_files(patience=DEADLINE)))
            threads[0].start()
            threads[0].join(0.1)  # it should be waiting; if it isn't, this is time enough to be seen
            return half + super().write(bytes(data)[2:])

    threads: list[threading.Thread] = []
    logger, path = files.open("app.log", delay=True)
    vars(logger.handlers[0])["stream"] = io.TextIOWrapper(io.BufferedWriter(Piecewise(path, "a")))
    former = files.rotate(path)
    logger.info("line")
    threads[0].join(DEADLINE)
    assert former.read_text() == "line\n"
    assert path.read_text() == ""


class Interrupted(io.FileIO):
    """A file in whose first write a signal arrives that has log files reopened."""

    signalled = False

    def write(self, data: Any) -> int:
        if not self.signalled:
            self.signalled = True
            reopen_log_files()
        return super().write(data)


def interrupted_stream(path: Path) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(Interrupted(path, "a")), line_buffering=True)


def test_in_the_middle_of_a_write_to_the_same_stream_the_line_stays_whole(files: Files) -> None:
    logger, path = files.open("app.log", delay=True)
    vars(logger.handlers[0])["stream"] = interrupted_stream(path)
    former = files.rotate(path)
    logger.info("line")
    assert path.read_text() == "line\n"
    assert former.read_text() == ""


def test_in_the_middle_of_a_write_to_the_error_log_a_failure_does_not_break_the_line(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    (files.directory / "gone").mkdir()
    _, path = files.open("gone/app.log")
    path.parent.rename(files.directory / "moved")
    screen = interrupted_stream(files.directory / "screen")
    monkeypatch.setattr(sys, "stderr", screen)
    handler = logging.StreamHandler(screen)
    logging.getLogger("monoceros.error").addHandler(handler)
    files.keep(handler).info("line")
    screen.close()
    assert (files.directory / "screen").read_text() == "line\n"


def all_lines(directory: Path) -> list[str]:
    return [line for path in directory.glob("app.log*") for line in path.read_text().splitlines()]


def test_while_threads_write_no_line_is_lost_or_torn(files: Files) -> None:
    logger, path = files.open("app.log")
    written = dict.fromkeys(("one", "two"), 0)
    rotations = 0

    def write(name: str) -> None:
        while written[name] < 1000 or (rotations < 3 and written[name] < 1_000_000):
            logger.info("%s %d %s", name, written[name], "x" * (written[name] % 50 * 400))
            written[name] += 1

    threads = [threading.Thread(target=write, args=(name,)) for name in written]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        files.rotate(path, f".{rotations}")
        reopen_log_files()
        rotations += 1
    assert Counter(all_lines(files.directory)) == Counter(
        f"{name} {number} {'x' * (number % 50 * 400)}" for name in written for number in range(written[name])
    )


def test_signals_that_interrupt_lines_lose_and_tear_none(files: Files) -> None:
    logger, path = files.open("app.log")
    rotations = number = 0

    def rotate(*_: object) -> None:
        nonlocal rotations
        files.rotate(path, f".{rotations}")
        reopen_log_files()
        rotations += 1
        signal.setitimer(signal.ITIMER_REAL, 0.001)

    former = signal.signal(signal.SIGALRM, rotate)
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    try:
        while number < 3000 or (rotations < 3 and number < 1_000_000):
            logger.info("%d %s", number, "x" * (number % 7 * 300))
            number += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert rotations >= 3
    expected = Counter(f"{each} {'x' * (each % 7 * 300)}" for each in range(number))
    assert Counter(all_lines(files.directory)) == expected
