"""The fields of a request head, read by httptools (llhttp, in C).

The head was judged by `framing` before: it means one thing, so this parser and h11's agree on it. It never sees a body
or a second head. llhttp refuses methods it doesn't list, though they are none of its business here: the head is fed
from its first field on, behind a request line of ours.
"""

import httptools

from monoceros.errors import RequestError
from monoceros.wire.fields import LOWER_NAMES

_REQUEST_LINE = b"GET / HTTP/1.1\r\n"


class _Fields:
    """What httptools calls: one call a field."""

    __slots__ = ("fields",)

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((LOWER_NAMES[name], value))


class HttptoolsParser:
    """Holds no state: see the module."""

    __slots__ = ()

    def parse_fields(self, head: bytes, start: int) -> list[tuple[bytes, bytes]]:
        """Return the fields of `head`, which begin at offset `start`, with their names in lower case.

        Arguments:
            head: a whole head, up to and including the empty line.
            start: where the first field line begins.

        Raises:
            RequestError: 400, if llhttp finds fault with what `framing` let pass.
        """
        found = _Fields()
        fields = found.fields
        try:
            # A new one for each head: afterwards it may wait for content, or take no more.
            httptools.HttpRequestParser(found).feed_data(_REQUEST_LINE + head[start:])
        except httptools.HttpParserUpgrade:
            pass  # whether to upgrade is the connection's decision; llhttp only stops here
        except httptools.HttpParserError as exc:
            raise RequestError(400, f"malformed header field: {exc}") from exc
        # RFC 9112, section 5.1: white space around a value isn't part of it. llhttp leaves that at the end.
        if b" \r\n" in head or b"\t\r\n" in head:
            return [(name, value.rstrip(b" \t")) for name, value in fields]
        return fields
