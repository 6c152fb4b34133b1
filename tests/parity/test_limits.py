"""Content over the limit, as peer and application see it, over every field parser (RFC 9110, section 15.5.14)."""

import pytest

from tests.doubles.stage import GET, Stage

EXPECT = b"Expect: 100-continue\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def announced(length: int, fields: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n" % (fields, length)


CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\n%bTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def limited(stage: Stage) -> Stage:
    stage.context.limits = stage.context.limits._replace(body=5)
    return stage


@pytest.mark.parametrize("fields", [b"", EXPECT])
def test_a_length_over_the_limit_is_refused_before_the_application_is_called(limited: Stage, fields: bytes) -> None:
    peer = limited.connect()
    peer.send(announced(6, fields))
    answer = peer.answer()
    assert (answer.status, answer.header("connection")) == (413, "close")
    assert limited.calls == []
    peer.send(b"123456" + GET)
    assert (peer.take(), limited.calls) == (b"", [])
    limited.tick(6)
    assert peer.closed


def test_content_of_just_the_limit_is_served(limited: Stage) -> None:
    peer = limited.connect()
    for data in (announced(5) + b"12345", CHUNKED % b"" + b"3\r\n123\r\n2\r\n45\r\n0\r\n\r\n"):
        peer.send(data)
        assert limited.call.receive() == {"type": "http.request", "body": b"12345", "more_body": False}
        limited.call.answer()
        assert peer.answer().status == 200


def test_chunks_over_the_limit_are_refused_while_they_are_read(limited: Stage) -> None:
    peer = limited.connect()
    peer.send(CHUNKED % EXPECT)
    waiting = limited.call.begin_receive()
    assert peer.take() == CONTINUE
    peer.send(b"5\r\n12345\r\n")
    assert waiting.result()["body"] == b"12345"
    waiting = limited.call.begin_receive()
    peer.send(b"1\r\n")
    assert waiting.result() == {"type": "http.disconnect"}
    answer = peer.answer()
    assert (answer.status, answer.header("connection")) == (413, "close")
    limited.call.answer(b"ignored")
    peer.send(b"6\r\n0\r\n\r\n" + GET)
    assert (peer.take(), len(limited.calls)) == (b"", 1)


def test_chunks_over_the_limit_break_off_a_response_that_has_begun(limited: Stage) -> None:
    peer = limited.connect()
    peer.send(CHUNKED % b"")
    limited.call.start()
    limited.call.body(b"abc", more=True)
    peer.take()
    peer.send(b"6\r\n")
    assert (peer.take(), peer.closed) == (b"", True)


def test_without_a_limit_any_length_is_taken(stage: Stage) -> None:
    stage.connect().send(announced(10**17))
    assert len(stage.calls) == 1


CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def test_data_that_comes_with_a_last_request_is_refused(stage: Stage) -> None:
    """RFC 9112, section 9.6: a client MUST NOT send more behind `Connection: close`."""
    peer = stage.connect()
    peer.send(CLOSE + GET)
    answer = peer.answer()
    assert (answer.status, answer.header("connection")) == (400, "close")
    assert len(stage.calls) <= 1


def test_data_that_comes_while_a_last_request_is_served_changes_nothing(stage: Stage) -> None:
    """RFC 9112, section 9.6: a server processes no further request, and closes after its answer."""
    peer = stage.connect()
    peer.send(CLOSE)
    peer.send(GET)
    stage.call.answer(b"whole")
    answer = peer.answer()
    assert (answer.status, answer.body, answer.header("connection")) == (200, b"whole", "close")
    assert len(stage.calls) == 1
    assert peer.transport.eof_written
