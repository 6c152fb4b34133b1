"""How the master's children come to be: workers, the reloader's watcher, a trial of new code, a second master.

It knows configurations, sockets and forks, and decides nothing. The rule it keeps: a child begins with what is its own.
It closes the sockets of others, and speaks to no service manager.
"""

import os
from collections.abc import Callable, Iterable

from monoceros.config import Config
from monoceros.resources import activation
from monoceros.service import notify
from monoceros.service.title import set_title
from monoceros.supervisor import reports
from monoceros.supervisor.channel import Channel
from monoceros.supervisor.crew import SUCCESSOR, TRIAL, WATCHER, Crew
from monoceros.supervisor.fresh import execute, imported_from
from monoceros.supervisor.handle import Handle
from monoceros.supervisor.kernel import Kernel
from monoceros.supervisor.luggage import Journey, Luggage, Passenger
from monoceros.supervisor.reload import Watched, watch
from monoceros.supervisor.scoreboard import Record
from monoceros.supervisor.sockets import Listeners
from monoceros.supervisor.start import Start
from monoceros.supervisor.worker import Assignment, work


class Nursery:
    """Starts children.

    Arguments:
        config: the options of the first generation.
        generation: its number.
        kernel: the system calls.
        crew: where children are kept.
        listeners: the sockets.
        start: how this program was started, which is how it is executed again.

    Attributes:
        variables: the names of all environment variables that came from files so far.
    """

    def __init__(
        self, config: Config, generation: int, kernel: Kernel, crew: Crew, listeners: Listeners, start: Start
    ) -> None:
        # What a former self has started, and is started for its generations again, has the options of today.
        self._configs = {0: config, generation: config}
        self.variables = set(config.from_env_file)
        self._kernel = kernel
        self._crew = crew
        self._listeners = listeners
        self._start = start
        # What forked workers would have in memory already, and never read again.
        self._inherited = imported_from(config.reload_dirs) if config.should_reload else []

    def prepare(self, generation: int, config: Config, oldest: int) -> None:
        """Take the options of a new generation, and let go of those that no worker is started with any more.

        Arguments:
            generation: its number.
            config: its options.
            oldest: the oldest generation that may still be wanted.
        """
        still = max(each for each in self._configs if each <= oldest)
        self._configs = {number: kept for number, kept in self._configs.items() if number >= still}
        self._configs[generation] = config
        self.variables |= config.from_env_file.keys()

    def config_of(self, generation: int) -> Config:
        """The options of a generation: edits of the code don't change those of the one before."""
        return self._configs[max(each for each in self._configs if each <= generation)]

    def start_worker(self, handle: Handle) -> bool:
        """Fork a worker; False if that is impossible, which is logged."""
        config = self.config_of(handle.generation)
        slot = handle.slot
        sockets = self._listeners.of_slot(slot)

        def life(line: Channel, record: Record) -> int:
            set_title(f"worker {slot} starting", config.app, config.proc_name)
            notify.strip(os.environ)
            self._enter(config)
            kept = {sock.fileno() for sock in sockets}
            for sock in self._listeners.every:
                if sock.fileno() not in kept:
                    sock.close()
            assignment = Assignment(config, sockets, record, slot)
            return execute(assignment, line) if self._inherited else work(assignment, line)

        return self._fork(f"Worker {slot}", handle.serial, slot, life)

    def start_watcher(self, config: Config) -> bool:
        """Fork the process that watches the source for edits; False if that is impossible, which is logged."""
        watched = Watched(
            config.reload_dirs,
            config.reload_includes,
            config.reload_excludes,
            config.reload_dirs_excludes,
            config.reload_delay,
        )

        def life(line: Channel, _: Record) -> int:
            set_title("reloader", config.app, config.proc_name)
            notify.strip(os.environ)
            self._listeners.release(unlink=False)
            return watch(watched, line)

        return self._fork("The reloader", WATCHER, 0, life)

    def start_trial(self) -> bool:
        """Start this program again to see whether its application can be served; False if that is impossible."""

        def life(line: Channel, _record: Record) -> int:
            notify.strip(self._start.environ)
            return self._become(Luggage(Journey.TRIAL, os.getppid(), line=line.fileno()))

        return self._fork("A trial of the new code", TRIAL, 0, life)

    def start_successor(self) -> bool:
        """Start a second master on the same sockets; False if that is impossible, which is logged."""

        def life(_line: Channel, _record: Record) -> int:
            master = os.getppid()
            packed = self._listeners.pack()
            return self._become(Luggage(Journey.BESIDE, master, packed, predecessor=master, takes_over=True))

        return self._fork("A second master", SUCCESSOR, 0, life)

    def execute(
        self, handles: dict[int, Handle], arrived: Callable[[], Iterable[int]], predecessor: int, takes_over: bool
    ) -> None:
        """Execute this program again in this process, with all sockets and workers. Returns only if that fails.

        Arguments:
            handles: the workers, by serial number.
            arrived: takes the signals that nobody has acted upon yet.
            predecessor: the first master, if this is a second one; else 0.
            takes_over: the service manager hasn't been told of this process yet.
        """
        passengers = [
            Passenger(
                handle.serial,
                handle.slot,
                handle.generation,
                handle.state.name,
                handle.limit,
                sorted(handle.covers),
                child.pid,
                child.channel.fileno(),
                child.record.number,
            )
            for child in self._crew.workers()
            for handle in (handles[child.serial],)
        ]
        luggage = Luggage(
            Journey.IN_PLACE,
            os.getpid(),
            self._listeners.pack(),
            passengers,
            list(self._crew.pages),
            generation=max(self._configs),
            serial=max(handles, default=0),
            predecessor=predecessor,
            takes_over=takes_over,
        )
        try:
            self._kernel.execute(luggage, self._start.directory, self._environ, arrived)
        except OSError as error:
            reports.not_executed(error)

    @property
    def _environ(self) -> dict[str, str]:
        """The environment of a new program: that of the first start, for it reads the files again.

        Without the variables of sockets that were passed then: it gets those as all others, and their numbers have
        changed.
        """
        taken = {*self.variables, *activation.VARIABLES}
        return {name: value for name, value in self._start.environ.items() if name not in taken}

    def _enter(self, config: Config) -> None:
        """Be where the program was started, by name: after a deployment the name leads to another directory."""
        os.chdir(os.path.join(self._start.directory, config.chdir or ""))

    def _become(self, luggage: Luggage) -> int:
        try:
            self._kernel.execute(luggage, self._start.directory, self._environ, tuple)
        except OSError as error:
            reports.not_executed(error)
        return 1

    def _fork(self, who: str, serial: int, slot: int, life: Callable[[Channel, Record], int]) -> bool:
        try:
            self._crew.start(serial, slot, life)
        except OSError as error:
            reports.not_forked(who, error)
            return False
        return True
