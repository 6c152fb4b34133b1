"""Opens the log files of this process anew, after somebody renamed them, and hands those that are open to another user.

Knows the handlers of `logging`, paths and descriptors. May not know who asks for it - a signal, a parent, a thread -
nor to whom files belong: it is told by `own`. The rule it keeps: a descriptor keeps its number and leads to a file at
any time, so that whoever writes to it meanwhile loses no line, even if all he holds is the number.
"""

import contextlib
import errno
import io
import logging
import os
import stat
from collections.abc import Callable, Iterator
from typing import TypeGuard

_LINKED = "it is a symbolic link, and whoever made it may have chosen anybody's file; name the file itself"

# O_NONBLOCK: a pipe has come to the place of the file, and nobody reads it. It is an error then, and no wait.
_ANEW = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def reopen_log_files(own: Callable[[int], None] | None = None, *, patience: float = 0.2) -> list[str]:
    """Let every `logging.FileHandler` of the process write to the file that its path leads to now.

    Handlers of the kind are looked for at every logger, behind a `MemoryHandler`, and behind a `QueueHandler` that
    knows its listener. Files are appended to, whatever mode they were first opened in. Left alone is a handler that
    has no stream, and a pipe, terminal or device that still is where its path leads: nobody can have rotated it.

    May be called from any thread, and from a signal handler that interrupted a line on its way.

    Arguments:
        own: is given the descriptor of each new file before it is written to, to hand the file to another user.
            Opening follows no symbolic link then, and a file with a second name or of another type isn't given away:
            that user may have put it there. None leaves the owner as it is.
        patience: seconds to wait at most, for each file, until other threads have ended the lines they are writing. A
            line takes microseconds; who takes longer is stuck.

    Returns the paths that were opened anew. Where that fails - `own` raised OSError, too - the handler goes on with the
    file it has, and an error on "monoceros.error" names the path and the reason.
    """
    reopened: list[str] = []
    failed: list[tuple[str, object]] = []
    for handler in _file_handlers():
        try:
            if _reopen(handler, own, patience):
                reopened.append(handler.baseFilename)
        except OSError as exc:
            linked = own is not None and exc.errno == errno.ELOOP
            failed.append((handler.baseFilename, _LINKED if linked else exc.strerror or exc))
        except ValueError as exc:  # the stream was detached
            failed.append((handler.baseFilename, exc))
    # Said at the end: one of the files may be the one it is said in.
    for path, reason in failed:
        # A signal can have interrupted the write of a stream that this line goes to. That refuses a second one.
        with contextlib.suppress(RuntimeError):
            logging.getLogger("monoceros.error").error(
                "Log file %s can't be opened anew: %s. Its lines go on to the file that was open.",
                path,
                reason,
            )
    return reopened


def hand_over_log_files(own: Callable[[int], None]) -> list[str]:
    """Give the files that the `logging.FileHandler`s of the process have open to another user.

    For a process that is about to become that user, and shall be able to open them anew. Only the file itself is given
    away that a handler's path leads to: not what is behind a symbolic link, a file with a second name or of another
    type, for whoever may write to the directory could have put anybody's file there.

    Arguments:
        own: is given the descriptor of each file.

    Returns the paths of the files that were given. A warning on "monoceros.error" names each link, but for those that
    lead to a standard stream.

    Raises whatever `own` raises.
    """
    given: list[str] = []
    for handler in _file_handlers():
        path, stream = handler.baseFilename, handler.stream
        if stream is None:
            continue
        try:
            descriptor = stream.fileno()
            opened, there = os.fstat(descriptor), os.lstat(path)
        except (OSError, ValueError):
            continue  # closed, or removed
        if _may_be_given_away(opened) and os.path.samestat(opened, there):
            own(descriptor)
            given.append(path)
        elif stat.S_ISREG(opened.st_mode) and stat.S_ISLNK(there.st_mode) and not _is_standard_stream(opened):
            logging.getLogger("monoceros.error").warning("Log file %s keeps its owner: %s.", path, _LINKED)
    return given


