"""How content goes to a transport: as it is, or in chunks (RFC 9112, section 7.1).

Knows nothing of requests. The rule it keeps: what is small is joined to its framing, for one write; what is large isn't
copied.
"""

import asyncio

from monoceros.wire.response import LAST_CHUNK, encode_chunk

COPIED = 65536
"""Content of at most so many octets is joined to its head or chunk size, for one write; more isn't worth the copy."""


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
