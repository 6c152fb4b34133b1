"""The access log in a format of the user's.

Knows what makes a line; how lines reach a stream is `direct`'s. The rule it keeps: what isn't fast goes through
`logging`, as a record whose message is the line, or however whoever opened the log wants it.
"""

import logging
from collections.abc import Callable, Hashable

from monoceros.logs.atoms import Line, compile_format
from monoceros.logs.direct import DirectLog, Surroundings
from monoceros.logs.formatters import AccessFormatter, ColourizedFormatter, shows_message_only
from monoceros.logs.lines import escape_unprintable
from monoceros.logs.told import Told


class LineFormatter(ColourizedFormatter):
    """Shows the message, on one line: for lines that are complete in themselves, and an application's own."""

    def __init__(self) -> None:
        super().__init__("%(message)s", use_colors=False)

    def _escape_message(self, text: str) -> str:
        return escape_unprintable(text)


class FormattedLog(DirectLog):
    """Writes one line per request, as a format makes it.

    Arguments:
        surroundings: see `DirectLog`.
        line: makes the line.
        relay: called for each request whose line isn't fast; None logs the line at INFO.
    """

    __slots__ = ("_line", "_relay")

    def __init__(self, surroundings: Surroundings, line: Line, relay: Callable[[Told], None] | None = None) -> None:
        self._line = line
        self._relay = relay or self._log_line
        super().__init__(surroundings)

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
    surroundings = Surroundings(call_soon, logger, logging.getLogger("monoceros.error"))
    return FormattedLog(surroundings, compile_format(text), relay)


def show_lines_alone(access_logger: logging.Logger) -> None:
    """Take the default look from a logger's handlers: a line that has a format of its own stands alone."""
    for handler in access_logger.handlers:
        formatter = handler.formatter
        if formatter is None or (isinstance(formatter, AccessFormatter) and formatter.has_default_look()):
            handler.setFormatter(LineFormatter())
