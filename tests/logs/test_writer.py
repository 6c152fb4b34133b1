"""Lines on real pipes, sockets, terminals and files, read or not."""

import errno
import fcntl
import os
import pty
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from monoceros.logs.writer import PIPE_BUF, LineWriter
from tests.logs.conftest import drain, fill, run_within

both_ways = pytest.mark.parametrize("no_wait", [True, False], ids=["no_wait", "polled"])

DEADLINE = 20.0  # seconds: far more than any of this takes


def lines(count: int, length: int = 100) -> bytes:
    return b"".join(b"%0*d\n" % (length - 1, number) for number in range(count))


@both_ways
def test_lines_arrive_in_a_pipe_in_order(pipe: tuple[int, int], no_wait: bool) -> None:
    reader, end = pipe
    writer = LineWriter(end, no_wait=no_wait)
    writer.write(b"first\n")
    writer.write(b"")
    writer.write(b"second\nthird\n")
    assert drain(reader) == b"first\nsecond\nthird\n"
    assert writer.dropped == 0
    assert writer.takes_data()


@both_ways
def test_a_full_pipe_drops_lines_and_counts_them_without_waiting(pipe: tuple[int, int], no_wait: bool) -> None:
    reader, end = pipe
    capacity = fill(end)
    writer = LineWriter(end, no_wait=no_wait)
    assert run_within(DEADLINE, lambda: writer.write(lines(3)))
    assert run_within(DEADLINE, lambda: writer.write(lines(200)))
    assert writer.dropped == 203
    assert not writer.takes_data()
    assert drain(reader) == b"." * capacity
    assert writer.takes_data()
    writer.write(b"again\n")
    assert drain(reader) == b"again\n"
    assert writer.dropped == 203


@both_ways
def test_what_fits_is_written_and_the_rest_dropped_at_a_line_end(pipe: tuple[int, int], no_wait: bool) -> None:
    reader, end = pipe
    writer = LineWriter(end, no_wait=no_wait)
    sent = lines(5000)
    assert run_within(DEADLINE, lambda: writer.write(sent))
    received = drain(reader)
    assert sent.startswith(received)
    assert received.endswith(b"\n")
    assert received.count(b"\n") + writer.dropped == 5000
    assert 0 < writer.dropped < 5000


@both_ways
def test_a_line_longer_than_an_atomic_write_is_continued_when_there_is_room(
    pipe: tuple[int, int], no_wait: bool
) -> None:
    reader, end = pipe
    capacity = fill(end)
    assert len(os.read(reader, 2 * PIPE_BUF)) == 2 * PIPE_BUF
    writer = LineWriter(end, no_wait=no_wait)
    long_line = b"x" * (3 * PIPE_BUF) + b"\n"
    assert run_within(DEADLINE, lambda: writer.write(b"before\n" + long_line + b"dropped\n"))
    assert writer.dropped == 1
    assert run_within(DEADLINE, lambda: writer.write(b"dropped\n"))
    assert writer.dropped == 2
    begun = drain(reader).lstrip(b".")
    writer.write(b"after\n")
    assert begun + drain(reader) == b"before\n" + long_line + b"after\n"
    assert len(begun) < len(long_line) < capacity


@both_ways
def test_a_line_too_long_for_a_pipe_arrives_whole_where_there_is_room(pipe: tuple[int, int], no_wait: bool) -> None:
    reader, end = pipe
    long_line = b"x" * (2 * PIPE_BUF) + b"\n"
    LineWriter(end, no_wait=no_wait).write(b"a\n" + long_line + b"b\n" + long_line)
    assert drain(reader) == b"a\n" + long_line + b"b\n" + long_line


@both_ways
def test_a_socket_nobody_reads_drops_lines(no_wait: bool) -> None:
    left, right = socket.socketpair()
    with left, right:
        writer = LineWriter(left.fileno(), no_wait=no_wait)
        sent = lines(20_000)
        assert run_within(DEADLINE, lambda: writer.write(sent))
        assert writer.dropped > 0
        received = drain(right.fileno())
        writer.write(b"the end\n")
        received += drain(right.fileno())
        assert set(received.splitlines(True)) <= set(sent.splitlines(True)) | {b"the end\n"}
        assert received.count(b"\n") + writer.dropped == 20_001


@both_ways
def test_the_callers_description_stays_blocking_and_open(pipe: tuple[int, int], no_wait: bool) -> None:
    master, terminal = pty.openpty()
    left, right = socket.socketpair()
    for descriptor in (pipe[1], terminal, left.fileno()):
        writer = LineWriter(descriptor, no_wait=no_wait)
        writer.write(b"line\n")
        assert os.get_blocking(descriptor)
        writer.close()
        writer.close()
        os.fstat(descriptor)
    for number in (master, terminal):
        os.close(number)
    left.close()
    right.close()


def test_a_kernel_that_cannot_write_without_waiting_is_polled(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> int:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "pwritev", refuse, raising=False)
    writer = LineWriter(pipe[1])
    assert run_within(DEADLINE, lambda: writer.write(lines(5000)))
    assert drain(pipe[0]).count(b"\n") + writer.dropped == 5000
    assert writer.dropped > 0