def _file_handlers() -> list[logging.FileHandler]:
    """Each handler of the kind once, however many loggers have it."""
    # A list of the values is made in one step; a loop over the dict can meet another thread's new logger.
    loggers = [logging.root, *filter(_is_logger, list(logging.root.manager.loggerDict.values()))]
    found = [handler for logger in loggers for handler in logger.handlers]
    known: dict[int, logging.Handler] = {}
    while found:
        handler = found.pop(0)
        if id(handler) not in known:
            known[id(handler)] = handler
            found += _behind(handler)
    return [handler for handler in known.values() if isinstance(handler, logging.FileHandler)]


def _is_logger(entry: object) -> TypeGuard[logging.Logger]:
    return isinstance(entry, logging.Logger)


def _behind(handler: logging.Handler) -> list[logging.Handler]:
    """The handlers that one passes its records on to: its target (MemoryHandler), or its listener's (Python 3.12)."""
    listener = getattr(handler, "listener", None)
    passed_on_to = (getattr(handler, "target", None), *getattr(listener, "handlers", ()))
    return [each for each in passed_on_to if isinstance(each, logging.Handler)]


def _reopen(handler: logging.FileHandler, own: Callable[[int], None] | None, patience: float) -> bool:
    """Whether there was something to reopen. Raises OSError if it can't be, and nothing has changed then."""
    with _held(handler, patience) as held:
        stream: object = handler.stream
        if stream is None or getattr(stream, "closed", False):
            return False
        if not _is_plain(stream):
            raise OSError(f"its handler writes through a {type(stream).__name__} that does more than encode")
        if held:
            # RuntimeError: this is a signal, in the middle of a write to this very stream. What can't be written now,
            # the stream keeps, and writes with its next line.
            with contextlib.suppress(OSError, RuntimeError):
                stream.flush()
        descriptor = stream.fileno()
        if _is_no_file_and_in_place(descriptor, handler.baseFilename):
            return False
        new = os.open(handler.baseFilename, _ANEW if own is None else _ANEW | os.O_NOFOLLOW, 0o666)
        try:
            os.set_blocking(new, True)
            if own is not None and _may_be_given_away(os.fstat(new)):
                own(new)
            os.dup2(new, descriptor, inheritable=False)
        finally:
            os.close(new)
        return True


@contextlib.contextmanager
def _held(handler: logging.Handler, patience: float) -> Iterator[bool]:
    """Keep other threads from writing, so that a line in two writes isn't torn; False if one is at it for long.

    It never waits for ever. A signal may have interrupted the thread that holds the lock: that is no wait, for the lock
    is re-entrant. Or a thread with the lock is stuck, in a write or for another lock that the interrupted one holds:
    then it is done without, as `dup2` is one step, and no write meets a descriptor that is closed.
    """
    lock = handler.lock
    held = lock is not None and lock.acquire(timeout=patience)
    try:
        yield held
    finally:
        if held and lock is not None:
            lock.release()


def _is_plain(stream: object) -> TypeGuard[io.TextIOWrapper]:
    """Whether it only encodes what it is given: the middle of a compressed file begins no other file."""
    return isinstance(stream, io.TextIOWrapper) and isinstance(
        stream.buffer, io.BufferedWriter | io.BufferedRandom | io.FileIO
    )


def _is_no_file_and_in_place(descriptor: int, path: str) -> bool:
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return False
    try:
        return os.path.samestat(status, os.stat(path))
    except OSError:  # nothing is there any more
        return False


def _is_standard_stream(status: os.stat_result) -> bool:
    """Whether /dev/stdout led to it, or might have: what that is, was chosen by whoever started this process."""
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            if os.path.samestat(status, os.fstat(descriptor)):
                return True
    return False


def _may_be_given_away(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1
