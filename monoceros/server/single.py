"""A process that is a service by itself, without a master: what it is to the service manager and to the system.

The host of a server that is run in the main thread. Knows systemd's notifications, accounts and the process title, and
the options that say them. The rule it keeps: privileges are given up before the first line of the application is run.
"""

import logging
import os
from collections.abc import Callable, Iterable, MutableMapping
from socket import socket
from typing import TYPE_CHECKING

from monoceros.config import Config
from monoceros.errors import UsageError
from monoceros.logs.reopen import hand_over_log_files
from monoceros.resources import listeners
from monoceros.resources.unix_listeners import UnixListener
from monoceros.server.blocked import LoopWatch
from monoceros.service.notify import VARIABLES, Notifier, strip
from monoceros.service.title import current_title, restore_title, set_title

if TYPE_CHECKING:
    from monoceros.service.identity import Identity

logger = logging.getLogger("monoceros.error")

MASTERS = ("preload", "timeout_worker_start")
"""Options that only a master can act on, and that somebody may have given in the belief that there is one."""


class SingleProcess:
    """The WorkerHost of a server that has the process for itself.

    Arguments:
        config: the options.
        drain: called when a recycling limit is reached.
        environ: the environment, which names the service manager's socket. The application, and what it starts, doesn't
            see that: they would speak for the service.
        watch: ends the process if its loop is blocked; None for one by `timeout_worker`.

    Attributes:
        identity: whom it serves as, or None to stay who it is.
    """

    def __init__(
        self,
        config: Config,
        drain: Callable[[], None],
        environ: MutableMapping[str, str] = os.environ,
        watch: LoopWatch | None = None,
    ) -> None:
        self._config = config
        self._drain = drain
        self._environ = environ
        self._managers = {name: environ[name] for name in VARIABLES if name in environ}
        self._notifier = Notifier.from_environment(environ, os.getpid())
        self._watch = watch or LoopWatch(config.timeout_worker)
        self._former_title: str | None = None
        self._places = ""
        self._stopping = False
        self.identity: Identity | None = None

    def begin(self) -> None:
        """Say what has no effect here, find the account to serve as, and show the title. No code of the user's has run.

        Raises:
            UsageError: there is no such account, or this process may not become it.
        """
        config = self._config
        strip(self._environ)
        for name in MASTERS:
            if getattr(config, name) and config.sources[name] != "default":
                logger.warning("%s has no effect in a single process: start with --workers 2 or more", name)
        if config.user is not None or config.group is not None:
            from monoceros.service import identity  # not on every system, and few want it

            self.identity = identity.resolve(config.user, config.group)
        if config.proc_name:
            self._former_title = current_title()
            set_title("single", config.proc_name)

    def assume_identity(self, sockets: Iterable[socket]) -> None:
        """Become the account, which then can do what root could: remove the unix sockets, open the logs again.

        Arguments:
            sockets: the listening sockets.

        Raises:
            StartupError: the system refuses.
        """
        assert self.identity is not None
        for sock in sockets:
            if isinstance(sock, UnixListener) and sock.identity is not None:
                self.identity.own(sock.path)
        hand_over_log_files(self.identity.own)
        self.identity.assume()

    def listens(self, sockets: Iterable[socket]) -> None:
        """Learn where connections are accepted, for the status."""
        self._places = ", ".join(listeners.address(sock, tls=self._config.ssl is not None) for sock in sockets)

    def server_ready(self) -> None:
        """See WorkerHost."""
        self._watch.start()
        self._notifier.ready(f"Serving on {self._places}")

    def beat(self) -> None:
        """See WorkerHost."""
        self._watch.turned()
        self._notifier.retry()
        if self._notifier.watchdog_interval is not None:
            self._notifier.watchdog()

    def limit_reached(self, reason: str) -> None:
        """See WorkerHost. Whoever started this process starts it again."""
        self._drain()

    def server_stopped(self) -> None:
        """See WorkerHost. Nothing turns any more; threads of the application's may take as long as they like."""
        self._watch.end()

    def stopping(self, why: str) -> None:
        """The service ends, though it may go on serving for a while."""
        if not self._stopping:
            self._stopping = True
            self._notifier.stopping(why)
        else:
            self._notifier.status(why)

    def suspended(self) -> None:
        """The terminal is about to stop the process."""
        self._watch.suspend()

    def resumed(self) -> None:
        """It goes on. That the loop stood still wasn't its fault."""
        self._watch.turned()

    def over(self) -> None:
        """Nothing is served any more."""
        self._watch.end()
        self._notifier.close()
        for name, value in self._managers.items():
            self._environ.setdefault(name, value)
        if self._former_title is not None:
            restore_title(self._former_title)


def refuse_loop(config: Config) -> None:
    """Refuse an event loop of the user's own where root gives up its account: the loop is made before that.

    Raises:
        UsageError: `user` or `group` is set, and `loop` names a factory, which would be run as root.
    """
    accounts = [name for name in ("user", "group") if getattr(config, name) is not None]
    if accounts and ":" in config.loop and os.geteuid() == 0:
        raise UsageError(
            f"loop {config.loop}: with {accounts[0]}, a single process would import and call it as root; start with "
            "--workers 2 or more, or let the service manager change the account (User=)"
        )


def refuse_account(config: Config) -> None:
    """Refuse to serve as another account in a process that isn't the server's alone.

    Raises:
        UsageError: `user` or `group` is set.
    """
    for name in ("user", "group"):
        if getattr(config, name) is not None:
            raise UsageError(
                f"{name}: a server in a thread or an event loop of a program's own can't change what the whole process "
                "may do; use monoceros-serve, monoceros.run or Server.run in the main thread"
            )
