"""What the master says in the log about its workers, in one place: the wording, not the occasion."""

import logging
import os
import signal
import threading

from monoceros.errors import EXIT_STARTUP, UsageError
from monoceros.supervisor.crew import Child
from monoceros.supervisor.events import AwaitChange, BackOff, Decline, GiveUp, ReloadFailed
from monoceros.supervisor.handle import State

logger = logging.getLogger("monoceros.error")


def with_pid(text: str, pid: int, ending: str = "") -> None:
    """Log `text [pid]`, the pid highlighted on a terminal."""
    highlighted = f"\x1b[1;36m{pid}\x1b[0m"
    logger.info(f"{text} [{pid}]{ending}", extra={"color_message": f"{text} [{highlighted}]{ending}"})


def how_it_ended(code: int) -> str:
    """An exit code in words; minus a signal's number if a signal ended the process."""
    if code == -signal.SIGKILL:
        return "was killed by SIGKILL (out of memory?)"
    if code < 0:
        return f"was killed by {_signal_name(-code)}"
    if code == EXIT_STARTUP:
        return "could not start"
    return f"exited with code {code}" if code else "left by itself"


def worker_ended(child: Child, code: int, state: State, left: bool) -> None:
    """Log the end of a worker: quietly if somebody wanted it.

    Arguments:
        child: the worker.
        code: its exit code; minus a signal's number if a signal ended it.
        state: what the master last knew of it.
        left: it said before its end that it leaves.
    """
    how = how_it_ended(code)
    match state:
        case State.KILLED:
            level, how = logging.DEBUG, "was ended"
        case State.DRAINING:
            level = logging.WARNING if code else logging.DEBUG
        case _:
            level = logging.DEBUG if left and not code else logging.ERROR
    logger.log(level, "Worker %d [pid %d] %s.", child.slot, child.pid, how)


def worker_late(child: Child, reason: str) -> None:
    logger.critical("Worker %d [pid %d] %s. Its stacks follow; then it is killed.", child.slot, child.pid, reason)


def not_forked(who: str, error: OSError) -> None:
    logger.error("%s could not be forked: %s.", who, error.strerror)


def not_executed(error: OSError) -> None:
    """Log that an exec failed, which leaves everything as it was."""
    logger.error("This program could not be executed again: %s. The old code serves on.", error)


def asked(name: str, what: str) -> None:
    """Log a signal and what follows from it."""
    logger.info("Received %s: %s.", name, what)


def unusable_options(error: UsageError | SystemExit) -> None:
    """Log that a reload fails before it begins; the reason of a SystemExit is logged already."""
    why = f": {error}" if isinstance(error, UsageError) else ""
    logger.error("The reload failed, the options can't be used%s. The workers of before go on serving.", why)


def kept_options(names: list[str]) -> None:
    """Log which options a reload can't change."""
    logger.warning(
        "The reload leaves %s as before: the master keeps that for its life. Start the service anew to change it.",
        ", ".join(names),
    )


def adopted(count: int) -> None:
    """Log that a master has taken over from its former self."""
    logger.info("Executed anew: the %d workers of before serve until they are replaced.", count)


def successor_ended(pid: int, code: int) -> None:
    """Log that an upgrade failed, or was called off."""
    level = logging.ERROR if code else logging.INFO
    logger.log(level, "The second master [pid %d] %s: this one goes on.", pid, how_it_ended(code))


def watcher_ended(code: int) -> None:
    logger.error("The reloader %s: edits of the code are not seen any more.", how_it_ended(code))


def files_changed(way: str, paths: str) -> None:
    logger.warning("%s detected changes in %s. Reloading...", way, paths)


def setback(action: BackOff | AwaitChange | GiveUp | ReloadFailed | Decline) -> None:
    """Log why something isn't done now."""
    match action:
        case ReloadFailed(why):
            logger.error("The reload failed: %s. The workers of before go on serving.", why)
        case Decline(reason):
            logger.warning("That is not done: %s.", reason)
        case BackOff(slot, seconds):
            logger.warning("Worker %d keeps dying: the next one starts in %g s.", slot, seconds)
        case AwaitChange():
            logger.error("The application could not start. Waiting for the next change of its files.")
        case GiveUp():
            logger.error("No worker could start: stopping.")


def threads_at_fork() -> None:
    """Warn of threads: they don't exist in a forked child, and the locks they held stay locked there for ever."""
    names = sorted(thread.name for thread in threading.enumerate() if thread is not threading.current_thread())
    if names:
        logger.warning(
            "The process that forks the workers [%d] has threads, which can leave locks locked in them: %s.",
            os.getpid(),
            ", ".join(names),
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"
