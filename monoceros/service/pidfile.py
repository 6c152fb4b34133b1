"""The file that says which process a service is, and keeps a second one from starting on it (--pid-file).

Knows files and locks; nothing of servers or signals. The rule it keeps: a POSIX record lock (fcntl(2)) on the file says
who lives, and the number in it only says who that is. The lock goes with the process, however it ends, so a number left
behind is never taken for a live process, not even if the system has given it to a stranger.

The lock also goes as soon as its process closes any descriptor of the file, so code in that process must not open it.
Here, nothing opens a file that this process holds: `_held` has them.
"""

import contextlib
import errno
import fcntl
import os
import stat
import struct
import sys

from monoceros.errors import UsageError

ASIDE = ".oldbin"  # what nginx adds to the name while a new binary takes over; init scripts know it

_held: dict[tuple[int, int], int] = {}  # device and inode of a file: the process that holds it, us or our parent


class PidFile:
    """The pid file of this process.

    Arguments:
        path: where it is; a relative one is taken from the directory that is current now.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)
        self._place = self.path  # where the file is now: there, or set aside
        self._fd: int | None = None
        self._pid = 0

    def check(self, besides: int | None = None) -> None:
        """See whether `claim` could take the file, and leave everything as it is. What this process holds is fine.

        Arguments:
            besides: another process that may hold it, for it will let go.

        Raises:
            UsageError: as `claim`; but whether the disk is full shows only in writing.
        """
        if _holds(self.path):
            return
        try:
            fd = _opened(self.path, os.O_RDWR)
        except FileNotFoundError:
            _check_directory(self.path)
            return
        try:
            pid = _holder(fd)
        finally:
            os.close(fd)
        if pid is not None and pid != besides:
            raise _in_use(self.path, pid)

    def claim(self) -> None:
        """Take the file, and write this process's number and a newline into it; again does nothing.

        Whatever is in the file is replaced, unless a process holds it. The lock is kept until `release`, or the end of
        the process; also an `exec` ends it, and the same process claims it anew.

        Raises:
            UsageError: another process holds it; or it can't be made, or written, or isn't a regular file.
        """
        self.close_inherited()
        if self._fd is None:
            self._hold(_made(self.path))

    def set_aside(self) -> None:
        """Rename the file to PATH.oldbin, for a successor to claim PATH; it stays held. Again does nothing.

        Raises:
            UsageError: another process holds PATH.oldbin, or the file can't be renamed; then nothing has changed.
        """
        if self._fd is None or self._place != self.path:
            return
        # If someone has removed or replaced it, there is nothing of ours in the successor's way.
        if _is_at(self._fd, self.path):
            self._move(self.path + ASIDE)
        self._place = self.path + ASIDE

    def take_back(self) -> None:
        """Undo `set_aside`: what is at PATH is replaced, unless a process holds it.

        Raises:
            UsageError: another process, such as the successor, holds PATH; or the file can't be renamed, or be made
                anew if it is gone. Then nothing has changed.
        """
        if self._fd is None or self._place == self.path:
            return
        if _is_at(self._fd, self._place):
            self._move(self.path)
        elif not _is_at(self._fd, self.path):
            made = _made(self.path)
            self._let_go()
            self._hold(made)
        self._place = self.path

    def release(self) -> None:
        """Remove the file if it still is ours, and let go of it; again, and in a forked child, the file is left alone.

        A file that can't be removed is emptied: its number may soon be another process's.
        """
        if self._fd is None:
            return
        if self._pid == os.getpid():
            try:
                # Before the lock goes: nobody can have claimed it until then.
                if _is_at(self._fd, self._place):
                    os.unlink(self._place)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._fd, 0)
        self._let_go()

    def close_inherited(self) -> None:
        """Close the descriptor in a forked child, which the lock isn't passed on to; the parent keeps it.

        In the process that claimed the file it does nothing.
        """
        if self._pid != os.getpid():
            self._let_go()

    def _move(self, target: str) -> None:
        """Rename the file. Nobody can claim the target meanwhile, for what is there is locked before it is replaced."""
        replaced = _locked(target)
        try:
            os.rename(self._place, target)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(target)
            raise _unusable(target, error) from error
        finally:
            os.close(replaced)
        self._place = target

    def _hold(self, fd: int) -> None:
        self._fd, self._pid, self._place = fd, os.getpid(), self.path
        _held[_identity(os.fstat(fd))] = self._pid

    def _let_go(self) -> None:
        if self._fd is not None:
            _held.pop(_identity(os.fstat(self._fd)), None)
            os.close(self._fd)
            self._fd = None


def _made(path: str) -> int:
    """Lock the file at `path`, and write our number into it; return the descriptor that has the lock.

    Raises:
        UsageError: it is held, or can't be made or written. If it can't be written, it is removed.
    """
    fd = _locked(path)
    text = b"%d\n" % os.getpid()
    try:
        # The number goes over an old one, and the rest is cut off then: a reader never finds the file empty.
        if os.pwrite(fd, text, 0) != len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.ftruncate(fd, len(text))
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(path)
        os.close(fd)
        raise _unusable(path, error) from error
    return fd


def _locked(path: str) -> int:
    """Lock the file at `path`, made if it isn't there; return the descriptor that has the lock.

    Raises:
        UsageError: a process holds it, or it can't be opened.
    """
    if _holds(path):
        raise _in_use(path, os.getpid())
    while True:
        try:
            fd = _opened(path, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError as error:
            raise _unusable(path, error) from error
        kept = False
        try:
            locked = _lock(fd)
            # Between opening and locking another process may have removed it, or put its own in its place.
            there = _is_at(fd, path)
            kept = locked and there
            if kept:
                return fd
            pid = _holder(fd) if there else None
            if pid is not None:
                raise _in_use(path, pid)
        except OSError as error:
            raise _unusable(path, error) from error
        finally:
            if not kept:
                os.close(fd)


def _opened(path: str, flags: int) -> int:
    """Open a regular file without waiting, and without following a symbolic link to a file that isn't meant.

    Raises:
        FileNotFoundError: it, or its directory, isn't there.
        UsageError: it can't be opened for another reason, or is no regular file.
    """
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # a ValueError is a path with a NUL in it
        raise _unusable(path, error) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise UsageError(f"The pid file {path} isn't a regular file: choose another with --pid-file.")
    return fd


def _lock(fd: int) -> bool:
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # POSIX allows either for a lock that another process has.
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        raise
    return True


def _holder(fd: int) -> int | None:
    """The process that holds the file; None if nobody does, 0 if the system doesn't say who, and the file neither."""
    asked = (fcntl.F_WRLCK, os.SEEK_SET)  # and from 0 on, over length 0: all of it
    # struct flock differs: Linux has type, whence, start, length, pid; the BSDs have start, length, pid, type, whence.
    if sys.platform == "linux":
        answer = fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack("hhqqi", *asked, 0, 0, 0))
        kind, _, _, _, pid = struct.unpack("hhqqi", answer)
    else:
        answer = fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack("qqihh", 0, 0, 0, *asked))
        _, _, pid, kind, _ = struct.unpack("qqihh", answer)
    if kind == fcntl.F_UNLCK:
        return None
    if pid > 0:
        return int(pid)
    # It is out of our sight, in another container or on another machine: the number is what it is called there.
    written = os.pread(fd, 20, 0).strip()
    return int(written) if written.isdigit() else 0


