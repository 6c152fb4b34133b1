"""What no server in Python on this loop can go below: `python -m benchmarks.floors bytes|httptools PORT`.

`bytes` answers whatever comes with the same octets, without looking. `httptools` parses each request's head first and
makes nothing of it. Neither calls an application, checks anything, or has a limit or a deadline.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import cast

import httptools
import uvloop

ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n"
    b"date: Thu, 01 Jan 1970 00:00:00 GMT\r\nserver: floor\r\n\r\nHello, world!"
)


class Answering(asyncio.Protocol):
    """Answers each piece that arrives: right for clients that wait for an answer before they ask again."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER)


class Parsing(Answering):
    """Answers each request whose head httptools has read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.parser = httptools.HttpRequestParser(self)
        self.fields: list[tuple[bytes, bytes]] = []

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field, as any server has to."""
        self.fields.append((name, value))

    def on_message_complete(self) -> None:
        """Answer."""
        self.fields = []
        self.transport.write(ANSWER)


FLOORS: dict[str, Callable[[], asyncio.Protocol]] = {"bytes": Answering, "httptools": Parsing}


async def serve(kind: str, port: int) -> None:
    """Answer until the process is ended.

    Arguments:
        kind: "bytes" or "httptools".
        port: on 127.0.0.1.
    """
    server = await asyncio.get_running_loop().create_server(FLOORS[kind], "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2])))
