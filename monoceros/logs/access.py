"""The access log in its default look: method, path and status of each request.

Knows what `AccessFormatter` shows, and a formatter that shows the message alone, which is Gunicorn's; how lines reach a
stream is `direct`'s. The rules it keeps: a line looks as its formatter would show it, and a usual one is a single call;
what isn't fast is an ordinary record, `args` being the five parts.
"""

import logging
from collections.abc import Callable, Hashable
from typing import NamedTuple

from monoceros.logs.direct import DirectLog, Surroundings
from monoceros.logs.formatters import AccessFormatter, shows_message_only
from monoceros.logs.lines import escape

ACCESS_MESSAGE = '%s - "%s %s HTTP/%s" %d'

_HELD_STATUSES = 64  # applications use a dozen; one that counts through them all must not fill the memory


class _Look(NamedTuple):
    """What a line's look depends on, as the formatter would make it. Without a formatter it is the message alone."""

    formatter: AccessFormatter | None = None
    use_colors: bool = False
    level_name: str = ""


class AccessLog(DirectLog):
    """Writes one line per answered request; see `DirectLog` for the arguments."""

    __slots__ = ("_before_request", "_look", "_prefix", "_tails")

    def __init__(self, surroundings: Surroundings) -> None:
        self._prefix = ""
        self._before_request = ""
        self._look: _Look | None = None
        # Status -> the line's end. Empty unless lines are fast, so that one look-up tells both.
        self._tails: dict[int, str] = {}
        super().__init__(surroundings)

    def log(self, client: str, method: str, path: str, http_version: str, status: int) -> None:
        """Log one answered request.

        Arguments:
            client: "127.0.0.1:5000", or "" for a peer without an address.
            method, path, http_version: as received; the path with its query. The version is "1.1", not "HTTP/1.1".
            status: of the final response.
        """
        tail = self._tails.get(status)
        if tail is not None:
            line = f"{client}{self._before_request}{method} {path} HTTP/{http_version}"
            # Coloured lines never pass, for their own escape codes: who reads colours isn't in a hurry.
            if line.isascii() and line.isprintable():
                lines = self._lines
                if not lines:
                    self._call_soon(self.flush)
                lines.append(f"{self._prefix}{line}{tail}")
                return
        self._log_uncommon(client, method, path, http_version, status)

    __call__ = log

    def _log_uncommon(self, client: str, method: str, path: str, http_version: str, status: int) -> None:
        """The first line with a status, one with something to escape or in colours, and every line that isn't fast."""
        if self._look is not None and self._writer is not None:
            request = f"{escape(method)} {escape(path)} HTTP/{escape(http_version)}"
            tail = self._tails.get(status) or self._new_tail(self._look.formatter, status)
            if not self._lines:
                self._call_soon(self.flush)
            self._lines.append(f"{self._prefix}{escape(client)}{self._before_request}{request}{tail}")
        elif self._relayed:
            self._access_logger.info(
                ACCESS_MESSAGE, escape(client), escape(method), escape(path), escape(http_version), status
            )

    def _new_tail(self, formatter: AccessFormatter | None, status: int) -> str:
        if len(self._tails) >= _HELD_STATUSES:
            self._tails.clear()
        if formatter is None:
            tail = f'" {status}\n'
        else:
            after_request = formatter.emphasise("\n").partition("\n")[2]
            tail = f'{after_request}" {formatter.get_status_code(status)}\n'
        self._tails[status] = tail
        return tail

    def _look_of(self, formatter: logging.Formatter) -> Hashable | None:
        """See DirectLog: the default look, in colours or not, or the message alone."""
        self._look = None
        if shows_message_only(formatter):
            self._look = _Look()
            self._prefix, self._before_request = "", ' - "'
        if isinstance(formatter, AccessFormatter) and formatter.has_default_look():
            look = self._look = _Look(formatter, formatter.use_colors, logging.getLevelName(logging.INFO))
            self._prefix = formatter.level_prefix(look.level_name, logging.INFO) + " "
            self._before_request = ' - "' + formatter.emphasise("\n").partition("\n")[0]
        return self._look

    def _end_writing(self) -> None:
        self._tails.clear()
        super()._end_writing()


def open_access_log(call_soon: Callable[[Callable[[], None]], object]) -> AccessLog:
    """The access log of a server process, on the loggers "monoceros.access" and "monoceros.error"."""
    access_logger, error_logger = logging.getLogger("monoceros.access"), logging.getLogger("monoceros.error")
    return AccessLog(Surroundings(call_soon, access_logger, error_logger))
