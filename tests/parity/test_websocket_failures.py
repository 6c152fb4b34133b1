"""WebSocket sessions that fail, over every frame engine: who is told what."""

import pytest

from monoceros.errors import ClientDisconnected
from monoceros.wire.engine import EngineOptions
from tests.doubles.stage import ENGINES, Stage
from tests.doubles.websocket_client import (
    CLOSE,
    CONTINUATION,
    RSV1,
    RSV2,
    TEXT,
    Deflater,
    close_frame,
    frame,
    handshake_request,
)


def close_code(payload: bytes) -> int:
    return int.from_bytes(payload[:2], "big")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"\xc3", fin=False) + frame(CONTINUATION, b"\x28"), 1007),
        (frame(TEXT, b"a", mask=None), 1002),
        (frame(3, b"a"), 1002),
        (frame(TEXT, b"a", rsv=RSV2), 1002),
        (frame(CONTINUATION, b"a"), 1002),
        (close_frame(1005), 1002),
    ],
)
def test_data_that_breaks_the_protocol_fails_the_connection(session_stage: Stage, data: bytes, code: int) -> None:
    """RFC 6455, sections 7.1.7 and 8.1; the messages before it are delivered."""
    peer = session_stage.connect()
    peer.upgrade()
    call = session_stage.call
    call.accept()
    peer.take()
    peer.send(frame(TEXT, b"good") + data)
    (sent,) = peer.frames()
    assert (sent.opcode, close_code(sent.payload)) == (CLOSE, code)
    assert call.receive()["text"] == "good"
    disconnect = call.receive()
    assert (disconnect["type"], disconnect["code"]) == ("websocket.disconnect", code)
    with pytest.raises(ClientDisconnected):
        call.send("websocket.send", text="too late")


def test_a_failed_connection_lingers_for_the_peer_to_read_why(session_stage: Stage) -> None:
    """RFC 6455, section 7.1.1: a reset could overtake the close frame."""
    peer = session_stage.connect()
    peer.upgrade()
    session_stage.call.accept()
    peer.send(frame(TEXT, b"\xff"))
    assert peer.transport.eof_written
    peer.send(b"more" * 1000)
    assert peer.transport.reading
    assert not peer.closed
    session_stage.tick(6)
    assert peer.closed


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("compressed", [False, True])
def test_a_message_that_is_too_big_fails_the_connection(engine: str, compressed: bool) -> None:
    """RFC 6455, section 7.4.1: by its size after inflation."""
    stage = Stage(engine=engine, options=EngineOptions(max_size=1000))
    peer = stage.connect()
    peer.upgrade(extensions="permessage-deflate" if compressed else "")
    stage.call.accept()
    agreed = peer.answer().header("sec-websocket-extensions")
    if compressed:
        assert agreed is not None
        peer.send(frame(TEXT, Deflater(agreed).deflate(b"a" * 1001), rsv=RSV1))
    else:
        peer.send(frame(TEXT, b"a" * 1001))
    assert close_code(peer.frames()[0].payload) == 1009
    assert stage.call.receive()["code"] == 1009
    stage.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_compression_that_is_off_is_not_agreed_on(engine: str) -> None:
    stage = Stage(engine=engine, options=EngineOptions(per_message_deflate=False))
    peer = stage.connect()
    peer.upgrade(extensions="permessage-deflate")
    stage.call.accept()
    assert peer.answer().header("sec-websocket-extensions") is None
    stage.close()


