"""How content goes to a transport: as it is, or in chunks (RFC 9112, section 7.1); at once, or with more of its turn.

Knows nothing of requests. The rules it keeps: what is small is joined to its framing and to what is sent in the same
turn of the loop, for one write; what is large isn't copied; nothing that is held outlives its turn.
"""

import asyncio
from time import monotonic

from monoceros.protocol.outbox import LARGE, Turn
from monoceros.wire.response import LAST_CHUNK, encode_chunk

COPIED = 65536
"""Content of at most so many octets is joined to its head or chunk size, for one write; more isn't worth the copy."""

PAUSE = 0.0005
"""Seconds without a write after which content isn't held: it comes one by one, and may be waited for. An application
that computes in the loop between two pieces ends no turn."""


class ContentStream:
    """The content of a response that is sent piece by piece, and its head.

    Arguments:
        transport: where to.
        turn: of the loop; what is held is written when it ends.
        chunked: the response goes out in chunks. Pieces that are held together become one.
        head: what is written before.
    """

    __slots__ = ("_chunked", "_due", "_head", "_octets", "_pieces", "_transport", "_turn")

    def __init__(self, transport: asyncio.Transport, turn: Turn, chunked: bool, head: bytes) -> None:
        self._transport = transport
        self._turn = turn
        self._chunked = chunked
        self._head = head
        self._pieces: list[bytes] = []
        self._octets = 0
        self._due = monotonic() + PAUSE

    def add(self, piece: bytes) -> None:
        """Take a piece, behind which others will come; an empty one has what is held written."""
        size = len(piece)
        if size >= LARGE:
            self.flush()
            write_content(self._transport, piece, True, self._chunked)
            return
        pieces = self._pieces
        pieces.append(piece)
        self._octets = octets = self._octets + size
        if not size or octets > COPIED or monotonic() >= self._due:
            self.flush()
        elif octets == size:
            self._turn.ends_with(self)

    def end(self, piece: bytes) -> None:
        """Take the last piece, which may be empty, and write all."""
        if len(piece) >= LARGE:
            self.flush()
            write_content(self._transport, piece, False, self._chunked)
            return
        if piece:
            self._pieces.append(piece)
            self._octets += len(piece)
        self._write(LAST_CHUNK if self._chunked else b"")

    def flush(self) -> None:
        """Write what is held."""
        if self._pieces or self._head:
            self._write(b"")
            self._due = monotonic() + PAUSE

    def drop(self) -> None:
        """Write no more of what is held: there is nobody left to read it."""
        self._pieces = []
        self._octets = 0
        self._head = b""

    def _write(self, last: bytes) -> None:
        pieces, octets, head = self._pieces, self._octets, self._head
        self.drop()
        if not self._chunked or not octets:
            data = b"".join((head, *pieces, last))
        else:
            data = b"".join((head, b"%x\r\n" % octets, *pieces, b"\r\n", last))
        if data:
            self._transport.write(data)


def write_content(transport: asyncio.Transport, body: bytes, more: bool, chunked: bool) -> None:
    """Write content that isn't empty.

    Arguments:
        transport: where to.
        body: the octets.
        more: other content follows; else chunks are ended.
        chunked: the response goes out in chunks.
    """
    if not chunked:
        transport.write(body)
    elif len(body) <= COPIED:
        transport.write(encode_chunk(body) if more else encode_chunk(body) + LAST_CHUNK)
    else:
        transport.write(b"%x\r\n" % len(body))
        transport.write(body)
        transport.write(b"\r\n" if more else b"\r\n" + LAST_CHUNK)
