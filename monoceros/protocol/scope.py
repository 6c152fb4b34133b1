"""Connection scopes (ASGI specification): a template per connection, a copy of it per request."""

import asyncio
from typing import Any
from urllib.parse import unquote

from monoceros.asgi import HTTP_SPEC_VERSION, WEBSOCKET_SPEC_VERSION, Scope
from monoceros.wire.proxy_protocol import Ends
from monoceros.wire.target import split_absolute

_HTTP = {"version": "3.0", "spec_version": HTTP_SPEC_VERSION}
_WEBSOCKET = {"version": "3.0", "spec_version": WEBSOCKET_SPEC_VERSION}


def connection_scope(transport: asyncio.BaseTransport, root_path: str, ends: Ends | None = None) -> dict[str, Any]:
    """Return what the scopes of all requests of a connection have in common.

    `client` is None and `server` is (path, None) where the peer came through a unix socket.

    Arguments:
        transport: that of the connection.
        root_path: the path the application is mounted below.
        ends: those of the connection that was forwarded on this one, as a PROXY header names them; None for its own.
    """
    peer, local = ends or (transport.get_extra_info("peername"), transport.get_extra_info("sockname"))
    return {
        "type": "http",
        "asgi": _HTTP.copy(),
        "http_version": "1.1",
        "scheme": "https" if transport.get_extra_info("sslcontext") else "http",
        "server": (local[0], local[1]) if isinstance(local, tuple) else (local, None) if local else None,
        "client": (peer[0], peer[1]) if isinstance(peer, tuple) else None,
        "root_path": root_path,
        # What `fill_scope` sets, so that the copy of this needn't grow.
        "method": "",
        "path": "",
        "raw_path": b"",
        "query_string": b"",
        "headers": None,
        "state": None,
    }


def fill_scope(scope: Scope, method: str, target: bytes, root_path: str, fields: list[tuple[bytes, bytes]]) -> None:
    """Put a request into `scope`, a copy of its connection's template, and a copy of its fields.

    `path` and `raw_path` begin with the root path, as ASGI has it. `path` has its percent-encodings decoded and is read
    as UTF-8; octets that aren't become U+FFFD.

    Raises:
        RequestError: 400, if the target is in absolute-form and isn't an http URI.
    """
    if target[0] != 0x2F and target != b"*":
        # RFC 9112, section 3.2.2: the authority of an absolute target replaces the Host field.
        authority, target = split_absolute(target)
        fields = [(b"host", authority), *(field for field in fields if field[0] != b"host")]
    raw_path, query = target, b""
    if 0x3F in target:  # as a number: looking for bytes in bytes takes eight times as long
        raw_path, _, query = target.partition(b"?")
    path = raw_path.decode()
    if "%" in path:
        path = unquote(path)
    if root_path:
        path = root_path + path
        raw_path = root_path.encode() + raw_path
    scope["method"] = method
    scope["path"] = path
    scope["raw_path"] = raw_path
    scope["query_string"] = query
    scope["headers"] = fields.copy()


def turn_into_websocket(scope: Scope, subprotocols: list[str]) -> None:
    """Make the scope of a WebSocket session out of that of the request that asked for it."""
    del scope["method"]
    scope["type"] = "websocket"
    scope["asgi"] = _WEBSOCKET.copy()
    scope["scheme"] = "wss" if scope["scheme"] in ("https", "wss") else "ws"
    scope["subprotocols"] = subprotocols
    scope["extensions"] = {"websocket.http.response": {}}


def client_label(scope: Scope) -> str:
    """Return the client's address as the log shows it, "" if there is none."""
    client = scope["client"]
    return f"{client[0]}:{client[1]}" if client else ""


def path_label(scope: Scope) -> str:
    """Return path and query as they came, as the log shows them."""
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return (path + b"?" + query if query else path).decode("latin-1")
