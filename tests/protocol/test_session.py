"""One WebSocket session: mistakes of the application, pings, and how a server ends it. Parity tests have the rest."""

import pytest

from monoceros.asgi import Message
from monoceros.errors import ClientDisconnected
from monoceros.logs.lines import EXCERPT
from monoceros.protocol.session import WebSocketSession
from tests.doubles.stage import Peer, Stage
from tests.doubles.websocket_client import CLOSE, PING, PONG, TEXT, close_frame, frame

ACCEPT: Message = {"type": "websocket.accept"}
SEND: Message = {"type": "websocket.send"}
CLOSE_IT: Message = {"type": "websocket.close"}
DENY: Message = {"type": "websocket.http.response.start", "status": 403}
DENIAL: Message = {"type": "websocket.http.response.body"}


@pytest.fixture
def peer(stage: Stage) -> Peer:
    """One that has asked for a WebSocket."""
    peer = stage.connect()
    peer.upgrade(path="/chat?room=1")
    return peer


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([SEND], "sent 'websocket.send' first on a WebSocket; ASGI asks for 'websocket.accept'"),
        ([{}], "sent None first on a WebSocket"),
        ([DENIAL], "sent 'websocket.http.response.body' first"),
        ([{**ACCEPT, "subprotocol": b"a"}], "sent 'subprotocol' of type bytes; ASGI asks for str"),
        ([{**ACCEPT, "subprotocol": "a\r\nb: c"}], "with subprotocol 'a\\r\\nb: c'; RFC 6455"),
        ([{**ACCEPT, "headers": {b"a": b"b"}}], "headers of type dict; ASGI asks for a list of pairs"),
        ([{**ACCEPT, "headers": [("a", "b")]}], "sent headers [('a', 'b')]; ASGI asks for pairs of bytes"),
        ([{**ACCEPT, "headers": [(b"a", b"b", b"c")]}], "ASGI asks for pairs of bytes"),
        ([{**ACCEPT, "headers": [(b"a", b"b\r\nc: d")]}], "the header b'a' with a control character in its value"),
        ([{**ACCEPT, "headers": [(b"Sec-WebSocket-Protocol", b"a")]}], "a header 'sec-websocket-protocol', which is"),
        ([ACCEPT, ACCEPT], "sent 'websocket.accept' on an open WebSocket; ASGI asks for 'websocket.send'"),
        ([ACCEPT, DENY], "sent 'websocket.http.response.start' on an open WebSocket"),
        ([ACCEPT, SEND], "sent 'websocket.send' with neither 'bytes' nor 'text'"),
        ([ACCEPT, {**SEND, "bytes": "text"}], "sent 'bytes' of type str; ASGI asks for bytes"),
        ([ACCEPT, {**SEND, "text": b"octets"}], "sent 'text' of type bytes; ASGI asks for str"),
        ([ACCEPT, {**SEND, "text": "\ud800"}], "sent text with a lone surrogate"),
        ([ACCEPT, {**CLOSE_IT, "code": 1006}], "closed the WebSocket with code 1006; ASGI and RFC 6455"),
        ([ACCEPT, {**CLOSE_IT, "code": "1000"}], "closed the WebSocket with code '1000'; ASGI asks for an int"),
        ([ACCEPT, {**CLOSE_IT, "reason": b"a"}], "sent 'reason' of type bytes; ASGI asks for str"),
        ([ACCEPT, CLOSE_IT, SEND], "sent 'websocket.send' after it had closed the WebSocket"),
        ([ACCEPT, CLOSE_IT, CLOSE_IT], "sent 'websocket.close' after it had closed the WebSocket"),
        ([{**DENY, "status": 101}], "the status 101; a final status is a number from 200 to 599"),
        ([{**DENY, "headers": [(b"a", b"\n")]}, DENIAL], "the header b'a' with a control character"),
        ([DENY, ACCEPT], "sent 'websocket.accept' while it denies the handshake with a response; ASGI asks for"),
        ([DENY, DENY], "sent 'websocket.http.response.start' while it denies"),
        ([DENY, {**DENIAL, "body": "text"}], "sent 'body' of type str; ASGI asks for bytes"),
        ([{**DENY, "headers": [(b"content-length", b"3")]}, {**DENIAL, "body": b"1"}], "declared 3 octets"),
    ],
)
def test_a_mistake_is_named_where_it_is_made(stage: Stage, peer: Peer, messages: list[Message], said: str) -> None:
    for message in messages[:-1]:
        stage.call.send_message(message)
    with pytest.raises(RuntimeError) as caught:
        stage.call.send_message(messages[-1])
    assert str(caught.value).startswith("the application ")
    assert said in str(caught.value)


