"""What a log may be told of a request, and its CGI variables (RFC 3875, section 4.1), as WSGI servers give them.

Knows no connection: who tells has attributes of these names. The rule it keeps: octets from the wire become text by
latin-1, one character each; whoever writes them somewhere escapes them.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes


class Told(Protocol):
    """One request and what became of it."""

    @property
    def method(self) -> str:
        """As received; "" if it isn't known."""

    @property
    def target(self) -> bytes:
        """As received, query included; b"" if it isn't known."""

    @property
    def version(self) -> str:
        """Such as "1.1"; "" if it isn't known."""

    @property
    def request_line(self) -> bytes:
        """As received, as far as it is known."""

    @property
    def path(self) -> bytes:
        """That of the target, as received."""

    @property
    def query(self) -> bytes:
        """That of the target."""

    @property
    def fields(self) -> Sequence[tuple[bytes, bytes]]:
        """Those of the request, with names in lower case."""

    @property
    def client(self) -> tuple[Any, ...] | None:
        """The client's address and port."""

    @property
    def server(self) -> tuple[Any, ...] | None:
        """The address and port, or the path, that were connected to."""

    @property
    def scheme(self) -> str:
        """ "http" or "https"."""

    @property
    def root_path(self) -> str:
        """The path the application is mounted below."""

    @property
    def status(self) -> int:
        """Of the response."""

    @property
    def response_fields(self) -> Sequence[tuple[bytes, bytes]]:
        """Those of the response as sent, with names in lower case."""

    @property
    def octets(self) -> int:
        """Of content that were written."""

    @property
    def seconds(self) -> float:
        """How long it took."""

    @property
    def cut_off(self) -> bool:
        """The response wasn't complete."""


def last_value(fields: Sequence[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The value of a field, the last one where several have the name; None if there is none."""
    found: bytes | None = None
    for each, value in fields:
        if each == name:
            found = value
    return None if found is None else found.decode("latin-1")


def path_info(told: Told) -> str:
    """The path, decoded to octets; a character stands for each."""
    return unquote_to_bytes(told.path).decode("latin-1")


def host_of(address: tuple[Any, ...] | None) -> str:
    """The host of an address, "" if there is none."""
    return str(address[0]) if address else ""


def port_of(address: tuple[Any, ...] | None) -> str:
    """The port of an address, "" if there is none."""
    return str(address[1]) if address and len(address) > 1 and address[1] is not None else ""


VARIABLES: dict[str, Callable[[Told], str]] = {
    "REQUEST_METHOD": lambda told: told.method,
    "RAW_URI": lambda told: told.target.decode("latin-1"),
    "PATH_INFO": path_info,
    "QUERY_STRING": lambda told: told.query.decode("latin-1"),
    "SCRIPT_NAME": lambda told: told.root_path,
    "SERVER_PROTOCOL": lambda told: f"HTTP/{told.version}" if told.version else "",
    "SERVER_NAME": lambda told: host_of(told.server),
    "SERVER_PORT": lambda told: port_of(told.server),
    "SERVER_SOFTWARE": lambda told: "monoceros",
    "REMOTE_ADDR": lambda told: host_of(told.client),
    "REMOTE_PORT": lambda told: port_of(told.client),
    "wsgi.url_scheme": lambda told: told.scheme,
}
"""The variables that every request has."""

# RFC 3875, section 4.1.18: these two stand without HTTP_.
_BARE = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


def environ_of(told: Told) -> dict[str, str]:
    """All CGI variables of a request; the values of fields of one name are joined by commas."""
    environ = {name: variable(told) for name, variable in VARIABLES.items()}
    for name, value in told.fields:
        key = _BARE.get(name) or variable_of(name)
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


def variable_of(name: bytes) -> str:
    """The name of the variable that a field becomes."""
    return "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
