"""A certificate for localhost that clients of the tests trust, and no one else."""

import socket
import ssl
from pathlib import Path
from typing import Any

import trustme


class Pair:
    """Certificate and key as options, and the context of a client that trusts them.

    Arguments:
        directory: where the file of both goes.
    """

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("localhost")
        issued.private_key_and_cert_chain_pem.write_to_path(directory / "both.pem")
        self.options: dict[str, Any] = {
            "ssl_certfile": str(directory / "both.pem"),
            "ssl_keyfile": str(directory / "both.pem"),
        }
        self.client = ssl.create_default_context()
        authority.configure_trust(self.client)

    def wrap(self, sock: socket.socket) -> ssl.SSLSocket:
        """Return the encrypted connection that a client has over `sock`."""
        return self.client.wrap_socket(sock, server_hostname="localhost")
