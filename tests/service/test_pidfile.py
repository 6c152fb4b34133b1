"""The pid file, with real files, real locks and real processes."""

import contextlib
import errno
import fcntl
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monoceros.errors import EXIT_USAGE, UsageError
from monoceros.service.pidfile import PidFile
from tests.process.serving import ROOT
from tests.service.forked import answer, child, forked, open_the_way

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "service.pid"


@pytest.fixture
def claimed(path: Path) -> Iterator[PidFile]:
    """The pid file of the process of the tests."""
    pid_file = PidFile(path)
    pid_file.claim()
    yield pid_file
    pid_file.release()


@pytest.fixture
def aside(path: Path) -> Path:
    return path.with_name("service.pid.oldbin")


@contextlib.contextmanager
def held_elsewhere(path: Path) -> Iterator[int]:
    """Another process holds the file meanwhile, and then dies without a word. Gives its pid."""
    with child(lambda: PidFile(path).claim(), stays=True) as (pid, answers):
        answer(answers)
        yield pid


def refusal(action: Callable[[], None]) -> str:
    """What an action that must fail says."""
    with pytest.raises(UsageError) as caught:
        action()
    assert "--pid-file" in str(caught.value)
    assert caught.value.exit_code == EXIT_USAGE
    return str(caught.value)


def refused_elsewhere(path: Path) -> bool:
    """Whether another process would be refused, which says that the file is held here."""

    def claim() -> bool:
        try:
            PidFile(path).claim()
        except UsageError:
            return True
        return False

    return bool(forked(claim))


def test_the_file_has_the_number_of_its_process_and_goes_with_it(path: Path) -> None:
    pid_file = PidFile(path)
    pid_file.claim()
    assert path.read_text() == f"{os.getpid()}\n"
    pid_file.release()
    assert not path.exists()
    pid_file.release()


def test_the_file_of_a_live_process_is_refused_with_its_number(path: Path) -> None:
    with held_elsewhere(path) as pid:
        for action in (PidFile(path).claim, PidFile(path).check):
            message = refusal(action)
            assert re.search(rf"\b{pid}\b", message)
            assert str(path) in message
        assert path.read_text() == f"{pid}\n"


def test_the_live_process_is_named_also_before_it_has_written_its_number(path: Path) -> None:
    path.write_text("1\n")

    def lock() -> None:
        fcntl.lockf(os.open(path, os.O_RDWR), fcntl.LOCK_EX)

    with child(lock, stays=True) as (pid, answers):
        answer(answers)
        assert re.search(rf"\b{pid}\b", refusal(PidFile(path).claim))


def test_a_process_that_was_killed_holds_nothing(path: Path) -> None:
    with held_elsewhere(path) as pid:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert path.read_text() == f"{pid}\n"
        PidFile(path).check()
        pid_file = PidFile(path)
        pid_file.claim()
    assert path.read_text() == f"{os.getpid()}\n"
    pid_file.release()


@pytest.mark.parametrize("content", ["", "1\n", "99999999999999999999\n", "nobody\n", "x" * 10_000, "\0\0\0\0"])
def test_what_a_dead_process_or_a_stranger_left_is_replaced_in_place(path: Path, content: str) -> None:
    """The first process of a machine lives, but it isn't this service: the lock says so, the number can't."""
    path.write_text(content)
    inode = path.stat().st_ino
    PidFile(path).check()
    assert path.read_text() == content
    pid_file = PidFile(path)
    pid_file.claim()
    assert path.read_text() == f"{os.getpid()}\n"
    assert path.stat().st_ino == inode
    pid_file.release()


def test_a_check_leaves_nothing(path: Path) -> None:
    PidFile(path).check()
    assert not path.exists()
    assert not refused_elsewhere(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("service.pid", "is a directory"),
        ("service.pid", "symbolic link"),
        ("service.pid", "isn't a regular file"),
        ("missing/service.pid", "there's no directory"),
        ("precious/service.pid", "isn't a directory"),
        ("a\0b", "embedded null"),
    ],
)
def test_what_cannot_be_a_pid_file_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    path, target = tmp_path / name, tmp_path / "precious"
    target.write_text("precious")
    make: dict[str, Callable[[], None]] = {
        "is a directory": path.mkdir,
        "symbolic link": lambda: path.symlink_to(target),
        "isn't a regular file": lambda: os.mkfifo(path),
    }
    make.get(reason, lambda: None)()
    for action in (PidFile(path).claim, PidFile(path).check):
        assert reason in refusal(action)
    assert target.read_text() == "precious"


