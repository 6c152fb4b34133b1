"""Accounts and directories. What changes a process happens in a forked child, and needs root where it does so."""

import grp
import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from monoceros.errors import EXIT_STARTUP, EXIT_USAGE, StartupError, UsageError
from monoceros.service.identity import Identity, enter, resolve
from tests.service.forked import forked, open_the_way

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root may become another")


def groups_of(user: pwd.struct_passwd) -> list[int]:
    return os.getgrouplist(user.pw_name, user.pw_gid)


NOBODY = pwd.getpwnam("nobody")
SOCIABLE = max((pwd.getpwuid(user.pw_uid) for user in pwd.getpwall()), key=lambda user: len(groups_of(user)))
UNKNOWN_ID = 54321
STRANGER = Identity(UNKNOWN_ID, UNKNOWN_ID + 1, (UNKNOWN_ID + 1, UNKNOWN_ID + 2), None)


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as caught:
        action()
    assert caught.value.exit_code == EXIT_USAGE
    return str(caught.value)


def unprivileged(action: Callable[[], object]) -> str:
    """What an action that must fail says in a process that isn't privileged."""

    def work() -> str:
        if os.geteuid() == 0:
            STRANGER.assume()
        return refusal(action)

    return str(forked(work))


def test_who_asks_for_nobody_stays_who_he_is() -> None:
    assert resolve(None, None) is None


@needs_root
@pytest.mark.parametrize("number", [False, True])
def test_a_user_comes_with_all_its_groups(number: bool) -> None:
    found = resolve(SOCIABLE.pw_uid if number else SOCIABLE.pw_name, None)
    assert found is not None
    assert (found.uid, found.gid, found.name) == (SOCIABLE.pw_uid, SOCIABLE.pw_gid, SOCIABLE.pw_name)
    assert set(found.groups) == set(groups_of(SOCIABLE))


@needs_root
@pytest.mark.parametrize("given", ["daemon", 1])
def test_a_group_given_takes_the_place_of_the_primary_one(given: str | int) -> None:
    group = grp.getgrnam("daemon").gr_gid if given == "daemon" else 1
    found = resolve("nobody", given)
    assert found is not None
    assert (found.uid, found.gid) == (NOBODY.pw_uid, group)
    assert set(found.groups) == set(os.getgrouplist("nobody", group))


@needs_root
def test_numbers_need_no_entries() -> None:
    assert resolve(UNKNOWN_ID, UNKNOWN_ID + 1) == Identity(UNKNOWN_ID, UNKNOWN_ID + 1, (UNKNOWN_ID + 1,), None)
    assert resolve(None, UNKNOWN_ID) == Identity(0, UNKNOWN_ID, (UNKNOWN_ID,), None)


@needs_root
def test_a_user_without_an_entry_does_not_stay_in_roots_group() -> None:
    message = refusal(lambda: resolve(UNKNOWN_ID, None))
    assert f"--user {UNKNOWN_ID}" in message
    assert "--group" in message


@pytest.mark.parametrize("name", ["no-such-account", "a\0b", "caf\udce9", ""])
def test_an_unknown_name_is_refused(name: str) -> None:
    message = refusal(lambda: resolve(name, None))
    assert f"--user {name!r}: this machine has no such user" in message
    message = refusal(lambda: resolve(None, name))
    assert f"--group {name!r}: this machine has no such group" in message


@pytest.mark.parametrize("number", [-1, 2**32 - 1, 2**32, 2**70])
def test_a_number_that_no_account_can_have_is_refused(number: int) -> None:
    """The highest of all means "unchanged" to the system: who asked for it would have stayed root."""
    assert f"--user {number}" in refusal(lambda: resolve(number, 1))
    assert f"--group {number}" in refusal(lambda: resolve(None, number))


def test_a_process_without_privilege_is_told_that_it_needs_root() -> None:
    me = STRANGER if ROOT else Identity(os.geteuid(), os.getegid(), (), None)
    message = unprivileged(lambda: resolve(me.uid + 1, me.gid))
    assert f"--user {me.uid + 1}" in message
    assert "root" in message
    assert f"user {me.uid} and group {me.gid}" in message
    assert f"--group {me.gid + 1}" in unprivileged(lambda: resolve(me.uid, me.gid + 1))
    assert f"--group {me.gid + 1}" in unprivileged(lambda: resolve(None, me.gid + 1))
    assert "--user root" in unprivileged(lambda: resolve("root", None))


