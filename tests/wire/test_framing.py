"""What a request head means (RFC 9112, sections 2 to 6; RFC 9110, sections 5 to 10).

The corpus holds a file per malformed head; here are the rules that need other limits than the default ones, the traits,
and the reasons that are given.
"""

import pytest

from monoceros.errors import RequestError
from monoceros.wire import framing
from monoceros.wire.framing import (
    CHUNKED,
    METHODS,
    PLAIN,
    Traits,
    judge_head,
)
from monoceros.wire.limits import RequestLimits
from tests.doubles.requests import LIMITS

SMALL = RequestLimits(line=40, fields=3, field_size=30, head=120)
GET = b"GET / HTTP/1.1\r\n"
HOST = b"Host: a\r\n"


def head(*fields: bytes, line: bytes = b"GET / HTTP/1.1", host: bytes = HOST) -> bytes:
    return line + b"\r\n" + host + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def traits(*fields: bytes, line: bytes = b"GET / HTTP/1.1") -> Traits:
    return judge_head(head(*fields, line=line), LIMITS).traits


def refusal(data: bytes, limits: RequestLimits = LIMITS) -> RequestError:
    with pytest.raises(RequestError) as caught:
        judge_head(data, limits)
    return caught.value


def test_a_head_says_its_method_target_and_where_its_fields_begin() -> None:
    """RFC 9112, section 3."""
    data = head(line=b"PUT /a?b HTTP/1.1")
    judged = judge_head(data, LIMITS)
    assert (judged.method, judged.target, judged.traits) == ("PUT", b"/a?b", PLAIN)
    assert data[judged.fields_start :] == HOST + b"\r\n"


@pytest.mark.parametrize("method", METHODS)
def test_every_known_method_is_taken(method: bytes) -> None:
    """RFC 9110, section 9.1, and the IANA registry."""
    assert judge_head(head(line=method + b" / HTTP/1.1"), LIMITS).method == method.decode()


@pytest.mark.parametrize("method", [b"CONNECT", b"PRI", b"get", b"Get", b"GETX", b"X", b"M" * 32, b"M" * 33])
def test_an_unknown_method_is_not_implemented(method: bytes) -> None:
    """RFC 9110, section 9.1: an origin server SHOULD answer 501."""
    assert refusal(head(line=method + b" / HTTP/1.1")).status == 501


@pytest.mark.parametrize(
    ("version", "status"),
    [
        (b"HTTP/0.9", 505),
        (b"HTTP/1.2", 505),
        (b"HTTP/2.0", 505),
        (b"HTTP/9.9", 505),
        (b"HTTP/2", 400),
        (b"HTTP/1.1.1", 400),
        (b"HTTP/11", 400),
        (b"http/1.1", 400),
        (b"HTTP/1,1", 400),
    ],
)
def test_a_version_that_is_not_spoken_gets_505_and_a_malformed_one_400(version: bytes, status: int) -> None:
    """RFC 9110, section 15.6.6; RFC 9112, section 2.3."""
    assert refusal(head(line=b"GET / " + version)).status == status


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\nHost: a\r\n\r\n", "bare CR or LF"),
        (head(b"X: a\rb"), "bare CR or LF"),
        (head(line=b"GET /"), "malformed request line"),
        (head(line=b"GET /#x HTTP/1.1"), "fragment"),
        (head(line=b"GET * HTTP/1.1"), r"\* goes with OPTIONS"),
        (head(line=b"GET x HTTP/1.1"), "neither a path nor a URI"),
        (head(line=b"GET /\\ HTTP/1.1"), "backslash"),
        (head(line=b"GET http://a\\b/ HTTP/1.1"), "backslash"),
        (head(line=b"GET / HTTP/2.0"), "HTTP version 2.0"),
        (head(line=b"SPLICE / HTTP/1.1"), "unknown method SPLICE"),
        (head(b" folded"), "folded"),
        (head(b"X : y"), "malformed field line"),
        (head(host=b""), "no Host"),
        (head(b"Host: b"), "more than one Host"),
        (head(host=b"Host: a,b\r\n"), "malformed Host"),
        (head(b"Content-Length: x"), "malformed Content-Length"),
        (head(b"Content-Length: 1", b"content-length: 1"), "more than one Content-Length"),
        (head(b"Content-Length: 1", b"Transfer-Encoding: chunked"), "both Transfer-Encoding and Content-Length"),
        (head(b"Transfer-Encoding: chunked", line=b"GET / HTTP/1.0"), "HTTP/1.0"),
        (head(b"Transfer-Encoding: x, chunked"), "unsupported transfer coding"),
        (head(b"Transfer-Encoding: x"), "not exactly `chunked`"),
        (head(b"Transfer_Encoding: chunked"), "transfer_encoding, which some take for"),
        (head(b"Content-Length: 1", b"Content-Type: a/b", b"Content-Type: c/d"), "Content-Type fields that differ"),
        (head(b"Expect: x"), "unknown expectation"),
    ],
)
def test_a_refusal_says_what_is_wrong(data: bytes, reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        judge_head(data, LIMITS)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (head(line=b"GET /" + b"a" * 26 + b" HTTP/1.1"), None),
        (head(line=b"GET /" + b"a" * 27 + b" HTTP/1.1"), 414),
        (head(b"X: " + b"y" * 27), None),
        (head(b"X: " + b"y" * 28), 431),
        (head(b"A:", b"B:"), None),
        (head(b"A:", b"B:", b"C:"), 431),
    ],
)
def test_each_limit_is_what_is_still_allowed(data: bytes, status: int | None) -> None:
    """RFC 9110, section 15.5.15; RFC 6585, section 5."""
    if status is None:
        judge_head(data, SMALL)
    else:
        assert refusal(data, SMALL).status == status


