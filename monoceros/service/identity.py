"""Who a process is for the operating system, and where it stands: --user, --group, --chdir and --umask.

Knows accounts, ids and directories; not which process calls it, nor when. The rule it keeps: root that is given up is
given up for good, with every group that came with it.
"""

import errno
import grp
import os
import pwd
from dataclasses import dataclass

from monoceros.errors import StartupError, UsageError

_HIGHEST_ID = 2**32 - 2  # the highest number of all means "no id" in chown(2) and setresuid(2)


@dataclass(frozen=True)
class Identity:
    """An account to serve as.

    Arguments:
        uid: the user's number.
        gid: the group's number.
        groups: all groups, `gid` included.
        name: the user's name; None if it has none, or is no matter.
    """

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str | None

    def assume(self) -> None:
        """Become this account: groups, group and user, in this order, for only root may do so. There is no way back.

        A process that isn't privileged, and is this account already, stays as it is. The environment is left alone,
        HOME and USER too: which variables an application sees is said by whoever starts the service, and is the same
        whether root starts it or the user itself.

        Raises:
            StartupError: the system refuses. The process may be neither account then, and has to end.
        """
        if os.geteuid() != 0 and (os.geteuid(), os.getegid()) == (self.uid, self.gid):
            return
        try:
            os.setgroups(self.groups)
            # From root these two set the real, the effective and the saved id (setuid(2)).
            os.setgid(self.gid)
            os.setuid(self.uid)
        except (OSError, ValueError) as error:  # a ValueError is more groups than the system allows
            raise StartupError(
                f"Can't serve as {self}: {_reason(error)}. Start as root, and let a container map the user and the "
                "group, or correct --user and --group."
            ) from error

    def own(self, file: str | os.PathLike[str] | int) -> None:
        """Give a file to this account. A process that isn't privileged owns what it makes, and changes nothing.

        Arguments:
            file: a path, of which a symbolic link isn't followed; or an open descriptor.

        Raises:
            StartupError: the system refuses.
        """
        if os.geteuid() != 0:
            return
        try:
            if isinstance(file, int):
                os.chown(file, self.uid, self.gid)
            else:
                os.chown(file, self.uid, self.gid, follow_symlinks=False)
        except OSError as error:
            place = f"the descriptor {file}" if isinstance(file, int) else os.fspath(file)
            raise StartupError(f"Can't give {place} to {self}: {_reason(error)}. Correct --user or --group.") from error

    def __str__(self) -> str:
        """As messages name it."""
        return f"user {self.uid if self.name is None else self.name} and group {self.gid}"


def resolve(user: str | int | None, group: str | int | None) -> Identity | None:
    """Find the account that --user and --group name.

    Arguments:
        user: name or number; None: the present one. A number needs no entry among the users.
        group: name or number; None: the user's own, with its supplementary groups. A number needs no entry.

    Returns:
        the account, None if neither is given. A process that isn't privileged can't change its supplementary groups:
        the account has those that the process has.

    Raises:
        UsageError: there's no such user or group; a user without an entry needs a group; or the process isn't
            privileged, and isn't this account.
    """
    if user is None and group is None:
        return None
    entry = None if user is None else _user(user)
    uid = os.geteuid() if user is None else _number("--user", user, entry and entry.pw_uid)
    if group is not None:
        gid = _group(group)
    elif entry is not None:
        gid = entry.pw_gid
    elif os.geteuid() != 0:
        gid = os.getegid()
    else:
        # Staying in root's group would keep half of what is to be given up.
        raise UsageError(f"--user {user}: this machine doesn't know its group. Give that, too, with --group.")
    name = None if entry is None else entry.pw_name
    if os.geteuid() == 0:
        groups = tuple(os.getgrouplist(name, gid)) if name is not None else (gid,)
        return Identity(uid, gid, groups, name)
    _check_present(user, group, uid, gid)
    return Identity(uid, gid, tuple(os.getgroups()), name)


def enter(directory: str | os.PathLike[str] | None, umask: int | None) -> None:
    """Change the current directory and the file mode creation mask of this process.

    Arguments:
        directory: where to go; None: nowhere.
        umask: the mask; None: as it is.

    Raises:
        UsageError: it doesn't exist, isn't a directory, or may not be entered. Then nothing has changed.
    """
    if directory is not None:
        try:
            os.chdir(directory)
        except (OSError, ValueError) as error:
            raise _closed(directory, error) from error
    if umask is not None:
        os.umask(umask)


def _user(user: str | int) -> pwd.struct_passwd | None:
    """The entry of a user; None for a number that has none."""
    try:
        return pwd.getpwuid(user) if isinstance(user, int) else pwd.getpwnam(user)
    except (KeyError, ValueError):  # a ValueError is a name with a NUL in it, or one that can't be encoded
        if isinstance(user, int):
            return None
        raise UsageError(
            f"--user {user!r}: this machine has no such user. Correct the name, create the user, or give its number."
        ) from None


def _group(group: str | int) -> int:
    try:
        return _number("--group", group, None if isinstance(group, int) else grp.getgrnam(group).gr_gid)
    except (KeyError, ValueError):
        raise UsageError(
            f"--group {group!r}: this machine has no such group. Correct the name, create the group, or give its "
            "number."
        ) from None


def _number(option: str, given: str | int, found: int | None) -> int:
    """The number of an account: the one found, else the one given."""
    number = int(given) if found is None else found
    if not 0 <= number <= _HIGHEST_ID:
        raise UsageError(f"{option} {given}: it has to be a name, or a number from 0 to {_HIGHEST_ID}.")
    return number


def _check_present(user: str | int | None, group: str | int | None, uid: int, gid: int) -> None:
    """Refuse an account that an unprivileged process isn't."""
    if (uid, gid) == (os.geteuid(), os.getegid()):
        return
    wrong_user = uid != os.geteuid() or group is None
    option = f"--user {user}" if wrong_user else f"--group {group}"
    raise UsageError(
        f"{option}: only root can serve as user {uid} and group {gid}, and this process is user {os.geteuid()} and "
        f"group {os.getegid()}. Start it as root, or leave --user and --group out."
    )


def _closed(directory: str | os.PathLike[str], error: OSError | ValueError) -> UsageError:
    code = error.errno if isinstance(error, OSError) else None
    reasons = {
        errno.ENOENT: "there's no such directory. Create it, or correct the path.",
        errno.ENOTDIR: "it isn't a directory. Name the directory to work in.",
        errno.EACCES: "no permission to enter it. Change its mode or owner, or name another.",
    }
    reason = reasons.get(code or 0, f"{_reason(error)}. Correct the path.")
    return UsageError(f"--chdir {os.fspath(directory)!r}: {reason}")


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