def test_an_exception_on_an_open_session_closes_it_with_1011(
    session_stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    peer = session_stage.connect()
    peer.upgrade(path="/chat")
    session_stage.call.accept()
    peer.take()
    session_stage.call.raises(ValueError("a mistake"))
    assert [close_code(each.payload) for each in peer.frames()] == [1011]
    (record,) = caplog.records
    assert "WebSocket /chat" in record.getMessage()
    assert "ValueError: a mistake" in caplog.text


@pytest.mark.parametrize("raises", [True, False])
def test_a_handshake_that_the_application_leaves_unanswered_gets_500(
    session_stage: Stage, caplog: pytest.LogCaptureFixture, raises: bool
) -> None:
    peer = session_stage.connect()
    peer.upgrade()
    if raises:
        session_stage.call.raises(ValueError())
    else:
        session_stage.call.returns()
    assert peer.answer().status == 500
    assert peer.closed
    assert len(caplog.records) == 1
    assert session_stage.context.requests == 1


def test_a_close_before_the_accept_is_answered_with_403(session_stage: Stage) -> None:
    outcomes: list[tuple[str, str, int | None]] = []
    session_stage.context.websocket_log = lambda *values: outcomes.append(values)
    peer = session_stage.connect()
    peer.upgrade()
    session_stage.call.receive()
    session_stage.call.send("websocket.close")
    answer = peer.answer()
    assert (answer.status, answer.header("connection"), answer.body) == (403, "close", b"")
    assert session_stage.call.receive() == {"type": "websocket.disconnect", "code": 1006, "reason": ""}
    assert peer.closed
    assert outcomes == [("127.0.0.1:50000", "/", 403)]
    assert session_stage.context.requests == 1


def test_a_handshake_may_be_denied_with_a_whole_response(session_stage: Stage) -> None:
    """ASGI, the extension `websocket.http.response`."""
    outcomes: list[int | None] = []
    session_stage.context.websocket_log = lambda client, path, status: outcomes.append(status)
    peer = session_stage.connect()
    peer.upgrade()
    session_stage.call.send("websocket.http.response.start", status=401, headers=[(b"a", b"b")])
    assert peer.take() == b""
    session_stage.call.send("websocket.http.response.body", body=b"no")
    answer = peer.answer()
    assert (answer.status, answer.header("a"), answer.header("content-length"), answer.body) == (401, "b", "2", b"no")
    assert [session_stage.call.receive()["type"] for _ in range(2)] == ["websocket.connect", "websocket.disconnect"]
    assert peer.closed
    assert outcomes == [401]
    session_stage.call.returns()
    assert session_stage.context.requests == 1


def test_a_handshake_may_be_denied_with_a_stream(session_stage: Stage) -> None:
    peer = session_stage.connect()
    peer.upgrade()
    session_stage.call.send("websocket.http.response.start", status=418)
    session_stage.tick()
    assert peer.answer().header("transfer-encoding") == "chunked"
    session_stage.call.send("websocket.http.response.body", body=b"one", more_body=True)
    session_stage.call.send("websocket.http.response.body", body=b"two")
    assert peer.take() == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    assert peer.closed


def test_a_denial_that_the_application_leaves_gets_500(session_stage: Stage) -> None:
    peer = session_stage.connect()
    peer.upgrade()
    session_stage.call.send("websocket.http.response.start", status=401)
    session_stage.call.raises(ValueError())
    assert peer.answer().status == 500


def test_a_denial_that_the_application_leaves_amid_its_content_is_broken_off(session_stage: Stage) -> None:
    peer = session_stage.connect()
    peer.upgrade()
    session_stage.call.send("websocket.http.response.start", status=401)
    session_stage.call.send("websocket.http.response.body", body=b"one", more_body=True)
    session_stage.call.returns()
    assert not peer.take().endswith(b"0\r\n\r\n")
    assert peer.closed


def test_a_lost_connection_is_1006(session_stage: Stage) -> None:
    """RFC 6455, section 7.1.5."""
    peer = session_stage.connect()
    peer.upgrade()
    call = session_stage.call
    call.accept()
    waiting = call.begin_receive()
    peer.vanish()
    assert waiting.result() == {"type": "websocket.disconnect", "code": 1006, "reason": ""}
    with pytest.raises(OSError, match="the WebSocket is closed"):
        call.send("websocket.send", text="a")


def test_an_end_without_a_close_is_1006(session_stage: Stage) -> None:
    peer = session_stage.connect()
    peer.upgrade()
    session_stage.call.accept()
    peer.end()
    assert session_stage.call.receive()["code"] == 1006


KEY_FIELD = b"dGhlIHNhbXBsZSBub25jZQ=="


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ((KEY_FIELD, b"short"), 400, None),
        ((b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 12"), 426, ("sec-websocket-version", "13")),
        ((b"GET", b"POST"), 405, ("allow", "GET")),
        ((b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\n"), 400, None),
    ],
)
def test_a_handshake_that_is_wrong_is_refused(
    session_stage: Stage, change: tuple[bytes, bytes], status: int, field: tuple[str, str] | None
) -> None:
    """RFC 6455, sections 4.2.1 and 4.4."""
    peer = session_stage.connect()
    peer.send(handshake_request(KEY_FIELD.decode()).replace(*change))
    answer = peer.answer()
    assert answer.status == status
    assert field is None or field in answer.headers
    assert peer.transport.eof_written
    assert session_stage.calls == []


@pytest.mark.parametrize("change", [(b"Upgrade: websocket", b"Upgrade: h2c"), (b"Connection: Upgrade", b"A: b")])
def test_an_upgrade_to_something_else_is_served_as_plain_http(
    session_stage: Stage, change: tuple[bytes, bytes]
) -> None:
    """RFC 9110, section 7.8."""
    peer = session_stage.connect()
    peer.send(handshake_request(KEY_FIELD.decode()).replace(*change))
    assert session_stage.call.scope["type"] == "http"
    session_stage.call.answer(b"plain")
    assert peer.answer().status == 200
    assert not peer.closed


def test_a_handshake_with_websockets_off_is_served_as_plain_http(
    session_stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    session_stage.context.websocket = None
    peer = session_stage.connect()
    peer.upgrade()
    assert session_stage.call.scope["type"] == "http"
    session_stage.call.answer(b"plain")
    assert peer.answer().body == b"plain"
    assert "WebSockets are off" in caplog.text
