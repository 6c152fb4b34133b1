"""A WebSocket client written from RFC 6455 and RFC 7692 alone, so that it shares no mistake with a codec library.

The functions are sans-I/O: they build what a client sends, well-formed or not, and read what a server sends.
`WebSocketClient` puts them on a blocking socket; each of its calls ends by a deadline.
"""

import base64
import hashlib
import itertools
import os
import socket
import ssl
import struct
import time
import zlib
from collections.abc import Iterable
from types import TracebackType
from typing import NamedTuple, Self

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10

MASK = b"\x37\xfa\x21\x3d"  # that of the examples in RFC 6455, section 5.7
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TIMEOUT = 5.0  # seconds for one call

Headers = list[tuple[str, str]]


class ServerFrame(NamedTuple):
    """A frame as a server sends it."""

    fin: bool
    rsv: int
    opcode: int
    payload: bytes


class HandshakeRefused(Exception):
    """The server answered with something else than a 101."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        super().__init__(f"the server answered {status}: {body!r}")
        self.status = status
        self.headers = headers
        self.body = body


def xor(payload: bytes, mask: bytes) -> bytes:
    """Mask or unmask a payload (RFC 6455, section 5.3)."""
    return bytes(octet ^ key for octet, key in zip(payload, itertools.cycle(mask), strict=False))


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = MASK,
    length_width: int | None = None,
) -> bytes:
    """Return a client's frame.

    Arguments:
        opcode: 0 to 15.
        payload: before masking.
        fin: the FIN bit.
        rsv: any of RSV1, RSV2 and RSV3.
        mask: four bytes, or None for an unmasked frame.
        length_width: bytes of the extended length (0, 2 or 8), chosen by the payload's length if None.
    """
    size = len(payload)
    if length_width is None:
        length_width = 0 if size < 126 else 2 if size < 0x10000 else 8
    masked = 0 if mask is None else 0x80
    first = (FIN if fin else 0) | rsv | opcode
    if length_width == 0:
        head = struct.pack("!BB", first, masked | size)
    elif length_width == 2:
        head = struct.pack("!BBH", first, masked | 126, size)
    else:
        head = struct.pack("!BBQ", first, masked | 127, size)
    return head + payload if mask is None else head + mask + xor(payload, mask)


def close_frame(code: int | None = None, reason: str = "") -> bytes:
    """Return a client's close frame, without a payload if there is no code."""
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason.encode())


def read_frames(data: bytes) -> tuple[list[ServerFrame], bytes]:
    """Return the complete frames a server sent, and the bytes left over. A masked one is an AssertionError."""
    frames: list[ServerFrame] = []
    while len(data) >= 2:
        first, second = data[0], data[1]
        assert not second & 0x80, "a server must not mask"
        size, body = second, 2
        if second == 126:
            body = 4
        elif second == 127:
            body = 10
        if len(data) < body:
            break
        if body > 2:
            size = int.from_bytes(data[2:body], "big")
        if len(data) < body + size:
            break
        frames.append(ServerFrame(bool(first & FIN), first & 0x70, first & 0x0F, data[body : body + size]))
        data = data[body + size :]
    return frames, data


def accept_key(key: str) -> str:
    """Return the Sec-WebSocket-Accept that answers a key (RFC 6455, section 4.2.2)."""
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def handshake_request(
    key: str,
    path: str = "/",
    host: str = "127.0.0.1",
    headers: Iterable[tuple[str, str]] = (),
    subprotocols: Iterable[str] = (),
    extensions: str = "",
) -> bytes:
    """Return the head of a handshake. Of the handshake's own fields, one in `headers` replaces the usual one."""
    given = list(headers)
    names = {name.lower() for name, _ in given}
    usual = [
        ("Host", host),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Protocol", ", ".join(subprotocols)),
        ("Sec-WebSocket-Extensions", extensions),
    ]
    fields = [(name, value) for name, value in usual if value and name.lower() not in names] + given
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1")


class Deflater:
    """The client's half of permessage-deflate (RFC 7692, section 7.2).

    Arguments:
        agreed: the server's Sec-WebSocket-Extensions.
    """

    def __init__(self, agreed: str) -> None:
        parameters = [part.strip().partition("=") for part in agreed.split(";")[1:]]
        values = {name.strip(): value.strip() for name, _, value in parameters}
        self._out_bits = int(values.get("client_max_window_bits") or 15)
        self._in_bits = int(values.get("server_max_window_bits") or 15)
        self._forget_out = "client_no_context_takeover" in values
        self._forget_in = "server_no_context_takeover" in values
        self._compressor = zlib.compressobj(wbits=-self._out_bits)
        self._decompressor = zlib.decompressobj(wbits=-self._in_bits)

    def deflate(self, payload: bytes) -> bytes:
        """Return a message's payload, compressed."""
        if self._forget_out:
            self._compressor = zlib.compressobj(wbits=-self._out_bits)
        compressed = self._compressor.compress(payload) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        return compressed.removesuffix(b"\x00\x00\xff\xff")

    def inflate(self, payload: bytes) -> bytes:
        """Return what the server compressed."""
        if self._forget_in:
            self._decompressor = zlib.decompressobj(wbits=-self._in_bits)
        return self._decompressor.decompress(payload + b"\x00\x00\xff\xff")


