"""What a session holds of what its peer sends, and for a peer that does not read: bounded, over every frame engine."""

import asyncio
import gc
import weakref

import pytest

from monoceros.errors import ClientDisconnected
from monoceros.wire.engine import EngineOptions
from monoceros.wire.gate import MAX_OWED
from tests.doubles.stage import ENGINES, Peer, Stage
from tests.doubles.websocket_client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    RSV1,
    TEXT,
    Deflater,
    close_frame,
    frame,
)

READ = 256 * 1024
"""Octets that a loop hands over at once, at most."""


def accepted(stage: Stage, extensions: str = "") -> Peer:
    peer = stage.connect()
    peer.upgrade(extensions=extensions)
    stage.call.accept()
    return peer


def answered(peer: Peer) -> list[tuple[int, bytes]]:
    return [(each.opcode, each.payload) for each in peer.frames()]


def test_a_read_full_of_tiny_messages_is_decoded_as_the_application_receives(session_stage: Stage) -> None:
    """The ping behind them shows it: it is answered when it is reached."""
    session_stage.set_websocket(max_queue=4)
    peer = accepted(session_stage)
    peer.take()
    count = READ // 7
    peer.send(frame(BINARY, b"x") * count + frame(PING, b"?"))
    assert not peer.transport.reading
    for _ in range(count - 5):
        assert session_stage.call.receive()["bytes"] == b"x"
    assert peer.take() == b""
    for _ in range(5):
        assert session_stage.call.receive()["bytes"] == b"x"
    assert answered(peer) == [(PONG, b"?")]
    assert peer.transport.reading


def test_reading_pauses_with_64_kib_of_messages(session_stage: Stage) -> None:
    peer = accepted(session_stage)
    peer.send(frame(BINARY, b"x" * 40000))
    assert peer.transport.reading
    peer.send(frame(BINARY, b"x" * 40000))
    assert not peer.transport.reading
    session_stage.call.receive()
    session_stage.call.receive()
    session_stage.loop.run_ready()
    assert peer.transport.reading


def test_messages_that_grow_when_inflated_are_decoded_one_by_one(session_stage: Stage) -> None:
    """Of 64 KiB each once inflated, and a hundred octets on the wire."""
    peer = accepted(session_stage, "permessage-deflate; client_no_context_takeover")
    agreed = peer.answer().header("sec-websocket-extensions")
    assert agreed is not None
    swollen = frame(BINARY, Deflater(agreed).deflate(bytes(65536)), rsv=RSV1)
    peer.send(swollen * 20 + frame(PING, b"?"))
    for _ in range(19):
        assert peer.take() == b""
        assert session_stage.call.receive()["bytes"] == bytes(65536)
    assert session_stage.call.receive()["bytes"] == bytes(65536)
    assert answered(peer) == [(PONG, b"?")]


