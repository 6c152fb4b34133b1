"""Text on its way into a log line, and the lines that are written from more than one place.

Knows strings and loggers only: no record, no stream, no event loop. The rule it keeps: what a peer sent is shown, never
obeyed. A control byte in a log can rewrite a terminal's screen or forge a second line (CVE-2020-7694).
"""

import logging
import re

EXCERPT = 512
"""Characters that a line about a failure shows of a text that a peer may make as long as a request head."""

_NOT_VISIBLE_ASCII = re.compile(r"[^\x20-\x7e]")


def escape(text: str) -> str:
    r"""Text from the wire as printable ASCII: anything else becomes `\x1b`, `\u202e` or `\U0001f984`.

    Printable ASCII comes back unchanged, the backslash included, so escaping twice is escaping once.
    """
    if text.isascii() and text.isprintable():
        return text
    return _NOT_VISIBLE_ASCII.sub(_escaped, text)


def escape_unprintable(text: str) -> str:
    """A person's text on one line: letters of any script stay, controls and invisible characters are escaped."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else escape(character) for character in text)


def escape_lines(text: str) -> str:
    """A person's text that may have several lines, as by `escape_unprintable` but for line feeds and tabs."""
    if text.isprintable():
        return text
    return "\n".join("\t".join(map(escape_unprintable, line.split("\t"))) for line in text.split("\n"))


def excerpt(text: str) -> str:
    """Text from the wire as `escape` shows it; of a long one the beginning, and how long it is."""
    if len(text) <= EXCERPT:
        return escape(text)
    return f"{escape(text[:EXCERPT])}... ({len(text)} characters)"


def websocket_accepted(logger: logging.Logger, client: str, path: str) -> None:
    """Log at INFO that a handshake was answered with 101.

    Arguments:
        logger: where to; "monoceros.error" by custom, as a session is not an access.
        client: the peer as "host:port", or "" when it has no address.
        path: the request's target as received.
    """
    logger.info('%s - "WebSocket %s" [accepted]', escape(client), escape(path))


def websocket_refused(logger: logging.Logger, client: str, path: str, status: int) -> None:
    """Log at INFO that a handshake was answered with an HTTP status; the other arguments as `websocket_accepted`."""
    logger.info('%s - "WebSocket %s" %d', escape(client), escape(path), status)


def running_on(logger: logging.Logger, address: str) -> None:
    """Log at INFO where connections are accepted; people and scripts wait for this line.

    Arguments:
        logger: where to.
        address: as a browser takes it, or in words.
    """
    text, hint = "Monoceros running on", "(Press CTRL+C to quit)"
    logger.info(f"{text} {address} {hint}", extra={"color_message": f"{text} \x1b[1m{address}\x1b[0m {hint}"})


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
