"""The load: keep-alive connections that each send a request, wait for the whole answer, and send the next.

It runs in a process of its own, so that a server's CPU time is the server's alone. Any answer that isn't a 200 of the
expected size ends the run: a figure over failures would mean nothing.
"""

import select
import socket
import sys
import time

REQUEST = (
    b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: benchmark/1.0\r\n"
    b"Accept: */*\r\nAccept-Encoding: gzip\r\n\r\n"
)
SMALL_REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"


def drive(port: int, connections: int, seconds: float, request: bytes) -> int:
    """Return how many answers came within `seconds`."""
    poll = select.epoll()
    socks: dict[int, socket.socket] = {}
    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        socks[sock.fileno()] = sock
    first = next(iter(socks.values()))
    first.sendall(request)
    size = len(_whole_answer(first))
    pending = dict.fromkeys(socks, size)
    for fd, sock in socks.items():
        sock.setblocking(False)
        poll.register(fd, select.EPOLLIN)
        sock.send(request)
    answers = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for fd, _event in poll.poll(1):
            data = socks[fd].recv(65536)
            if not data or (pending[fd] == size and not data.startswith(b"HTTP/1.1 200 ")):
                raise SystemExit(f"a request failed: {data[:200]!r}")
            pending[fd] -= len(data)
            if pending[fd] <= 0:
                pending[fd] = size
                answers += 1
                socks[fd].send(request)
    for sock in socks.values():
        sock.close()
    return answers


def _whole_answer(sock: socket.socket) -> bytes:
    """Read one answer, to learn its size: the same for all, as `Date` has a fixed length."""
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith(b"Hello, world!"):
        piece = sock.recv(65536)
        if not piece:
            raise SystemExit(f"the server closed after {data!r}")
        data += piece
    return data


if __name__ == "__main__":
    _port, _connections, _seconds, _kind = sys.argv[1:]
    print(drive(int(_port), int(_connections), float(_seconds), SMALL_REQUEST if _kind == "small" else REQUEST))
