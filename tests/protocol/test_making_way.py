"""Connections that others need the places of: what each waits for, and how it goes."""

import pytest

from monoceros.protocol.connection import Connection
from monoceros.protocol.context import Wait
from tests.doubles.stage import GET, Peer, Stage

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
LARGE = bytes(1 << 20)


def stalled(stage: Stage, peer: Peer) -> None:
    """Have a response that the peer doesn't read."""
    peer.transport.peer_stops_reading()
    peer.send()
    stage.call.start()
    stage.call.begin_send("http.response.body", body=LARGE, more_body=True)


def rank(peer: Peer) -> Wait | None:
    wait = peer.connection.waits()
    return wait and wait[0]


def test_a_connection_tells_what_it_waits_for(stage: Stage) -> None:
    fresh, idle, head, working, body, reader = (stage.connect() for _ in range(6))
    idle.send()
    stage.call.answer()
    head.send(GET[:10])
    working.send()
    body.send(POST)
    stage.call.begin_receive()
    stalled(stage, reader)
    stage.tick(2)
    peers = (fresh, idle, head, working, body, reader)
    assert [rank(peer) for peer in peers] == [Wait.HEAD, Wait.IDLE, Wait.HEAD, None, Wait.STALLED, Wait.STALLED]


def test_an_application_at_work_waits_for_nobody(stage: Stage) -> None:
    """Also while the peer is slow: only one in `receive()` or `send()` waits for it."""
    uploading, downloading = stage.connect(), stage.connect()
    uploading.send(POST)
    downloading.transport.peer_stops_reading()
    downloading.send()
    stage.call.start()
    sending = stage.call.begin_send("http.response.body", body=LARGE, more_body=True)
    sending.cancel()
    stage.loop.run_ready()
    stage.tick(5)
    assert rank(uploading) is None


def test_an_idle_websocket_waits_for_nobody(stage: Stage) -> None:
    stage.set_websocket()
    peer = stage.connect()
    peer.upgrade()
    stage.call.accept()
    stage.call.begin_receive()
    stage.tick(100)
    assert rank(peer) is None


def test_a_connection_tells_how_long_it_has_waited(stage: Stage) -> None:
    stage.context.keep_alive = 20
    fresh, idle, refused, body = (stage.connect() for _ in range(4))
    stage.tick(3)
    idle.send()
    stage.call.answer()
    stage.tick()
    body.send(POST)
    stage.call.begin_receive()
    refused.send(b"GET / FTP/1.1\r\n\r\n")
    stage.tick(4)
    waits = [peer.connection.waits() for peer in (fresh, idle, refused, body)]
    assert waits == [(Wait.HEAD, 8), (Wait.IDLE, 5), (Wait.IDLE, 4), (Wait.STALLED, 3)]
    stage.context.head_timeout = 0
    assert stage.connect().connection.waits() == (Wait.HEAD, 0)


def test_an_idle_connection_makes_way_in_silence(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.answer()
    peer.take()
    assert peer.connection.make_way()
    stage.loop.run_ready()
    assert peer.take() == b""
    assert peer.closed


def test_a_request_on_its_way_is_not_closed_upon(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.answer()
    stage.context.holds_unread = lambda transport: True
    assert not peer.connection.make_way()
    assert not peer.closed


def test_an_unfinished_head_makes_way_with_408(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(GET[:10])
    assert peer.connection.make_way()
    stage.loop.run_ready()
    assert peer.answer().status == 408
    assert peer.closed


def test_a_stalled_body_makes_way_with_408(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(POST)
    waiting = stage.call.begin_receive()
    stage.tick(3)
    assert peer.connection.make_way()
    stage.loop.run_ready()
    assert peer.answer().status == 408
    assert peer.closed
    assert waiting.result() == {"type": "http.disconnect"}
    stage.call.returns()


def test_a_stalled_reader_makes_way(stage: Stage) -> None:
    peer = stage.connect()
    stalled(stage, peer)
    stage.tick(3)
    assert peer.connection.make_way()
    stage.loop.run_ready()
    assert peer.transport.aborted
    stage.call.returns()


def test_a_response_that_is_being_read_does_not_make_way(stage: Stage) -> None:
    """Though its application is done with it."""
    peer = stage.connect()
    peer.transport.peer_stops_reading()
    peer.send()
    stage.call.answer(bytes(50000))
    assert not peer.connection.make_way()
    for _ in range(20):
        peer.transport.peer_takes(1000)
        stage.tick()
        assert peer.connection.waits() is None
    stage.tick(3)
    assert rank(peer) is Wait.STALLED
    assert peer.connection.make_way()
    stage.loop.run_ready()
    assert peer.transport.aborted


def test_an_encrypted_connection_makes_way_at_once(stage: Stage) -> None:
    """Its goodbye would take the peer's consent."""
    peer = stage.connect(tls=True)
    peer.send()
    stage.call.answer()
    assert peer.connection.make_way()
    stage.loop.run_ready()
    assert peer.transport.aborted


def test_what_every_connection_is_asked_is_answered_by_its_kind(stage: Stage) -> None:
    connection = Connection(stage.context)
    for question in (connection.second_passed, connection.waits, connection.make_way):
        with pytest.raises(NotImplementedError):
            question()


def test_who_was_refused_and_is_waited_for_to_read_that_goes_without_a_second_refusal(stage: Stage) -> None:
    """Nothing can be written to it any more: its end was."""
    peer = stage.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    stage.call.begin_receive()
    stage.tick(3)
    peer.send(b"no size\r\n")
    assert peer.answer().status == 400
    assert peer.connection.make_way()
    stage.loop.run_ready()
    assert peer.take() == b""
    assert peer.closed
