"""What is refused, and how the peer and the log are told, over every field parser."""

import pytest

from tests.doubles.stage import GET, Stage


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: \x1b[31m\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA b: c\r\n\r\n", 400),
        (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"a" * 70000, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a:b\r\n" * 100 + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", 417),
        (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(
    stage: Stage, caplog: pytest.LogCaptureFixture, data: bytes, status: int
) -> None:
    """RFC 9112, section 2.2; CVE-2020-7694: what a peer sent reaches no terminal."""
    peer = stage.connect()
    peer.send(data)
    answer = peer.answer()
    assert (answer.status, answer.header("connection")) == (status, "close")
    assert len(answer.body) == int(answer.header("content-length") or 0)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("Invalid HTTP request received from 127.0.0.1:50000: ")
    assert record.getMessage().isprintable()


def test_the_connection_lingers_after_a_refusal(stage: Stage) -> None:
    """RFC 9112, section 9.6: what still comes is read, lest a reset overtakes the answer."""
    peer = stage.connect()
    peer.send(b"nonsense\r\n\r\n")
    assert peer.answer().status == 400
    assert peer.transport.eof_written
    peer.send(GET * 100)
    assert peer.transport.reading
    assert not peer.closed
    assert stage.calls == []
    stage.tick(6)
    assert peer.closed


def test_an_encrypted_connection_lingers_without_a_half_closed_state(stage: Stage) -> None:
    peer = stage.connect(tls=True)
    peer.send(b"nonsense\r\n\r\n")
    peer.send(GET)
    assert not peer.closed
    stage.tick(6)
    assert peer.closed


def test_a_peer_that_closes_ends_the_lingering(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(b"nonsense\r\n\r\n")
    peer.end()
    assert peer.closed


def test_a_pipelined_request_that_is_refused_waits_for_its_turn(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(GET + b"nonsense\r\n\r\n")
    assert peer.take() == b""
    stage.call.answer(b"first")
    assert peer.take().count(b"HTTP/1.1 ") == 2
    assert peer.transport.eof_written


BAD_CHUNK = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"


def test_content_that_turns_out_malformed_is_a_disconnect_for_the_application(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(BAD_CHUNK)
    assert stage.call.receive()["body"] == b"a"
    waiting = stage.call.begin_receive()
    peer.send(b"nonsense\r\n")
    assert waiting.result() == {"type": "http.disconnect"}
    assert peer.answer().status == 400
    stage.call.answer(b"ignored")
    assert peer.take() == b""


def test_content_that_turns_out_malformed_amid_the_response_breaks_it_off(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(BAD_CHUNK)
    stage.call.start()
    stage.call.body(b"abc", more=True)
    peer.take()
    peer.send(b"nonsense\r\n")
    assert peer.take() == b""
    assert peer.closed


@pytest.mark.parametrize("rest", [b"x\r\n", b"5\r\n12345more\r\n"])
def test_content_that_breaks_after_its_request_was_answered_gets_no_second_response(stage: Stage, rest: bytes) -> None:
    """It would be taken for the answer to the next request (RFC 9112, section 9.3.2)."""
    peer = stage.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    stage.call.answer(b"done")
    assert peer.answer().status == 200
    peer.send(rest)
    assert peer.take() == b""
    assert peer.transport.eof_written
    peer.send(GET)
    assert len(stage.calls) == 1
