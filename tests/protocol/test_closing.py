"""The end of a connection: no response is cut by it, no peer puts it off for ever, and nothing of it stays behind."""

import asyncio
import contextlib
import gc
import weakref

import pytest

from monoceros.asgi import Receive, Scope, Send
from monoceros.errors import ClientDisconnected
from monoceros.protocol.http1 import HTTP1Connection
from tests.doubles.stage import GET, Peer, Stage
from tests.doubles.transport import FakeTransport

LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class ReluctantTransport(FakeTransport):
    """TLS to a peer that never agrees to the end of the connection."""

    def close(self) -> None:
        assert not self._closing, "closed twice, asyncio's TLS can't be aborted any more"
        self._closing = True


class ResetTransport(FakeTransport):
    """The peer has reset the connection, and nobody has noticed."""

    def write_eof(self) -> None:
        raise OSError(107, "Transport endpoint is not connected")


def connect(stage: Stage, transport: FakeTransport) -> Peer:
    connection = HTTP1Connection(stage.context)
    transport.connect(connection)
    return Peer(stage.loop, transport, connection)


def test_a_connection_is_idle_only_once_its_response_is_read(stage: Stage) -> None:
    peer = stage.connect()
    peer.transport.peer_stops_reading()
    peer.send()
    stage.call.answer(b"x" * 1000)
    stage.tick(60)
    peer.read_again()
    assert peer.answer().body == b"x" * 1000
    peer.send()
    stage.call.answer(b"second")
    assert peer.answer().body == b"second"
    stage.tick(6)
    assert peer.closed


def test_a_peer_that_does_not_agree_to_the_end_is_waited_for_only_so_long(stage: Stage) -> None:
    peer = connect(stage, ReluctantTransport(stage.loop, tls=True))
    peer.send(LAST)
    stage.call.answer()
    assert peer.transport.is_closing()
    stage.tick(4)
    assert not peer.closed
    stage.tick(2)
    assert peer.closed


def test_an_idle_peer_that_does_not_agree_to_the_end_is_waited_for_only_so_long(stage: Stage) -> None:
    peer = connect(stage, ReluctantTransport(stage.loop, tls=True))
    stage.tick(stage.context.head_timeout)
    assert peer.transport.is_closing()
    stage.tick(6)
    assert peer.closed


def test_a_closed_connection_whose_response_is_still_being_read_is_not_cut(stage: Stage) -> None:
    unread = [True]
    stage.context.holds_unsent = lambda transport: unread[0]
    peer = connect(stage, ReluctantTransport(stage.loop, tls=True))
    peer.send(LAST)
    stage.call.answer()
    peer.connection.cut_off()
    stage.tick(60)
    assert not peer.closed
    unread[0] = False
    stage.tick(6)
    assert peer.closed


@pytest.mark.parametrize("hurry", [False, True])
def test_an_idle_connection_whose_next_request_has_arrived_unread_is_spared_and_answers_it(
    stage: Stage, hurry: bool
) -> None:
    unread = [False]
    stage.context.holds_unread = lambda transport: unread[0]
    peer = stage.connect()
    peer.send()
    stage.call.answer()
    peer.take()
    unread[0] = True
    if hurry:
        peer.connection.close_if_idle()
    else:
        stage.tick(stage.context.keep_alive)
    assert not peer.transport.is_closing()
    unread[0] = False
    stage.context.lasting = False
    peer.send()
    stage.call.answer(b"second")
    assert peer.answer().body == b"second"
    assert peer.closed


def test_a_connection_is_spared_once_in_a_row_for_what_arrived_may_be_no_request(stage: Stage) -> None:
    stage.context.holds_unread = lambda transport: True
    peer = stage.connect()
    peer.send()
    stage.call.answer()
    for _ in range(3):
        peer.connection.close_if_idle()
    assert not peer.transport.is_closing()
    stage.tick()
    assert peer.closed


def test_in_a_hurry_nobody_waits_for_a_peer_to_agree_to_the_end(stage: Stage) -> None:
    peer = connect(stage, ReluctantTransport(stage.loop, tls=True))
    peer.send()
    stage.call.answer()
    for _ in range(3):
        peer.connection.close_if_idle()
    assert not peer.closed
    peer.connection.cut_off()
    stage.tick()
    assert peer.closed


def test_a_refusal_to_a_peer_that_has_reset_the_connection_ends_it(stage: Stage) -> None:
    peer = connect(stage, ResetTransport(stage.loop))
    peer.send(b"nonsense\r\n\r\n")
    assert peer.closed


@pytest.mark.parametrize("kind", ["http.response.body", "websocket.send"])
def test_a_stream_to_a_peer_that_is_gone_gives_the_loop_its_turn(kind: str) -> None:
    """An application that never waits would otherwise run to its end before the loop can say that the peer is gone."""
    peers: list[Peer] = []
    sent: list[bool] = []

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        starts = {"http": "http.response.start", "websocket": "websocket.accept"}
        await send({"type": starts[scope["type"]], "status": 200})
        await send({"type": kind, "body": b"x", "bytes": b"x", "more_body": True})
        peers[0].transport.abort()  # a write failed: the loop tells in its next turn
        with contextlib.suppress(ClientDisconnected):
            while len(sent) < 100:
                await send({"type": kind, "body": b"x", "bytes": b"x", "more_body": True})
                sent.append(peers[0].closed)

    stage = Stage(app=endless)
    peers.append(stage.connect())
    if kind == "websocket.send":
        peers[0].upgrade()
    else:
        peers[0].send(GET)
    assert sent
    assert all(sent)
    stage.close()


