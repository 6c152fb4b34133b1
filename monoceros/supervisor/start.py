"""How this program was started: from nothing, or by a former self with luggage. Read once, before all else."""

import os
import signal
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from monoceros.supervisor.luggage import VARIABLE, Journey, Luggage
from monoceros.supervisor.signals import MASTERS_SIGNALS


@dataclass(frozen=True, slots=True)
class Start:
    """See the module.

    Arguments:
        directory: where, by the name under which it was entered.
        environ: the environment variables then, before the application could change them.
        luggage: what a former self has handed on, or a first master; None for a start from nothing.
    """

    directory: str
    environ: dict[str, str] = field(default_factory=dict)
    luggage: Luggage | None = None

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> Self:
        """Read it from the environment, once.

        Raises:
            StartupError: the luggage is that of another version.
        """
        luggage = unpack(environ)
        if luggage is not None and luggage.journey is Journey.TRIAL:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, MASTERS_SIGNALS)
        return cls(starting_directory(), dict(environ), luggage)

    @property
    def trial(self) -> Luggage | None:
        """The luggage of a process that shall only find out whether its application can be served."""
        return self.luggage if self.luggage is not None and self.luggage.journey is Journey.TRIAL else None


def unpack(environ: MutableMapping[str, str]) -> Luggage | None:
    """Return what a former self has handed on to this program, once; None for a program that simply starts.

    What passed through the exec passes through no other: the descriptors are no longer inheritable.

    Raises:
        StartupError: it was packed by another version, which put in other things.
    """
    name = environ.pop(VARIABLE, None)
    if name is None:
        return None
    with open(int(name), "rb") as file:
        file.seek(0)
        luggage = Luggage.decode(file.read())
    for descriptor in luggage.descriptors:
        os.set_inheritable(descriptor, False)
    return luggage


def starting_directory() -> str:
    """Return the current directory by the name under which it was entered.

    A directory reached through a symbolic link (`/srv/app/current`) has that name still after a deployment has turned
    the link to the next release, so that a program executed there finds the new code.
    """
    here, named = os.getcwd(), os.environ.get("PWD", "")
    try:
        return named if named and Path(named).samefile(here) else here
    except OSError:
        return here