def _holds(path: str) -> bool:
    """Whether this very process holds the file at `path`; asked without opening it, for closing it frees the lock."""
    try:
        return _held.get(_identity(os.lstat(path))) == os.getpid()
    except (OSError, ValueError):
        return False


def _is_at(fd: int, path: str) -> bool:
    try:
        return _identity(os.lstat(path)) == _identity(os.fstat(fd))
    except FileNotFoundError:
        return False


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _check_directory(path: str) -> None:
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise _unusable(path, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
    if not os.access(directory, os.W_OK | os.X_OK):
        raise _unusable(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _in_use(path: str, pid: int) -> UsageError:
    owner = f"the running process {pid}" if pid else "a running process"
    return UsageError(
        f"The pid file {path} belongs to {owner}: stop that one first, or choose another file with --pid-file."
    )


def _unusable(path: str, error: OSError | ValueError) -> UsageError:
    directory = os.path.dirname(path)
    code = error.errno if isinstance(error, OSError) else None
    reasons = {
        errno.EISDIR: "it is a directory. Name a file with --pid-file.",
        errno.ELOOP: "it is a symbolic link. Name the file itself with --pid-file.",
        errno.ENOENT: f"there's no directory {directory}. Create it, or correct --pid-file.",
        errno.ENOTDIR: f"{directory} isn't a directory. Correct --pid-file.",
        errno.EACCES: f"no permission to write it in {directory}. Change owner or mode, or choose another --pid-file.",
        errno.ENOSPC: f"no space is left in {directory}. Make room, or choose another --pid-file.",
    }
    reason = reasons.get(code or 0, f"{os.strerror(code) if code else error}. Correct --pid-file.")
    return UsageError(f"Can't write the pid file {path!r}: {reason}")
