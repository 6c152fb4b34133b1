"""The requests, as octets."""

import json
from collections.abc import Iterator
from itertools import cycle, repeat

UPLOAD = 100 << 20
BROWSER = (
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Referer: http://127.0.0.1:8000/items\r\nCookie: session=0f3c9d1b7a5e4c2d8b6a; theme=dark\r\n"
    b"Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\n"
    b"Cache-Control: no-cache\r\nPragma: no-cache\r\n"
)
"""Eleven header fields; with Host they are twelve."""

DOCUMENT = json.dumps({"number": 7, "author": "A. Reader", "tags": ["a", "b", "c"], "text": ""})
BODY = (DOCUMENT[:-2] + "x" * (1024 - len(DOCUMENT)) + DOCUMENT[-2:]).encode()
"""A JSON document of 1 KiB, of which the server is to be measured and not the parser of JSON."""


def requests(kind: str) -> Iterator[bytes]:
    """Return requests to send one after the other, without an end.

    Arguments:
        kind: as `request` takes it, for the same one again and again; or "new": "many" fields, two with new values.
    """
    if kind != "new":
        return repeat(request(kind))
    numbered = request("many").replace(b"/items\r\n", b"/items/%d\r\n").replace(b"theme=dark", b"seen=%d")
    return cycle([numbered % (number, number) for number in range(10_000)])


def request(kind: str, *, close: bool = False) -> bytes:
    """Return the head of a request, and its body unless it is an upload.

    Arguments:
        kind: "few" or "many" header fields, "json", "framework", "stream", "upload" or "download".
        close: the connection is for this request alone.
    """
    line, fields, body = {
        "few": (b"GET /", b"", b""),
        "many": (b"GET /", BROWSER, b""),
        "json": (b"POST /json", b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(BODY), BODY),
        "framework": (b"GET /items/7?name=thing", b"", b""),
        "stream": (b"GET /stream", b"", b""),
        "upload": (b"POST /upload", b"Content-Length: %d\r\n" % UPLOAD, b""),
        "download": (b"GET /download", b"", b""),
    }[kind]
    end = b"Connection: close\r\n\r\n" if close else b"\r\n"
    return line + b" HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n" + fields + end + body