@pytest.mark.parametrize("flood", [frame(PONG, b"x"), frame(PING)])
def test_a_read_full_of_control_frames_is_worked_off(session_stage: Stage, flood: bytes) -> None:
    peer = accepted(session_stage)
    peer.send(flood * (READ // len(flood)) + frame(TEXT, b"behind"))
    assert session_stage.call.receive()["text"] == "behind"


def test_between_the_frames_of_a_full_read_others_have_their_turn(session_stage: Stage) -> None:
    peer = accepted(session_stage)
    waiting = session_stage.call.begin_receive()
    begun = frame(TEXT, fin=False) + frame(CONTINUATION, b"x", fin=False) * 10000
    peer.transport.peer_sends(begun + frame(CONTINUATION))
    seen: list[bool] = []
    session_stage.loop.call_soon(lambda: seen.append(waiting.done()))
    session_stage.loop.run_ready()
    assert seen == [False]
    assert waiting.result()["text"] == "x" * 10000
    assert peer.transport.reading


def test_a_peer_that_pings_and_does_not_read_costs_a_bounded_buffer(session_stage: Stage) -> None:
    """RFC 6455, section 5.5.3: the latest ping is answered once the peer reads, the others needn't be."""
    peer = accepted(session_stage)
    peer.transport.peer_stops_reading()
    for number in range(20):
        peer.send(frame(PING, b"x" * 125) * (READ // 131) + frame(PING, b"%d" % number))
    assert peer.transport.get_write_buffer_size() <= 65536 + 2 * MAX_OWED
    peer.take()
    peer.read_again()
    session_stage.tick()
    answers = answered(peer)
    assert answers[-1] == (PONG, b"19")
    assert sum(len(payload) for _, payload in answers) <= MAX_OWED + 125


def test_no_ping_is_answered_after_the_peer_has_gone(session_stage: Stage) -> None:
    peer = accepted(session_stage)
    peer.transport.peer_stops_reading()
    for _ in range(6):
        peer.send(frame(PING, b"x" * 125) * 1000)
    peer.vanish()
    written = len(peer.transport.writes)
    session_stage.tick()
    assert len(peer.transport.writes) == written
    assert session_stage.call.receive()["code"] == 1006


@pytest.mark.parametrize("engine", ENGINES)
def test_a_message_in_too_many_fragments_fails_the_connection(engine: str) -> None:
    """RFC 6455, section 7.4.1: 1009. Empty ones count, or they could go on for ever."""
    stage = Stage(engine=engine, options=EngineOptions(max_fragments=100))
    peer = accepted(stage)
    peer.take()
    start, go_on = frame(TEXT, fin=False), frame(CONTINUATION, fin=False)
    peer.send(start + go_on * 98 + frame(CONTINUATION) + start + go_on * 99)
    assert stage.call.receive()["text"] == ""
    assert answered(peer) == []
    peer.send(frame(CONTINUATION))
    assert answered(peer) == [(CLOSE, b"\x03\xf1the message has more than 100 fragments")]
    stage.close()


def test_what_the_peer_sent_before_it_was_gone_is_still_told(session_stage: Stage) -> None:
    session_stage.set_websocket(max_queue=4)
    peer = accepted(session_stage)
    peer.send(frame(TEXT, b"x") * 50)
    peer.vanish()
    assert session_stage.context.requests == 1
    with pytest.raises(ClientDisconnected):
        session_stage.call.send("websocket.send", text="too late")
    assert [session_stage.call.receive()["type"] for _ in range(50)] == ["websocket.receive"] * 50
    assert session_stage.call.receive() == {"type": "websocket.disconnect", "code": 1006, "reason": ""}
    assert session_stage.context.requests == 1


@pytest.mark.parametrize(
    ("last", "code"), [(close_frame(3000, "bye"), 3000), (frame(TEXT, b"\xff"), 1007), (frame(PING), 1006)]
)
def test_what_ended_a_session_is_told_though_it_is_read_late(session_stage: Stage, last: bytes, code: int) -> None:
    """And nothing is written to a peer that is gone."""
    session_stage.set_websocket(max_queue=1)
    peer = accepted(session_stage)
    peer.send(frame(TEXT, b"x") * 5 + last)
    peer.vanish()
    written = len(peer.transport.writes)
    assert [session_stage.call.receive()["type"] for _ in range(5)] == ["websocket.receive"] * 5
    assert session_stage.call.receive()["code"] == code
    assert len(peer.transport.writes) == written
    session_stage.call.returns()
    assert not session_stage.context.running


def test_an_answer_to_our_close_is_heard_behind_messages_that_nobody_decoded(session_stage: Stage) -> None:
    session_stage.set_websocket(max_queue=1)
    peer = accepted(session_stage)
    peer.send(frame(TEXT, b"x") * 50 + close_frame(1000))
    assert not peer.closed
    session_stage.call.send("websocket.close")
    session_stage.loop.run_ready()
    assert peer.closed
    assert [session_stage.call.receive()["type"] for _ in range(2)] == ["websocket.receive", "websocket.disconnect"]


def test_nothing_of_a_session_waits_for_the_collector_though_messages_are_left(session_stage: Stage) -> None:
    session_stage.set_websocket(max_queue=1)
    peer = accepted(session_stage)
    peer.send(frame(TEXT, b"x") * 50)
    gc.disable()
    try:
        left = weakref.ref(peer.transport)
        peer.vanish()
        session_stage.call.returns()
        peer.transport.set_protocol(asyncio.Protocol())  # loops forget it, too
        session_stage.calls.clear()
        del peer
        assert left() is None
    finally:
        gc.enable()
    assert session_stage.context.requests == 1
