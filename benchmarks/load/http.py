"""Keep-alive connections, over TCP or TLS, that each send a request, wait for the whole answer, and send the next."""

import select
import socket
import ssl
import time

from benchmarks.load.answers import LAST_CHUNK, OK, LoadError, expect, read_answer
from benchmarks.load.requests import request, requests


def connect(port: int, tls: bool = False) -> socket.socket:
    """Return a blocking connection.

    Arguments:
        port: on 127.0.0.1.
        tls: with TLS, whoever's certificate it is.
    """
    sock = socket.create_connection(("127.0.0.1", port), timeout=30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not tls:
        return sock
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock)


class KeepAlive:
    """The connections of a round. Making it connects them, and reads an answer on each.

    Arguments:
        port: on 127.0.0.1.
        connections: how many.
        kind: of the request.
        tls: over TLS.
    """

    def __init__(self, port: int, connections: int, kind: str, tls: bool) -> None:
        self.requests = requests(kind)
        self.tls = tls
        self.socks: dict[int, socket.socket] = {}
        self.poll = select.epoll()
        for _ in range(connections):
            sock = connect(port, tls)
            sock.sendall(next(self.requests))
            answer = read_answer(sock)
            expect(kind, answer)
            sock.setblocking(False)
            self.socks[sock.fileno()] = sock
            self.poll.register(sock.fileno(), select.EPOLLIN)
        self.size = answer.size
        self.run = self._run_chunked if answer.chunked else self._run_sized

    def _run_sized(self, seconds: float) -> list[float]:
        """Return the latencies, in seconds. Each answer has as many octets as the first."""
        socks, requests, clock, poll = self.socks, self.requests, time.perf_counter, self.poll.poll
        pending = dict.fromkeys(socks, self.size)
        sent = {}
        for fd, sock in socks.items():
            sent[fd] = clock()
            sock.send(next(requests))
        latencies: list[float] = []
        running = len(socks)
        end = clock() + seconds
        while running:
            for fd, _event in poll(30):
                if not self._received(fd, pending):
                    continue
                now = clock()
                latencies.append(now - sent[fd])
                if now < end:
                    sent[fd] = now
                    socks[fd].send(next(requests))
                else:
                    running -= 1
        return latencies

    def _received(self, fd: int, pending: dict[int, int]) -> bool:
        """Read what has come on a connection. Return whether the answer is whole; if so, the next one is pending."""
        size = self.size
        while True:
            try:
                data = self.socks[fd].recv(65536)
            except ssl.SSLWantReadError:
                return False
            left = pending[fd] - len(data)
            if not data or left < 0 or (pending[fd] == size and not data.startswith(OK)):
                raise LoadError(f"not an answer like the first: {data[:200]!r}")
            pending[fd] = left or size
            # What TLS has decrypted and holds back, epoll doesn't tell of.
            if not left or not self.tls:
                return not left

    def _run_chunked(self, seconds: float) -> list[float]:
        """Return the latencies, in seconds. An answer ends with its last chunk."""
        clock = time.perf_counter
        heads = dict.fromkeys(self.socks, True)
        sent = {}
        for fd, sock in self.socks.items():
            sent[fd] = clock()
            sock.send(next(self.requests))
        latencies: list[float] = []
        running = len(self.socks)
        end = clock() + seconds
        while running:
            for fd, _event in self.poll.poll(30):
                sock = self.socks[fd]
                data = sock.recv(65536)
                if not data or (heads[fd] and not data.startswith(OK)):
                    raise LoadError(f"a request failed: {data[:200]!r}")
                heads[fd] = data.endswith(LAST_CHUNK)
                if heads[fd]:
                    now = clock()
                    latencies.append(now - sent[fd])
                    if now < end:
                        sent[fd] = now
                        sock.send(next(self.requests))
                    else:
                        running -= 1
        return latencies


class Opened:
    """Connections that each serve one request, so many at a time.

    Arguments:
        port: on 127.0.0.1.
        connections: at a time.
    """

    def __init__(self, port: int, connections: int) -> None:
        self.address = ("127.0.0.1", port)
        self.connections = connections
        self.request = request("few", close=True)
        self.poll = select.epoll()
        with connect(port) as sock:
            sock.sendall(self.request)
            answer = read_answer(sock)
            expect("few", answer)
        self.size = answer.size

    def run(self, seconds: float) -> list[float]:
        """Return the latencies, in seconds, from before the connection is made until the server has closed it."""
        clock = time.perf_counter
        opened: dict[int, tuple[socket.socket, float]] = {}
        received: dict[int, int] = {}
        latencies: list[float] = []
        for _ in range(self.connections):
            self._open(opened, received)
        end = clock() + seconds
        while opened:
            for fd, event in self.poll.poll(30):
                sock, begun = opened[fd]
                if event & select.EPOLLOUT:
                    sock.send(self.request)
                    self.poll.modify(fd, select.EPOLLIN)
                    continue
                data = sock.recv(65536)
                if data:
                    received[fd] += len(data)
                    continue
                if received[fd] != self.size:
                    raise LoadError(f"a connection ended after {received[fd]} octets of {self.size}")
                sock.close()
                del opened[fd], received[fd]
                latencies.append(clock() - begun)
                if clock() < end:
                    self._open(opened, received)
        return latencies

    def _open(self, opened: dict[int, tuple[socket.socket, float]], received: dict[int, int]) -> None:
        begun = time.perf_counter()
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(self.address)
        opened[sock.fileno()] = (sock, begun)
        received[sock.fileno()] = 0
        self.poll.register(sock.fileno(), select.EPOLLOUT)