def test_a_directory_without_permission_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "closed"
    directory.mkdir(mode=0o555)
    open_the_way(tmp_path)

    def refusals() -> list[str]:
        if os.geteuid() == 0:
            os.setuid(NOBODY)
        pid_file = PidFile(directory / "service.pid")
        return [refusal(pid_file.claim), refusal(pid_file.check)]

    for message in forked(refusals):
        assert f"no permission to write it in {directory}" in message


@pytest.mark.parametrize("before", [None, "stale\n"])
def test_a_number_that_cannot_be_written_leaves_no_file(path: Path, before: str | None) -> None:
    """A limit of the size of files stands for a full disk: the write fails."""
    if before is not None:
        path.write_text(before)

    def claim() -> str:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        return refusal(PidFile(path).claim)

    assert os.strerror(errno.EFBIG) in forked(claim)
    assert not path.exists()


def test_a_relative_path_stays_where_it_was_meant(tmp_path: Path) -> None:
    def work() -> list[bool]:
        os.chdir(tmp_path)
        pid_file = PidFile("service.pid")
        pid_file.claim()
        os.chdir("/")
        made = (tmp_path / "service.pid").exists()
        pid_file.release()
        return [made, (tmp_path / "service.pid").exists()]

    assert forked(work) == [True, False]


def test_a_second_claim_in_the_same_process_is_refused_and_the_first_stays(claimed: PidFile, path: Path) -> None:
    """Opening the file and closing it again would free the lock."""
    claimed.claim()
    assert str(os.getpid()) in refusal(PidFile(path).claim)
    PidFile(path).check()
    claimed.check()
    assert refused_elsewhere(path)


def test_a_child_closes_what_it_inherited_and_the_parent_keeps_the_lock(claimed: PidFile, path: Path) -> None:
    def work() -> bool:
        before = set(os.listdir("/dev/fd"))
        claimed.close_inherited()
        return len(set(os.listdir("/dev/fd"))) == len(before) - 1

    assert forked(work)
    claimed.close_inherited()
    assert refused_elsewhere(path)
    assert path.read_text() == f"{os.getpid()}\n"


def test_a_child_that_releases_what_it_inherited_removes_nothing(claimed: PidFile, path: Path) -> None:
    forked(claimed.release)
    assert path.exists()
    assert refused_elsewhere(path)


def test_the_lock_ends_with_the_process_and_not_with_its_children(path: Path) -> None:
    def work() -> int:
        PidFile(path).claim()
        worker = os.fork()
        if not worker:
            signal.pause()
            os._exit(0)
        return worker

    with contextlib.ExitStack() as stack:
        with child(work, stays=True) as (_, answers):
            worker = answer(answers)
            stack.callback(os.kill, worker, signal.SIGKILL)
            assert refused_elsewhere(path)
        os.kill(worker, 0)
        assert not refused_elsewhere(path)


EXECUTES_ITSELF = """
import os, sys
from monoceros.service.pidfile import PidFile
pid_file = PidFile(sys.argv[1])
pid_file.claim()
if len(sys.argv) == 3:
    os.execv(sys.executable, [sys.executable, "-c", os.environ["SCRIPT"], sys.argv[1]])
print(os.getpid(), open(sys.argv[1]).read().strip(), len(os.listdir("/dev/fd")))
"""


