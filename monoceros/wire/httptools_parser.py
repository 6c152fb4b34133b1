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
    """One per connection: the state of llhttp lives on from head to head."""

    __slots__ = ("_parser", "_target")

    def __init__(self) -> None:
        self._target = _Fields()
        self._parser = httptools.HttpRequestParser(self._target)

    def parse_plain(self, head: bytes) -> list[tuple[bytes, bytes]]:
        """Return the fields of a whole head that `framing.match_plain` has matched."""
        fields: list[tuple[bytes, bytes]] = []
        self._target.fields = fields
        self._parser.feed_data(head)
        return fields

    def parse_fields(self, head: bytes, start: int, has_body: bool) -> list[tuple[bytes, bytes]]:
        """Return the fields of `head`, which begin at offset `start`, with their names in lower case.

        Arguments:
            head: a whole head, up to and including the empty line.
            start: where the first field line begins.
            has_body: a body follows, which this parser won't see; it starts afresh with the next head.

        Raises:
            RequestError: 400, if llhttp finds fault with what `framing` let pass.
        """
        target = self._target
        fields: list[tuple[bytes, bytes]] = []
        target.fields = fields
        try:
            self._parser.feed_data(_REQUEST_LINE + head[start:])
        except httptools.HttpParserUpgrade:
            # Whether to upgrade is the connection's decision; llhttp only stops here.
            self._parser = httptools.HttpRequestParser(target)
        except httptools.HttpParserError as exc:
            self._parser = httptools.HttpRequestParser(target)
            raise RequestError(400, f"malformed header field: {exc}") from exc
        else:
            # llhttp reads no further head behind content, or after `Connection: close` (or `Proxy-Connection: close`).
            if has_body or not self._parser.should_keep_alive():
                self._parser = httptools.HttpRequestParser(target)
        # RFC 9112, section 5.1: white space around a value isn't part of it. llhttp leaves that at the end.
        if b" \r\n" in head or b"\t\r\n" in head:
            return [(name, value.rstrip(b" \t")) for name, value in fields]
        return fields
