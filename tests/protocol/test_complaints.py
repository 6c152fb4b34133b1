"""What peers do wrong is told at once, counted in a flood, and never passed over."""

import logging

import pytest

from monoceros.logs.lines import EXCERPT
from monoceros.protocol.complaints import AT_ONCE, Complaints, Kind
from tests.doubles.stage import Stage

INVALID, BUSY = Kind.INVALID_REQUEST, Kind.BUSY


class Unshowable:
    """What nobody may make a text of."""

    def __str__(self) -> str:
        raise AssertionError("it was formatted")


def test_the_first_of_a_second_are_told_at_once_and_the_others_counted(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    for number in range(AT_ONCE + 3):
        complaints.complain(INVALID, "Invalid: %s", number)
    assert caplog.messages == [f"Invalid: {number}" for number in range(AT_ONCE)]
    caplog.clear()
    complaints.tick()
    assert caplog.messages == ["3 more like this in the last second: invalid HTTP requests"]
    assert {(record.name, record.levelno) for record in caplog.records} == {("monoceros.error", logging.WARNING)}


def test_each_second_begins_anew_and_a_quiet_one_leaves_no_line(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    for _ in range(3):
        for _ in range(AT_ONCE):
            complaints.complain(INVALID, "Invalid")
        complaints.tick()
        complaints.tick()
    assert caplog.messages == ["Invalid"] * 3 * AT_ONCE


def test_a_flood_of_one_kind_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    for _ in range(AT_ONCE + 1):
        complaints.complain(INVALID, "Invalid")
    complaints.complain(BUSY, "Busy")
    assert caplog.messages[-1] == "Busy"
    complaints.tick()
    assert caplog.messages[-1] == "1 more like this in the last second: invalid HTTP requests"


def test_what_is_only_counted_is_not_formatted(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    for _ in range(AT_ONCE):
        complaints.complain(BUSY, "Busy")
    complaints.complain(BUSY, "%s", Unshowable())
    assert len(caplog.messages) == AT_ONCE


def test_text_of_a_peer_can_neither_forge_a_line_nor_make_a_long_one(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    complaints.complain(INVALID, "Invalid: %s (%d)", "a\r\n\x1b[2J\x9b\u2028\udcff" + "b" * 100_000, 400)
    (message,) = caplog.messages
    assert message.startswith("Invalid: a\\x0d\\x0a\\x1b[2J\\x9b\\u2028\\udcffbbb")
    assert message.endswith("bbb... (100010 characters) (400)")
    assert len(message) < 2 * EXCERPT


def test_a_flood_of_malformed_requests_is_told_by_its_count(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2 * AT_ONCE):
        stage.connect().send(b"nonsense\r\n\r\n")
    assert len(caplog.messages) == AT_ONCE
    assert all(message.startswith("Invalid HTTP request received from 127.0.0.1:5") for message in caplog.messages)
    stage.context.complaints.tick()
    assert caplog.messages[AT_ONCE:] == [f"{AT_ONCE} more like this in the last second: invalid HTTP requests"]


def test_heads_that_come_too_late_are_a_kind_of_their_own(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A host full of slow clients tells another story than one that speaks nonsense."""
    for _ in range(AT_ONCE + 1):
        stage.connect().send(b"GET / HT")
    stage.tick(stage.context.head_timeout + 1)
    stage.context.complaints.tick()
    assert len(caplog.messages) == AT_ONCE + 1
    assert caplog.messages[-1] == "1 more like this in the last second: HTTP requests that didn't come in time"


def test_many_requests_too_many_are_told_by_their_count(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.context.limit_concurrency = 0
    for _ in range(AT_ONCE + 1):
        stage.connect().send()
    stage.context.complaints.tick()
    assert caplog.messages[0] == "Concurrency limit of 0 exceeded: answering 503"
    assert (
        caplog.messages[AT_ONCE]
        == "1 more like this in the last second: requests answered 503, for there were too many"
    )


def test_handshakes_that_no_websocket_comes_of_are_told_by_their_count(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.context.websocket = None
    for _ in range(AT_ONCE + 1):
        stage.connect().upgrade()
    stage.context.complaints.tick()
    assert caplog.messages[0] == "WebSocket handshake answered as plain HTTP: WebSockets are off (--ws none)"
    assert (
        caplog.messages[AT_ONCE] == "1 more like this in the last second: WebSocket handshakes answered as plain HTTP"
    )


def test_a_websocket_that_a_peer_breaks_is_told_with_the_reason(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """RFC 6455, section 5.1: a frame that isn't masked fails the connection."""
    peer = stage.connect()
    peer.upgrade()
    stage.call.accept()
    peer.send(b"\x81\x01a")
    assert [message for message in caplog.messages if "failed" in message] == [
        '127.0.0.1:50000 - "WebSocket /" failed: a frame from a client must be masked (close code 1002)'
    ]


def test_the_tracebacks_of_an_application_are_all_told(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """They are the user's own, and each may be another."""
    for _ in range(2 * AT_ONCE):
        stage.connect().send()
        stage.call.raises(ValueError("mine"))
    assert len([record for record in caplog.records if record.exc_info]) == 2 * AT_ONCE
