"""The parts of frames."""

import pytest

from monoceros.errors import FrameError
from monoceros.wire.frames import (
    BINARY,
    FIN,
    Close,
    close_payload,
    decode_text,
    encode_frame,
    parse_close,
    sendable,
)

SENDABLE = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)
NOT_SENDABLE = (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x82\x00"),
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\x00\x7e"),
        (0xFFFF, b"\x82\x7e\xff\xff"),
        (0x10000, b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_a_frame_has_its_length_in_the_shortest_form(size: int, head: bytes) -> None:
    """RFC 6455, section 5.2."""
    assert encode_frame(FIN | BINARY, bytes(size)) == head + bytes(size)


@pytest.mark.parametrize("code", SENDABLE)
def test_a_code_that_may_be_sent_is_read_and_written(code: int) -> None:
    """RFC 6455, section 7.4."""
    assert sendable(code)
    assert parse_close(close_payload(code, "why")) == Close(code, "why")


@pytest.mark.parametrize("code", NOT_SENDABLE)
def test_a_code_that_may_not_be_sent_is_refused_from_the_peer(code: int) -> None:
    with pytest.raises(FrameError) as caught:
        parse_close(code.to_bytes(2, "big"))
    assert caught.value.code == 1002


@pytest.mark.parametrize("code", [code for code in NOT_SENDABLE if code != 1005] + [-1, 70_000])
def test_a_code_that_may_not_be_sent_is_the_applications_error(code: int) -> None:
    with pytest.raises(RuntimeError, match=f"the application closed the WebSocket with code {code}"):
        close_payload(code, "")


def test_code_1005_makes_an_empty_close_frame() -> None:
    """RFC 6455, section 7.1.5: it stands for the absence of a code."""
    assert close_payload(1005, "ignored") == b""
    assert parse_close(b"") == Close(1005, "")


def test_a_close_frame_of_one_byte_is_refused() -> None:
    with pytest.raises(FrameError) as caught:
        parse_close(b"\x03")
    assert caught.value.code == 1002


def test_a_reason_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(FrameError) as caught:
        parse_close(b"\x03\xe8\xff")
    assert caught.value.code == 1007


@pytest.mark.parametrize(
    ("reason", "kept"), [("x" * 123, 123), ("x" * 124, 123), ("€" * 41, 123), ("€" * 42, 123), ("xx" + "€" * 41, 122)]
)
def test_a_long_reason_is_cut_at_the_border_of_a_character(reason: str, kept: int) -> None:
    """RFC 6455, section 5.5: a control frame has at most 125 bytes, and the code takes two."""
    payload = close_payload(1000, reason)[2:]
    assert len(payload) == kept
    assert reason.startswith(payload.decode())


def test_a_reason_with_a_lone_surrogate_does_not_stop_the_close() -> None:
    assert parse_close(close_payload(1000, "a\ud800b")) == Close(1000, "a?b")


def test_text_that_is_not_utf8_is_refused() -> None:
    assert decode_text("€".encode()) == "€"
    with pytest.raises(FrameError) as caught:
        decode_text(b"\xe2\x82")
    assert caught.value.code == 1007
