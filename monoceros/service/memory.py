"""How much memory this process has: what `--worker-max-rss` is compared with.

Knows no limit and no worker. The rules it keeps: it is cheap enough to be asked every second, and a process that can't
look, for it has no descriptor left, isn't taken for a larger one than it was.
"""

import os
import resource
import sys

STATM = "/proc/self/statm"

_known: dict[str, int] = {}  # what was read last, by file


def resident_memory(statm: str = STATM) -> int:
    """The resident set of this process, in bytes; pages shared with other processes are counted in full.

    Where the system has no /proc, as macOS, it is the largest that the resident set ever was: what an application gave
    back is still counted there. Where there is one that can't be read now, it is what was read last, or 0.

    Arguments:
        statm: the file that says it, in pages (proc_pid_statm(5)).
    """
    try:
        with open(statm, "rb") as file:
            _known[statm] = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, KiB elsewhere
    except OSError:
        pass  # EMFILE, ENFILE
    return _known.get(statm, 0)
