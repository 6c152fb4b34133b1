"""What a master hands on when it executes anew, or starts a second one: sockets, workers, and where it stands.

It knows descriptors and the environment; it decides nothing and starts nothing but the exec itself. The rules it keeps:
what passes through the exec is what is listed, every other descriptor is closed by it; and a signal that arrives
meanwhile waits for the new program, which can't take it yet.
"""

import json
import os
import signal
import sys
from collections.abc import Iterable, MutableMapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import NoReturn, Self

from monoceros.service.anonymous import anonymous_file
from monoceros.supervisor.handle import Handle, State
from monoceros.supervisor.rules import DRAIN_MARGIN, LAST_MOMENT, Rules
from monoceros.supervisor.signals import MASTERS_SIGNALS
from monoceros.supervisor.sockets import Packed

VARIABLE = "_MONOCEROS_LUGGAGE"
"""Names the descriptor of the file that holds it."""


class Journey(Enum):
    """Why a program is executed."""

    IN_PLACE = "in place"  # the same process goes on with new code; its workers are its children still
    BESIDE = "beside"  # a second master, which shares the sockets with the first
    TRIAL = "trial"  # to see whether the new code can be served


@dataclass(frozen=True, slots=True)
class Passenger:
    """A worker that is adopted.

    Arguments:
        serial, slot, generation, state, limit: as its `Handle` has them; the state by its name.
        pid: its process.
        line: descriptor of the master's end of its line.
        record: number of its record on the scoreboard.
    """

    serial: int
    slot: int
    generation: int
    state: str
    limit: str | None
    pid: int
    line: int
    record: int

    def handle(self, rules: Rules, now: float) -> Handle:
        """The worker as the policy knows it; what it has been late for so far is forgiven."""
        handle = Handle(self.serial, self.slot, self.generation, now, rules.start_timeout, limit=self.limit)
        match State[self.state]:
            case State.READY:
                handle.enter(State.READY, now, silence=rules.beat_timeout)
            case State.DRAINING:
                handle.enter(State.DRAINING, now, rules.graceful_timeout + DRAIN_MARGIN, rules.beat_timeout)
            case State.KILLED:
                handle.enter(State.KILLED, now, LAST_MOMENT)
        return handle


@dataclass(frozen=True, slots=True)
class Luggage:
    """See the module.

    Arguments:
        journey: why the program is executed.
        sender: the process that executes it.
        sockets: the listeners.
        passengers: the workers, on a journey in place.
        pages: the descriptors of the scoreboard's pages.
        generation: the number of the youngest generation.
    """

    journey: Journey
    sender: int
    sockets: list[Packed] = field(default_factory=list)
    passengers: list[Passenger] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    generation: int = 0

    def encode(self) -> bytes:
        """As text that `decode` reads."""
        return json.dumps(asdict(self) | {"journey": self.journey.value}).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote."""
        fields = json.loads(data)
        fields["journey"] = Journey(fields["journey"])
        fields["sockets"] = [
            Packed(descriptor, group, tuple(identity) if identity else None)
            for descriptor, group, identity in fields["sockets"]
        ]
        fields["passengers"] = [Passenger(**each) for each in fields["passengers"]]
        return cls(**fields)

    @property
    def descriptors(self) -> list[int]:
        """All that has to stay open."""
        sockets = [packed.descriptor for packed in self.sockets]
        return [*sockets, *(passenger.line for passenger in self.passengers), *self.pages]


def unpack(environ: MutableMapping[str, str]) -> Luggage | None:
    """Return what a former self has handed on to this program, once; None for a program that simply starts.

    What passed through the exec passes through no other: the descriptors are no longer inheritable.
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


@dataclass(frozen=True, slots=True)
class Start:
    """How this program was started.

    Arguments:
        directory: where, by the name under which it was entered.
        luggage: what a former self has handed on, or a first master; None for a start from nothing.
        is_trial: it is only to be seen whether the application can be served.
    """

    directory: str
    luggage: Luggage | None = None
    is_trial: bool = False

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> Self:
        """Read it from the environment, once."""
        luggage = unpack(environ)
        if luggage is not None and luggage.journey is Journey.TRIAL:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, MASTERS_SIGNALS)
            return cls(starting_directory(), is_trial=True)
        return cls(starting_directory(), luggage)


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


def execute(luggage: Luggage, directory: str, without: Iterable[str] = ()) -> NoReturn:
    """Execute this program's command line again, in this process.

    Arguments:
        luggage: what it finds.
        directory: the one it starts in, that of the first start.
        without: environment variables that it shall read anew from their file.

    Raises:
        OSError: it can't be executed. Nothing has changed then.
    """
    environ = {name: value for name, value in os.environ.items() if name not in set(without)}
    # Not a pipe, which could fill up.
    with open(anonymous_file(), "wb") as file:
        file.write(luggage.encode())
        file.flush()
        environ[VARIABLE] = str(file.fileno())
        passed = [file.fileno(), *luggage.descriptors]
        here = os.getcwd()
        os.chdir(directory)
        former = signal.pthread_sigmask(signal.SIG_BLOCK, MASTERS_SIGNALS)
        try:
            for descriptor in passed:
                os.set_inheritable(descriptor, True)
            os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environ)
        finally:
            # Reached only if the exec failed.
            for descriptor in passed:
                os.set_inheritable(descriptor, False)
            os.chdir(here)
            signal.pthread_sigmask(signal.SIG_SETMASK, former)