def test_a_head_may_be_as_large_as_the_limit_and_no_larger() -> None:
    """RFC 6585, section 5."""
    data = head(b"X: 12345678901234567890")
    judge_head(data, SMALL._replace(head=len(data)))
    assert refusal(data, SMALL._replace(head=len(data) - 1)).status == 431
    assert refusal(data + b"x: \0", SMALL._replace(head=len(data))).status == 431


def test_what_has_no_target_is_malformed_rather_than_too_long() -> None:
    """RFC 9112, section 3: 414 is about the target."""
    assert refusal(head(line=b"M" * 50 + b" / HTTP/1.1"), SMALL).status == 400


def test_a_content_length_over_the_limit_is_refused_with_the_head() -> None:
    """RFC 9110, section 15.5.14."""
    limits = LIMITS._replace(body=5)
    assert judge_head(head(b"Content-Length: 5"), limits).traits.length == 5
    assert refusal(head(b"Content-Length: 6"), limits).status == 413
    assert refusal(head(b"Content-Length: 6", b"Expect: 100-continue"), limits).status == 413
    assert judge_head(head(b"Transfer-Encoding: chunked"), limits).traits.length == CHUNKED
    assert refusal(head(b"Content-Length: 1"), LIMITS._replace(body=0)).status == 413


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ((), 0),
        ((b"Content-Length: 0",), 0),
        ((b"Content-Length: 42",), 42),
        ((b"Content-Length:042\t ",), 42),
        ((b"Content-Length: 999999999999999999",), 999999999999999999),
        ((b"Transfer-Encoding: chunked",), CHUNKED),
        ((b"transfer-encoding:\tCHUNKED",), CHUNKED),
    ],
)
def test_the_length_of_the_body_is_that_of_its_framing(fields: tuple[bytes, ...], length: int) -> None:
    """RFC 9112, section 6.3."""
    assert traits(*fields).length == length


@pytest.mark.parametrize(
    ("codings", "status"),
    [
        ((b"gzip, chunked",), 501),
        ((b"gzip , x\t,\tchunked",), 501),
        ((b"gzip", b"chunked"), 501),
        ((b"xchunked, chunked",), 501),
        ((b"gzip",), 400),
        ((b"chunked, gzip",), 400),
        ((b"chunked, chunked",), 400),
        ((b"chunked ,chunked",), 400),
        ((b"chunked\t,chunked",), 400),
        ((b"x, chunked\t,chunked",), 400),
        ((b"gzip\t,\tx ,chunked",), 501),
        ((b"chunked", b"chunked"), 400),
        ((b"chunked", b"gzip"), 400),
        ((b"gzip,, chunked",), 400),
        ((b"gzip;q=1, chunked",), 400),
        ((b"chunked ",), 400),
        ((b"",), 400),
    ],
)
def test_other_codings_are_not_implemented_if_chunked_ends_them_and_bad_otherwise(
    codings: tuple[bytes, ...], status: int
) -> None:
    """RFC 9112, section 6.1: a coding that isn't understood SHOULD get 501; 6.3: without a final `chunked`, 400.

    Passing such content on as if it were decoded, as some servers do, would break the message.
    """
    assert refusal(head(*(b"Transfer-Encoding: " + coding for coding in codings))).status == status


def test_a_coding_that_is_not_implemented_is_a_token() -> None:
    """RFC 9112, section 7."""
    for octet in range(0x21, 0x7F):
        mark = bytes([octet])
        token = mark.isalnum() or mark in b"!#$%&'*+-.^_`|~"
        assert refusal(head(b"Transfer-Encoding: " + mark + b", chunked")).status == (501 if token else 400)


