"""How many connections the limit on open files leaves room for.

Reads the limit of this process and what it has open; knows nothing of what a connection is. The rule it keeps: some
descriptors are always left, for the application opens files and connections of its own while it serves.
"""

import os
import sys

if sys.platform != "win32":
    import resource

RESERVE = 32
"""Descriptors left for the application, at least: a pool of connections to a database, and some files."""

SHARE = 16
"""One of so many descriptors is left, if that is more."""


def affordable_connections(listing: str = "/dev/fd") -> int | None:
    """The connections that this process may still open, at least 1; None if nothing limits them.

    Arguments:
        listing: the directory that lists the descriptors of this process.
    """
    if sys.platform == "win32":
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    try:
        used = len(os.listdir(listing))
    except OSError:
        used = 0
    return max(1, soft - used - max(RESERVE, soft // SHARE))
