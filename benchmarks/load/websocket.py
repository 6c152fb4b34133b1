"""WebSockets that each send a text, wait for its echo, and send it again."""

import base64
import hashlib
import re
import select
import socket
import time

from benchmarks.load.answers import HEAD_END, LoadError
from benchmarks.load.frames import FrameReader, client_frame, deflated, payload, server_frame
from benchmarks.load.http import connect

NONCE = base64.b64encode(b"sixteen octets!!")
ACCEPTED = base64.b64encode(hashlib.sha1(NONCE + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
OFFER = b"permessage-deflate; client_max_window_bits"
"""What browsers offer."""
NO_COMPRESSION = "doesn't compress"


class NotOffered(LoadError):
    """The server doesn't compress."""


class Echo:
    """The WebSockets of a round. Making it connects them, and sees one echo on each.

    Arguments:
        port: on 127.0.0.1.
        connections: how many.
        size: of the text, in bytes.
        compress: offer compression, and send compressed messages.

    Raises:
        NotOffered: compression wasn't agreed upon.
        LoadError: the handshake or the echo went wrong.
    """

    def __init__(self, port: int, connections: int, size: int, compress: bool) -> None:
        self.text = payload(size)
        self.compress = compress
        self.expected = server_frame(self.text)
        self.room = max(4096, len(self.expected) + 1)
        self.poll = select.epoll()
        self.socks: dict[int, socket.socket] = {}
        self.readers: dict[int, FrameReader] = {}
        for _ in range(connections):
            sock = connect(port)
            window_bits = handshake(sock, compress)
            content = deflated(self.text, window_bits) if compress else self.text
            self.frame = client_frame(content, compress)
            reader = FrameReader()
            sock.sendall(self.frame)
            while not (messages := reader.feed(sock.recv(1 << 18))):
                pass
            if messages != [self.text]:
                raise LoadError(f"not the echo: {messages[0][:100]!r}")
            sock.setblocking(False)
            self.socks[sock.fileno()] = sock
            self.readers[sock.fileno()] = reader
            self.poll.register(sock.fileno(), select.EPOLLIN)

    def run(self, seconds: float) -> list[float]:
        """Return the latencies, in seconds. Each echo is compared, octet by octet."""
        clock = time.perf_counter
        sent: dict[int, float] = {}
        unsent: dict[int, bytes] = {}
        for fd in self.socks:
            sent[fd] = clock()
            self._send(fd, self.frame, unsent)
        latencies: list[float] = []
        running = len(self.socks)
        end = clock() + seconds
        while running:
            for fd, event in self.poll.poll(30):
                if event & select.EPOLLOUT:
                    self.poll.modify(fd, select.EPOLLIN)
                    self._send(fd, unsent.pop(fd), unsent)
                if event & select.EPOLLIN and self._echoed(fd):
                    now = clock()
                    latencies.append(now - sent[fd])
                    if now < end:
                        sent[fd] = now
                        self._send(fd, self.frame, unsent)
                    else:
                        running -= 1
        return latencies

    def _echoed(self, fd: int) -> bool:
        """Read what has come on a connection. Return whether the echo is whole."""
        data = self.socks[fd].recv(self.room)
        reader = self.readers[fd]
        # A server that sends a text in one frame, uncompressed, is compared at once.
        if data == self.expected and not reader.data:
            return True
        if not data:
            raise LoadError("the server closed a WebSocket")
        messages = reader.feed(data)
        if messages and messages != [self.text]:
            raise LoadError(f"not the echo: {messages[0][:100]!r}")
        return bool(messages)

    def _send(self, fd: int, data: bytes, unsent: dict[int, bytes]) -> None:
        """Send what the system takes, and keep the rest until it takes more."""
        try:
            size = self.socks[fd].send(data)
        except BlockingIOError:
            size = 0
        if size < len(data):
            unsent[fd] = data[size:]
            self.poll.modify(fd, select.EPOLLIN | select.EPOLLOUT)


def handshake(sock: socket.socket, compress: bool) -> int:
    """Open a WebSocket on a blocking connection (RFC 6455, section 4.1).

    Arguments:
        sock: connected.
        compress: offer compression.

    Returns:
        The bits of the window for what the client compresses; 15 if the server sets no limit.

    Raises:
        NotOffered: compression wasn't agreed upon.
        LoadError: the handshake was refused.
    """
    extensions = b"Sec-WebSocket-Extensions: " + OFFER + b"\r\n" if compress else b""
    sock.sendall(
        b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + NONCE + b"\r\n" + extensions + b"\r\n"
    )
    head = b""
    while not head.endswith(HEAD_END):
        piece = sock.recv(1)
        if not piece:
            raise LoadError(f"a handshake broke off: {head!r}")
        head += piece
    if not head.startswith(b"HTTP/1.1 101 ") or ACCEPTED not in head:
        raise LoadError(f"a handshake was refused: {head!r}")
    agreed = re.search(rb"(?i)sec-websocket-extensions:[^\r]*permessage-deflate([^\r,]*)", head)
    if compress and agreed is None:
        raise NotOffered(NO_COMPRESSION)
    window = agreed and re.search(rb"client_max_window_bits=(\d+)", agreed[1])
    return int(window[1]) if window else 15
