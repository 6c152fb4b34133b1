"""One HTTP answer, read with care: what the fast loops compare all later ones with."""

import json
import socket
from dataclasses import dataclass

HEAD_END = b"\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
OK = b"HTTP/1.1 200 "


class LoadError(Exception):
    """An answer that isn't the one expected."""


@dataclass(frozen=True)
class Answer:
    """A whole answer.

    Attributes:
        head: up to and with the empty line.
        body: its content, decoded; of a download only the size is kept.
        size: octets on the wire, in all.
        chunked: its end is a last chunk, so its size may be another the next time.
    """

    head: bytes
    body: bytes
    size: int
    chunked: bool


def read_answer(sock: socket.socket) -> Answer:
    """Read one answer from a blocking socket, to its end and no further.

    Arguments:
        sock: on which a request was sent.

    Raises:
        LoadError: it isn't a whole 200.
    """
    data = b""
    while HEAD_END not in data:
        data += _more(sock, data)
    head, _, rest = data.partition(HEAD_END)
    head += HEAD_END
    if not head.startswith(OK):
        raise LoadError(f"a request failed: {data[:300]!r}")
    fields = _fields(head)
    if fields.get(b"transfer-encoding") == b"chunked":
        while not rest.endswith(LAST_CHUNK):
            rest += _more(sock, rest)
        return Answer(head, dechunked(rest), len(head) + len(rest), True)
    if b"content-length" not in fields:
        raise LoadError(f"an answer without an end: {head!r}")
    due = int(fields[b"content-length"])
    if due > 1 << 20:
        received = len(rest)
        while received < due:
            received += len(_more(sock, rest))
        return Answer(head, b"", len(head) + received, False)
    while len(rest) < due:
        rest += _more(sock, rest)
    return Answer(head, rest, len(head) + len(rest), False)


def dechunked(data: bytes) -> bytes:
    """Return the content of a chunked body that is whole and has no trailers (RFC 9112, section 7.1).

    Arguments:
        data: from the first chunk's size on.

    Raises:
        LoadError: it isn't one.
    """
    content = b""
    while True:
        line, mark, data = data.partition(b"\r\n")
        if not mark:
            raise LoadError("a chunked body breaks off")
        size = int(line.partition(b";")[0], 16)
        if data[size : size + 2] != b"\r\n":
            raise LoadError("a chunk isn't as long as it says")
        content += data[:size]
        data = data[size + 2 :]
        if size == 0:
            return content


def expect(kind: str, answer: Answer) -> None:
    """Check the content of a first answer.

    Arguments:
        kind: of the request, as benchmarks.load.requests has it.
        answer: to it.

    Raises:
        LoadError: the application didn't answer what it should.
    """
    right = {
        "few": answer.body == b"Hello, world!",
        "many": answer.body == b"Hello, world!",
        "new": answer.body == b"Hello, world!",
        "json": answer.body == b'{"tags": 3}',
        "framework": answer.body[:1] == b"{" and json.loads(answer.body).get("number") == 7,
        "stream": answer.body == b"x" * 10_000,
        "upload": answer.body == b"%013d" % (100 << 20),
        "download": answer.size == len(answer.head) + (100 << 20),
    }[kind]
    if not right:
        raise LoadError(f"not the answer to {kind}: {answer.head + answer.body[:100]!r}")


def _more(sock: socket.socket, data: bytes) -> bytes:
    piece = sock.recv(1 << 18)
    if not piece:
        raise LoadError(f"the server closed after {data[:200]!r}")
    return piece


def _fields(head: bytes) -> dict[bytes, bytes]:
    lines = head.split(b"\r\n")[1:-2]
    return {name.lower(): value.strip().lower() for name, _, value in (line.partition(b":") for line in lines)}
