"""How the master's children come to be: workers, the reloader's watcher, a trial of new code, a second master.

It knows configurations, sockets and forks, and decides nothing. The rule it keeps: a child begins with what is its own.
It closes the sockets of others, and speaks to no service manager.
"""

import os
from collections.abc import Callable

from monoceros.config import Config
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
from monoceros.supervisor.worker import Assignment, work


class Nursery:
    """Starts children.

    Arguments:
        config: the options of the first generation.
        generation: its number.
        kernel: the system calls.
        crew: where children are kept.
        listeners: the sockets.
        directory: where a new program starts, that of the first start.
    """

    def __init__(
        self, config: Config, generation: int, kernel: Kernel, crew: Crew, listeners: Listeners, directory: str
    ) -> None:
        self._configs = {generation: config}
        self._kernel = kernel
        self._crew = crew
        self._listeners = listeners
        self._directory = directory
        # What forked workers would have in memory already, and never read again.
        self._inherited = imported_from(config.reload_dirs) if config.should_reload else []

    def prepare(self, generation: int, config: Config) -> None:
        """Take the options of a new generation."""
        self._configs[generation] = config

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
            kept = {sock.fileno() for sock in sockets}
            for sock in self._listeners.every:
                if sock.fileno() not in kept:
                    sock.close()
            assignment = Assignment(config, sockets, record, slot)
            return execute(assignment, line) if self._inherited else work(assignment, line)

        return self._start(f"Worker {slot}", handle.serial, slot, life)

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

        return self._start("The reloader", WATCHER, 0, life)

    def start_trial(self) -> bool:
        """Start this program again to see whether its application can be served; False if that is impossible."""

        def life(_line: Channel, _record: Record) -> int:
            notify.strip(os.environ)
            self._kernel.execute(Luggage(Journey.TRIAL, os.getppid()), self._directory, self._left_behind)
            return 1

        return self._start("A trial of the new code", TRIAL, 0, life)

    def start_successor(self) -> bool:
        """Start a second master on the same sockets; False if that is impossible, which is logged."""

        def life(_line: Channel, _record: Record) -> int:
            luggage = Luggage(Journey.BESIDE, os.getppid(), self._listeners.pack())
            self._kernel.execute(luggage, self._directory, self._left_behind)
            return 1

        return self._start("A second master", SUCCESSOR, 0, life)

    def execute(self, handles: dict[int, Handle]) -> None:
        """Execute this program again in this process, with all sockets and workers. Returns only if that fails.

        Arguments:
            handles: the workers, by serial number.
        """
        passengers = [
            Passenger(
                handle.serial,
                handle.slot,
                handle.generation,
                handle.state.name,
                handle.limit,
                child.pid,
                child.channel.fileno(),
                child.record.number,
            )
            for child in self._crew.workers()
            for handle in (handles[child.serial],)
        ]
        generation = max(self._configs)
        luggage = Luggage(
            Journey.IN_PLACE, os.getpid(), self._listeners.pack(), passengers, list(self._crew.pages), generation
        )
        try:
            self._kernel.execute(luggage, self._directory, self._left_behind)
        except OSError as error:
            reports.not_executed(error)

    @property
    def _left_behind(self) -> set[str]:
        """The variables that came from files, which a new program reads anew."""
        return {name for config in self._configs.values() for name in config.from_env_file}

    def _start(self, who: str, serial: int, slot: int, life: Callable[[Channel, Record], int]) -> bool:
        try:
            self._crew.start(serial, slot, life)
        except OSError as error:
            reports.not_forked(who, error)
            return False
        return True
