"""Heads of which only a part has come: what is bad already is refused, what may become good is waited for."""

import pytest

from monoceros.errors import RequestError
from monoceros.wire.framing import judge_partial_head
from monoceros.wire.limits import RequestLimits
from tests.doubles.requests import LIMITS

SMALL = RequestLimits(line=40, fields=3, field_size=30, head=120)
GET = b"GET / HTTP/1.1\r\n"
HOST = b"Host: a\r\n"


def partial_refusal(data: bytes, scanned: int = 0, limits: RequestLimits = LIMITS) -> RequestError:
    with pytest.raises(RequestError) as caught:
        judge_partial_head(data, scanned, limits)
    return caught.value


def test_a_part_is_held_to_the_limits_of_the_whole() -> None:
    """RFC 6585, section 5."""
    for fields in (b"X: " + b"y" * 27 + b"\r\n", b"A:\r\nB:\r\n"):
        judge_partial_head(GET + HOST + fields, 0, SMALL)
    judge_partial_head(b"GET /" + b"a" * 26 + b" HTTP/1.1\r\n", 0, SMALL)
    judge_partial_head(b"GET /" + b"a" * 35, 0, SMALL)
    part = GET + HOST + b"X: y\r\nY: "
    judge_partial_head(part, 0, SMALL._replace(head=len(part)))
    assert partial_refusal(part, 0, SMALL._replace(head=len(part) - 1)).status == 431


def test_what_has_no_target_is_malformed_rather_than_too_long() -> None:
    """RFC 9112, section 3: 414 is about the target."""
    assert partial_refusal(b"M" * 50, 0, SMALL).status == 400
    assert partial_refusal(b"GET /" + b"a" * 50, 0, SMALL).status == 414


@pytest.mark.parametrize(
    "part",
    [
        b"G",
        b"GET",
        b"GET ",
        b"GET / HTTP/1.1",
        b"GET / HTTP/1.1\r",
        GET,
        GET + b"H",
        GET + HOST + b"X: y",
        GET + HOST + b"X: y\r",
        GET + HOST,
        GET + HOST + b"\r",
        GET + b"Content-Length: 1\r\n",
        GET + b"Transfer-Encoding: gzip\r\n",
        b"GET / H",
        b"GET / HTTP",
        b"GET / HTTP/1",
        b"GET / HTTP/1.",
        b"GET / HTTP/1.0",
    ],
)
def test_a_part_of_a_good_head_is_left_to_go_on(part: bytes) -> None:
    for scanned in range(len(part)):
        judge_partial_head(part, scanned, LIMITS)


@pytest.mark.parametrize(
    ("part", "status"),
    [
        (b"\x16\x03\x01", 400),
        (b" GET", 400),
        (b"\r", 400),
        (b"GET\r", 400),
        (b"G\xe9", 400),
        (b"GET  ", 400),
        (b"GET /\x00", 400),
        (b"GET / /", 400),
        (b"GET / http", 400),
        (b"GET / HTTP/x", 400),
        (b"GET / HTTP/1.x", 400),
        (b"GET / HTTP/1.10", 400),
        (b"GET / HTTP/1.1 ", 400),
        (b"GET / HTTP/1.2", 505),
        (b"GET / HTTP/0.9\r", 505),
        (b"GET / HTTP/1.1\n", 400),
        (b"GET / HTTP/1.1\rX", 400),
        (b"GET /\r\n", 400),
        (b"GET / HTTP/3.0\r\n", 505),
        (b"PRI * HTTP/2.0\r\n", 505),
        (GET + b" ", 400),
        (GET + b"\t", 400),
        (GET + b"Host\r\n", 400),
        (GET + HOST + b"X: \0\r\n", 400),
        (GET + HOST + b"X: y\n", 400),
        (GET + HOST + b"X: y\rz", 400),
        (GET + HOST + b" y", 400),
        (GET + HOST + HOST, 400),
        (GET + b"Host: a b\r\n", 400),
        (GET + b"Content-Length: x\r\n", 400),
        (GET + b"Content-Length: 1\r\nContent-Length: 1\r\n", 400),
        (GET + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", 400),
        (GET + b"Content_Length: 1\r\n", 400),
        (GET + b"Expect: x\r\n", 417),
        (GET + b"A:\r\n" * 101, 431),
        (GET + b"A:" + b"b" * 32767, 431),
    ],
)
def test_a_part_of_a_bad_head_is_refused_before_its_end(part: bytes, status: int) -> None:
    """A peer that will be refused needn't be waited for."""
    assert partial_refusal(part).status == status
    assert partial_refusal(part, len(part) - 1).status == status


def test_a_part_that_is_over_a_limit_is_refused_before_its_end() -> None:
    """RFC 6585, section 5: what a peer makes a server hold is bounded."""
    assert partial_refusal(GET + b"A:\r\n" * 4, 0, SMALL).status == 431
    assert partial_refusal(GET + b"X: " + b"y" * 28, 0, SMALL).status == 431
    judge_partial_head(GET + b"X: " + b"y" * 27 + b"\r", 0, SMALL)
    assert partial_refusal(GET + HOST * 50, 0, SMALL._replace(fields=100)).status == 431


def test_lines_already_judged_are_not_judged_again() -> None:
    judged = GET + HOST + b"not a field line\r\n"
    judge_partial_head(judged + b"X: y\r\n", len(judged), LIMITS)
