"""One HTTP/1.1 connection: its deadlines, its limits, its log and its end. Parity tests have what goes over it."""

import pytest

from monoceros.protocol.context import NEVER
from tests.doubles.stage import GET, KEY, Stage
from tests.doubles.websocket_client import handshake_request

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"


def test_a_head_that_does_not_come_in_time_is_answered_with_408(stage: Stage) -> None:
    """RFC 9110, section 15.5.9."""
    peer = stage.connect()
    peer.send(GET[:10])
    stage.tick(29)
    peer.send(GET[10:12])
    assert peer.take() == b""
    stage.tick()
    assert peer.answer().status == 408
    assert peer.transport.eof_written
    stage.tick(6)
    assert peer.closed


def test_a_later_head_has_a_time_of_its_own(stage: Stage) -> None:
    """From its first octet on: the time before that is the keep-alive timeout's."""
    peer = stage.connect()
    peer.send()
    stage.call.answer()
    stage.tick(4)
    peer.take()
    peer.send(GET[:10])
    stage.tick(20)
    assert peer.take() == b""
    stage.tick(10)
    assert peer.answer().status == 408


def test_a_pipelined_head_that_stays_incomplete_is_answered_with_408(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(GET + GET[:10])
    stage.call.answer()
    peer.take()
    stage.tick(30)
    assert peer.answer().status == 408


@pytest.mark.parametrize("data", [b"", b"\r\n"])
def test_a_connection_on_which_nothing_came_is_closed_in_silence(
    stage: Stage, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    """Browsers connect ahead of need."""
    peer = stage.connect()
    if data:
        peer.send(data)
    stage.tick(29)
    assert not peer.closed
    stage.tick()
    assert peer.closed
    assert peer.take() == b""
    assert caplog.records == []


def test_without_a_head_timeout_a_head_takes_as_long_as_it_takes(stage: Stage) -> None:
    stage.context.head_timeout = 0
    peer = stage.connect()
    stage.tick(1000)
    peer.send()
    stage.call.answer()
    peer.send(GET[:10])
    stage.tick(1000)
    peer.send(GET[10:])
    assert len(stage.calls) == 2


def test_an_idle_connection_is_closed_in_silence(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.answer()
    peer.take()
    stage.tick(4)
    assert not peer.closed
    stage.tick()
    assert peer.closed
    assert peer.take() == b""


def test_a_connection_that_serves_has_no_deadline(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(POST)
    stage.tick(1000)
    peer.send(b"1234")
    stage.tick(1000)
    assert stage.call.receive()["body"] == b"1234"
    stage.call.answer()
    assert peer.answer().status == 200


def test_content_that_nobody_reads_is_not_waited_for_without_end(stage: Stage) -> None:
    stage.context.body_timeout = 30
    peer = stage.connect()
    peer.send(POST)
    stage.call.answer()
    peer.take()
    stage.tick(31)
    assert peer.transport.eof_written
    stage.tick(6)
    assert (peer.take(), peer.closed) == (b"", True)


def test_each_answer_puts_the_deadline_off(stage: Stage) -> None:
    peer = stage.connect()
    for _ in range(5):
        peer.send()
        stage.call.answer()
        stage.tick(4)
    assert not peer.closed


def test_a_connection_that_is_gone_leaves_no_deadline(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.answer()
    peer.vanish()
    assert peer.connection.deadline == NEVER
    assert stage.context.connections == set()


def test_no_keep_alive_closes_after_each_response(stage: Stage) -> None:
    """As the server sets it up: connections that don't last need no time to be idle."""
    stage.context.keep_alive, stage.context.lasting = 0, False
    peer = stage.connect()
    peer.send()
    stage.call.answer()
    assert peer.answer().header("connection") == "close"
    assert peer.closed


def test_exactly_as_many_are_served_at_once_as_the_limit_says(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.context.limit_concurrency = 2
    idle = [stage.connect() for _ in range(3)]
    for peer in idle:
        peer.send()
    assert len(stage.calls) == 2
    answer = idle[2].answer()
    assert (answer.status, answer.header("retry-after")) == (503, "1")
    assert not idle[2].closed
    assert "Concurrency limit of 2 exceeded" in caplog.text
    stage.calls[0].answer()
    idle[2].send()
    assert len(stage.calls) == 3
    assert stage.log[0] == ("127.0.0.1:50000", "GET", "/", "1.1", 503)


def test_a_limit_of_zero_serves_nobody(stage: Stage) -> None:
    stage.context.limit_concurrency = 0
    peer = stage.connect()
    peer.send(POST + b"1234" + GET)
    assert peer.take().count(b" 503 ") == 2
    assert stage.calls == []


def test_a_handshake_over_the_limit_is_answered_with_503(stage: Stage) -> None:
    stage.context.limit_concurrency = 0
    peer = stage.connect()
    peer.upgrade()
    answer = peer.answer()
    assert (answer.status, answer.header("connection")) == (503, "close")
    peer.send(GET)
    assert peer.take() == b""  # what comes behind an upgrade needn't be HTTP


def test_a_refusal_over_the_limit_waits_for_no_content_that_was_held_back(stage: Stage) -> None:
    stage.context.limit_concurrency = 0
    peer = stage.connect()
    peer.send(POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    answer = peer.answer()
    assert (answer.status, answer.header("connection")) == (503, "close")


def test_each_response_is_logged_with_what_its_request_said(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(b"DELETE /a%20b?c HTTP/1.1\r\nHost: a\r\n\r\n")
    stage.call.answer(status=204)
    peer.send(b"GET http://a/b HTTP/1.0\r\n\r\n")
    stage.call.raises(ValueError())
    assert stage.log == [
        ("127.0.0.1:50000", "DELETE", "/a%20b?c", "1.1", 204),
        ("127.0.0.1:50000", "GET", "http://a/b", "1.0", 500),
    ]


def test_a_client_without_an_address_is_logged_as_none(stage: Stage) -> None:
    peer = stage.connect(peername="", sockname="/run/app.sock")
    peer.send()
    stage.call.answer()
    assert stage.log[0][0] == ""


def test_a_server_without_an_access_log_serves(stage: Stage) -> None:
    stage.context.access_log = None
    peer = stage.connect()
    peer.send()
    stage.call.answer()
    assert peer.answer().status == 200


def test_a_response_that_is_due_is_written_to_a_peer_that_sends_no_more(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.receive()
    waiting = stage.call.begin_receive()
    peer.end()
    assert waiting.result() == {"type": "http.disconnect"}
    assert not peer.closed
    stage.call.answer(b"due")
    answer = peer.answer()
    assert (answer.body, answer.header("connection")) == (b"due", "close")
    assert peer.closed


def test_every_pipelined_response_is_written_to_a_peer_that_sends_no_more(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(GET * 2)
    peer.end()
    stage.call.answer(b"1")
    assert len(stage.calls) == 2
    stage.call.answer(b"2")
    assert peer.take().count(b"HTTP/1.1 200 OK") == 2
    assert peer.closed


def test_a_stream_that_stops_because_of_a_half_close_does_not_look_complete(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 9112, section 8: a peer that still reads must see that something is missing."""
    peer = stage.connect()
    peer.send()
    stage.call.start()
    stage.call.body(b"abc", more=True)
    peer.end()
    peer.take()
    stage.call.returns()
    assert peer.take() == b""
    assert peer.closed
    assert caplog.records == []


def test_an_end_amid_the_content_of_a_request_is_a_disconnect(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(POST + b"12")
    peer.end()
    assert stage.call.receive() == {"type": "http.disconnect"}
    assert peer.closed


@pytest.mark.parametrize("data", [b"", GET[:10]])
def test_an_end_with_nothing_due_closes(stage: Stage, data: bytes) -> None:
    peer = stage.connect()
    peer.send(data)
    peer.end()
    assert peer.closed
    assert peer.take() == b""


def test_an_encrypted_connection_has_no_half_closed_state(stage: Stage) -> None:
    peer = stage.connect(tls=True)
    peer.send()
    peer.end()
    assert peer.closed


def test_a_response_during_a_drain_closes_the_connection(stage: Stage) -> None:
    peers = [stage.connect() for _ in range(2)]
    for peer in peers:
        peer.send()
    stage.context.lasting = False
    for peer, call in zip(peers, stage.calls, strict=True):
        call.answer()
        assert peer.answer().header("connection") == "close"
        assert peer.closed


def test_a_pipelined_request_is_still_served_during_a_drain(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(GET * 2)
    stage.context.lasting = False
    stage.call.answer()
    assert peer.answer().header("connection") is None
    stage.call.answer()
    assert peer.answer().header("connection") == "close"
    assert peer.closed


def test_an_idle_connection_is_not_closed_under_a_request_when_a_drain_begins(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.answer()
    stage.context.lasting = False
    peer.connection.begin_drain()
    stage.tick(3)
    peer.take()
    peer.send()
    stage.call.answer()
    assert peer.answer().header("connection") == "close"


@pytest.mark.parametrize(("keep_alive", "seconds"), [(5, 5), (0, 2)])
def test_a_connection_without_a_request_yet_waits_no_longer_than_an_idle_one(
    stage: Stage, keep_alive: int, seconds: int
) -> None:
    stage.context.keep_alive = keep_alive
    peer = stage.connect()
    peer.connection.begin_drain()
    stage.tick(seconds - 1)
    assert not peer.closed
    stage.tick()
    assert peer.closed


def test_what_is_being_served_goes_on_in_a_drain(stage: Stage) -> None:
    peers = [stage.connect() for _ in range(2)]
    peers[0].send()
    peers[1].upgrade()
    for peer in peers:
        peer.connection.begin_drain()
        peer.connection.close_if_idle()
    stage.tick(1000)
    assert not any(peer.closed for peer in peers)


def test_in_a_hurry_an_idle_connection_is_closed_at_once(stage: Stage) -> None:
    peer = stage.connect()
    peer.connection.close_if_idle()
    stage.loop.run_ready()
    assert peer.closed


def test_nothing_is_served_after_the_last_response(stage: Stage) -> None:
    """RFC 9112, section 9.6: what came behind it is read and dropped."""
    peer = stage.connect()
    peer.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + GET)
    stage.call.answer()
    assert peer.take().count(b"HTTP/1.1") == 1
    assert len(stage.calls) == 1
    assert peer.transport.eof_written
    assert peer.transport.reading


def test_a_handshake_behind_the_last_response_is_dropped(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + handshake_request(KEY))
    stage.call.answer()
    assert len(stage.calls) == 1


def test_an_abort_is_a_disconnect(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    peer.connection.abort()
    stage.loop.run_ready()
    assert peer.closed
    stage.call.receive()
    assert stage.call.receive() == {"type": "http.disconnect"}
