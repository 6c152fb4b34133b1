"""Sockets that a service manager opened and passes on: systemd's LISTEN_FDS protocol, see sd_listen_fds(3).

Knows the environment and descriptors; nothing of addresses. The rule it keeps: what is taken is taken once. The
variables are removed, so that no program started later believes the sockets are its own.
"""

import os
from collections.abc import MutableMapping

FIRST = 3
"""The first descriptor that is passed; the others follow it."""

VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


def take_passed(environ: MutableMapping[str, str], pid: int) -> list[int]:
    """Return the descriptors that were passed to this process, in their order; none is the usual case.

    Arguments:
        environ: the environment; the variables of the protocol are removed from it if they are meant for `pid`.
        pid: this process's number. A process that inherited the variables of its parent is not meant.
    """
    if environ.get("LISTEN_PID") != str(pid):
        return []
    count = environ.get("LISTEN_FDS", "")
    for name in VARIABLES:
        environ.pop(name, None)
    descriptors = list(range(FIRST, FIRST + int(count))) if count.isascii() and count.isdigit() else []
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return descriptors
