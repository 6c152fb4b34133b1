"""What a peer gets of a response, over every field parser."""

from collections.abc import Callable
from http import HTTPStatus

import pytest

from tests.doubles.stage import GET, Stage

GET_1_0 = b"GET / HTTP/1.0\r\n\r\n"
HEAD = GET.replace(b"GET", b"HEAD")


def test_a_simple_response_is_one_write(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.start(200, [(b"Content-Type", b"text/plain")])
    assert peer.transport.writes == []
    stage.call.body(b"Hello")
    assert peer.transport.writes == [
        b"HTTP/1.1 200 OK\r\nserver: monoceros\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nHello"
    ]


def test_a_connection_serves_one_request_after_another(stage: Stage) -> None:
    peer = stage.connect()
    for number in range(3):
        peer.send()
        stage.call.answer(b"%d" % number)
        answer = peer.answer()
        assert answer.body == b"%d" % number
        assert answer.header("connection") is None
    assert not peer.closed


@pytest.mark.parametrize("request_head", [GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), GET_1_0])
def test_the_connection_ends_when_the_peer_wants_that(stage: Stage, request_head: bytes) -> None:
    """RFC 9112, section 9.3: with HTTP/1.0 it is what happens by default."""
    peer = stage.connect()
    peer.send(request_head)
    stage.call.answer(b"x")
    answer = peer.answer()
    assert (answer.header("connection"), answer.header("content-length")) == ("close", "1")
    assert peer.closed


