"""A client over a raw socket, which keeps its connection alive as long as the server allows, and hides no failure."""

import socket


class Client:
    """One client with at most one connection at a time.

    Arguments:
        port: the server's, on 127.0.0.1.
        patience: seconds to wait for anything.
    """

    def __init__(self, port: int, patience: float = 30.0) -> None:
        self._address = ("127.0.0.1", port)
        self._patience = patience
        self._connection: socket.socket | None = None

    def send(self, path: str) -> None:
        """Send a GET, on the open connection if there is one."""
        if self._connection is None:
            self._connection = socket.create_connection(self._address, self._patience)
        self._connection.sendall(f"GET {path} HTTP/1.1\r\nhost: test\r\n\r\n".encode())

    def read(self) -> str:
        """Read an answer with a length, and return its body. Raises ConnectionError if it is cut."""
        head, _, body = self._read_until(b"\r\n\r\n").partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        while len(body) < int(fields[b"content-length"]):
            body += self._receive()
        if fields.get(b"connection") == b"close":
            self.close()
        return body.decode()

    def read_until(self, mark: str) -> str:
        """Read a stream until a text has come."""
        return self._read_until(mark.encode()).decode()

    def read_to_the_end(self) -> str:
        """Read a stream until the server closes it."""
        assert self._connection is not None
        data = b""
        while chunk := self._connection.recv(65536):
            data += chunk
        return data.decode()

    def ask(self, path: str = "/") -> str:
        """Send a GET and return the body of the answer."""
        self.send(path)
        return self.read()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_until(self, mark: bytes) -> bytes:
        data = b""
        while mark not in data:
            data += self._receive()
        return data

    def _receive(self) -> bytes:
        assert self._connection is not None
        data = self._connection.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection instead of answering")
        return data


def ask(port: int, path: str = "/") -> str:
    """One GET on a connection of its own; returns the body."""
    with Client(port) as client:
        return client.ask(path)