def test_a_terminal_that_cannot_be_opened_again_is_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> str:
        raise OSError(errno.ENODEV, "No such device")

    master, terminal = pty.openpty()
    monkeypatch.setattr(os, "ttyname", refuse)
    LineWriter(terminal).write(b"one\n")
    assert _read_until(master, b"one\r\n") == b"one\r\n"
    os.close(master)
    os.close(terminal)


@both_ways
def test_a_reader_that_left_is_an_error(pipe: tuple[int, int], no_wait: bool) -> None:
    reader, end = pipe
    writer = LineWriter(end, no_wait=no_wait)
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        writer.write(b"line\n")


@both_ways
def test_a_descriptor_that_was_closed_is_an_error(pipe: tuple[int, int], no_wait: bool) -> None:
    writer = LineWriter(pipe[1], no_wait=no_wait)
    os.close(pipe[1])
    with pytest.raises(OSError, match="Bad file descriptor"):
        writer.write(b"line\n")
    with pytest.raises(OSError, match="Bad file descriptor"):
        LineWriter(pipe[1], no_wait=no_wait)


def test_a_file_takes_any_number_of_lines_at_once(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    writer = LineWriter(descriptor)
    writer.write(lines(5000))
    writer.write(b"end\n")
    os.close(descriptor)
    assert path.read_bytes() == lines(5000) + b"end\n"
    assert writer.dropped == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has a device that is always full")
def test_a_full_disk_drops_lines_and_is_no_error() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    writer = LineWriter(descriptor)
    writer.write(lines(3))
    assert writer.dropped == 3
    assert not writer.takes_data()
    os.close(descriptor)


@both_ways
def test_lines_arrive_at_a_terminal(no_wait: bool) -> None:
    master, terminal = pty.openpty()
    LineWriter(terminal, no_wait=no_wait).write(b"one\ntwo\n")
    assert _read_until(master, b"two\r\n") == b"one\r\ntwo\r\n"
    os.close(master)
    os.close(terminal)


def test_a_terminal_that_shows_nothing_more_drops_lines_without_waiting() -> None:
    master, terminal = pty.openpty()
    writer = LineWriter(terminal)
    assert run_within(DEADLINE, lambda: writer.write(lines(5000)))
    assert run_within(DEADLINE, lambda: writer.write(lines(10)))
    dropped = writer.dropped
    assert dropped > 0
    received = _read_until(master, None)
    writer.write(b"the end\n")
    received += _read_until(master, b"the end\r\n")
    shown = received.replace(b"\r\n", b"\n")
    assert set(shown.splitlines(True)) <= {*lines(5000).splitlines(True), b"the end\n"}
    assert shown.count(b"\n") + dropped == 5011
    writer.close()
    os.close(master)
    os.close(terminal)


def test_a_terminal_that_hung_up_is_an_error() -> None:
    master, terminal = pty.openpty()
    writer = LineWriter(terminal)
    os.close(master)
    with pytest.raises(OSError, match="Input/output error"):
        writer.write(b"line\n")
    writer.close()
    os.close(terminal)


def _read_until(master: int, end: bytes | None) -> bytes:
    """Read a terminal until this came, or (None) until nothing came for a while: its driver passes on in pieces."""
    received = b""
    deadline = time.monotonic() + (DEADLINE if end else 0.3)
    while time.monotonic() < deadline and not (end and received.endswith(end)):
        received += drain(master)
    return received


SCRIPT = """
import sys
from monoceros.logs.writer import LineWriter

name, no_wait = sys.argv[1], sys.argv[2] == "True"
writer = LineWriter(1, no_wait=no_wait)
turn = []
for number in range(4000):
    turn.append(f"{name} {number} {'x' * (number % 311)} end\\n")
    if number % 50 == 49:
        writer.write("".join(turn).encode())
        turn.clear()
sys.stderr.write(str(writer.dropped))
"""


@both_ways
def test_two_processes_on_one_pipe_tear_no_line(no_wait: bool) -> None:
    reader, end = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, 2 * PIPE_BUF)  # the less room, the more a careless write is torn
    processes = [
        subprocess.Popen([sys.executable, "-c", SCRIPT, name, str(no_wait)], stdout=end, stderr=subprocess.PIPE)
        for name in ("one", "two")
    ]
    os.close(end)
    with open(reader, "rb") as stream:
        received = stream.read().decode().splitlines()
    dropped = [int(process.communicate(timeout=DEADLINE)[1]) for process in processes]
    seen: Counter[str] = Counter()
    last = {"one": -1, "two": -1}
    for line in received:
        match = re.fullmatch(r"(one|two) (\d+) (x*) end", line)
        assert match, line
        name, number = match[1], int(match[2])
        assert len(match[3]) == number % 311
        assert number > last[name]
        last[name] = number
        seen[name] += 1
    assert [seen["one"] + dropped[0], seen["two"] + dropped[1]] == [4000, 4000]
    assert min(seen.values()) > 0
