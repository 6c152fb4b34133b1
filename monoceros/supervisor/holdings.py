"""What a master holds for its whole life: its listeners, its pid file, and the account that files are given to.

It knows no worker and decides nothing. The rule it keeps: what another master may be using is left alone.
"""

import logging
from collections.abc import Sequence

from monoceros.config import Config
from monoceros.errors import StartupError, UsageError
from monoceros.logs.reopen import reopen_log_files
from monoceros.resources.unix_listeners import UnixListener
from monoceros.service import identity
from monoceros.service.pidfile import PidFile
from monoceros.supervisor.sockets import Listeners, Packed

logger = logging.getLogger("monoceros.error")


class Holdings:
    """See the module.

    Arguments:
        config: the options.
        pid_file: the file that names this process, claimed already; None if there is none.

    Attributes:
        listeners: the sockets.
    """

    def __init__(self, config: Config, pid_file: PidFile | None) -> None:
        self._config = config
        self._pid_file = pid_file
        self._identity = identity.resolve(config.user, config.group)
        self.listeners = Listeners(own=config.reuse_port, backlog=config.backlog)

    def open_listeners(self, packed: Sequence[Packed], workers: int) -> None:
        """Open the sockets, or take those of a former self; what is new belongs to the account that serves.

        Arguments:
            packed: what a former self handed on; nothing, if this is the first.
            workers: how many slots there are.

        Raises:
            StartupError: an address can't be bound.
        """
        if packed:
            self.listeners.unpack(packed, workers)
            return
        self.listeners.open(self._config.open_listeners(), workers)
        if self._identity is not None:
            for sock in self.listeners.every:
                if isinstance(sock, UnixListener) and sock.identity is not None:  # made here, not a service manager's
                    self._identity.own(sock.path)
            if self._config.access_log_file is not None:
                self._identity.own(self._config.access_log_file)

    def close_listeners(self, *, shared: bool) -> None:
        """Let go of the sockets; the names of unix sockets go, too, unless another master serves on them."""
        self.listeners.release(unlink=not shared)

    def reopen_logs(self) -> None:
        """Open the log files again. They are given to the account that serves, for it has to open them, too."""
        reopen_log_files(self._give_away if self._identity is not None else None)

    def step_aside(self) -> bool:
        """Leave the pid file's name to a second master; False if that is impossible, which is logged."""
        try:
            if self._pid_file is not None:
                self._pid_file.set_aside()
        except UsageError as error:
            logger.error("No second master is started: %s", error)
            return False
        return True

    def step_back(self) -> None:
        """Be named by the pid file again: the second master is gone."""
        try:
            if self._pid_file is not None:
                self._pid_file.take_back()
        except UsageError as error:
            logger.error("%s", error)

    def close_inherited(self) -> None:
        """In a child: let go of what is the master's alone."""
        if self._pid_file is not None:
            self._pid_file.close_inherited()

    def _give_away(self, descriptor: int) -> None:
        assert self._identity is not None
        try:
            self._identity.own(descriptor)
        except StartupError as error:
            raise OSError(str(error)) from error