@pytest.mark.parametrize("message", [{**ACCEPT, "headers": [(b"a", b"\n")]}, {**DENY, "status": 0}])
def test_500_is_written_even_when_the_answer_of_the_application_cannot_be(
    stage: Stage, peer: Peer, message: Message
) -> None:
    exc = stage.call.begin_send_message(message).exception()
    assert exc is not None
    assert peer.take() == b""
    stage.call.raises(exc)
    assert peer.answer().status == 500
    assert peer.closed


def test_a_message_may_be_empty(stage: Stage, peer: Peer) -> None:
    stage.call.accept()
    peer.take()
    stage.call.send("websocket.send", text="")
    stage.call.send("websocket.send", bytes=b"")
    assert [each.payload for each in peer.frames()] == [b"", b""]


def test_a_denial_without_content_has_none(stage: Stage, peer: Peer) -> None:
    """RFC 9110, section 15.3.5."""
    stage.call.send("websocket.http.response.start", status=204)
    stage.call.send("websocket.http.response.body", body=b"a", more_body=True)
    stage.call.send("websocket.http.response.body", body=b"b")
    assert peer.answer().body == b""


def test_pings_go_out_and_pongs_keep_the_session(stage: Stage) -> None:
    """RFC 6455, section 5.5.2."""
    stage.set_websocket(ping_interval=10, ping_timeout=5)
    peer = stage.connect()
    peer.upgrade()
    stage.loop.advance(60)
    stage.call.accept()
    peer.take()
    for _ in range(3):
        stage.loop.advance(10)
        (ping,) = peer.frames()
        assert ping.opcode == PING
        stage.loop.advance(4)
        peer.send(frame(PONG, ping.payload))
    assert not stage.call.begin_receive().done()


def test_a_missing_pong_fails_the_session_with_1011(stage: Stage) -> None:
    stage.set_websocket(ping_interval=10, ping_timeout=5)
    peer = stage.connect()
    peer.upgrade()
    stage.call.accept()
    peer.take()
    stage.loop.advance(15)
    ping, close = peer.frames()
    assert (ping.opcode, close.opcode, close.payload[:2]) == (PING, CLOSE, b"\x03\xf3")
    disconnect = stage.call.receive()
    assert (disconnect["type"], disconnect["code"]) == ("websocket.disconnect", 1011)
    with pytest.raises(ClientDisconnected):
        stage.call.send("websocket.send", text="a")
    stage.tick(6)
    assert peer.closed
    assert stage.loop.timers == 0


def test_a_pong_that_waits_behind_unread_messages_is_not_missing(stage: Stage) -> None:
    """Reading is paused: that nothing can be heard from the peer is the application's doing."""
    stage.set_websocket(max_queue=1, ping_interval=10, ping_timeout=5)
    peer = stage.connect()
    peer.upgrade()
    stage.call.accept()
    peer.send(frame(TEXT, b"1"))
    assert not peer.transport.reading
    peer.take()
    stage.loop.advance(60)
    assert {each.opcode for each in peer.frames()} == {PING}
    assert stage.call.receive()["text"] == "1"
    stage.loop.advance(14)
    assert not peer.transport.eof_written