@pytest.mark.parametrize("upgrade", [False, True])
def test_nothing_of_a_connection_waits_for_the_collector(stage: Stage, upgrade: bool) -> None:
    """A TLS connection holds up to 280 KiB, and many could end between two runs of it."""
    peer = stage.connect()
    if upgrade:
        peer.upgrade()
        stage.call.accept()
    else:
        peer.send(GET)
        stage.call.answer()
    gc.disable()
    try:
        left = weakref.ref(peer.transport)
        peer.vanish()
        if upgrade:
            stage.call.returns()
        peer.transport.set_protocol(asyncio.Protocol())  # loops forget it, too
        stage.calls.clear()
        del peer
        assert left() is None
    finally:
        gc.enable()


def test_a_drain_does_not_cut_the_time_of_a_connection_that_closes_already(stage: Stage) -> None:
    """Input that is still on its way would reset it, and the reset could overtake the response."""
    stage.context.keep_alive = 0
    peer = stage.connect()
    peer.send(b"nonsense\r\n\r\n")
    for _ in range(4):
        peer.connection.begin_drain()
        stage.tick()
    assert not peer.closed
    stage.tick(2)
    assert peer.closed


def test_nor_that_of_a_peer_that_has_to_agree(stage: Stage) -> None:
    stage.context.keep_alive = 0
    peer = connect(stage, ReluctantTransport(stage.loop, tls=True))
    peer.send(LAST)
    stage.call.answer()
    for _ in range(4):
        peer.connection.begin_drain()
        stage.tick()
    assert not peer.transport.aborted
    stage.tick(2)
    assert peer.transport.aborted


def test_what_a_peer_sends_after_the_end_is_dropped_only_so_long(stage: Stage) -> None:
    """Also while it doesn't read what it was sent."""
    peer = stage.connect()
    peer.transport.peer_stops_reading()
    peer.send(LAST + GET)
    stage.call.answer(bytes(1000))
    stage.tick(5)
    assert peer.transport.reading
    stage.tick()
    assert not peer.transport.reading
    assert not peer.closed


def test_the_time_of_a_request_is_not_that_of_the_end_of_its_connection(stage: Stage) -> None:
    stage.context.request_timeout = 600
    stage.tick()
    peer = connect(stage, ReluctantTransport(stage.loop, tls=True))
    peer.send(LAST)
    stage.call.answer()
    stage.tick(6)
    assert peer.transport.aborted


async def _break_down(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"a part", "more_body": True})
    raise ValueError("mine")


def test_what_was_sent_before_a_failure_in_the_same_turn_is_written() -> None:
    stage = Stage(app=_break_down)
    peer = stage.connect()
    peer.send()
    assert peer.answer().body == b"6\r\na part\r\n"
    assert peer.closed
    stage.close()


async def _send_a_part(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b"a part", "more_body": True})
    await receive()


def _hold_a_part() -> tuple[Stage, Peer]:
    stage = Stage(app=_send_a_part)
    peer = stage.connect()
    peer.transport.peer_sends(GET)
    stage.loop.run_turn()
    assert peer.take() == b""
    return stage, peer


def test_what_is_held_is_written_before_the_transport_closes_by_itself() -> None:
    stage, peer = _hold_a_part()
    peer.transport.peer_ends()
    assert peer.answer().body == b"6\r\na part\r\n"
    stage.loop.run_ready()
    assert peer.closed
    stage.close()


def test_what_is_held_is_not_written_to_a_peer_that_is_gone() -> None:
    """The transport of the stage raises at such a write, as one of the loops does."""
    stage, peer = _hold_a_part()
    peer.vanish()
    assert stage.loop.problems == []
    stage.close()


@pytest.mark.parametrize("fields", [b"", b"Connection: close\r\n"])
def test_a_stream_goes_on_for_a_peer_that_sends_no_more(stage: Stage, fields: bytes) -> None:
    peer = stage.connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")
    stage.call.start()
    stage.call.body(b"begun", more=True)
    peer.end()
    stage.call.body(b"done")
    stage.call.returns()
    assert peer.take().endswith(b"4\r\ndone\r\n0\r\n\r\n")


def test_a_handshake_that_is_denied_lingers_for_what_came_behind_it(stage: Stage) -> None:
    """A close with input unread would be a reset, and could overtake the response."""
    stage.set_websocket()
    peer = stage.connect()
    peer.upgrade(early=b"frames")
    stage.call.receive()
    stage.call.send("websocket.close")
    stage.call.returns()
    assert peer.transport.eof_written
    assert not peer.closed
    stage.tick(6)
    assert peer.closed
