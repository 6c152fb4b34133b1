"""How a record looks: the level's prefix, the message, the access line, coloured or not.

Knows records and text only: no configuration, no event loop, and of streams only whether they are terminals. The rule
it keeps: no control character but line feed and tab reaches the output, whoever made the record (CVE-2020-7694); and of
an access neither, for what a client sent is shown as printable ASCII there.
"""

import http
import logging
import sys
from collections.abc import Callable, Mapping
from copy import copy
from typing import ClassVar, Literal, TextIO

from monoceros.logs.lines import escape, escape_lines, escape_unprintable

TRACE_LOG_LEVEL = 5

DEFAULT_FORMAT = "%(levelprefix)s %(message)s"
ACCESS_FORMAT = '%(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s'

_LEVEL_WIDTH = 8  # the longest usual name is CRITICAL

Paint = Callable[[str], str]
Escape = Callable[[str], str]


def _paint(code: int) -> Paint:
    """A function that shows its text with one SGR code of ECMA-48: 31 is red, 91 bright red, 1 bold."""

    def paint(text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m"

    return paint


_bold = _paint(1)


def _is_terminal(stream: TextIO | None) -> bool:
    # A process without a console has None for its standard streams.
    return stream is not None and stream.isatty()


class ColourizedFormatter(logging.Formatter):
    """Adds `%(levelprefix)s`, and prefers a record's `extra={"color_message": ...}` where colours are shown.

    Controls in the message and in a traceback are escaped, but for line feed and tab. Escape codes pass in a
    `color_message` alone, and aren't taken from what is filled into it.

    Arguments:
        fmt, datefmt, style: as for `logging.Formatter`.
        use_colors: True or False; None decides by the terminal.
    """

    level_name_colors: ClassVar[dict[int, Paint]] = {
        TRACE_LOG_LEVEL: _paint(34),
        logging.DEBUG: _paint(36),
        logging.INFO: _paint(32),
        logging.WARNING: _paint(33),
        logging.ERROR: _paint(31),
        logging.CRITICAL: _paint(91),
    }

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Literal["%", "{", "$"] = "%",
        use_colors: bool | None = None,
    ) -> None:
        super().__init__(fmt=fmt, datefmt=datefmt, style=style)
        self.use_colors = self.should_use_colors() if use_colors is None else use_colors

    def should_use_colors(self) -> bool:
        """Whether to use colours when nobody said so: if the stream that is usually written to is a terminal."""
        return _is_terminal(sys.stdout)

    def color_level_name(self, level_name: str, level_no: int) -> str:
        paint = self.level_name_colors.get(level_no)
        return paint(level_name) if paint else level_name

    def level_prefix(self, level_name: str, level_no: int) -> str:
        """The level's name with a colon, filled up to the width of the longest one."""
        shown = self.color_level_name(level_name, level_no) if self.use_colors else level_name
        return shown + ":" + " " * (_LEVEL_WIDTH - len(level_name))

    def format(self, record: logging.LogRecord) -> str:
        """The record as text. An exception's own text may be a client's, too."""
        shown = copy(record)  # other handlers get the same record after us
        if shown.exc_info and not shown.exc_text:
            shown.exc_text = self.formatException(shown.exc_info)
        if shown.exc_text:
            shown.exc_text = escape_lines(shown.exc_text)
        if shown.stack_info:
            shown.stack_info = escape_lines(shown.stack_info)
        return super().format(shown)

    def formatMessage(self, record: logging.LogRecord) -> str:
        shown = copy(record)
        self._add_fields(shown)
        return super().formatMessage(shown)

    def _escape_message(self, text: str) -> str:
        return escape_lines(text)

    def _add_fields(self, shown: logging.LogRecord) -> None:
        """Put what the format may ask for into a record of our own."""
        shown.message = self._escape_message(shown.getMessage())
        if "color_message" in vars(shown):
            # Its escape codes are the programmer's and stay: what is filled in must not bring more of them.
            shown.args = _escaped_args(shown.args, self._escape_message)
            if self.use_colors:
                shown.msg = vars(shown)["color_message"]
                shown.message = shown.getMessage()
        vars(shown)["levelprefix"] = self.level_prefix(shown.levelname, shown.levelno)


