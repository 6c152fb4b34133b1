"""The access log in a format of the user's.

Knows what makes a line; how lines reach a stream is `direct`'s. The rule it keeps: what isn't fast goes through
`logging`, as a record whose message is the line, or however whoever opened the log wants it.
"""

import logging
from collections.abc import Callable, Hashable

from monoceros.logs.atoms import Line, compile_format
from monoceros.logs.direct import DirectLog
from monoceros.logs.formatters import AccessFormatter, shows_message_only
from monoceros.logs.lines import escape_unprintable
from monoceros.logs.told import Told


class LineFormatter(logging.Formatter):
    """Shows the message, on one line: for lines that are complete in themselves."""

    def __init__(self) -> None:
        super().__init__("%(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """An application's records may come here, too; what a client sent can be in them."""
        return escape_unprintable(record.getMessage())


class FormattedLog(DirectLog):
    """Writes one line per request, as a format makes it.

    Arguments:
        call_soon, access_logger, error_logger: see `DirectLog`.
        line: makes the line.
        relay: called for each request whose line isn't fast; None logs the line at INFO.
    """

    __slots__ = ("_line", "_relay")

    def __init__(
        self,
        call_soon: Callable[[Callable[[], None]], object],
        access_logger: logging.Logger,
        error_logger: logging.Logger,
        line: Line,
        relay: Callable[[Told], None] | None = None,
    ) -> None:
        self._line = line
        self._relay = relay or self._log_line
        super().__init__(call_soon, access_logger, error_logger)

    def log(self, told: Told) -> None:
        """Log one request that is over."""
        if self._writer is not None:
            if not self._lines:
                self._call_soon(self.flush)
            self._lines.append(self._line(told) + "\n")
        elif self._relayed:
            self._relay(told)

    def _log_line(self, told: Told) -> None:
        self._access_logger.info("%s", self._line(told))

    def _look_of(self, formatter: logging.Formatter) -> Hashable | None:
        """See DirectLog: the message alone."""
        return formatter if type(formatter) is LineFormatter or shows_message_only(formatter) else None


def open_formatted_log(
    call_soon: Callable[[Callable[[], None]], object],
    text: str,
    access_logger: logging.Logger | None = None,
    relay: Callable[[Told], None] | None = None,
) -> FormattedLog:
    """The access log of a server process, in a format.

    Arguments:
        call_soon: runs a function in the next turn of the event loop.
        text: the format.
        access_logger: where to; None for "monoceros.access".
        relay: see `FormattedLog`.

    Raises:
        UsageError: the format can't be compiled.
    """
    logger = access_logger or logging.getLogger("monoceros.access")
    return FormattedLog(call_soon, logger, logging.getLogger("monoceros.error"), compile_format(text), relay)


def show_lines_alone(access_logger: logging.Logger) -> None:
    """Take the default look from a logger's handlers: a line that has a format of its own stands alone."""
    for handler in access_logger.handlers:
        formatter = handler.formatter
        if formatter is None or (isinstance(formatter, AccessFormatter) and formatter.has_default_look()):
            handler.setFormatter(LineFormatter())