@pytest.mark.parametrize(
    ("version", "connection", "keep_alive"),
    [
        (b"1.1", None, True),
        (b"1.1", b"keep-alive", True),
        (b"1.1", b"close", False),
        (b"1.1", b"Close", False),
        (b"1.1", b"keep-alive, close", False),
        (b"1.1", b"x-close", True),
        (b"1.0", None, False),
        (b"1.0", b"keep-alive", True),
        (b"1.0", b"x, Keep-Alive", True),
        (b"1.0", b"keep-alive, close", False),
    ],
)
def test_a_connection_persists_as_version_and_options_say(
    version: bytes, connection: bytes | None, keep_alive: bool
) -> None:
    """RFC 9112, section 9.3."""
    fields = () if connection is None else (b"Connection: " + connection,)
    found = traits(*fields, line=b"GET / HTTP/" + version)
    assert (found.keep_alive, found.http_version) == (keep_alive, version.decode())


def test_connection_options_on_several_lines_are_one_list() -> None:
    """RFC 9110, section 5.3."""
    assert not traits(b"Connection: keep-alive", b"Connection: close").keep_alive
    assert not traits(b"Connection: close", b"Connection: x").keep_alive
    assert traits(b"Connection: keep-alive", b"Connection: x", line=b"GET / HTTP/1.0").keep_alive
    assert traits(b"Connection: upgrade", b"Connection: x", b"Upgrade: y").upgrade
    assert traits(b"Connection: x", b"Upgrade: y", b"Connection: upgrade").upgrade


@pytest.mark.parametrize(
    ("fields", "line", "upgrade"),
    [
        ((b"Connection: Upgrade", b"Upgrade: websocket"), b"GET / HTTP/1.1", True),
        ((b"Connection: keep-alive, Upgrade", b"Upgrade: h2c"), b"GET / HTTP/1.1", True),
        ((b"Upgrade: websocket",), b"GET / HTTP/1.1", False),
        ((b"Connection: Upgrade",), b"GET / HTTP/1.1", False),
        ((b"Connection: Upgrade", b"Upgrade: websocket"), b"GET / HTTP/1.0", False),
    ],
)
def test_an_upgrade_needs_its_field_its_option_and_http_1_1(
    fields: tuple[bytes, ...], line: bytes, upgrade: bool
) -> None:
    """RFC 9110, section 7.8."""
    assert traits(*fields, line=line).upgrade is upgrade


def test_an_expectation_counts_in_http_1_1_only() -> None:
    """RFC 9110, section 10.1.1."""
    assert traits(b"Expect: 100-Continue ").expect_continue
    assert not traits(b"Expect: 100-continue", line=b"GET / HTTP/1.0").expect_continue
    assert not traits(b"Expect: something", line=b"GET / HTTP/1.0").expect_continue
    assert refusal(head(b"Expect: 100-continue, x")).status == 417
    assert refusal(head(b"Expect:")).status == 417


def test_the_grammar_of_host_is_known_to_the_octet() -> None:
    """RFC 9110, section 7.2; RFC 3986, section 3.2."""
    for octet in (*range(0x20, 0x7F), 0x80, 0xFF):
        mark = bytes([octet])
        name = mark.isalnum() or mark in b"-._~%!$&'()*+;="
        address = mark in b"0123456789abcdefABCDEF:."
        for host, good in (
            (b"a" + mark + b"b", name or mark == b":"),
            (b"[:" + mark + b"]", address),
            (b"a:8" + mark + b"8", mark.isdigit()),
        ):
            data = head(host=b"Host: " + host + b"\r\n")
            if good and host != b"a:b":
                judge_head(data, LIMITS)
            else:
                assert refusal(data).status == 400, data
    for host in (b"a:12345", b"a:", b"a \t"):
        judge_head(head(host=b"Host: " + host + b"\r\n"), LIMITS)
    for host in (b"a:123456", b"a::1", b"[]", b"[::1", b"::1", b"[::1]a", b"a b"):
        assert refusal(head(host=b"Host: " + host + b"\r\n")).status == 400


def test_hosts_found_good_are_not_kept_without_end() -> None:
    framing._good_hosts.clear()
    judge_head(head(host=b"Host: " + b"x" * 256 + b"\r\n"), LIMITS)
    for number in range(1000):
        judge_head(head(host=b"Host: h%d.example\r\n" % number), LIMITS)
    assert len(framing._good_hosts) <= 256
    assert max(map(len, framing._good_hosts)) < 256
    assert refusal(head(host=b"Host: h 1.example\r\n")).status == 400
