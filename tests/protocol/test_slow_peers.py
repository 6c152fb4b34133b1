"""Peers that send or read slowly, or not at all, and requests that take too long."""

import logging

import pytest

from monoceros.protocol.context import Wait
from monoceros.protocol.pace import LEAST_RATE
from tests.doubles.stage import GET, Peer, Stage

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = bytes(1 << 20)


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.context.body_timeout = 30
    stage.context.write_timeout = 60
    return stage


def trickle(stage: Stage, peer: Peer, piece: bytes, seconds: int) -> None:
    """Send a piece each second, to an application that takes each at once."""
    waiting = stage.call.begin_receive()
    for _ in range(seconds):
        peer.send(piece)
        if waiting.done():
            waiting = stage.call.begin_receive()
        stage.tick()


# Bodies.


def test_a_body_that_stops_coming_is_answered_with_408(stage: Stage) -> None:
    """RFC 9110, section 15.5.9."""
    peer = stage.connect()
    peer.send(POST + b"x")
    waiting = stage.call.begin_receive()
    assert waiting.result()["body"] == b"x"
    waiting = stage.call.begin_receive()
    stage.tick(30)
    assert peer.take() == b""
    stage.tick()
    assert peer.answer().status == 408
    assert waiting.result() == {"type": "http.disconnect"}
    assert peer.transport.eof_written
    stage.call.returns()


