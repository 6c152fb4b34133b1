"""Files without a name, which end with their last descriptor: shared memory, and what passes through an exec.

The rule it keeps: no directory is needed where there is memory for it, for a hardened service can write nowhere.
"""

import os
import tempfile


def anonymous_file() -> int:
    """Return the descriptor of a new, empty file, open for reading and writing. The caller closes it.

    Raises:
        OSError: there is no descriptor left, or, where it takes one, no directory for temporary files.
    """
    if hasattr(os, "memfd_create"):
        return os.memfd_create("monoceros", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
