"""What an application may put into a message, checked wherever it isn't the usual: an error says what the app did.

Off the hot path: who calls these has seen already that a value isn't of the plain type.
"""

from collections.abc import Iterable, Mapping

from monoceros.asgi import Headers, Message

NORMAL = 1000
"""The close code of a session that has done what it was for (RFC 6455, section 7.4.1)."""

# Those that ASGI describes; an application may send what its scope offers, and ours offers none.
_EXTENSIONS = frozenset(
    "http.response." + name for name in ("debug", "early_hint", "pathsend", "push", "trailers", "zerocopysend")
)


def extension_note(kind: object) -> str:
    """Return what else there is to say of a message that isn't expected: that it is of an extension, or nothing."""
    if isinstance(kind, str) and kind in _EXTENSIONS:
        return f" ({kind!r} belongs to an extension that scope['extensions'] doesn't offer)"
    return ""


def checked_status(status: object) -> int:
    """Return the status as a plain int: http.HTTPStatus and its like are fine."""
    if isinstance(status, int) and 200 <= status <= 599:
        return int(status)
    raise RuntimeError(f"the application sent the status {status!r}; a final status is a number from 200 to 599")


def checked_headers(headers: object) -> Headers:
    """Return headers that can be read twice; their names and values are judged when they are written."""
    if isinstance(headers, Iterable) and not isinstance(headers, (str, bytes, Mapping)):
        return list(headers)
    raise RuntimeError(
        f"the application sent headers of type {type(headers).__name__}; ASGI asks for a list of pairs of bytes"
    )


def checked_bytes(value: object, key: str) -> bytes:
    """Return the octets in `value`, which the application sent under `key`."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise RuntimeError(f"the application sent {key!r} of type {type(value).__name__}; ASGI asks for bytes")


def checked_text(value: object, key: str) -> str:
    """Return the text in `value`, which the application sent under `key`."""
    if isinstance(value, str):
        return value
    raise RuntimeError(f"the application sent {key!r} of type {type(value).__name__}; ASGI asks for str")


def content_of(message: Message) -> str | bytes:
    """Return the content of a `websocket.send`; of both, the octets count."""
    data, text = message.get("bytes"), message.get("text")
    if data is not None:
        return checked_bytes(data, "bytes")
    if text is None:
        raise RuntimeError("the application sent 'websocket.send' with neither 'bytes' nor 'text'")
    return checked_text(text, "text")


def close_of(message: Message) -> tuple[int, str]:
    """Return code and reason of a `websocket.close`; whether the code may be sent is the engine's to say."""
    code, reason = message.get("code"), message.get("reason")
    if code is None:
        code = NORMAL
    elif not isinstance(code, int):
        raise RuntimeError(f"the application closed the WebSocket with code {code!r}; ASGI asks for an int")
    return int(code), checked_text(reason, "reason") if reason else ""
