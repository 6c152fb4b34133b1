"""A response with which an application denies a WebSocket; the session's tests have what peers see of it."""

import pytest

from monoceros.asgi import Message
from monoceros.protocol.denial import Denial
from tests.doubles.stage import Peer, Stage

START: Message = {"type": "websocket.http.response.start", "status": 403, "headers": [(b"a", b"b")]}
BODY: Message = {"type": "websocket.http.response.body", "body": b"no"}


@pytest.fixture
def peer(stage: Stage) -> Peer:
    peer = stage.connect()
    peer.upgrade()
    return peer


def send(denial: Denial, message: Message) -> int | None:
    """Send a message that is taken at once."""
    coroutine = denial.send(message["type"], message)
    with pytest.raises(StopIteration) as returned:
        coroutine.send(None)
    status: int | None = returned.value.value
    return status


def test_the_status_is_told_when_the_head_can_change_no_more(stage: Stage, peer: Peer) -> None:
    denial = Denial(peer.connection, stage.context, stage.call.scope)
    assert send(denial, START) is None
    assert not denial.streams
    assert send(denial, {**BODY, "more_body": True}) == 403
    assert (denial.streams, denial.complete) == (True, False)
    assert send(denial, BODY) is None
    assert (denial.streams, denial.complete) == (False, True)


def test_a_head_that_is_held_is_written_within_a_second(stage: Stage, peer: Peer) -> None:
    denial = Denial(peer.connection, stage.context, stage.call.scope)
    send(denial, START)
    assert peer.take() == b""
    denial.tick()
    assert peer.take().startswith(b"HTTP/1.1 403 ")


def test_a_body_cannot_come_first(stage: Stage, peer: Peer) -> None:
    denial = Denial(peer.connection, stage.context, stage.call.scope)
    with pytest.raises(RuntimeError, match=r"ASGI asks for 'websocket\.http\.response\.start'"):
        denial.send(BODY["type"], BODY).send(None)
