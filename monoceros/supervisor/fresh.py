"""A worker in a new interpreter, for the reload of a program that runs its own server.

`run("main:app", reload=True)` at the end of main.py comes after main.py has imported its other modules. A forked worker
would find them in memory and never read them again, so that edits of them silently did nothing. Such a worker executes
a new interpreter after the fork; one that was started from the command line needs none. The rule it keeps: the worker's
sockets and its line to the master pass through the exec, and nothing else does but what can be pickled.
"""

import logging
import os
import pickle
import sys
from collections.abc import Iterable
from pathlib import Path
from socket import socket
from typing import NoReturn

from monoceros.service.anonymous import anonymous_file
from monoceros.service.title import set_title
from monoceros.supervisor.channel import Channel
from monoceros.supervisor.scoreboard import Scoreboard
from monoceros.supervisor.worker import Assignment, work

logger = logging.getLogger("monoceros.error")

_PROGRAM = "from monoceros.supervisor.fresh import main; main()"


def imported_from(directories: Iterable[Path]) -> list[str]:
    """The modules of the program under development that this process has imported, other than its main script.

    Installed packages don't count, though a virtual environment often lies among the program's own directories.
    """
    tops = list(directories)
    installed = Path(sys.prefix)
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is None or name == "__main__" or name.partition(".")[0] == "monoceros":
            continue
        path = Path(file).resolve()
        if any(path.is_relative_to(top) for top in tops) and not path.is_relative_to(installed):
            found.append(name)
    return sorted(found)


def execute(assignment: Assignment, line: Channel) -> int:
    """Continue a freshly forked child as a worker in a new interpreter.

    Returns only if the configuration can't be pickled: with the exit code of the worker that it then was, after all.
    """
    sockets = [sock.fileno() for sock in assignment.sockets]
    luggage = (sys.path, sys.argv, line.fileno(), sockets, assignment.slot, assignment.config)
    try:
        packed = pickle.dumps(luggage)
    except (AttributeError, TypeError, pickle.PicklingError) as error:
        logger.warning("Edits of modules that the main script imports aren't seen, because of an option: %s.", error)
        return work(assignment, line)
    return _execute(packed, [line.fileno(), *sockets])


def _execute(luggage: bytes, descriptors: Iterable[int]) -> NoReturn:
    # Not a pipe, which could fill up.
    with open(anonymous_file(), "wb") as file:
        file.write(luggage)
        file.flush()
        for descriptor in (file.fileno(), *descriptors):
            os.set_inheritable(descriptor, True)
        os.execv(sys.executable, [sys.executable, "-c", _PROGRAM, str(file.fileno())])


def main() -> NoReturn:
    """The new interpreter's program: unpack, and live as any other worker."""
    with open(int(sys.argv[1]), "rb") as file:
        file.seek(0)
        sys.path, sys.argv, line, sockets, slot, config = pickle.load(file)
    config.configure_logging()
    set_title(f"worker {slot}", config.app)
    assignment = Assignment(config, [socket(fileno=each) for each in sockets], Scoreboard().take(), slot)
    sys.exit(work(assignment, Channel(socket(fileno=line))))
