"""The opening handshake as a server reads and answers it (RFC 6455, section 4.2).

Knows header fields, not the connection they came on. What belongs to HTTP/1.1's upgrade stands in `read_upgrade`; what
every WebSocket request carries is read by `_read_offer`, which the extended CONNECT of HTTP/2 (RFC 8441) needs as well.

The rule it keeps: a request that passes means one thing; whatever follows its head is WebSocket frames.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from monoceros.errors import RequestError
from monoceros.wire.fields import TOKEN, has_option

Field = tuple[bytes, bytes]

GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
VERSION: Final = b"13"
_SUBPROTOCOL: Final = re.compile(TOKEN.decode() + "+")

# An answer has each of these from here only. The last two have no place in a 101 (RFC 9110, section 8.6; RFC 9112,
# section 6.1): a proxy could take frames for a body.
RESERVED: Final = frozenset(
    (
        b"connection",
        b"upgrade",
        b"sec-websocket-accept",
        b"sec-websocket-extensions",
        b"sec-websocket-protocol",
        b"content-length",
        b"transfer-encoding",
    )
)


class UpgradeRefused(RequestError):
    """A WebSocket handshake that must be refused (RFC 6455, section 4.2.2).

    Arguments:
        status: the HTTP status code of the refusal.
        reason: what is wrong, for the log and the body.
        headers: fields that the refusal must carry, beside those of every answer.
    """

    def __init__(self, status: int, reason: str, headers: Iterable[Field] = ()) -> None:
        super().__init__(status, reason)
        self.headers = list(headers)


@dataclass(frozen=True, slots=True)
class Handshake:
    """What the client asked for.

    Attributes:
        key: its Sec-WebSocket-Key, 24 characters of base64.
        subprotocols: in its order of preference, as sent.
        extensions: the values of its Sec-WebSocket-Extensions, joined by commas; empty if there is none.
    """

    key: bytes
    subprotocols: list[str]
    extensions: bytes

    @property
    def accept_key(self) -> bytes:
        """The value of Sec-WebSocket-Accept: proof that this handshake was understood, not just echoed."""
        return base64.b64encode(hashlib.sha1(self.key + GUID, usedforsecurity=False).digest())


def wants_websocket(fields: Iterable[Field]) -> bool:
    """Tell whether a request of HTTP/1.1 asks to switch to WebSocket.

    Without `upgrade` among the options of Connection, an Upgrade isn't meant for us (RFC 9110, section 7.8).

    Arguments:
        fields: names in lower case, and values.
    """
    connection = upgrade = False
    for name, value in fields:
        if name == b"upgrade":
            upgrade = upgrade or has_option(value, b"websocket")
        elif name == b"connection":
            connection = connection or has_option(value, b"upgrade")
    return connection and upgrade


def read_upgrade(method: str, http_version: str, fields: list[Field]) -> Handshake:
    """Read the handshake of a request for which `wants_websocket` is true.

    Arguments:
        method: as received.
        http_version: "1.1".
        fields: names in lower case, and values without surrounding white space.

    Raises UpgradeRefused, a RequestError: 405 if the method isn't GET, 426 for another version of the protocol, 400 for
    the rest.
    """
    if method != "GET":
        raise UpgradeRefused(405, f"a WebSocket handshake uses GET, not {method}", [(b"allow", b"GET")])
    # RFC 9110, section 7.8: "A server MUST ignore an Upgrade header field that is received in an HTTP/1.0 request."
    if http_version != "1.1":
        raise UpgradeRefused(400, f"a WebSocket handshake uses HTTP/1.1, not HTTP/{http_version}")
    if not wants_websocket(fields):
        raise UpgradeRefused(400, "a WebSocket handshake has Connection: upgrade and Upgrade: websocket")
    # A body would stand where the first frame is expected.
    if any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in fields):
        raise UpgradeRefused(400, "a WebSocket handshake has no body")
    keys = [value for name, value in fields if name == b"sec-websocket-key"]
    if len(keys) != 1 or not _is_key(keys[0]):
        raise UpgradeRefused(400, "a WebSocket handshake has one Sec-WebSocket-Key, the base64 of 16 bytes")
    return _read_offer(keys[0], fields)


def accept_head(
    handshake: Handshake, *, subprotocol: str | None, extensions: str | None, headers: Iterable[Field]
) -> list[Field]:
    """Return the fields of the 101 that accepts a handshake (RFC 6455, section 4.2.2).

    Arguments:
        handshake: what `read_upgrade` gave.
        subprotocol: the application's choice; None or "" for none. A token that the client didn't offer is sent all
            the same: the client then fails the connection (RFC 6455, section 4.1), and some count on getting it.
        extensions: what the engine negotiated, None for none.
        headers: the application's own fields, in any case.

    Raises RuntimeError if the application chose what can't be sent.
    """
    fields: list[Field] = [
        (b"upgrade", b"websocket"),
        (b"connection", b"Upgrade"),
        (b"sec-websocket-accept", handshake.accept_key),
    ]
    if subprotocol:
        # One that the client has offered is understood by it, whatever characters it has.
        if not (subprotocol.isascii() and subprotocol.isprintable()) or not (
            subprotocol in handshake.subprotocols or _SUBPROTOCOL.fullmatch(subprotocol)
        ):
            raise RuntimeError(
                f"the application accepted the WebSocket with subprotocol {subprotocol!r}; RFC 6455, section 4.1, asks "
                "for one of those that the client has offered, or at least for a token"
            )
        fields.append((b"sec-websocket-protocol", subprotocol.encode()))
    if extensions:
        fields.append((b"sec-websocket-extensions", extensions.encode()))
    for name, value in headers:
        lower = bytes(name).lower()
        if lower in RESERVED:
            raise RuntimeError(
                f"the application accepted the WebSocket with a header {lower.decode()!r}, which is the server's to "
                "send; ASGI has `subprotocol` in `websocket.accept` for the one it may choose"
            )
        fields.append((lower, bytes(value)))
    return fields


def _read_offer(key: bytes, fields: list[Field]) -> Handshake:
    versions = [value for name, value in fields if name == b"sec-websocket-version"]
    if versions != [VERSION]:
        # RFC 6455, section 4.4: the refusal says which version is spoken; RFC 9110, section 15.5.22: a 426 has Upgrade.
        answer = [(b"sec-websocket-version", VERSION), (b"upgrade", b"websocket")]
        raise UpgradeRefused(426, "the WebSocket protocol has version 13", answer)
    # RFC 6455, sections 11.3.2 and 11.3.4: both fields may be repeated, which "is logically the same" as one list.
    protocols = b",".join(value for name, value in fields if name == b"sec-websocket-protocol")
    extensions = b",".join(value for name, value in fields if name == b"sec-websocket-extensions")
    subprotocols = [token.strip() for token in protocols.decode("latin-1").split(",")]
    return Handshake(key, [token for token in subprotocols if token], extensions)


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == 16
    except binascii.Error:
        return False