@pytest.mark.parametrize("end", ["vanish", "close", "peer_close"])
def test_no_ping_outlives_the_session(stage: Stage, end: str) -> None:
    """A timer would keep all of it in memory."""
    stage.set_websocket(ping_interval=10, ping_timeout=5)
    peer = stage.connect()
    peer.upgrade()
    stage.call.accept()
    if end == "vanish":
        peer.vanish()
    elif end == "close":
        stage.call.send("websocket.close")
    else:
        peer.send(close_frame(1000))
    assert stage.loop.timers == 0


def test_a_drain_closes_an_open_session_with_1012(stage: Stage, peer: Peer) -> None:
    call = stage.call
    call.accept()
    peer.take()
    (session,) = stage.context.running
    session.notify_drain()
    session.notify_drain()
    assert [(each.opcode, each.payload) for each in peer.frames()] == [(CLOSE, b"\x03\xf4")]
    assert call.receive() == {"type": "websocket.disconnect", "code": 1012, "reason": ""}
    peer.send(close_frame(1012))
    assert peer.closed


@pytest.mark.parametrize("accepted", [True, False])
def test_what_is_sent_after_a_drain_closed_the_session_is_no_mistake(stage: Stage, peer: Peer, accepted: bool) -> None:
    """The application can't have known."""
    if accepted:
        stage.call.accept()
    (session,) = stage.context.running
    session.notify_drain()
    with pytest.raises(ClientDisconnected):
        stage.call.send("websocket.send" if accepted else "websocket.accept", text="a")


def test_a_drain_refuses_a_handshake_that_is_not_answered_yet_with_503(stage: Stage, peer: Peer) -> None:
    (session,) = stage.context.running
    session.notify_drain()
    stage.loop.run_ready()
    assert peer.answer().status == 503
    assert peer.closed


