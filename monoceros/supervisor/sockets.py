"""The listening sockets of a master, in groups: those that all workers share, and with --reuse-port those of each slot.

It knows sockets and slots; no worker and no process. The rule it keeps: a socket once opened stays open as long as the
master serves, for the system goes on giving connections to it, and closing it would reset those.
"""

import logging
from collections.abc import Iterable
from socket import AF_UNIX, SO_REUSEPORT, SOL_SOCKET, socket
from typing import NamedTuple

from monoceros.errors import StartupError
from monoceros.resources import listeners
from monoceros.resources.unix_listeners import UnixListener

logger = logging.getLogger("monoceros.error")

SHARED = 0  # the group of the sockets that belong to no slot


class Packed(NamedTuple):
    """A socket as a former self hands it on.

    Attributes:
        descriptor: the open socket.
        group: SHARED, or the number of its slot.
        identity: of a unix socket that is this service's to remove.
    """

    descriptor: int
    group: int
    identity: tuple[int, int] | None


class Listeners:
    """The sockets by group.

    Arguments:
        own: each slot has TCP sockets of its own, on the addresses of the first slot's.
        backlog: connections that the system queues until they are accepted.
    """

    def __init__(self, *, own: bool, backlog: int) -> None:
        self._own = own
        self._backlog = backlog
        self._groups: dict[int, list[socket]] = {SHARED: []}

    def open(self, sockets: Iterable[socket], slots: int) -> None:
        """Take the sockets that were opened, and open those of all slots.

        Raises:
            StartupError: an address can't be bound once more.
        """
        for sock in sockets:
            own = self._own and sock.family != AF_UNIX and sock.getsockopt(SOL_SOCKET, SO_REUSEPORT)
            self._groups.setdefault(1 if own else SHARED, []).append(sock)
        for slot in range(2, slots + 1):
            self._open_slot(slot)

    def unpack(self, packed: Iterable[Packed], slots: int) -> None:
        """Take the sockets of a former self.

        Raises:
            StartupError: a descriptor isn't what it should be.
        """
        for descriptor, group, identity in packed:
            self._groups.setdefault(group, []).extend(
                listeners.adopt_passed([descriptor], backlog=self._backlog, identity=identity)
            )
        for slot in range(2, slots + 1):
            self._open_slot(slot)

    def pack(self) -> list[Packed]:
        """All sockets, to be handed on."""
        return [
            Packed(sock.fileno(), group, sock.identity if isinstance(sock, UnixListener) else None)
            for group, sockets in self._groups.items()
            for sock in sockets
        ]

    @property
    def slots(self) -> int:
        """The greatest number of a slot that has sockets of its own; 0 if none has."""
        return max(self._groups)

    @property
    def every(self) -> list[socket]:
        """All sockets."""
        return [sock for group in self._groups.values() for sock in group]

    @property
    def addresses(self) -> list[socket]:
        """One socket for each address."""
        return [sock for group in (SHARED, 1) for sock in self._groups.get(group, ())]

    def of_slot(self, slot: int) -> list[socket]:
        """What the worker of a slot serves."""
        return [*self._groups[SHARED], *self.own(slot)] if self._own else self.every

    def own(self, slot: int) -> list[socket]:
        """The sockets that are a slot's alone. Those of a new slot are opened now."""
        if slot not in self._groups and self._own:
            try:
                self._open_slot(slot)
            except StartupError as error:
                logger.error("Worker %d shares the sockets of worker 1: %s", slot, error)
                return self._groups.get(1, [])
        return self._groups.get(slot, [])

    def release(self, *, unlink: bool) -> None:
        """Close all; with `unlink` the files of unix sockets go, too, where they are this service's."""
        released = self.every
        self._groups = {SHARED: []}
        listeners.release(released, unlink_uds=unlink)

    def _open_slot(self, slot: int) -> None:
        if self._own and slot not in self._groups:
            self._groups[slot] = [listeners.twin(sock, backlog=self._backlog) for sock in self._groups.get(1, [])]
