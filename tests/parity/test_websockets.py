"""WebSocket sessions that go well, over every frame engine."""

import pytest

from monoceros.errors import ClientDisconnected
from tests.doubles.stage import GET, KEY, Stage
from tests.doubles.websocket_client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    RSV1,
    TEXT,
    Deflater,
    accept_key,
    close_frame,
    frame,
    handshake_request,
)


def test_the_scope_tells_all_of_a_handshake(session_stage: Stage) -> None:
    session_stage.context.state = {"key": "value"}
    session_stage.connect().upgrade(path="/chat%20?a=b", subprotocols=("one", "two"))
    scope = session_stage.call.scope
    assert scope.pop("headers")[0] == (b"host", b"a")
    assert scope == {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/chat ",
        "raw_path": b"/chat%20",
        "query_string": b"a=b",
        "root_path": "",
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "subprotocols": ["one", "two"],
        "extensions": {"websocket.http.response": {}},
        "state": {"key": "value"},
    }


def test_an_encrypted_session_has_the_scheme_wss(session_stage: Stage) -> None:
    session_stage.connect(tls=True).upgrade()
    assert session_stage.call.scope["scheme"] == "wss"


def test_an_accepted_handshake_is_answered_with_101(session_stage: Stage) -> None:
    """RFC 6455, section 4.2.2."""
    outcomes: list[tuple[str, str, int | None]] = []
    session_stage.context.websocket_log = lambda *values: outcomes.append(values)
    peer = session_stage.connect()
    peer.upgrade(path="/x?y", subprotocols=("one", "two"))
    assert peer.take() == b""
    session_stage.call.accept(subprotocol="two", headers=[(b"X-A", b"b")])
    answer = peer.answer()
    assert answer.status == 101
    assert answer.headers == [
        ("server", "monoceros"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-accept", accept_key(KEY)),
        ("sec-websocket-protocol", "two"),
        ("x-a", "b"),
    ]
    assert outcomes == [("127.0.0.1:50000", "/x?y", None)]


def test_messages_go_both_ways(session_stage: Stage) -> None:
    """RFC 6455, section 5.6."""
    peer = session_stage.connect()
    peer.upgrade()
    call = session_stage.call
    call.accept()
    peer.take()
    waiting = call.begin_receive()
    peer.send(frame(TEXT, "grüß".encode()) + frame(BINARY, b"\x00\xff"))
    assert waiting.result() == {"type": "websocket.receive", "text": "grüß"}
    assert call.receive() == {"type": "websocket.receive", "bytes": b"\x00\xff"}
    call.send("websocket.send", text="grüß")
    call.send("websocket.send", bytes=b"\x00\xff", text=None)
    call.send("websocket.send", bytes=bytearray(b"1"))
    assert [(each.opcode, each.payload) for each in peer.frames()] == [
        (TEXT, "grüß".encode()),
        (BINARY, b"\x00\xff"),
        (BINARY, b"1"),
    ]


def test_fragments_become_one_message(session_stage: Stage) -> None:
    """RFC 6455, section 5.4: and a ping between them is answered."""
    peer = session_stage.connect()
    peer.upgrade()
    session_stage.call.accept()
    peer.take()
    peer.send(frame(TEXT, b"one ", fin=False))
    peer.send(frame(PING, b"?") + frame(CONTINUATION, b"two ", fin=False))
    assert [(each.opcode, each.payload) for each in peer.frames()] == [(PONG, b"?")]
    waiting = session_stage.call.begin_receive()
    peer.send(frame(CONTINUATION, b"three"))
    assert waiting.result() == {"type": "websocket.receive", "text": "one two three"}


def test_what_comes_with_the_handshake_waits_for_its_answer(session_stage: Stage) -> None:
    peer = session_stage.connect()
    peer.upgrade(early=frame(TEXT, b"early"))
    peer.send(frame(TEXT, b"later"))
    call = session_stage.call
    assert call.receive() == {"type": "websocket.connect"}
    waiting = call.begin_receive()
    assert not waiting.done()
    call.send("websocket.accept")
    assert waiting.result() == {"type": "websocket.receive", "text": "early"}
    assert call.receive()["text"] == "later"


def test_a_handshake_may_come_behind_a_request(session_stage: Stage) -> None:
    peer = session_stage.connect()
    peer.send(GET + handshake_request(KEY) + frame(TEXT, b"early"))
    session_stage.call.answer()
    assert peer.answer().status == 200
    session_stage.call.accept()
    assert session_stage.call.receive()["text"] == "early"


def test_reading_pauses_when_much_comes_before_the_answer(session_stage: Stage) -> None:
    peer = session_stage.connect()
    peer.upgrade(early=frame(BINARY, b"x" * 70000))
    assert not peer.transport.reading
    session_stage.call.accept()
    assert len(session_stage.call.receive()["bytes"]) == 70000
    session_stage.loop.run_ready()
    assert peer.transport.reading


def test_reading_pauses_while_the_queue_is_full(session_stage: Stage) -> None:
    session_stage.set_websocket(max_queue=2)
    peer = session_stage.connect()
    peer.upgrade()
    call = session_stage.call
    call.accept()
    peer.send(frame(TEXT, b"1"))
    assert peer.transport.reading
    peer.send(frame(TEXT, b"2"))
    assert not peer.transport.reading
    peer.send(frame(TEXT, b"3"))
    assert [call.receive()["text"] for _ in range(3)] == ["1", "2", "3"]
    assert peer.transport.reading
    assert not call.begin_receive().done()


def test_a_send_waits_for_a_peer_that_reads_too_slowly(session_stage: Stage) -> None:
    peer = session_stage.connect()
    peer.upgrade()
    call = session_stage.call
    call.accept()
    peer.transport.peer_stops_reading()
    call.send("websocket.send", bytes=b"x" * 60000)
    waiting = call.begin_send("websocket.send", bytes=b"x" * 60000)
    assert not waiting.done()
    peer.read_again()
    assert waiting.done()


def test_the_peer_closes(session_stage: Stage) -> None:
    """RFC 6455, section 5.5.1: its code is echoed."""
    peer = session_stage.connect()
    peer.upgrade()
    call = session_stage.call
    call.accept()
    peer.take()
    peer.send(frame(TEXT, b"last") + close_frame(3001, "bye"))
    assert [(each.opcode, each.payload) for each in peer.frames()] == [(CLOSE, b"\x0b\xb9")]
    assert peer.closed
    assert call.receive()["text"] == "last"
    for _ in range(2):
        assert call.receive() == {"type": "websocket.disconnect", "code": 3001, "reason": "bye"}
    for kind in ("websocket.send", "websocket.close"):
        with pytest.raises(ClientDisconnected):
            call.send(kind, text="too late")
    call.returns()
    assert session_stage.context.requests == 1
    assert not session_stage.context.running


def test_a_close_without_a_code_is_1005(session_stage: Stage) -> None:
    """RFC 6455, section 7.1.5."""
    peer = session_stage.connect()
    peer.upgrade()
    session_stage.call.accept()
    peer.send(close_frame())
    assert session_stage.call.receive() == {"type": "websocket.disconnect", "code": 1005, "reason": ""}


@pytest.mark.parametrize(
    ("message", "payload"),
    [
        ({}, b"\x03\xe8"),
        ({"code": None, "reason": None}, b"\x03\xe8"),
        ({"code": 4000, "reason": "grüß"}, b"\x0f\xa0" + "grüß".encode()),
        ({"code": 1000, "reason": "x" * 200}, b"\x03\xe8" + b"x" * 123),
    ],
)
def test_the_application_closes(session_stage: Stage, message: dict[str, object], payload: bytes) -> None:
    peer = session_stage.connect()
    peer.upgrade()
    call = session_stage.call
    call.accept()
    peer.take()
    call.send("websocket.close", **message)
    assert [(each.opcode, each.payload) for each in peer.frames()] == [(CLOSE, payload)]
    assert not peer.closed
    assert call.receive()["type"] == "websocket.disconnect"
    peer.send(frame(TEXT, b"dropped") + close_frame(1000))
    assert peer.frames() == []
    assert peer.closed


def test_the_connection_is_cut_if_the_peer_does_not_answer_a_close(session_stage: Stage) -> None:
    """RFC 6455, section 7.1.1."""
    peer = session_stage.connect()
    peer.upgrade()
    session_stage.call.accept()
    session_stage.call.send("websocket.close")
    session_stage.tick(9)
    assert not peer.closed
    session_stage.tick(2)
    assert peer.transport.aborted


def test_an_application_that_returns_closes_with_1000(session_stage: Stage) -> None:
    peer = session_stage.connect()
    peer.upgrade()
    session_stage.call.accept()
    peer.take()
    session_stage.call.returns()
    assert [each.payload for each in peer.frames()] == [b"\x03\xe8"]


@pytest.mark.parametrize("offered", ["permessage-deflate", "permessage-deflate; client_max_window_bits"])
def test_compression_is_agreed_on_and_used(session_stage: Stage, offered: str) -> None:
    """RFC 7692."""
    peer = session_stage.connect()
    peer.upgrade(extensions=offered)
    session_stage.call.accept()
    agreed = peer.answer().header("sec-websocket-extensions")
    assert agreed is not None
    deflater = Deflater(agreed)
    for text in ("a" * 1000, "b" * 1000):
        peer.send(frame(TEXT, deflater.deflate(text.encode()), rsv=RSV1))
        assert session_stage.call.receive()["text"] == text
        session_stage.call.send("websocket.send", text=text)
        (sent,) = peer.frames()
        assert sent.rsv == RSV1
        assert len(sent.payload) < 100
        assert deflater.inflate(sent.payload) == text.encode()


def test_a_session_without_compression_has_none(session_stage: Stage) -> None:
    peer = session_stage.connect()
    peer.upgrade()
    session_stage.call.accept()
    assert peer.answer().header("sec-websocket-extensions") is None
    session_stage.call.send("websocket.send", text="a" * 1000)
    (sent,) = peer.frames()
    assert (sent.rsv, sent.payload) == (0, b"a" * 1000)