def test_a_session_that_does_not_listen_is_cut_off(stage: Stage, peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    stage.call.accept()
    (session,) = stage.context.running
    session.notify_drain()
    session.cut_off()
    stage.loop.run_ready()
    assert peer.transport.aborted
    assert stage.call.cancelled
    assert not stage.context.running
    assert caplog.records == []


def test_a_session_that_is_cancelled_is_closed(stage: Stage, peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    stage.call.accept()
    peer.take()
    (session,) = stage.context.running
    assert session.task is not None
    session.task.cancel()
    stage.loop.run_ready()
    assert [each.payload for each in peer.frames()] == [b"\x03\xf3"]
    assert "cancelled before it was closed" in caplog.text


def test_a_disconnect_that_the_application_lets_through_is_no_failure(
    stage: Stage, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    stage.call.accept()
    peer.vanish()
    exc = stage.call.begin_send("websocket.send", text="a").exception()
    assert isinstance(exc, ClientDisconnected)
    stage.call.raises(exc)
    assert caplog.records == []
    assert not stage.context.running


def test_a_disconnect_of_another_session_closes_this_one(
    stage: Stage, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    """A broadcast that fails for one listener: whoever sent it must not be left with nobody at the other end."""
    stage.call.accept()
    peer.take()
    stage.call.raises(ClientDisconnected("the WebSocket is closed"))
    assert [each.payload for each in peer.frames()] == [b"\x03\xf3"]
    assert len(caplog.records) == 1


def test_a_value_that_the_application_returns_is_mentioned(
    stage: Stage, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    stage.call.accept()
    stage.call.returns(1)
    assert "the application returned 1; ASGI asks for None" in caplog.text


def test_the_messages_before_the_own_close_are_still_there(stage: Stage, peer: Peer) -> None:
    stage.call.accept()
    peer.send(frame(TEXT, b"unread"))
    stage.call.send("websocket.close")
    assert [stage.call.receive()["type"] for _ in range(2)] == ["websocket.receive", "websocket.disconnect"]


def test_the_answer_to_a_close_is_heard_though_the_queue_is_full(stage: Stage) -> None:
    stage.set_websocket(max_queue=1)
    peer = stage.connect()
    peer.upgrade()
    stage.call.accept()
    peer.send(frame(TEXT, b"unread"))
    stage.call.send("websocket.close")
    peer.send(close_frame(1000))
    assert peer.closed


def test_a_peer_that_closes_and_reads_no_more_is_cut_off(stage: Stage, peer: Peer) -> None:
    stage.call.accept()
    peer.transport.peer_stops_reading()
    stage.call.send("websocket.send", bytes=b"x" * 1000)
    peer.send(close_frame(1000))
    stage.tick(10)
    assert not peer.closed
    stage.tick()
    assert peer.transport.aborted


def test_a_session_says_which_it_is(stage: Stage, peer: Peer) -> None:
    (session,) = stage.context.running
    assert isinstance(session, WebSocketSession)
    assert session.describe() == "WebSocket /chat?room=1"


def test_the_line_of_a_failure_shows_the_beginning_of_a_long_path(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.connect().upgrade(path="/" + "a" * 8000)
    stage.call.raises(ValueError("mine"))
    assert caplog.messages == [
        f"Exception in ASGI application: WebSocket /{'a' * (EXCERPT - 1)}... (8001 characters)\n"
    ]


def test_what_is_sent_in_one_turn_leaves_in_one_write(stage: Stage, peer: Peer) -> None:
    stage.call.accept()
    peer.take()
    written = len(peer.transport.writes)
    for number in range(5):
        stage.call.send_next_turn("websocket.send", text=str(number))
    stage.loop.run_ready()
    assert len(peer.transport.writes) == written + 1
    assert [each.payload for each in peer.frames()] == [b"0", b"1", b"2", b"3", b"4"]


def test_the_answer_to_a_lone_message_is_written_straight_away(stage: Stage, peer: Peer) -> None:
    """Without another turn of the loop."""
    stage.call.accept()
    peer.take()
    waiting = stage.call.begin_receive()
    peer.transport.peer_sends(frame(TEXT, b"?"))
    stage.loop.run_ready()
    assert waiting.done()
    sending = stage.call.send_next_turn("websocket.send", text="!")
    stage.loop.run_turn()
    assert sending.done()
    assert [each.payload for each in peer.frames()] == [b"!"]


def test_a_close_follows_what_was_sent_before_it(stage: Stage, peer: Peer) -> None:
    stage.call.accept()
    peer.take()
    written = len(peer.transport.writes)
    stage.call.send_next_turn("websocket.send", text="last")
    stage.call.send_next_turn("websocket.close")
    stage.loop.run_ready()
    assert [(each.opcode, each.payload) for each in peer.frames()] == [(TEXT, b"last"), (CLOSE, b"\x03\xe8")]
    assert len(peer.transport.writes) == written + 1


def test_the_answer_to_the_peers_close_follows_what_was_sent_before_it(stage: Stage, peer: Peer) -> None:
    """RFC 6455, section 5.5.1: nothing may follow a close frame."""
    stage.call.accept()
    peer.take()
    stage.call.send_next_turn("websocket.send", text="last")
    stage.loop.run_turn()
    peer.send(close_frame(1000))
    assert [(each.opcode, each.payload) for each in peer.frames()] == [(TEXT, b"last"), (CLOSE, b"\x03\xe8")]


def test_what_was_sent_to_a_peer_that_is_gone_by_the_end_of_the_turn_is_dropped(stage: Stage, peer: Peer) -> None:
    stage.call.accept()
    written = len(peer.transport.writes)
    stage.call.send_next_turn("websocket.send", text="late")
    stage.loop.run_turn()
    peer.vanish()
    assert len(peer.transport.writes) == written


def test_a_reason_that_is_cut_is_mentioned(stage: Stage, peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    """RFC 6455, section 5.5: a control frame has at most 125 octets, and the code takes two."""
    stage.call.accept()
    peer.take()
    stage.call.send("websocket.close", code=4000, reason="\u20ac" * 42)
    (sent,) = peer.frames()
    assert sent.payload == b"\x0f\xa0" + ("\u20ac" * 41).encode()
    assert "WebSocket /chat?room=1: the reason of its close is cut: it has room for 123 octets" in caplog.text
