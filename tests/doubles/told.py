"""A request for the logs to be told of, which counts what it is asked."""

from collections import Counter
from typing import Any

Fields = list[tuple[bytes, bytes]]

DEFAULTS: dict[str, Any] = {
    "method": "GET",
    "target": b"/items/a%20b?q=1",
    "version": "1.1",
    "request_line": b"GET /items/a%20b?q=1 HTTP/1.1",
    "path": b"/items/a%20b",
    "query": b"q=1",
    "fields": [(b"host", b"a.example"), (b"user-agent", b"curl/8.5.0"), (b"referer", b"http://b.example/")],
    "client": ("127.0.0.1", 5000),
    "server": ("127.0.0.2", 8000),
    "scheme": "https",
    "root_path": "/app",
    "status": 200,
    "response_fields": [(b"content-type", b"text/plain"), (b"x-own", b"a")],
    "octets": 13,
    "seconds": 1.234567,
    "cut_off": False,
}


class FakeTold:
    """The double: any part may be given another value.

    Attributes:
        asked: how often each part was asked for.
    """

    method: str
    target: bytes
    version: str
    request_line: bytes
    path: bytes
    query: bytes
    fields: Fields
    client: tuple[Any, ...] | None
    server: tuple[Any, ...] | None
    scheme: str
    root_path: str
    status: int
    response_fields: Fields
    octets: int
    seconds: float
    cut_off: bool

    def __init__(self, **parts: Any) -> None:
        self.asked: Counter[str] = Counter()
        self.parts = DEFAULTS | parts

    def __getattr__(self, name: str) -> Any:
        if name not in DEFAULTS:
            raise AttributeError(name)
        self.asked[name] += 1
        return self.parts[name]


def unknown() -> FakeTold:
    """A head that was refused before anything of it was known."""
    return FakeTold(
        method="",
        target=b"",
        version="",
        request_line=b"",
        path=b"",
        query=b"",
        fields=[],
        client=None,
        status=400,
        octets=12,
        seconds=0.0,
    )
