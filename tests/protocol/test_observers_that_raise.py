"""Whoever is told of requests may have a mistake in it: neither the peer nor the others notice."""

from collections.abc import Iterator

import pytest

from monoceros.protocol.exchange import Exchange, Observer
from tests.doubles.stage import Stage, staged


@pytest.fixture
def stage() -> Iterator[Stage]:
    yield from staged()


def broken(exchange: Exchange) -> None:
    """An observer with a mistake in it."""
    raise ValueError("broken")


@pytest.mark.parametrize("observer", [Observer((broken,)), Observer((broken,), (broken,))], ids=["end", "both"])
def test_what_an_observer_raises_is_logged_and_the_request_is_answered_once(
    stage: Stage, caplog: pytest.LogCaptureFixture, observer: Observer
) -> None:
    stage.context.observer = observer
    peer = stage.connect()
    peer.send()
    stage.call.answer(b"hello")
    assert (peer.answer().body, peer.closed) == (b"hello", False)
    peer.send()
    stage.call.answer(b"again")
    assert peer.answer().body == b"again"
    assert {record.getMessage() for record in caplog.records} == {
        "Who is told of requests failed at 'GET / HTTP/1.1'; the request goes on"
    }
    assert len(caplog.records) == (4 if observer.began else 2)
    for record in caplog.records:
        assert record.exc_info is not None
        assert isinstance(record.exc_info[1], ValueError)
        assert record.exc_info[1].__traceback__ is not None


def test_what_one_raises_does_not_keep_others_from_being_told(stage: Stage) -> None:
    began: list[Exchange] = []
    ended: list[Exchange] = []
    stage.context.observer = Observer((broken, ended.append), (broken, began.append))
    stage.connect().send()
    stage.call.answer()
    assert len(began) == 1
    assert began == ended


def test_a_refused_head_and_a_vanished_peer_survive_an_observer_that_raises(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.context.observer = Observer((broken,))
    peer = stage.connect()
    peer.send(b"B\xffD\r\n\r\n")
    assert peer.answer().status == 400
    assert "Who is told of requests failed at 'B\\xffD'; the request goes on" in caplog.messages
    other = stage.connect()
    other.send()
    other.vanish()
    assert caplog.messages[-1] == "Who is told of requests failed at 'GET / HTTP/1.1'; the request goes on"
    assert other.connection not in stage.context.connections
