"""What is particular to the engine over `websockets`. What it shares with the other is in test_engine and test_gate."""

import logging
import zlib

import pytest

from monoceros.wire.engine import EngineFailure, EngineOptions
from monoceros.wire.websockets_engine import WebsocketsEngine
from tests.doubles.websocket_client import BINARY, RSV1, TEXT, Deflater, close_frame, frame, read_frames


@pytest.fixture
def engine() -> WebsocketsEngine:
    return WebsocketsEngine(EngineOptions())


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        (b"permessage-deflate", "permessage-deflate; server_max_window_bits=12"),
        (
            b"permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
        ),
        (
            b"permessage-deflate;client_max_window_bits=10;server_max_window_bits=9",
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10",
        ),
        (
            b"permessage-deflate; client_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12",
        ),
        (
            b"permessage-deflate; server_max_window_bits=8, permessage-deflate",
            "permessage-deflate; server_max_window_bits=12",
        ),
    ],
)
def test_the_windows_agreed_on_are_small(engine: WebsocketsEngine, offered: bytes, agreed: str) -> None:
    """RFC 7692, section 7.1: every connection keeps both windows in memory."""
    assert engine.negotiate(offered) == agreed


@pytest.mark.parametrize("offered", [b"permessage-deflate; client_max_window_bits=7", b"permessage-deflate;;", b",=,"])
def test_a_malformed_offer_is_declined(engine: WebsocketsEngine, offered: bytes) -> None:
    assert engine.negotiate(offered) is None


def test_a_client_that_keeps_its_large_window_is_understood(engine: WebsocketsEngine) -> None:
    """RFC 7692, section 7.1.2.2: without client_max_window_bits in the offer, its window can't be limited."""
    engine.negotiate(b"permessage-deflate")
    compressor = zlib.compressobj(wbits=-15)
    far = bytes(range(256)) * 100
    for _ in range(2):
        payload = compressor.compress(far) + compressor.flush(zlib.Z_SYNC_FLUSH)
        assert engine.feed(frame(BINARY, payload.removesuffix(b"\x00\x00\xff\xff"), rsv=RSV1)) == [far]


def test_large_compressed_messages_arrive_in_pieces(engine: WebsocketsEngine) -> None:
    """From 2044 bytes on, the library flushes the end of a message apart from its payload."""
    deflater = Deflater(engine.negotiate(b"permessage-deflate; client_max_window_bits") or "")
    text = "".join(chr(0x20AC + at * 7919 % 5000) for at in range(20_000))
    wire = frame(TEXT, deflater.deflate(text.encode()), rsv=RSV1)
    assert len(wire) > 20_000
    assert engine.feed(wire[:1500]) == []
    assert engine.feed(wire[1500:]) == [text]
    (received,), _ = read_frames(engine.encode_text(text))
    assert deflater.inflate(received.payload).decode() == text


def test_the_library_logs_nothing(caplog: pytest.LogCaptureFixture, engine: WebsocketsEngine) -> None:
    with caplog.at_level(logging.DEBUG):
        engine.feed(frame(TEXT, b"a", fin=False))
        engine.encode_text("b")
        engine.feed(close_frame(1000))
        deflating = WebsocketsEngine(EngineOptions())
        deflating.negotiate(b"permessage-deflate")
        with pytest.raises(EngineFailure):
            deflating.feed(frame(TEXT, b"\xff", fin=False, rsv=RSV1))
    assert caplog.records == []