class WebSocketClient:
    """A connection that shook hands; made by `connect`. As a context manager it closes the socket at the end.

    Attributes:
        headers: the fields of the 101.
        subprotocol: the one the server chose.
        extensions: what the server agreed to.
        sock: the socket, to be rude with.
    """

    def __init__(self, sock: socket.socket, headers: Headers, rest: bytes, timeout: float) -> None:
        lower = {name.lower(): value for name, value in headers}
        self.sock = sock
        self.headers = headers
        self.subprotocol = lower.get("sec-websocket-protocol")
        self.extensions = lower.get("sec-websocket-extensions", "")
        self._deflater = Deflater(self.extensions) if self.extensions.startswith("permessage-deflate") else None
        self._rest = rest
        self._frames: list[ServerFrame] = []
        self._timeout = timeout

    @classmethod
    def connect(
        cls,
        host: str,
        port: int,
        path: str = "/",
        *,
        headers: Iterable[tuple[str, str]] = (),
        subprotocols: Iterable[str] = (),
        extensions: str = "",
        early: bytes = b"",
        tls: ssl.SSLContext | None = None,
        timeout: float = TIMEOUT,
    ) -> Self:
        """Connect and shake hands.

        Arguments:
            headers, subprotocols, extensions: as of `handshake_request`.
            early: bytes sent together with the handshake, before its answer is known.
            tls: the context of a TLS connection.
            timeout: seconds for each call, this one included.

        Raises HandshakeRefused for any answer but a 101, TimeoutError at the deadline.
        """
        key = base64.b64encode(os.urandom(16)).decode()
        sock = socket.create_connection((host, port), timeout)
        try:
            if tls is not None:
                sock = tls.wrap_socket(sock, server_hostname=host)
            sock.sendall(handshake_request(key, path, f"{host}:{port}", headers, subprotocols, extensions) + early)
            status, fields, rest = _read_head(sock, time.monotonic() + timeout)
            if status != 101:
                raise HandshakeRefused(status, fields, _read_body(sock, fields, rest, time.monotonic() + timeout))
            accepts = [value for name, value in fields if name.lower() == "sec-websocket-accept"]
            assert accepts == [accept_key(key)], f"Sec-WebSocket-Accept is {accepts}"
        except BaseException:
            sock.close()
            raise
        return cls(sock, fields, rest, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sock.close()

    def send_text(self, text: str) -> None:
        """Send a text message, compressed if that was agreed."""
        self._send_message(TEXT, text.encode())

    def send_bytes(self, data: bytes) -> None:
        """Send a binary message, compressed if that was agreed."""
        self._send_message(BINARY, data)

    def send_frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> None:
        """Send one frame as it stands, masked with a random key."""
        self.send_raw(frame(opcode, payload, fin=fin, rsv=rsv, mask=os.urandom(4)))

    def send_raw(self, data: bytes) -> None:
        """Send bytes."""
        self.sock.settimeout(self._timeout)
        self.sock.sendall(data)

    def recv_frame(self, timeout: float | None = None) -> ServerFrame:
        """Return the next frame. Raises EOFError if the server ended the connection, TimeoutError at the deadline."""
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        while not self._frames:
            self._frames, self._rest = read_frames(self._rest)
            if not self._frames:
                data = _receive(self.sock, deadline)
                if not data:
                    raise EOFError("the server ended the connection")
                self._rest += data
        return self._frames.pop(0)

    def recv_message(self, timeout: float | None = None) -> str | bytes:
        """Return the next message; pings are answered, pongs dropped. Raises EOFError if a close comes instead."""
        opcode, compressed, payload = None, False, b""
        while True:
            received = self.recv_frame(timeout)
            if received.opcode == PING:
                self.send_frame(PONG, received.payload)
            elif received.opcode == CLOSE:
                raise EOFError(f"the server closed the WebSocket: {received.payload!r}")
            elif received.opcode != PONG:
                if opcode is None:
                    opcode, compressed = received.opcode, bool(received.rsv & RSV1)
                payload += received.payload
                if received.fin:
                    break
        if compressed:
            assert self._deflater is not None, "a compressed message without an agreement"
            payload = self._deflater.inflate(payload)
        return payload.decode() if opcode == TEXT else payload

    def recv_close(self, timeout: float | None = None) -> tuple[int, str]:
        """Drop everything up to the server's close frame. Return its code, 1005 for none, and its reason."""
        while True:
            received = self.recv_frame(timeout)
            if received.opcode == CLOSE:
                if not received.payload:
                    return 1005, ""
                return int.from_bytes(received.payload[:2], "big"), received.payload[2:].decode()

    def recv_eof(self, timeout: float | None = None) -> bytes:
        """Wait until the server ended the connection. Return the bytes that came before."""
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        while data := _receive(self.sock, deadline):
            self._rest += data
        return self._rest

    def close(self, code: int = 1000, reason: str = "") -> tuple[int, str]:
        """Close the WebSocket and return the server's code and reason."""
        self.send_raw(close_frame(code, reason))
        try:
            return self.recv_close()
        finally:
            self.sock.close()

    def _send_message(self, opcode: int, payload: bytes) -> None:
        if self._deflater is None:
            self.send_frame(opcode, payload)
        else:
            self.send_frame(opcode, self._deflater.deflate(payload), rsv=RSV1)


def _receive(sock: socket.socket, deadline: float) -> bytes:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline passed")
    sock.settimeout(left)
    return sock.recv(65536)


def _read_head(sock: socket.socket, deadline: float) -> tuple[int, Headers, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        more = _receive(sock, deadline)
        if not more:
            raise EOFError(f"the server ended the connection amid its head: {data!r}")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(status_line.split(" ")[1]), [(name, value.strip()) for name, _, value in pairs], rest


def _read_body(sock: socket.socket, headers: Headers, body: bytes, deadline: float) -> bytes:
    """Return the body of a refusal: by its Content-Length, else up to the end of the connection."""
    lengths = [int(value) for name, value in headers if name.lower() == "content-length"]
    while not lengths or len(body) < lengths[0]:
        data = _receive(sock, deadline)
        if not data:
            break
        body += data
    return body
