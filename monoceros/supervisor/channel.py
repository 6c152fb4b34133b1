"""The line between the master and one worker: a socket pair that carries words, and whose end says that the other died.

It knows no process and no policy. The rule it keeps: nobody waits for a reader. The master's end never blocks, and a
word that can't be sent is reported, not retried.
"""

import array
import os
import socket
from collections import deque
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple


class Word(Enum):
    """Everything the two sides say to each other."""

    READY = "ready"  # worker: I serve
    LIMIT = "limit"  # worker: replace me; the text says why
    LEAVING = "leaving"  # worker: I drain by my own choice
    DRAIN = "drain"  # master: finish what you have, then leave; the text may be LAST
    HURRY = "hurry"  # master: the same, and idle connections aren't worth waiting for
    STOP = "stop"  # master: leave at once
    REOPEN = "reopen"  # master: open the log files again
    COVER = "cover"  # master: serve these listeners, too; the text is their slot's number, and they come along
    UNCOVER = "uncover"  # master: leave the listeners of this slot alone again
    WATCHING = "watching"  # watcher: from now on no edit is missed; the text names the way it looks
    CHANGED = "changed"  # watcher: these files were edited


LAST = "last"
"""With DRAIN or HURRY: nobody accepts after this worker, so what waits in the backlog is for it."""


class Message(NamedTuple):
    word: Word
    text: str = ""


MOST_DESCRIPTORS = 64  # that one read takes: far more than a slot has listeners


class Channel:
    """One end of the line.

    Arguments:
        end: this side's socket of a connected pair. The channel owns it.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._partial = b""
        self._descriptors: deque[int] = deque()

    def fileno(self) -> int:
        return self._end.fileno()

    def send(self, word: Word, text: str = "", descriptors: Iterable[int] = ()) -> bool:
        """Say a word. False if the other side is gone, or has stopped listening long ago.

        Arguments:
            word: what is said.
            text: more about it.
            descriptors: open files that the other side gets copies of.
        """
        line = " ".join([word.value, *text.splitlines()]).encode() + b"\n"
        passed = array.array("i", descriptors)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)] if passed else []
        try:
            sent = self._end.sendmsg([line], ancillary)
            self._end.sendall(line[sent:])
        except OSError:
            return False
        return True

    def receive(self) -> list[Message]:
        """What the other side has said since; blocks only on a worker's end.

        Raises EOFError when the other side is gone and everything it said has been read.
        """
        try:
            data, passed, _, _ = socket.recv_fds(self._end, 4096, MOST_DESCRIPTORS)
        except BlockingIOError:
            return []
        except ConnectionError:
            data, passed = b"", []
        for descriptor in passed:
            os.set_inheritable(descriptor, False)
        self._descriptors += passed
        if not data:
            raise EOFError
        *lines, self._partial = (self._partial + data).split(b"\n")
        return [_parse(line.decode()) for line in lines]

    def take_sockets(self) -> list[socket.socket]:
        """The sockets that came with what was received last."""
        taken = [socket.socket(fileno=each) for each in self._descriptors]
        self._descriptors.clear()
        return taken

    def close(self) -> None:
        """Close this end."""
        for sock in self.take_sockets():
            sock.close()
        self._end.close()


def _parse(line: str) -> Message:
    word, _, text = line.partition(" ")
    return Message(Word(word), text)


def channel_pair() -> tuple[Channel, Channel]:
    """Make a line: the master's end, which never blocks, and the worker's, which does."""
    master, worker = socket.socketpair()
    master.setblocking(False)
    return Channel(master), Channel(worker)


def end_with_the_master(line: Channel) -> None:
    """End this process when the master is gone: the life of a thread in a child that has nothing to finish."""
    try:
        while True:
            line.receive()
    except EOFError:
        os._exit(0)