class DefaultFormatter(ColourizedFormatter):
    """For everything but accesses: the standard handler writes these lines to standard error."""

    def should_use_colors(self) -> bool:
        return _is_terminal(sys.stderr)


class AccessFormatter(ColourizedFormatter):
    """For records whose args are (client, method, path, HTTP version, status).

    Adds `%(client_addr)s`, `%(request_line)s` and `%(status_code)s`, the last with its phrase. A record of any other
    shape, as an application may send to this logger, is shown by its message.
    """

    status_code_colours: ClassVar[dict[int, Paint]] = {
        1: _paint(97),
        2: _paint(32),
        3: _paint(33),
        4: _paint(31),
        5: _paint(91),
    }

    _plain_style: ClassVar[logging.PercentStyle] = logging.PercentStyle(DEFAULT_FORMAT)

    def get_status_code(self, status_code: int) -> str:
        """ "404 Not Found", in the colour of its class; a status nobody registered has an empty phrase."""
        try:
            phrase = http.HTTPStatus(status_code).phrase
        except ValueError:
            phrase = ""
        text = f"{status_code} {phrase}"
        paint = self.status_code_colours.get(status_code // 100) if self.use_colors else None
        return paint(text) if paint else text

    def emphasise(self, text: str) -> str:
        """The text in bold where colours are used."""
        return _bold(text) if self.use_colors else text

    def has_default_look(self) -> bool:
        """Whether lines look as by `ACCESS_FORMAT`, so that they may be made without a record."""
        style = self._style
        return (
            type(self) is AccessFormatter
            and type(style) is logging.PercentStyle
            and style._fmt == ACCESS_FORMAT
            and self.datefmt is None
        )

    def formatMessage(self, record: logging.LogRecord) -> str:
        shown = copy(record)
        self._add_fields(shown)
        fields = self._access_fields(record.args)
        if fields is None:
            try:
                return self._style.format(shown)
            except ValueError:  # the format asks for parts of a request, and this record has none
                return self._plain_style.format(shown)
        vars(shown).update(fields)
        return self._style.format(shown)

    def _escape_message(self, text: str) -> str:
        return escape_unprintable(text)

    def _access_fields(self, args: object) -> dict[str, str] | None:
        """What an access record adds to a format, or None if these are not an access's args."""
        if not isinstance(args, tuple) or len(args) != 5:
            return None
        client, method, path, version, status = args
        try:
            status_code = self.get_status_code(int(status))
        except (TypeError, ValueError):
            return None
        request_line = f"{escape(str(method))} {escape(str(path))} HTTP/{escape(str(version))}"
        return {
            "client_addr": escape(str(client)),
            "request_line": self.emphasise(request_line),
            "status_code": status_code,
        }


def _escaped_args(
    args: tuple[object, ...] | Mapping[str, object] | None, escape_message: Escape
) -> tuple[object, ...] | dict[str, object] | None:
    if isinstance(args, Mapping):
        return {name: _escaped_arg(value, escape_message) for name, value in args.items()}
    return tuple(_escaped_arg(value, escape_message) for value in args) if args else None


def _escaped_arg(value: object, escape_message: Escape) -> object:
    """The value itself, for %d and %r, unless its text has something to escape."""
    text = str(value)
    shown = escape_message(text)
    return value if shown == text else shown


def shows_message_only(formatter: logging.Formatter) -> bool:
    """Whether a formatter is logging's own, and adds nothing to a message that holds no exception."""
    style = formatter._style
    return type(formatter) is logging.Formatter and type(style) is logging.PercentStyle and style._fmt == "%(message)s"