def test_a_process_without_privilege_may_ask_for_what_it_is() -> None:
    def work() -> list[object]:
        if ROOT:
            STRANGER.assume()
        uid, gid, groups = os.geteuid(), os.getegid(), tuple(os.getgroups())
        answers = []
        for user, group in ((uid, gid), (None, gid)):
            found = resolve(user, group)
            assert found is not None
            found.assume()
            answers.append((found.uid, found.gid, found.groups) == (uid, gid, groups))
        return [*answers, (os.geteuid(), os.getegid(), tuple(os.getgroups())) == (uid, gid, groups)]

    assert forked(work) == [True, True, True]


@needs_root
def test_a_number_without_an_entry_keeps_the_group_of_a_process_without_privilege() -> None:
    def work() -> int:
        STRANGER.assume()
        found = resolve(UNKNOWN_ID, None)
        assert found is not None
        return found.gid

    assert forked(work) == STRANGER.gid


@needs_root
def test_an_account_is_assumed_whole_and_for_good() -> None:
    def work() -> list[object]:
        environment = dict(os.environ)
        STRANGER.assume()
        ways_back: list[Callable[[int], None]] = [os.setuid, os.seteuid, os.setgid, os.setegid]
        for way_back in ways_back:
            with pytest.raises(PermissionError):
                way_back(0)
        with pytest.raises(PermissionError):
            os.setgroups([0])
        STRANGER.assume()
        unchanged = dict(os.environ) == environment
        return [os.getresuid(), os.getresgid(), sorted(os.getgroups()), unchanged]

    user, group = STRANGER.uid, STRANGER.gid
    assert forked(work) == [[user] * 3, [group] * 3, sorted(STRANGER.groups), True]


def test_an_account_that_the_system_refuses_cannot_be_served_as() -> None:
    def work() -> list[object]:
        if ROOT:
            STRANGER.assume()
        with pytest.raises(StartupError) as caught:
            Identity(os.geteuid() + 1, os.getegid(), (), "other").assume()
        return [str(caught.value), caught.value.exit_code]

    message, code = forked(work)
    assert code == EXIT_STARTUP
    assert "Can't serve as user other" in message
    assert "Operation not permitted" in message
    assert "--user" in message


def test_files_are_given_to_the_account(tmp_path: Path) -> None:
    account = STRANGER if ROOT else Identity(os.geteuid() + 1, os.getegid(), (), None)
    named, opened, target, link = (tmp_path / name for name in ("named", "opened", "target", "link"))
    for file in (named, opened, target):
        file.touch()
    link.symlink_to(target)
    owner = (account.uid, account.gid) if ROOT else (named.stat().st_uid, named.stat().st_gid)
    account.own(named)
    account.own(link)
    with opened.open() as file_opened:
        account.own(file_opened.fileno())
    assert (named.stat().st_uid, named.stat().st_gid) == owner
    assert (opened.stat().st_uid, opened.stat().st_gid) == owner
    assert target.stat().st_uid == os.geteuid()


@needs_root
def test_a_file_that_cannot_be_given_away_is_said(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="Can't give .*absent to user 54321 and group 54322: No such file"):
        STRANGER.own(tmp_path / "absent")
    with pytest.raises(StartupError, match="the descriptor 999999"):
        STRANGER.own(999_999)


def test_a_process_enters_a_directory_and_takes_a_mask(tmp_path: Path) -> None:
    def work() -> list[object]:
        enter(tmp_path, 0o027)
        Path("file").touch(0o666)
        enter(None, None)
        Path("again").touch(0o666)
        return [os.getcwd(), stat.S_IMODE(os.stat("file").st_mode), stat.S_IMODE(os.stat("again").st_mode)]

    assert forked(work) == [str(tmp_path.resolve()), 0o640, 0o640]


@pytest.mark.parametrize("name", ["absent", "file", "file/below", "a\0b"])
def test_a_directory_that_cannot_be_entered_is_refused(tmp_path: Path, name: str) -> None:
    reasons = {"absent": "there's no such directory", "a\0b": "embedded null"}
    (tmp_path / "file").touch()
    directory = str(tmp_path / name)

    def work() -> list[object]:
        before = os.getcwd(), os.umask(0o022)
        message = refusal(lambda: enter(directory, 0o777))
        return [message, before[0] == os.getcwd(), os.umask(0o022) == 0o022]

    message, *unchanged = forked(work)
    assert f"--chdir {directory!r}" in message
    assert reasons.get(name, "it isn't a directory") in message
    assert unchanged == [True, True]


def test_a_directory_without_permission_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    open_the_way(tmp_path)
    assert "no permission to enter it" in unprivileged(lambda: enter(closed, None))
