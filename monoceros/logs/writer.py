"""Whole lines to a file descriptor that somebody else reads, or doesn't.

Knows bytes and one descriptor: no logger, no event loop. The rule it keeps: it never waits for the reader of a pipe, a
terminal or a socket, and never sets O_NONBLOCK on a description that other processes share (their writes would fail).
"""

from __future__ import annotations

import errno
import os
import select
import stat

PIPE_BUF: int = getattr(select, "PIPE_BUF", 512)
"""Bytes: a write to a pipe up to this size isn't mixed with another process's (POSIX, write(2)); 512 is the least."""

# Linux 6.4 and later honour it on pipes and sockets: unlike a poll before the write, nobody can come in between.
_NO_WAIT: int | None = getattr(os, "RWF_NOWAIT", None) if hasattr(os, "pwritev") else None

_NO_ROOM = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS, errno.ENOSPC, errno.EDQUOT})
_NOT_HONOURED = frozenset({errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.ESPIPE})


class LineWriter:
    r"""Writes lines at once or not at all, and counts those it had to drop.

    A regular file takes all lines in one write. Pipes, terminals and sockets take at most `PIPE_BUF` bytes a write, cut
    at line ends, so that the lines of several processes on one pipe aren't torn. A single line longer than that may be:
    it is written as far as there is room, and its rest before anything else the next time.

    Arguments:
        descriptor: open for writing; it stays the caller's, to close as well.
        no_wait: ask the kernel not to wait, where it can. Without, and elsewhere, each write is preceded by a poll; a
            sibling that fills the pipe in between makes that one write wait.

    Raises OSError when the descriptor isn't open, here and in `write` when the other end is gone.
    """

    __slots__ = ("_blocked", "_no_wait", "_own_terminal", "_poll", "_rest", "_target", "dropped")

    def __init__(self, descriptor: int, *, no_wait: bool = True) -> None:
        self.dropped = 0
        """Lines dropped for want of room; whoever reports them sets it back."""
        self._rest = b""
        self._blocked = False
        self._own_terminal = _open_terminal(descriptor) if no_wait and os.isatty(descriptor) else None
        self._target = descriptor if self._own_terminal is None else self._own_terminal
        self._no_wait = no_wait and self._own_terminal is None
        self._poll = self._poll_for(os.fstat(descriptor).st_mode)

    def _poll_for(self, mode: int) -> select.poll | None:
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(self._target)):
            return None
        poll = select.poll()
        poll.register(self._target, select.POLLOUT)
        return poll

    def write(self, data: bytes) -> None:
        """Write lines, of which the last ends with a line feed too, as far as there is room for them."""
        data = self._rest + data
        if not data:
            return
        start, end = 0, len(data)
        while start < end:
            written = self._put(data[start : self._cut(data, start)])
            if not written:
                break
            start += written
        self._blocked = start < end
        line_begun = bool(self._rest) if start == 0 else data[start - 1] != 0x0A
        next_line = data.find(b"\n", start) + 1 if line_begun else start
        self._rest = data[start:next_line]
        self.dropped += data.count(b"\n", next_line)

    def takes_data(self) -> bool:
        """Whether a write now would get somewhere, as far as can be told without one."""
        return not self._blocked or (self._poll is not None and bool(self._poll.poll(0)))

    def close(self) -> None:
        """Give back what the writer opened itself; the caller's descriptor stays open."""
        if self._own_terminal is not None:
            os.close(self._own_terminal)
            self._own_terminal = None

    def _cut(self, data: bytes, start: int) -> int:
        """Where the next write ends: as many whole lines as fit, or one that is too long by itself."""
        if self._poll is None or len(data) - start <= PIPE_BUF:
            return len(data)
        return data.rfind(b"\n", start, start + PIPE_BUF) + 1 or data.find(b"\n", start) + 1

    def _put(self, piece: bytes) -> int:
        """Write what there is room for; 0 if there is none."""
        try:
            if self._poll is None or self._own_terminal is not None:
                return os.write(self._target, piece)
            return self._put_without_waiting(self._poll, piece)
        except OSError as exc:
            if exc.errno in _NO_ROOM:
                return 0
            raise

    def _put_without_waiting(self, poll: select.poll, piece: bytes) -> int:
        if self._no_wait and _NO_WAIT is not None:
            try:
                return os.pwritev(self._target, (piece,), -1, _NO_WAIT)
            except OSError as exc:
                if exc.errno not in _NOT_HONOURED:
                    raise
                self._no_wait = False
        if not poll.poll(0):
            return 0
        # A pipe that polls writable has room for PIPE_BUF bytes: a longer line takes several turns.
        return os.write(self._target, piece[:PIPE_BUF])


def _open_terminal(descriptor: int) -> int | None:
    """The same terminal by a description of our own, which may be O_NONBLOCK; None if it can't be opened.

    A terminal polls writable with room for one byte, so nothing less keeps a stopped one from stopping the server.
    """
    try:
        return os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None  # another user's, or of a mount we don't see: it is polled instead