def test_a_process_executed_anew_claims_the_same_file_again(path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SCRIPT": EXECUTES_ITSELF}
    command = [sys.executable, "-c", EXECUTES_ITSELF, str(path)]
    once = subprocess.run(command, env=environment, text=True, capture_output=True, check=True)
    twice = subprocess.run([*command, "again"], env=environment, text=True, capture_output=True, check=True)
    pid, written, descriptors = twice.stdout.split()
    assert pid == written
    assert descriptors == once.stdout.split()[2]


def test_of_many_that_start_at_once_one_has_the_file(tmp_path: Path, path: Path) -> None:
    """Those before them end at the same time, so that files vanish while others open and lock them."""

    def compete() -> int:
        claims = 0
        for _ in range(300):
            pid_file = PidFile(path)
            with contextlib.suppress(UsageError):
                pid_file.claim()
                (tmp_path / "alone").mkdir()  # fails if another is in here
                (tmp_path / "alone").rmdir()
                pid_file.release()
                claims += 1
        return claims

    with contextlib.ExitStack() as stack:
        rivals = [stack.enter_context(child(compete)) for _ in range(4)]
        assert sum(answer(answers) for _, answers in rivals) > 0
    assert not path.exists()


def test_a_file_that_vanishes_before_it_is_locked_is_made_again(path: Path) -> None:
    """The interpreter says when it is about to lock: then its former owner removes it, which is the worst moment."""

    def work() -> list[object]:
        removed: list[str] = []

        def remove(event: str, _: object) -> None:
            if event == "fcntl.lockf" and not removed:
                removed.append(event)
                path.unlink()

        sys.addaudithook(remove)
        PidFile(path).claim()
        return [removed, path.read_text() == f"{os.getpid()}\n"]

    assert forked(work) == [["fcntl.lockf"], True]


def test_a_file_set_aside_makes_way_for_a_successor_and_stays_held(claimed: PidFile, path: Path, aside: Path) -> None:
    claimed.set_aside()
    claimed.set_aside()
    assert refused_elsewhere(aside)
    with held_elsewhere(path) as successor:
        assert path.read_text() == f"{successor}\n"
        claimed.release()
        assert not aside.exists()
        assert path.read_text() == f"{successor}\n"


def test_a_file_is_taken_back_from_a_successor_that_died(claimed: PidFile, path: Path, aside: Path) -> None:
    claimed.set_aside()
    claimed.take_back()
    claimed.set_aside()
    with held_elsewhere(path) as successor:
        assert str(successor) in refusal(claimed.take_back)
        assert refused_elsewhere(aside)
    assert path.exists()
    claimed.take_back()
    claimed.take_back()
    assert not aside.exists()
    assert refused_elsewhere(path)
    assert path.read_text() == f"{os.getpid()}\n"
    claimed.release()
    assert not path.exists()


def test_a_file_that_vanished_aside_is_made_anew(claimed: PidFile, path: Path, aside: Path) -> None:
    claimed.set_aside()
    aside.unlink()
    claimed.take_back()
    assert refused_elsewhere(path)
    assert path.read_text() == f"{os.getpid()}\n"


def test_a_file_that_someone_else_moved_back_is_found_there(claimed: PidFile, path: Path, aside: Path) -> None:
    claimed.set_aside()
    aside.rename(path)
    claimed.take_back()
    assert refused_elsewhere(path)
    claimed.release()
    assert not path.exists()


def test_what_an_upgrade_that_failed_left_aside_is_replaced(claimed: PidFile, path: Path, aside: Path) -> None:
    aside.write_text("1\n")
    claimed.set_aside()
    assert not path.exists()
    assert refused_elsewhere(aside)
    assert aside.read_text() == f"{os.getpid()}\n"


def test_a_file_is_not_set_aside_while_the_process_before_lives(claimed: PidFile, path: Path, aside: Path) -> None:
    with held_elsewhere(aside) as predecessor:
        assert str(predecessor) in refusal(claimed.set_aside)
        assert refused_elsewhere(path)
    claimed.set_aside()
    assert not path.exists()


@pytest.mark.parametrize("upgrading", [False, True])
def test_a_file_that_is_not_ours_any_more_is_left_alone(
    claimed: PidFile, path: Path, aside: Path, upgrading: bool
) -> None:
    path.unlink()
    path.write_text("another's")
    if upgrading:
        claimed.set_aside()
    claimed.release()
    assert path.read_text() == "another's"
    assert not aside.exists()


def test_a_file_that_cannot_be_removed_is_emptied(tmp_path: Path) -> None:
    """As after giving up root: the directory is root's."""
    directory = tmp_path / "closed"
    directory.mkdir()
    path = directory / "service.pid"

    def work() -> None:
        pid_file = PidFile(path)
        pid_file.claim()
        directory.chmod(0o555)
        if os.geteuid() == 0:
            os.setuid(NOBODY)
        pid_file.release()

    open_the_way(tmp_path)
    forked(work)
    assert path.read_text() == ""
