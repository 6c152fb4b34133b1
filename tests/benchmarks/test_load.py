"""What the load asks, how it reads a first answer, and what it says at the end."""

import json
import socket

import pytest

from benchmarks.load.answers import LoadError, dechunked, expect, read_answer
from benchmarks.load.report import report
from benchmarks.load.requests import BODY, request, requests


def answered(data: bytes) -> socket.socket:
    """Return a connection on which these octets came, and then the end."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(data)
    return ours


def test_the_json_document_has_a_kibibyte() -> None:
    assert len(BODY) == 1024
    assert len(json.loads(BODY)["tags"]) == 3


@pytest.mark.parametrize(("kind", "fields"), [("few", 1), ("many", 12)])
def test_requests_have_as_many_fields_as_their_cases_say(kind: str, fields: int) -> None:
    assert request(kind).count(b"\r\n") == fields + 2


def test_some_requests_have_two_fields_whose_values_are_new_each_time() -> None:
    new = requests("new")
    first, second = next(new).split(b"\r\n"), next(new).split(b"\r\n")
    assert len(first) == 12 + 3
    assert [name for name in first if name not in second] == [
        b"Referer: http://127.0.0.1:8000/items/0",
        b"Cookie: session=0f3c9d1b7a5e4c2d8b6a; seen=0",
    ]
    same = requests("many")
    assert next(same) == next(same) == request("many")


def test_an_answer_is_read_to_its_end() -> None:
    """RFC 9112, section 6.2."""
    with answered(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, world!") as sock:
        answer = read_answer(sock)
    expect("few", answer)
    assert (answer.size, answer.chunked) == (52, False)


def test_a_chunked_answer_is_decoded() -> None:
    """RFC 9112, section 7.1."""
    body = b"5\r\nxxxxx\r\n" * 2000 + b"0\r\n\r\n"
    with answered(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body) as sock:
        answer = read_answer(sock)
    expect("stream", answer)
    assert answer.chunked


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello",
        b"",
    ],
)
def test_anything_but_a_whole_200_is_an_error(data: bytes) -> None:
    with answered(data) as sock, pytest.raises(LoadError):
        read_answer(sock)


def test_a_wrong_content_is_an_error() -> None:
    with answered(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!") as sock:
        answer = read_answer(sock)
    with pytest.raises(LoadError, match="not the answer to few"):
        expect("few", answer)


@pytest.mark.parametrize("data", [b"5\r\nxxxx\r\n0\r\n\r\n", b"5\r\nxxxxx\r\n"])
def test_a_chunked_body_that_is_not_whole_is_an_error(data: bytes) -> None:
    with pytest.raises(LoadError):
        dechunked(data)


def test_a_report_has_the_median_and_the_hundredth() -> None:
    done = report([number / 1e6 for number in range(1000, 0, -1)], seconds=2.0, cpu_seconds=1.0)
    assert (done.answers, done.busy) == (1000, 0.5)
    assert done.p50_us == pytest.approx(501)
    assert done.p99_us == pytest.approx(991)


def test_a_round_without_answers_has_no_report() -> None:
    with pytest.raises(ValueError, match="no answer"):
        report([], 1.0, 0.0)
