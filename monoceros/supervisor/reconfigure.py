"""The options of a new generation, read again on SIGHUP, and what the policy needs of them.

It knows configurations and the environment; no worker. The rule it keeps: options that can't be used change nothing.
"""

import math
import os
from collections.abc import Callable, Iterable, Mapping

from monoceros.config import Config
from monoceros.errors import UsageError
from monoceros.service import cpus
from monoceros.supervisor import reports
from monoceros.supervisor.luggage import entered
from monoceros.supervisor.rules import Rules

# What a master holds for its life: its sockets, its directory, and what its children can't have without it.
KEPT = (
    "host",
    "port",
    "uds",
    "fd",
    "bind",
    "uds_permissions",
    "reuse_port",
    "backlog",
    "reload",
    "preload",
    "pid_file",
    "user",
    "group",
    "umask",
    "chdir",
)


def rules_of(config: Config, *, fresh: bool = False) -> Rules:
    """The policy's options out of all; no limit is infinite there.

    Reload has one worker, and no deadline but the drain's: its user may be at a breakpoint.

    Arguments:
        config: the options.
        fresh: new code takes a new master.
    """
    grace = math.inf if config.timeout_graceful_shutdown is None else config.timeout_graceful_shutdown
    if config.should_reload:
        return Rules(1, math.inf, math.inf, grace, reload=True)
    return Rules(
        workers=config.workers,
        start_timeout=config.timeout_worker_start or math.inf,
        beat_timeout=config.timeout_worker or math.inf,
        graceful_timeout=grace,
        drain_delay=config.drain_delay,
        fresh=fresh,
        in_place=os.getpid() == 1,
        own_listeners=config.reuse_port,
        first=cpus.usable_cpus(),
    )


def reconfigured(former: Config, read: Callable[[], Config], directory: str, variables: Iterable[str]) -> Config:
    """Return the options as they are now; the file of environment variables is read again, too.

    Arguments:
        former: the options of before.
        read: gathers them as at the start.
        directory: the one they were gathered in then, which their paths are relative to.
        variables: the names of all environment variables that came from files so far.

    Raises:
        UsageError: they can't be used. Nothing has changed then.
        SystemExit: the same, and the reason is logged.
    """
    give_variables({}, variables)
    try:
        with entered(directory):
            config = read()
            config.check()
    except OSError as error:
        give_variables(former.from_env_file, variables)
        raise UsageError(f"{directory}, where this program was started, can't be entered: {error.strerror}") from error
    except BaseException:
        give_variables(former.from_env_file, variables)
        raise
    changed = [name for name in KEPT if getattr(config, name) != getattr(former, name)]
    for name in changed:
        setattr(config, name, getattr(former, name))
    if changed:
        reports.kept_options(changed)
    return config


def give_variables(given: Mapping[str, str], variables: Iterable[str]) -> None:
    """Have those environment variables that came from a file, and none that came from another one."""
    for name in variables:
        os.environ.pop(name, None)
    os.environ.update(given)
