"""Plain heads; `tests.wire.test_mutations` compares what is said of thousands with what the rules say."""

from collections.abc import Iterator
from typing import Any

import pytest

from monoceros.wire import plain
from monoceros.wire.framing import PLAIN, judge_head
from monoceros.wire.plain import read_plain
from tests.doubles.requests import LIMITS

HOST = b"Host: a\r\n"


CACHES = (plain._names, plain.request_lines, plain._host_lines, plain._field_lines, plain._deciding_lines)


@pytest.fixture(autouse=True)
def _caches() -> Iterator[None]:
    """What a test leaves in the caches is taken out again, and what was in them put back."""
    caches: list[dict[Any, Any]] = [*CACHES, plain._traits]
    before = [cache.copy() for cache in caches]
    for cache in caches:
        cache.clear()
    plain._field_lines[b"Connection: keep-alive"] = (b"connection", b"keep-alive")
    plain._traits[0, True] = PLAIN
    yield
    for cache, content in zip(caches, before, strict=True):
        cache.clear()
        cache.update(content)


def head(*fields: bytes, line: bytes = b"GET / HTTP/1.1", host: bytes = HOST) -> bytes:
    return line + b"\r\n" + host + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


@pytest.mark.parametrize(
    "data",
    [
        head(line=b"DELETE /a?b HTTP/1.1", host=b"host: a-b.example:80\r\n"),
        head(b"Connection: keep-alive", b"X: \xff\t1"),
        head(b"X:", b"Cookie: a=b", b"Upgrade-Insecure-Requests: 1", b"Expected: x", b"Pragma: y", b"Hosts: z"),
        head(b"X: " + b"y" * 5000),
    ],
)
def test_usual_heads_are_plain(data: bytes) -> None:
    for _ in range(2):  # judged, and remembered
        read = read_plain(data, 100)
        assert read
        assert read[3] is PLAIN
    assert judge_head(data, LIMITS).traits == PLAIN


@pytest.mark.parametrize("method", [b"GET", b"POST", b"PUT", b"PATCH"])
@pytest.mark.parametrize(
    ("fields", "length", "persists"),
    [
        ([b"Content-Length: 0"], 0, True),
        ([b"content-length: 12", b"Content-Type: a/b"], 12, True),
        ([b"X: y", b"Content-Length: 999999999999999999", b"Connection: keep-alive"], 10**18 - 1, True),
        ([b"connection: close"], 0, False),
        ([b"Connection: close", b"Connection: keep-alive", b"Connection: close"], 0, False),
        ([b"Connection: close", b"Content-Length: 7"], 7, False),
        ([b"Content-Length: 0", b"X: y", b"X: y"], 0, True),
    ],
)
def test_a_plain_head_may_declare_content_and_that_the_connection_closes(
    method: bytes, fields: list[bytes], length: int, persists: bool
) -> None:
    data = head(*fields, line=method + b" / HTTP/1.1")
    for _ in range(2):
        read = read_plain(data, 100)
        assert read
        assert read[0] == method.decode()
        assert read[3] == ("1.1", length, persists, False, False)
    assert judge_head(data, LIMITS).traits == ("1.1", length, persists, False, False)


@pytest.mark.parametrize(
    "data",
    [
        head(line=b"GET / HTTP/1.0"),
        head(line=b"GET / HTTP/1.1 "),
        head(line=b"PURGE / HTTP/1.1"),
        head(line=b"GET /\\ HTTP/1.1"),
        head(line=b"GET /# HTTP/1.1"),
        head(line=b"GET /\xe9 HTTP/1.1"),
        head(host=b""),
        head(b"Host: a", host=b"X: y\r\n"),
        head(host=b"Host: a_b\r\n"),
        head(host=b"Host: a\r\n\r\n"),
        head(b"host: b"),
        head(b"Host: a"),
        head(b"Connection: close "),
        head(b"CONNECTION: close"),
        head(b"Connection: keep-alive, close"),
        head(b"Connection: Keep-Alive"),
        head(b"Expect: keep-alive"),
        head(b"Proxy-Connection: close"),
        head(b"Upgrade: x"),
        head(b"Content-Length: 01"),
        head(b"Content-Length: +1"),
        head(b"Content-Length: 1 "),
        head(b"Content-Length:1"),
        head(b"Content-Length: 1, 1"),
        head(b"Content-Length: \xd9\xa1"),
        head(b"Content-Length: 1000000000000000000"),
        head(b"Content-Length: "),
        head(b"CONTENT-LENGTH: 1"),
        head(b"Content-Length: 1", b"Content-Length: 1"),
        head(b"Content-Length: 0", b"Content-Length: 0"),
        head(b"Content-Length: 0", b"content-length: 1"),
        head(b"Content-Length: 1", b"Transfer-Encoding: chunked"),
        head(b"Content-Length: 1", b"Expect: 100-continue"),
        head(b"Content-Length: 1", b"Content-Type: a", b"Content-Type: b"),
        head(b"Content-Length: 1", b"X: a", b"x: b"),
        head(b"Content_Length: 1"),
        head(b"content--length: 1"),
        head(b"transfer-Encoding: chunked"),
        head(b"transfer_encoding: chunked"),
        head(b"-transfer-encoding: chunked"),
        head(b"transfer-encoding-: chunked"),
        head(b"Expect: x"),
        head(b"Connection: keep-alive "),
        head(b"X : y"),
        head(b"X"),
        head(b": y"),
        head(b"X: a\nY: b"),
        head(b"X: a\rY: b"),
        head(b"X: \0"),
        head(b" y"),
        head(b"", b"X: y"),
        head() + head(),
        head() + b"\r\n\r\n",
        b"\r\n" + head(),
        b"\r\n\r\n",
    ],
)
def test_a_head_with_anything_to_weigh_is_not_plain(data: bytes) -> None:
    """Nor one with `Proxy-Connection`, which some obey."""
    for _ in range(2):
        assert read_plain(data, 100) is None