def test_a_trickle_puts_the_end_off_only_in_proportion(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(POST)
    trickle(stage, peer, b"x", 40)
    assert peer.answer().status == 408
    stage.call.returns()


def test_the_framing_of_chunks_is_no_content(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(CHUNKED)
    trickle(stage, peer, b"1;" + b"e" * LEAST_RATE + b"\r\nx\r\n", 40)
    assert peer.answer().status == 408
    stage.call.returns()


def test_a_slow_but_steady_body_is_waited_for(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(POST)
    for _ in range(200):
        peer.send(bytes(LEAST_RATE))
        stage.call.receive()
        stage.tick()
    assert peer.take() == b""
    stage.call.answer()
    assert peer.answer().status == 200


def test_a_body_that_the_application_does_not_take_is_not_late(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(POST + bytes(100))
    stage.tick(100)
    assert peer.take() == b""
    stage.call.receive()
    stage.tick(100)
    assert peer.take() == b""
    stage.call.begin_receive()
    stage.tick(31)
    assert peer.answer().status == 408
    stage.call.returns()


def test_a_peer_that_waits_for_100_continue_is_not_late(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    stage.tick(100)
    assert peer.take() == b""
    stage.call.begin_receive()
    assert peer.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    stage.tick(31)
    assert peer.answer().status == 408
    stage.call.returns()


def test_a_response_that_has_begun_breaks_off_when_its_body_stops_coming(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(POST)
    stage.call.start()
    stage.call.body(b"begun", more=True)
    peer.take()
    stage.call.begin_receive()
    stage.tick(31)
    assert peer.take() == b""
    assert peer.closed
    stage.call.returns()


def test_the_time_of_a_body_is_its_own(stage: Stage) -> None:
    """What a former request on the connection has used up doesn't count."""
    peer = stage.connect()
    for _ in range(3):
        peer.send(POST)
        stage.call.begin_receive()
        stage.tick(20)
        assert peer.connection.waits() is not None
        peer.send(bytes(100000))
        stage.call.answer()
        assert peer.answer().status == 200
        assert peer.connection.waits() == (Wait.IDLE, 0)


def test_a_body_that_comes_after_its_answer_has_the_time_of_a_body(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(POST)
    stage.call.answer()
    peer.take()
    for _ in range(50):
        peer.send(bytes(2000))
        stage.tick()
    peer.send(GET)
    stage.call.answer()
    assert peer.answer().status == 200


def test_a_peer_that_resets_while_nothing_is_read_is_noticed(stage: Stage) -> None:
    """The loop tells nobody: it would have to read."""
    peer = stage.connect()
    peer.send(GET + GET)
    waiting = [stage.call.begin_receive(), stage.call.begin_receive()]
    stage.tick(10)
    assert not peer.closed
    stage.context.has_vanished = lambda transport: True
    stage.tick()
    assert peer.closed
    assert waiting[1].result() == {"type": "http.disconnect"}
    stage.call.returns()


def test_a_body_that_came_is_watched_no_more(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(POST + bytes(100000))
    stage.call.receive()
    stage.tick()
    assert not stage.context.watched
    stage.tick(100)
    stage.call.answer()
    assert peer.answer().status == 200


def test_without_a_limit_a_body_takes_as_long_as_it_takes(stage: Stage) -> None:
    stage.context.body_timeout = float("inf")
    peer = stage.connect()
    peer.send(POST)
    stage.tick(1000)
    assert peer.take() == b""
    peer.send(bytes(100000))
    stage.call.answer()


# Responses.


def stalled(stage: Stage, peer: Peer) -> None:
    """Have a response that the peer doesn't read."""
    peer.transport.peer_stops_reading()
    peer.send()
    stage.call.start()
    stage.call.begin_send("http.response.body", body=LARGE, more_body=True)


def test_a_response_that_nobody_reads_is_given_up(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    peer = stage.connect()
    stalled(stage, peer)
    assert stage.call.receive()["type"] == "http.request"
    waiting = stage.call.begin_receive()
    stage.tick(60)
    assert not peer.closed
    with caplog.at_level(logging.WARNING, "monoceros.error"):
        stage.tick()
    assert peer.transport.aborted
    assert waiting.result() == {"type": "http.disconnect"}
    assert [record.message for record in caplog.records] == ["127.0.0.1:50000 doesn't read what it is sent; closing"]
    stage.call.returns()


def test_a_response_that_is_read_octet_by_octet_is_given_up(stage: Stage) -> None:
    peer = stage.connect()
    stalled(stage, peer)
    for _ in range(70):
        peer.transport.peer_takes(10)
        stage.tick()
    assert peer.transport.aborted
    stage.call.returns()


def test_a_slow_but_steady_reader_is_waited_for(stage: Stage) -> None:
    peer = stage.connect()
    stalled(stage, peer)
    for _ in range(200):
        peer.transport.peer_takes(LEAST_RATE)
        stage.tick()
    assert not peer.closed
    peer.read_again()
    stage.call.body()
    stage.call.returns()


def test_a_complete_response_that_nobody_reads_is_given_up_too(stage: Stage) -> None:
    """The connection is idle only once it is read; and that isn't waited for without end."""
    peer = stage.connect()
    peer.transport.peer_stops_reading()
    peer.send()
    stage.call.start()
    stage.call.body(bytes(1000))
    stage.call.returns()
    stage.tick(4 + 60)
    assert not peer.closed
    stage.tick()
    assert peer.transport.aborted


def test_a_stream_that_is_read_again_is_watched_no_more(stage: Stage) -> None:
    peer = stage.connect()
    stalled(stage, peer)
    stage.tick(59)
    peer.read_again()
    stage.tick()
    assert not stage.context.watched
    stage.call.body(b"more", more=True)
    stage.tick(100)
    assert not peer.closed
    stage.call.body()
    stage.call.returns()


# Whole requests.


def bounded(stage: Stage) -> Peer:
    """Connect where a request, and the answer to a handshake, may take 10 seconds."""
    stage.set_websocket()
    stage.context.request_timeout = 10
    stage.tick()
    return stage.connect()


def test_a_request_that_takes_too_long_is_answered_with_503(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    peer = bounded(stage)
    peer.send()
    stage.tick(9)
    assert peer.take() == b""
    with caplog.at_level(logging.ERROR, "monoceros.error"):
        stage.tick(2)
    answer = peer.answer()
    assert (answer.status, answer.header("connection")) == (503, "close")
    assert stage.call.cancelled
    assert [record.message for record in caplog.records] == ["GET /: not served within 10 s; ending it"]


def test_a_response_that_takes_too_long_breaks_off(stage: Stage) -> None:
    peer = bounded(stage)
    peer.send()
    stage.call.start()
    stage.call.body(b"begun", more=True)
    peer.take()
    stage.tick(11)
    assert peer.take() == b""
    assert peer.closed
    assert stage.call.cancelled


def test_a_request_whose_peer_is_gone_holds_its_place_no_longer(stage: Stage) -> None:
    peer = bounded(stage)
    peer.send()
    peer.vanish()
    assert stage.context.running
    stage.tick(11)
    assert stage.call.cancelled
    assert not stage.context.running


def test_each_request_has_its_own_time(stage: Stage) -> None:
    peer = bounded(stage)
    for _ in range(5):
        peer.send()
        stage.tick(4)
        stage.call.answer()
        assert peer.answer().status == 200


def test_a_handshake_that_is_not_answered_in_time_is_refused(stage: Stage) -> None:
    peer = bounded(stage)
    peer.upgrade()
    stage.tick(11)
    assert peer.answer().status == 503
    assert stage.call.cancelled


def test_a_denial_that_is_not_complete_in_time_breaks_off(stage: Stage) -> None:
    peer = bounded(stage)
    peer.upgrade()
    stage.call.receive()
    stage.call.send("websocket.http.response.start", status=200, headers=[])
    stage.call.send("websocket.http.response.body", body=b"begun", more_body=True)
    peer.take()
    stage.tick(11)
    assert (peer.take(), peer.closed) == (b"", True)
    assert stage.call.cancelled


def test_an_open_websocket_has_any_time(stage: Stage) -> None:
    peer = bounded(stage)
    peer.upgrade()
    stage.call.accept()
    stage.tick(100)
    assert not peer.closed


def test_a_denial_that_nobody_reads_ends_once(stage: Stage) -> None:
    """What would be written behind it would complete what must be seen to break off."""
    peer = bounded(stage)
    peer.transport.peer_stops_reading()
    peer.upgrade()
    stage.call.receive()
    length = [(b"content-length", b"2000000")]
    stage.call.send("websocket.http.response.start", status=200, headers=length)
    stage.call.begin_send("websocket.http.response.body", body=LARGE, more_body=True)
    peer.take()
    stage.tick(11)
    assert (peer.take(), peer.transport.lost_writes) == (b"", [])
    assert stage.call.cancelled


def test_an_application_may_work_on_after_it_has_denied_a_handshake(stage: Stage) -> None:
    peer = bounded(stage)
    peer.upgrade()
    stage.call.receive()
    stage.call.send("websocket.close")
    stage.tick(20)
    assert not stage.call.cancelled
    stage.call.returns()
