"""How this program was started: from nothing, or by a former self with luggage. Read once, before all else.

It is a part of every start, also of a process without a master: what luggage is made of is imported only where there is
some.
"""

import os
import signal
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from monoceros.supervisor import VARIABLE

if TYPE_CHECKING:
    from monoceros.supervisor.luggage import Luggage


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
    luggage: "Luggage | None" = None

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> Self:
        """Read it from the environment, once.

        Raises:
            StartupError: the luggage is that of another version.
        """
        luggage = unpack(environ)
        start = cls(starting_directory(), dict(environ), luggage)
        if start.trial is not None:
            from monoceros.supervisor.signals import MASTERS_SIGNALS

            signal.pthread_sigmask(signal.SIG_UNBLOCK, MASTERS_SIGNALS)
        return start

    @property
    def trial(self) -> "Luggage | None":
        """The luggage of a process that shall only find out whether its application can be served."""
        if self.luggage is None:
            return None
        from monoceros.supervisor.luggage import Journey

        return self.luggage if self.luggage.journey is Journey.TRIAL else None


def unpack(environ: MutableMapping[str, str]) -> "Luggage | None":
    """Return what a former self has handed on to this program, once; None for a program that simply starts.

    What passed through the exec passes through no other: the descriptors are no longer inheritable.

    Raises:
        StartupError: it was packed by another version, which put in other things.
    """
    name = environ.pop(VARIABLE, None)
    if name is None:
        return None
    from monoceros.supervisor.luggage import Luggage

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