@pytest.mark.parametrize("name", [b"X_User", b"x_", b"_x", b"X-A_B", b"x.y", b"x--y"])
def test_a_name_that_could_be_taken_for_another_is_not_plain(name: bytes) -> None:
    """So nobody needs to look for one in a plain head."""
    assert read_plain(head(name + b": y"), 100) is None


def test_fields_come_in_order_with_names_in_lower_case_and_values_as_they_are() -> None:
    """RFC 9110, sections 5.1 and 5.3; RFC 9112, section 5.1: white space around a value isn't part of it."""
    data = head(b"X-B: C\tD", b"x-b:\xff", b"Accept: \t */*", b"ACCEPT:* ", b"x-b: \t", line=b"HEAD /a?b=c HTTP/1.1")
    fields = [
        (b"host", b"a"),
        (b"x-b", b"C\tD"),
        (b"x-b", b"\xff"),
        (b"accept", b"*/*"),
        (b"accept", b"*"),
        (b"x-b", b""),
    ]
    for _ in range(2):
        assert read_plain(data, 100) == ("HEAD", b"/a?b=c", fields, PLAIN)


def test_a_list_of_fields_is_nobody_elses() -> None:
    """An application may change its own."""
    first, second = read_plain(head(), 100), read_plain(head(), 100)
    assert first is not None
    first[2].clear()
    assert second == ("GET", b"/", [(b"host", b"a")], PLAIN)


def test_more_fields_than_may_be_are_not_plain() -> None:
    """RFC 6585, section 5: whether they are too many is for the rules to say."""
    assert read_plain(head(b"X: y", b"X: y"), 3)
    assert read_plain(head(b"X: y", b"X: y"), 2) is None


@pytest.mark.parametrize(
    "field",
    [
        b"Cookie: a=b",
        b"Authorization: Basic YTpi",
        b"Proxy-Authorization: Basic YTpi",
        b"X-Api-Key: a",
        b"X-Forwarded-For: 192.0.2.1",
        b"Referer: http://a/?b",
    ],
)
def test_what_must_not_be_kept_is_not_remembered(field: bytes) -> None:
    assert read_plain(head(field, b"Accept: a", line=b"GET /?token=a HTTP/1.1"), 100)
    assert list(plain._field_lines) == [b"Connection: keep-alive", b"Accept: a"]
    assert not plain.request_lines


def test_no_peer_can_make_the_caches_grow_without_end() -> None:
    for number in range(3000):
        data = head(
            b"Accept: %d" % number, b"X-%d:" % number, line=b"GET /%d HTTP/1.1" % number, host=b"Host: a%d\r\n" % number
        )
        assert read_plain(data, 100) == (
            "GET",
            b"/%d" % number,
            [(b"host", b"a%d" % number), (b"accept", b"%d" % number), (b"x-%d" % number, b"")],
            PLAIN,
        )
        read = read_plain(head(b"Content-Length: %d" % number), 100)
        assert read
        assert read[3].length == number
    for cache in (*CACHES, plain._traits):
        assert len(cache) == 1024


def test_lines_of_any_length_are_read_but_long_ones_not_kept() -> None:
    long = b"a" * 300
    assert read_plain(
        head(b"Accept: " + long, long + b": y", line=b"GET /" + long + b" HTTP/1.1", host=b"Host: " + long + b"\r\n"),
        100,
    )
    assert not plain.request_lines
    assert not plain._host_lines
    assert list(plain._names) == [b"Accept"]
    assert list(plain._field_lines) == [b"Connection: keep-alive"]
