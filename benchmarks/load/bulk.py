"""Bodies of 100 MiB, sent and received: what matters here is how often octets are copied, and how many are held."""

import select
import socket
import time
from abc import ABC, abstractmethod

from benchmarks.load.answers import LoadError, expect, read_answer
from benchmarks.load.http import connect
from benchmarks.load.requests import UPLOAD, request

BUFFER = 1 << 18
"""Octets received at a time."""


class Bulk(ABC):
    """Connections that move bodies, side by side."""

    def run(self, seconds: float) -> list[float]:
        """Return how long each body took, in seconds, answer included."""
        latencies: list[float] = []
        begun = time.perf_counter()
        while not latencies or time.perf_counter() < begun + seconds:
            latencies += self._once()
        return latencies

    @abstractmethod
    def _once(self) -> list[float]:
        """Move one on each connection."""


class Upload(Bulk):
    """Connections that send 100 MiB each, and wait for the answer.

    Arguments:
        port: on 127.0.0.1.
        connections: how many.
    """

    def __init__(self, port: int, connections: int) -> None:
        self.content = memoryview(request("upload") + bytes(UPLOAD))
        self.socks = [connect(port) for _ in range(connections)]
        for sock in self.socks:
            sock.sendall(request("few"))
            read_answer(sock)

    def _once(self) -> list[float]:
        """Send one on each connection, side by side."""
        poll = select.epoll()
        left = {}
        by_fd = {sock.fileno(): sock for sock in self.socks}
        for fd, sock in by_fd.items():
            sock.setblocking(False)
            left[fd] = self.content
            poll.register(fd, select.EPOLLOUT)
        begun = time.perf_counter()
        latencies = []
        while left:
            for fd, event in poll.poll(60):
                if event & select.EPOLLIN:
                    by_fd[fd].setblocking(True)
                    expect("upload", read_answer(by_fd[fd]))
                    latencies.append(time.perf_counter() - begun)
                    poll.unregister(fd)
                    del left[fd]
                    continue
                left[fd] = left[fd][by_fd[fd].send(left[fd][: 1 << 20]) :]
                if not left[fd]:
                    poll.modify(fd, select.EPOLLIN)
        return latencies


class Download(Bulk):
    """Connections that receive 100 MiB each.

    Arguments:
        port: on 127.0.0.1.
        connections: how many.
    """

    def __init__(self, port: int, connections: int) -> None:
        self.socks = [connect(port) for _ in range(connections)]
        self.request = request("download")
        for sock in self.socks:
            sock.sendall(self.request)
            answer = read_answer(sock)
            expect("download", answer)
            self.size = answer.size

    def _once(self) -> list[float]:
        """Receive one on each connection, side by side."""
        poll = select.epoll()
        buffer = bytearray(BUFFER)
        left: dict[int, tuple[socket.socket, int]] = {}
        begun = time.perf_counter()
        for sock in self.socks:
            sock.sendall(self.request)
            left[sock.fileno()] = (sock, self.size)
            poll.register(sock.fileno(), select.EPOLLIN)
        latencies = []
        while left:
            for fd, _event in poll.poll(60):
                sock, due = left[fd]
                received = sock.recv_into(buffer)
                if not received or received > due:
                    raise LoadError(f"a download ended {due - received} octets early")
                left[fd] = (sock, due - received)
                if received == due:
                    latencies.append(time.perf_counter() - begun)
                    poll.unregister(fd)
                    del left[fd]
        return latencies
