"""Become a program that was given a listening socket, as systemd gives one: `activated.py FD COMMAND...`.

LISTEN_PID must be the number of the very process that runs the program, so it can only be set between fork and exec:
this is what stands there. It may know nothing but the standard library, and what it becomes is the caller's affair.
"""

import os
import sys

FIRST = 3
"""Passed descriptors begin here: sd_listen_fds(3)."""


def main() -> None:
    """Move the socket to descriptor 3, say so in the environment, and run the command."""
    passed, command = int(sys.argv[1]), sys.argv[2:]
    if passed == FIRST:
        os.set_inheritable(FIRST, True)
    else:
        os.dup2(passed, FIRST)
        os.close(passed)
    os.execve(command[0], command, os.environ | {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())})


if __name__ == "__main__":
    main()
