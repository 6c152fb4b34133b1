"""Our loggers, where Gunicorn logs.

Knows a Gunicorn logger by its two `logging` loggers. The rule it keeps: what goes where, and from which level on, is
what Gunicorn's settings say; how an access line looks is ours.
"""

import logging
from typing import Any

ERROR_LOGGERS = ("monoceros.error", "monoceros.asgi")
ACCESS_LOGGER = "monoceros.access"


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


def _follow(ours: logging.Logger, theirs: logging.Logger) -> None:
    ours.handlers = list(theirs.handlers)
    ours.setLevel(theirs.level)
    # With handlers of its own it propagates at most to have the same line twice.
    ours.propagate = theirs.propagate and not theirs.handlers
