"""What is particular to the engine over `wsproto`. What it shares with the other is in test_engine and test_gate."""

import tracemalloc

import pytest
from wsproto.frame_protocol import CloseReason

from monoceros.wire.engine import EngineFailure, EngineOptions
from monoceros.wire.wsproto_engine import BoundedDeflate, WsprotoEngine
from tests.doubles.websocket_client import BINARY, RSV1, TEXT, Deflater, frame


@pytest.fixture
def engine() -> WsprotoEngine:
    return WsprotoEngine(EngineOptions())


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        (b"permessage-deflate", "permessage-deflate"),
        (b"permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=15"),
        (
            b"other, permessage-deflate ; server_max_window_bits=10;client_max_window_bits=11",
            "permessage-deflate; client_max_window_bits=11; server_max_window_bits=10",
        ),
        (
            b"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
        ),
        (b"permessage-deflate; server_max_window_bits=8, permessage-deflate", "permessage-deflate"),
    ],
)
def test_the_first_offer_that_can_be_met_is_agreed_to(engine: WsprotoEngine, offered: bytes, agreed: str) -> None:
    """RFC 7692, section 5.1."""
    assert engine.negotiate(offered) == agreed


@pytest.mark.parametrize(
    "parameters",
    [
        b"client_max_window_bits=x",
        b"client_max_window_bits=7",
        b"client_max_window_bits=16",
        b"client_max_window_bits=010",
        b"server_max_window_bits",
        b"server_max_window_bits=",
        b"server_no_context_takeover=1",
        b"server_no_context_takeovers",
        b"client_max_window_bits; client_max_window_bits=10",
        b"",
    ],
)
def test_an_offer_with_a_bad_parameter_is_declined(engine: WsprotoEngine, parameters: bytes) -> None:
    """RFC 7692, section 7.1: unknown, duplicate and invalid parameters. The library would take or trip over them."""
    assert engine.negotiate(b"permessage-deflate; " + parameters) is None


def test_a_bomb_is_inflated_no_further_than_the_limit() -> None:
    """The library inflates whatever it's fed: 40 MB here, and gigabytes at its leisure."""
    engine = WsprotoEngine(EngineOptions(max_size=64_000))
    bomb = Deflater(engine.negotiate(b"permessage-deflate") or "").deflate(bytes(40_000_000))
    wire = frame(BINARY, bomb, rsv=RSV1)
    tracemalloc.start()
    try:
        with pytest.raises(EngineFailure):
            engine.feed(wire[:-1])
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_what_a_limit_held_back_is_counted_at_the_end_of_the_message() -> None:
    """zlib may have read all of its input and yet hold output: the limit stops the one, not the other."""
    payload = Deflater("permessage-deflate").deflate(bytes(1000))
    bounded = BoundedDeflate(999)
    assert bounded.inflate_message(payload) is CloseReason.MESSAGE_TOO_BIG
    assert BoundedDeflate(1000).inflate_message(payload) == bytes(1000)


def test_a_compressed_message_that_arrives_in_pieces_is_inflated_as_they_come(engine: WsprotoEngine) -> None:
    deflater = Deflater(engine.negotiate(b"permessage-deflate") or "")
    wire = frame(TEXT, deflater.deflate("€".encode() * 5000), rsv=RSV1)
    events = [event for octet in wire for event in engine.feed(bytes((octet,)))]
    assert events == ["€" * 5000]
