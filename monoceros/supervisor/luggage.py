"""What a master hands on when it executes anew, or starts a second one: sockets, workers, and where it stands.

It knows descriptors and the environment; it decides nothing and starts nothing but the exec itself. The rules it keeps:
what passes through the exec is what is listed, every other descriptor is closed by it; and a signal that arrives
meanwhile waits for the new program, which can't take it yet.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import NoReturn, Self

from monoceros.errors import StartupError
from monoceros.service.anonymous import anonymous_file
from monoceros.supervisor import VARIABLE
from monoceros.supervisor.handle import Handle, State
from monoceros.supervisor.rules import DRAIN_MARGIN, LAST_MOMENT, Rules
from monoceros.supervisor.signals import MASTERS_SIGNALS
from monoceros.supervisor.sockets import Packed

FORMAT = 1
"""Changes with what is in it. A trial, which is handed luggage too, shows whether the new version understands it."""


class Journey(Enum):
    """Why a program is executed."""

    IN_PLACE = "in place"  # the same process goes on with new code; its workers are its children still
    BESIDE = "beside"  # a second master, which shares the sockets with the first
    TRIAL = "trial"  # to see whether the new code can be served


@dataclass(frozen=True, slots=True)
class Passenger:
    """A worker that is adopted.

    Arguments:
        serial, slot, generation, state, limit, covers: as its `Handle` has them; the state by its name.
        pid: its process.
        line: descriptor of the master's end of its line.
        record: number of its record on the scoreboard.
    """

    serial: int
    slot: int
    generation: int
    state: str
    limit: str | None
    covers: list[int]
    pid: int
    line: int
    record: int

    def handle(self, rules: Rules, now: float) -> Handle:
        """The worker as the policy knows it; what it has been late for so far is forgiven."""
        handle = Handle(self.serial, self.slot, self.generation, now, rules.start_timeout, limit=self.limit)
        match State[self.state]:
            case State.READY:
                handle.enter(State.READY, now, silence=rules.beat_timeout)
                handle.covers.update(self.covers)
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
        serial: the number of the youngest worker.
        line: descriptor of the line on which a trial reports; -1 on other journeys.
        predecessor: the first master, beside which this one is the second; 0 if there is none.
        takes_over: the service manager hasn't been told yet that this is the service's main process.
    """

    journey: Journey
    sender: int
    sockets: list[Packed] = field(default_factory=list)
    passengers: list[Passenger] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    generation: int = 0
    serial: int = 0
    line: int = -1
    predecessor: int = 0
    takes_over: bool = False

    def encode(self) -> bytes:
        """As text that `decode` reads."""
        return json.dumps(asdict(self) | {"journey": self.journey.value, "format": FORMAT}).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote.

        Raises:
            StartupError: another version did.
        """
        fields = json.loads(data)
        if fields.pop("format", None) != FORMAT:
            raise StartupError("The running master is of another version, which can't hand on to this one: restart it.")
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
        lines = [passenger.line for passenger in self.passengers]
        return [*sockets, *lines, *self.pages, *([self.line] if self.line >= 0 else ())]


@contextlib.contextmanager
def entered(directory: str) -> Iterator[None]:
    """Be in a directory; the one of before may have been removed meanwhile, and is gone back to all the same."""
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chdir(directory)
        yield
    finally:
        os.fchdir(before)
        os.close(before)


def execute(
    luggage: Luggage, directory: str, environ: Mapping[str, str], arrived: Callable[[], Iterable[int]]
) -> NoReturn:
    """Execute this program's command line again, in this process.

    Arguments:
        luggage: what it finds.
        directory: the one it starts in, that of the first start.
        environ: its environment variables.
        arrived: takes the signals that nobody has acted upon yet: they are sent again, and wait for the new program.

    Raises:
        OSError: it can't be executed. Nothing has changed then.
    """
    # Not a pipe, which could fill up.
    with open(anonymous_file(), "wb") as file:
        file.write(luggage.encode())
        file.flush()
        variables = {**environ, VARIABLE: str(file.fileno())}
        passed = [file.fileno(), *luggage.descriptors]
        former = signal.pthread_sigmask(signal.SIG_BLOCK, MASTERS_SIGNALS)
        try:
            for number in arrived():
                signal.raise_signal(number)
            with entered(directory):
                for descriptor in passed:
                    os.set_inheritable(descriptor, True)
                os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], variables)
        finally:
            # Reached only if the exec failed.
            for descriptor in passed:
                os.set_inheritable(descriptor, False)
            signal.pthread_sigmask(signal.SIG_SETMASK, former)
