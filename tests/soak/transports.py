"""The ways from the load to the server: directly or through nginx, over TCP or a unix socket.

It may not know what the servers are, nor what happens to them.
"""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.nginx import errors, nginx

BACKLOG = 2048
"""As many connections as the server's own sockets let wait."""


@dataclass(frozen=True)
class Transport:
    """One way to a server.

    Attributes:
        name: on the command line and in the table.
        unix: the server listens on a unix socket.
        proxied: nginx stands in front of it.
    """

    name: str
    unix: bool
    proxied: bool

    def options(self, directory: Path) -> tuple[str, ...]:
        """Return the options that make a server listen."""
        return ("--uds", str(_path(directory))) if self.unix else ("--port", "0")

    def listen(self, directory: Path) -> socket.socket:
        """Return a socket that listens, for servers that are given one."""
        sock = socket.socket(socket.AF_UNIX if self.unix else socket.AF_INET)
        sock.bind(str(_path(directory)) if self.unix else ("127.0.0.1", 0))
        sock.listen(BACKLOG)
        return sock

    def address(self, directory: Path, port: int) -> str:
        """Return where a server is reached that was started with the options, or on the socket, from above.

        Arguments:
            directory: as above.
            port: that it listens on, if it does.
        """
        return f"unix:{_path(directory)}" if self.unix else f"127.0.0.1:{port}"

    @contextlib.contextmanager
    def way(self, directory: Path, address: str) -> Iterator[str]:
        """Give the address that the load has to use to reach a server.

        Raises:
            NginxError: nginx is needed and isn't there.
        """
        if not self.proxied:
            yield address
            return
        with nginx(_proxy(directory), address) as port:
            yield f"127.0.0.1:{port}"

    def complaints(self, directory: Path) -> str:
        """Return what nginx wasn't content with."""
        return errors(_proxy(directory))


TRANSPORTS = {
    transport.name: transport
    for transport in (
        Transport("tcp", unix=False, proxied=False),
        Transport("unix", unix=True, proxied=False),
        Transport("nginx-tcp", unix=False, proxied=True),
        Transport("nginx-unix", unix=True, proxied=True),
    )
}


def _path(directory: Path) -> Path:
    return directory / "app.sock"


def _proxy(directory: Path) -> Path:
    return directory / "nginx"