def test_the_connection_ends_when_the_application_wants_that(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.start(200, [(b"Connection", b"close")])
    stage.call.body()
    assert peer.answer().header("connection") == "close"
    assert peer.closed


def test_http_1_0_keeps_a_connection_on_request(stage: Stage) -> None:
    """RFC 9112, section 9.3: and is told so."""
    peer = stage.connect()
    for _ in range(2):
        peer.send(GET_1_0.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"))
        assert stage.call.scope["http_version"] == "1.0"
        stage.call.answer(b"x")
        assert peer.answer().header("connection") == "keep-alive"
    assert not peer.closed


@pytest.mark.parametrize("connection", [b"", b"Connection: keep-alive\r\n"])
def test_http_1_0_gets_no_chunks(stage: Stage, connection: bytes) -> None:
    """RFC 9112, section 6.3: the end of the connection is the end of the content."""
    peer = stage.connect()
    peer.send(b"GET / HTTP/1.0\r\n" + connection + b"\r\n")
    stage.call.start()
    stage.call.body(b"one", more=True)
    stage.call.body(b"two")
    answer = peer.answer()
    assert answer.body == b"onetwo"
    assert answer.header("transfer-encoding") is None
    assert answer.header("connection") == "close"
    assert peer.closed


def test_a_stream_goes_out_in_chunks(stage: Stage) -> None:
    """RFC 9112, section 7.1."""
    peer = stage.connect()
    peer.send()
    stage.call.start()
    stage.call.body(b"one", more=True)
    stage.call.body(b"", more=True)
    stage.call.body(b"x" * 70000, more=True)
    stage.call.body(b"last")
    answer = peer.answer()
    assert answer.header("transfer-encoding") == "chunked"
    assert answer.body == b"3\r\none\r\n11170\r\n" + b"x" * 70000 + b"\r\n4\r\nlast\r\n0\r\n\r\n"
    assert not peer.closed


def test_a_stream_of_a_declared_length_goes_out_as_it_is(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.start(200, [(b"content-length", b"9")])
    for part in (b"one", b"two"):
        stage.call.body(part, more=True)
    stage.call.body(b"six")
    answer = peer.answer()
    assert (answer.header("content-length"), answer.header("transfer-encoding")) == ("9", None)
    assert answer.body == b"onetwosix"
    assert not peer.closed


def test_an_empty_body_with_more_to_come_opens_the_stream(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.start(200, [(b"content-type", b"text/event-stream")])
    assert peer.take() == b""
    stage.call.body(b"", more=True)
    assert peer.answer().header("content-type") == "text/event-stream"


def test_a_held_head_is_written_within_a_second(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.start(200, [(b"content-length", b"2")])
    stage.tick()
    assert peer.answer().header("content-length") == "2"
    stage.tick()
    stage.call.body(b"ab")
    assert peer.take() == b"ab"


@pytest.mark.parametrize("status", [204, 304])
def test_no_content_follows_a_status_without_content(stage: Stage, status: int) -> None:
    """RFC 9110, sections 15.3.5 and 15.4.5."""
    peer = stage.connect()
    for more in (False, True):
        peer.send()
        stage.call.start(status)
        stage.call.body(b"secret", more=more)
        if more:
            stage.call.body(b"secret")
        answer = peer.answer()
        assert (answer.status, answer.body, answer.header("transfer-encoding")) == (status, b"", None)
    assert not peer.closed


def test_head_gets_the_fields_and_no_content(stage: Stage) -> None:
    """RFC 9110, section 9.3.2."""
    peer = stage.connect()
    peer.send(HEAD)
    stage.call.start()
    stage.call.body(b"secret")
    answer = peer.answer()
    assert (answer.header("content-length"), answer.body) == ("6", b"")
    peer.send(HEAD)
    stage.call.start(200, [(b"content-length", b"100")])
    stage.call.body(b"")
    answer = peer.answer()
    assert (answer.header("content-length"), answer.body) == ("100", b"")
    peer.send(HEAD)
    stage.call.start()
    stage.call.body(b"secret", more=True)
    stage.call.body(b"secret")
    assert peer.answer().body == b""
    assert not peer.closed


@pytest.mark.parametrize("make", [tuple, list, iter, lambda fields: (list(pair) for pair in fields)])
def test_headers_are_any_iterable_of_pairs(stage: Stage, make: Callable[[object], object]) -> None:
    """ASGI asks for no more; also where the response is an unusual one, so that they are looked at twice."""
    peer = stage.connect()
    for fields in ([(b"a", b"b")], [(b"a", b"b"), (b"connection", b"close")]):
        peer.send()
        stage.call.start(200, make(fields))
        stage.call.body(b"x")
        assert peer.answer().header("a") == "b"


def test_headers_may_be_left_out(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.send("http.response.start", status=HTTPStatus.NOT_FOUND)
    stage.call.send("http.response.body")
    answer = peer.answer()
    assert (answer.status, answer.headers) == (404, [("server", "monoceros"), ("content-length", "0")])


@pytest.mark.parametrize("body", [bytearray(b"abc"), memoryview(b"abc")])
def test_a_body_may_be_any_kind_of_octets(stage: Stage, body: object) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.start()
    stage.call.body(body)
    assert peer.answer().body == b"abc"


def test_a_large_body_is_written_whole(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.answer(b"x" * 100_000)
    assert peer.answer().body == b"x" * 100_000


def test_an_exception_before_the_head_is_answered_with_500(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    peer = stage.connect()
    peer.send(b"GET /oh?no HTTP/1.1\r\nHost: a\r\n\r\n")
    stage.call.raises(ValueError("a mistake"))
    answer = peer.answer()
    assert (answer.status, answer.body) == (500, b"Internal Server Error")
    assert peer.closed
    (record,) = caplog.records
    assert "GET /oh?no" in record.getMessage()
    assert "ValueError: a mistake" in caplog.text


def test_an_exception_with_the_head_still_held_is_answered_with_500(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.start(200, [(b"content-length", b"10")])
    stage.call.raises(ValueError())
    answer = peer.answer()
    assert (answer.status, answer.header("content-length")) == (500, "21")


@pytest.mark.parametrize(
    ("headers", "aborted"), [([], False), ([(b"content-length", b"10")], False)], ids=["chunked", "length"]
)
def test_an_exception_amid_a_response_breaks_the_connection_off(
    stage: Stage, caplog: pytest.LogCaptureFixture, headers: list[tuple[bytes, bytes]], aborted: bool
) -> None:
    """RFC 9112, section 8: without its last chunk, or its length, the response is incomplete."""
    peer = stage.connect()
    peer.send()
    stage.call.start(200, headers)
    stage.call.body(b"abc", more=True)
    stage.call.raises(ValueError())
    assert not peer.take().endswith(b"0\r\n\r\n")
    assert peer.closed
    assert peer.transport.aborted is aborted
    assert len(caplog.records) == 1


def test_an_exception_amid_a_response_that_only_the_end_delimits_resets_the_connection(stage: Stage) -> None:
    """RFC 9112, section 8: a close would look like the end of the content."""
    peer = stage.connect()
    peer.send(GET_1_0)
    stage.call.start()
    stage.call.body(b"abc", more=True)
    stage.call.raises(ValueError())
    assert peer.transport.aborted


def test_an_exception_after_the_response_is_logged_and_hurts_nobody(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.start()
    stage.call.body(b"done")
    stage.call.raises(ValueError())
    assert peer.answer().status == 200
    assert len(caplog.records) == 1
    peer.send()
    assert len(stage.calls) == 2


def test_an_application_that_returns_without_a_response_is_answered_for(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.returns()
    assert peer.answer().status == 500
    assert [record.getMessage() for record in caplog.records] == [
        "GET /: the application returned without starting its response"
    ]


def test_an_application_that_returns_amid_its_response_breaks_the_connection_off(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.start()
    stage.call.body(b"abc", more=True)
    stage.call.returns()
    assert peer.closed
    assert "without completing its response" in caplog.text
