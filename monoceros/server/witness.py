"""What whoever runs a server wants to know of its requests, and how the server comes to tell it.

Knows callables only. The rule it keeps: if nobody wants to know, there is no observer, and connections are of the plain
class.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from monoceros.config import Config
from monoceros.logs.access import AccessLog, open_access_log
from monoceros.logs.formatted import FormattedLog, open_formatted_log
from monoceros.logs.told import Told
from monoceros.protocol.context import Context
from monoceros.protocol.exchange import Exchange, Observer
from monoceros.protocol.http1 import HTTP1Connection
from monoceros.protocol.observed import ObservedConnection
from monoceros.server.delivered import delivered


@dataclass(frozen=True, slots=True)
class Witness:
    """Given to a server before it starts.

    Attributes:
        began: told of each request before an application is called, or None. What it raises is logged.
        ended: told of each request that is over, after its line is logged, or None. What it raises is logged.
        relay: logs a request whose line isn't written straight to a stream; None has it logged as a record.
        access_logger: where a format's lines go; None for "monoceros.access".
    """

    began: Callable[[Exchange], None] | None = None
    ended: Callable[[Exchange], None] | None = None
    relay: Callable[[Told], None] | None = None
    access_logger: logging.Logger | None = None


def open_log(
    config: Config, call_soon: Callable[[Callable[[], None]], object], witness: Witness
) -> AccessLog | FormattedLog | None:
    """Return the access log that the options ask for, or None.

    Raises:
        UsageError: its format can't be compiled.
    """
    if not config.access_log:
        return None
    if config.access_log_format is None:
        return open_access_log(call_soon)
    return open_formatted_log(call_soon, config.access_log_format, witness.access_logger, witness.relay)


def observer_of(log: AccessLog | FormattedLog | None, witness: Witness) -> Observer | None:
    """Return who is told of requests, or None if nobody wants to know."""
    line = log.log if isinstance(log, FormattedLog) else None
    ended = tuple(tell for tell in (line, witness.ended) if tell is not None)
    began = () if witness.began is None else (witness.began,)
    return Observer(ended, began, delivered=delivered) if ended or began else None


def connection_of(context: Context) -> HTTP1Connection:
    """Return a new connection, of the class that tells the observer if there is one."""
    return HTTP1Connection(context) if context.observer is None else ObservedConnection(context)
