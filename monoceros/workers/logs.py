"""Our loggers, where Gunicorn logs.

Knows a Gunicorn logger by its two `logging` loggers, and by what a class of the user's has made of it. The rules it
keeps: what goes where, from which level on, and how an access line looks, is what Gunicorn's settings say; lines are
ours only where Gunicorn's own logger would write the very same.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

ERROR_LOGGERS = ("monoceros.error", "monoceros.asgi")
ACCESS_LOGGER = "monoceros.access"

# All that Gunicorn makes an access line with.
_ACCESS_PARTS = ("access", "atoms", "atoms_wrapper_class", "now", "_get_user")


def log_like_gunicorn(log: Any) -> bool:
    """Let our loggers log as Gunicorn's do; returns whether there is an access log.

    Arguments:
        log: Gunicorn's logger, of whatever class the user chose.
    """
    for name in ERROR_LOGGERS:
        _follow(logging.getLogger(name), error_log(log))
    access = logging.getLogger(ACCESS_LOGGER)
    _follow(access, getattr(log, "access_log", None) or logging.getLogger("gunicorn.access"))
    return access.hasHandlers()


def error_log(log: Any) -> logging.Logger:
    """The `logging` logger of Gunicorn's errors."""
    found: logging.Logger = getattr(log, "error_log", None) or logging.getLogger("gunicorn.error")
    return found


def logs_plainly(log: Any) -> bool:
    """Tell whether an access is a line of the format, and a count at most: no class of the user's has a hand in it."""
    if not hasattr(log, "access"):
        return True
    kind, plain = type(log), _gunicorns_class(log)
    return plain is not None and not any(
        part in vars(log) or getattr(kind, part, None) is not getattr(plain, part, None) for part in _ACCESS_PARTS
    )


def owner_of_accesses(log: Any) -> str | None:
    """Return the name of the user's class that makes of an access what it likes; None if there is none.

    Arguments:
        log: Gunicorn's logger.
    """
    return None if logs_plainly(log) else f"{type(log).__module__}.{type(log).__qualname__}"


def counter_of(log: Any) -> Callable[[int, float], None] | None:
    """Return what counts a request as Gunicorn's statsd logger does beside its line; None for any other logger.

    It takes the status, and the duration in seconds. A logger that isn't plain counts for itself.

    Arguments:
        log: Gunicorn's logger.
    """
    if not logs_plainly(log) or not hasattr(_gunicorns_class(log), "increment"):
        return None
    # A duration was a histogram before there were timers: up to Gunicorn 23.
    measure = getattr(log, "timer", None) or log.histogram

    def count(status: int, seconds: float) -> None:
        measure("gunicorn.request.duration", seconds * 1000)
        log.increment("gunicorn.requests", 1)
        log.increment(f"gunicorn.request.status.{status}", 1)

    return count


def access_options(log: Any, cfg: Any, options: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a worker's Config, with those of the access log as Gunicorn has them.

    Arguments:
        log: Gunicorn's logger.
        cfg: Gunicorn's configuration.
        options: what all other sources say.
        overrides: `CONFIG_KWARGS` of the worker class, which win.
    """
    has_log = log_like_gunicorn(log)
    if not logs_plainly(log):
        # The logger is told of each request, and has the access log for itself.
        return {**options, "access_log": False, "access_log_format": None}
    setting = cfg.settings["access_log_format"]
    merged = {"access_log": has_log, **options}
    if setting.get() != setting.default:
        merged["access_log_format"] = setting.get()
    return {**merged, **overrides}


def _gunicorns_class(log: Any) -> type | None:
    """The topmost of a logger's classes that is Gunicorn's own: what it does is no doing of the user's."""
    return next((each for each in type(log).__mro__ if each.__module__.startswith("gunicorn.")), None)


def _follow(ours: logging.Logger, theirs: logging.Logger) -> None:
    ours.handlers = list(theirs.handlers)
    ours.setLevel(theirs.level)
    # With handlers of its own it propagates at most to have the same line twice.
    ours.propagate = theirs.propagate and not theirs.handlers
