"""Unix sockets that listen, and the files that stand for them.

Knows paths and sockets; nothing of servers or workers. The rule it keeps: a path belongs to whoever accepts on it. A
file whose server is dead is replaced, one whose server lives is left alone, and so is any file that isn't a socket; at
the end a path is removed only while it still is the very file that was made here.
"""

import contextlib
import errno
import os
import socket
import stat
import sys

from monoceros.errors import StartupError

# Any local user may connect, as to a port of the loopback; --uds-permissions or the directory's mode limits it.
DEFAULT_PERMISSIONS = 0o666

# sizeof(sockaddr_un.sun_path) less the final NUL.
_LONGEST_PATH = 103 if sys.platform == "darwin" else 107


class UnixListener(socket.socket):
    """A unix socket that remembers which file is its own.

    Attributes:
        path: where the file is; absolute, so that it outlives a change of the working directory.
        identity: device and inode of the file; None while it is not this process's to remove.
    """

    path: str = ""
    identity: tuple[int, int] | None = None

    def own(self, path: str) -> None:
        """Take the file at `path`, just made by `bind`, for one's own."""
        self.path = os.path.abspath(path)
        self.identity = _identity(self.path)

    def unlink(self) -> None:
        """Remove the file if it is one's own and still the same; call it before `close`.

        Until then the kernel can't give the inode to another file, and nobody takes the socket for a dead server's.
        """
        # A file that can't be removed does no harm: the next server finds nobody accepting, and replaces it.
        with contextlib.suppress(OSError):
            if self.identity is not None and _identity(self.path) == self.identity:
                os.unlink(self.path)
        self.identity = None


def open_listener(path: str, *, backlog: int, permissions: int | None) -> UnixListener:
    """Bind a unix socket and listen on it; non-blocking.

    Arguments:
        path: the file to make.
        backlog: connections that the kernel queues until they are accepted.
        permissions: mode of the file; None keeps that of the socket replaced, else `DEFAULT_PERMISSIONS`.

    Raises:
        StartupError: somebody accepts there already, a file of another kind is there, or it can't be made.
    """
    listener = UnixListener(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        replaced = _clear(path)
        listener.bind(path)
        listener.own(path)
        if permissions is None:
            permissions = DEFAULT_PERMISSIONS if replaced is None else replaced
        # Before listen(): nobody can connect until the mode is right.
        os.chmod(path, permissions)
        listener.listen(backlog)
        listener.setblocking(False)
    except BaseException as error:
        listener.unlink()
        listener.close()
        # A ValueError is a path with a NUL in it.
        if isinstance(error, (OSError, ValueError)):
            raise StartupError(f"Can't listen on the unix socket {path!r}: {_reason(error, path)}") from error
        raise
    return listener


def _clear(path: str) -> int | None:
    """Remove the socket of a dead server from `path`, and return its mode; None if nothing was there."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISSOCK(mode):
        raise StartupError(f"{path} exists and isn't a socket: move it away, or choose another path with --uds.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        answer = probe.connect_ex(path)
    # EAGAIN: it listens, and its queue is full.
    if answer in (0, errno.EAGAIN):
        raise StartupError(
            f"The unix socket {path} is in use, a server accepts on it: stop that one, or choose another with --uds."
        )
    if answer not in (errno.ECONNREFUSED, errno.ENOENT):
        raise StartupError(
            f"The unix socket {path} exists, and whether it is in use can't be told ({os.strerror(answer)}): "
            "remove it, or choose another with --uds."
        )
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    return stat.S_IMODE(mode)


def _identity(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def _reason(error: OSError | ValueError, path: str) -> str:
    directory = os.path.dirname(path) or "."
    code = error.errno if isinstance(error, OSError) else None
    length = len(os.fsencode(path))
    if length > _LONGEST_PATH:
        return f"the path has {length} bytes, and {_LONGEST_PATH} is the most. Choose a shorter one with --uds."
    if code == errno.ENOENT:
        return f"there's no directory {directory}. Create it, or correct --uds."
    if code in (errno.EACCES, errno.EPERM):
        return f"no permission to make it in {directory}. Change the directory's owner or mode, or choose another."
    if code == errno.EADDRINUSE:
        return "another server took the path just now. Choose another with --uds."
    return f"{os.strerror(code) if code else error}. Correct --uds."
