"""The fields of a request head, read by h11 (pure Python).

The head was judged by `framing` before: it means one thing, so this parser and httptools' agree on it. A connection of
h11 goes on to a second request only when the answer to the first was written through it, so each head gets a fresh one;
it is fed a request line of ours, for the method and the target are known already.
"""

import re

import h11

from monoceros.errors import RequestError
from monoceros.wire.fields import LOWER_NAMES

_REQUEST_LINE = b"GET / HTTP/1.1\r\n"
# h11 wants a Host in every HTTP/1.1 request, which `framing` has seen to; HTTP/1.0 may go without.
_REQUEST_LINE_WITHOUT_HOST = b"GET / HTTP/1.0\r\n"

# h11 lower-cases this value; the application gets it as received, whichever parser is used.
_CODING = b"transfer-encoding"
_CODING_RECEIVED = re.compile(rb"\n" + _CODING + rb":[ \t]*([^\r]*)", re.IGNORECASE)


class H11Parser:
    """Holds no state: see the module."""

    __slots__ = ()

    def parse_fields(self, head: bytes, start: int) -> list[tuple[bytes, bytes]]:
        """Return the fields of `head`, which begin at offset `start`, with their names in lower case.

        Arguments:
            head: a whole head, up to and including the empty line.
            start: where the first field line begins.

        Raises:
            RequestError: 400, if h11 finds fault with what `framing` let pass.
        """
        old = head.endswith(b"HTTP/1.0", 0, start - 2)
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=len(head) + len(_REQUEST_LINE))
        connection.receive_data((_REQUEST_LINE_WITHOUT_HOST if old else _REQUEST_LINE) + head[start:])
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as exc:
            raise RequestError(400, f"malformed header field: {exc}") from exc
        if not isinstance(event, h11.Request):
            raise RequestError(400, "malformed header field")
        fields = [(LOWER_NAMES[name], value) for name, value in event.headers.raw_items()]
        received = _CODING_RECEIVED.search(head)
        if received is not None:
            return [(name, received[1] if name == _CODING else value) for name, value in fields]
        return fields
