"""Frame heads, control frames and the closing handshake, over both engines (RFC 6455, sections 5 and 7)."""

from collections.abc import Callable

import pytest

from monoceros.errors import FrameError
from monoceros.wire.engine import EngineFailure, EngineOptions, FrameEngine, Pong
from monoceros.wire.frames import Close
from monoceros.wire.gate import BATCH, MAX_OWED, GatedEngine
from monoceros.wire.websockets_engine import WebsocketsEngine
from monoceros.wire.wsproto_engine import WsprotoEngine
from tests.doubles.websocket_client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    TEXT,
    ServerFrame,
    close_frame,
    frame,
    read_frames,
    xor,
)

OFFER = b"permessage-deflate"


MakeEngine = Callable[[EngineOptions], FrameEngine]


@pytest.fixture(params=[WebsocketsEngine, WsprotoEngine])
def make_engine(request: pytest.FixtureRequest) -> MakeEngine:
    made: MakeEngine = request.param
    return made


@pytest.fixture
def engine(make_engine: MakeEngine) -> FrameEngine:
    return make_engine(EngineOptions())


def failure(engine: FrameEngine, data: bytes) -> EngineFailure:
    with pytest.raises(EngineFailure) as caught:
        engine.feed(data)
    return caught.value


def sent(data: bytes) -> list[ServerFrame]:
    frames, rest = read_frames(data)
    assert rest == b""
    return frames


BAD_HEADS = {
    "unmasked text": frame(TEXT, b"a", mask=None),
    "unmasked ping": frame(PING, mask=None),
    "rsv1": frame(TEXT, rsv=RSV1),
    "rsv2": frame(BINARY, rsv=RSV2),
    "rsv3": frame(PONG, rsv=RSV3),
    "opcode 3": frame(0x3),
    "opcode 7": frame(0x7),
    "opcode 11": frame(0xB),
    "opcode 15": frame(0xF),
    "fragmented ping": frame(PING, fin=False),
    "fragmented close": frame(CLOSE, fin=False),
    "long ping": frame(PING, b"x" * 126),
    "long close": frame(CLOSE, b"\x03\xe8" + b"x" * 124),
    "continuation of nothing": frame(CONTINUATION, b"a"),
    "unfinished continuation of nothing": frame(CONTINUATION, b"a", fin=False),
    "text within text": frame(TEXT, fin=False) + frame(TEXT),
    "binary within text": frame(TEXT, fin=False) + frame(BINARY, fin=False),
    "two bytes of length for 125": frame(TEXT, b"x" * 125, length_width=2),
    "eight bytes of length for 65535": frame(TEXT, b"x" * 0xFFFF, length_width=8),
    "negative length": b"\x82\xff" + b"\x80" + bytes(7),
    "one byte of close": frame(CLOSE, b"\x03"),
    "close code 1006": close_frame(1006),
    "close code 2999": close_frame(2999),
}


@pytest.mark.parametrize("name", BAD_HEADS)
def test_a_frame_that_breaks_the_protocol_fails_the_connection(engine: FrameEngine, name: str) -> None:
    """RFC 6455, sections 5.1 to 5.5."""
    error = failure(engine, BAD_HEADS[name])
    assert error.code == 1002
    assert error.events == []
    assert 0 < len(error.reason) <= 123


@pytest.mark.parametrize(
    "data",
    [
        frame(CONTINUATION, rsv=RSV1),
        frame(TEXT, fin=False) + frame(CONTINUATION, rsv=RSV1),
        frame(PING, rsv=RSV1),
        frame(TEXT, rsv=RSV1 | RSV2),
    ],
)
def test_with_compression_only_the_first_frame_of_a_message_may_have_rsv1(engine: FrameEngine, data: bytes) -> None:
    """RFC 7692, section 6.1."""
    assert engine.negotiate(OFFER) is not None
    assert failure(engine, data).code == 1002


def test_a_bad_head_is_refused_before_the_rest_of_its_frame_arrives(engine: FrameEngine) -> None:
    assert failure(engine, frame(0x5, b"x" * 100)[:2]).code == 1002


def test_events_before_a_failure_are_on_the_exception(engine: FrameEngine) -> None:
    error = failure(engine, frame(TEXT, b"a") + frame(PONG, b"b") + frame(BINARY, b"c", mask=None))
    assert error.events == ["a", Pong(b"b")]
    assert isinstance(error, FrameError)


def test_after_a_failure_bytes_are_ignored_and_the_close_can_be_sent_once(engine: FrameEngine) -> None:
    """RFC 6455, section 7.1.7."""
    error = failure(engine, frame(PING, b"p") + frame(0x3))
    assert engine.feed(frame(TEXT, b"late") + close_frame(1000)) == []
    assert sent(engine.reply()) == [ServerFrame(True, 0, PONG, b"p")]
    assert sent(engine.encode_close(error.code, "")) == [ServerFrame(True, 0, CLOSE, b"\x03\xea")]
    assert engine.encode_close(1000, "") == b""
    with pytest.raises(RuntimeError):
        engine.encode_text("late")


def test_pings_are_answered_in_order_with_their_payloads_and_once(engine: FrameEngine) -> None:
    """RFC 6455, section 5.5.2."""
    assert engine.feed(frame(PING, b"1") + frame(TEXT, b"a") + frame(PING) + frame(PING, b"x" * 125)) == ["a"]
    assert [part.payload for part in sent(engine.reply())] == [b"1", b"", b"x" * 125]
    assert engine.reply() == b""


def test_pongs_are_told_with_their_payloads(engine: FrameEngine) -> None:
    assert engine.feed(frame(PONG) + frame(PONG, b"x" * 125)) == [Pong(b""), Pong(b"x" * 125)]
    assert engine.reply() == b""


@pytest.mark.parametrize(("data", "echo"), [(close_frame(4321, "because"), b"\x10\xe1"), (close_frame(), b"")])
def test_a_close_is_answered_with_its_code(engine: FrameEngine, data: bytes, echo: bytes) -> None:
    """RFC 6455, section 5.5.1."""
    engine.feed(data)
    assert engine.encode_close(1000, "") == b"", "the answer is owed already"
    assert sent(engine.reply()) == [ServerFrame(True, 0, CLOSE, echo)]
    assert engine.reply() == b""
    assert engine.feed(frame(PING)) == []
    assert engine.reply() == b""


def test_a_close_is_sent_once(engine: FrameEngine) -> None:
    assert sent(engine.encode_close(1001, "away")) == [ServerFrame(True, 0, CLOSE, b"\x03\xe9away")]
    assert engine.encode_close(1001, "away") == b""


def test_a_close_with_a_bad_code_is_refused_and_changes_nothing(engine: FrameEngine) -> None:
    with pytest.raises(RuntimeError, match="1006"):
        engine.encode_close(1006, "")
    assert engine.feed(frame(TEXT, b"a")) == ["a"]
    assert engine.encode_text("b") == b"\x81\x01b"


def test_after_our_close_a_broken_frame_still_fails(engine: FrameEngine) -> None:
    engine.encode_close(1000, "")
    assert failure(engine, frame(TEXT, mask=None)).code == 1002
    assert engine.encode_close(1002, "") == b""


@pytest.mark.parametrize("closer", ["we", "the peer"])
def test_a_message_after_a_close_is_the_applications_error(engine: FrameEngine, closer: str) -> None:
    """RFC 6455, section 5.5.1."""
    if closer == "we":
        engine.encode_close(1000, "")
    else:
        engine.feed(close_frame(1000))
    with pytest.raises(RuntimeError, match="the application sent a message after the WebSocket was closed"):
        engine.encode_text("a")
    with pytest.raises(RuntimeError, match="the application sent a message after the WebSocket was closed"):
        engine.encode_binary(b"a")
    assert engine.encode_ping(b"p") == b""


@pytest.mark.parametrize("offer", [b"", OFFER])
def test_text_with_a_lone_surrogate_is_the_applications_error(engine: FrameEngine, offer: bytes) -> None:
    engine.negotiate(offer)
    with pytest.raises(RuntimeError, match="surrogate"):
        engine.encode_text("\ud800")
    assert sent(engine.encode_text("a"))[0].opcode == TEXT


def test_a_ping_carries_at_most_125_bytes(engine: FrameEngine) -> None:
    assert sent(engine.encode_ping(b"x" * 125)) == [ServerFrame(True, 0, PING, b"x" * 125)]
    with pytest.raises(ValueError, match="126"):
        engine.encode_ping(b"x" * 126)


def test_a_binary_message_may_be_any_buffer(engine: FrameEngine) -> None:
    for data in (bytearray(b"abc"), memoryview(b"abc")):
        assert engine.encode_binary(data) == b"\x82\x03abc"  # type: ignore[arg-type]


def test_what_is_held_of_an_unfinished_frame_stays_small(engine: FrameEngine) -> None:
    assert engine.feed(frame(PING, b"x" * 125)[:-1]) == []
    assert engine.feed(frame(PING, b"x" * 125)[-1:]) == []
    assert sent(engine.reply()) == [ServerFrame(True, 0, PONG, b"x" * 125)]
    assert engine.feed(close_frame(1000)) == [Close(1000, "")]


@pytest.mark.parametrize("make", [GatedEngine, WebsocketsEngine, WsprotoEngine])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 7, 8, 1001])
def test_unmasking_is_exclusive_or_with_the_repeated_key(make: type[GatedEngine], size: int) -> None:
    """RFC 6455, section 5.3."""
    payload = bytes(octet & 0xFF for octet in range(size))
    assert make._unmask(payload, b"\x00\x01\xfe\x7f") == xor(payload, b"\x00\x01\xfe\x7f")


def test_a_limit_stops_decoding_and_an_empty_feed_goes_on(engine: FrameEngine) -> None:
    assert engine.feed(frame(TEXT, b"a") + frame(PONG, b"b") + frame(BINARY, b"c"), 2) == ["a", Pong(b"b")]
    assert engine.stopped
    assert engine.feed(b"", 2) == [b"c"]
    assert not engine.stopped
    assert engine.feed(b"", 2) == []


def test_a_limit_that_is_reached_with_the_last_byte_stops_nothing(engine: FrameEngine) -> None:
    assert engine.feed(frame(TEXT, b"a") + frame(TEXT, b"b"), 2) == ["a", "b"]
    assert not engine.stopped


@pytest.mark.parametrize("size", [60, 40000])
def test_with_a_limit_64_kib_of_messages_are_one_batch(engine: FrameEngine, size: int) -> None:
    message = b"x" * size
    count = BATCH // size + 1
    assert engine.feed(frame(BINARY, message) * 2000, 10**6) == [message] * count
    assert engine.stopped
    assert engine.feed(b"") == [message] * (2000 - count)


def test_what_comes_after_a_stop_follows_what_is_held(engine: FrameEngine) -> None:
    wire = frame(TEXT, b"a") * 3 + frame(TEXT, b"b" * 200)
    assert engine.feed(wire[:-5], 1) == ["a"]
    assert engine.feed(wire[-5:] + frame(PING, b"p"), 2) == ["a", "a"]
    assert engine.feed(b"") == ["b" * 200]
    assert [part.payload for part in sent(engine.reply())] == [b"p"]


def test_a_stop_within_a_message_that_the_library_joins_loses_nothing(engine: FrameEngine) -> None:
    wire = frame(TEXT, b"1", fin=False) + frame(PONG) + frame(CONTINUATION, b"2") + frame(TEXT, b"3")
    assert engine.feed(wire, 1) == [Pong(b"")]
    assert engine.feed(b"", 1) == ["12"]
    assert engine.feed(b"", 1) == ["3"]


def test_after_our_close_what_is_held_is_read_for_the_peers(engine: FrameEngine) -> None:
    assert engine.feed(frame(TEXT, b"a") * 3 + close_frame(1000), 1) == ["a"]
    engine.encode_close(1000, "")
    assert engine.feed(b"", 1) == [Close(1000, "")]
    assert not engine.stopped


def test_of_a_flood_of_pings_the_latest_are_answered(engine: FrameEngine) -> None:
    """RFC 6455, section 5.5.3."""
    engine.feed(b"".join(frame(PING, b"%0125d" % number) for number in range(1000)))
    assert len(engine.owed) <= MAX_OWED + 127
    answers = [int(part.payload) for part in sent(engine.reply())]
    assert answers == list(range(1000 - len(answers), 1000))
    assert engine.owed == b""


def test_fragments_are_counted_for_each_message(make_engine: MakeEngine) -> None:
    few = make_engine(EngineOptions(max_fragments=3))
    message = frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b", fin=False) + frame(PING) + frame(CONTINUATION)
    assert few.feed(message * 2) == ["ab", "ab"]
    error = failure(few, message + frame(BINARY, fin=False) + frame(CONTINUATION, fin=False) * 3)
    assert (error.code, error.reason) == (1009, "the message has more than 3 fragments")
    assert error.events == ["ab"]


def test_a_compressed_message_is_no_larger_on_the_wire_than_inflated(make_engine: MakeEngine) -> None:
    """Empty stored blocks (RFC 1951, section 3.2.4) inflate to nothing, and could go on for ever."""
    small = make_engine(EngineOptions(max_size=1000))
    small.negotiate(OFFER)
    nothing = b"\x00\x00\x00\xff\xff" * 20
    assert small.feed(frame(BINARY, nothing, rsv=RSV1, fin=False) + frame(CONTINUATION, nothing, fin=False) * 9) == []
    assert failure(small, frame(CONTINUATION, nothing, fin=False)).code == 1009


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [3, 125, 126, 1000])
def test_a_small_message_is_too_big_all_the_same(make_engine: MakeEngine, opcode: int, size: int) -> None:
    tiny = make_engine(EngineOptions(max_size=size))
    assert len(tiny.feed(frame(opcode, b"a" * size))) == 1
    assert failure(tiny, frame(opcode, b"a" * (size + 1))).code == 1009


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 0xFFFF, 0x10000, 0x10001])
def test_a_message_is_the_same_whatever_form_its_length_takes_and_however_it_comes(
    engine: FrameEngine, size: int
) -> None:
    """RFC 6455, section 5.2."""
    payload = bytes(range(97, 123)) * (size // 26 + 1)
    binary, text = frame(BINARY, payload[:size]), frame(TEXT, payload[:size])
    assert engine.feed(binary) == [payload[:size]]
    assert engine.feed(text) == [payload[:size].decode()]
    assert engine.feed(binary[:3]) == []
    assert engine.feed(binary[3:] + text) == [payload[:size], payload[:size].decode()]
    assert engine.feed(frame(TEXT, payload[:size], fin=False)) == []
    assert engine.feed(frame(CONTINUATION, payload[:size])) == [payload[:size].decode() * 2]


@pytest.mark.parametrize("size", [1, 200])
def test_text_that_is_not_utf_8_fails_the_connection_at_any_length(engine: FrameEngine, size: int) -> None:
    assert failure(engine, frame(TEXT, b"\xff" * size)).code == 1007


@pytest.mark.parametrize("size", [0x180, 0x1080])
def test_the_beginning_of_a_message_is_none_though_it_is_as_long_as_one_octet_of_its_length_says(
    engine: FrameEngine, size: int
) -> None:
    whole = frame(BINARY, bytes(size))
    for kept in (size & 0xFF, size & 0xFF00):
        begun = whole[: 8 + kept]
        assert engine.feed(begun) == []
        assert engine.feed(whole[len(begun) :]) == [bytes(size)]


@pytest.mark.parametrize(("second", "code"), [(126, 1002), (127, 1002), (0xFD, 1002), (0xFF, 1009)])
def test_octets_that_could_be_a_length_of_16_bits_are_one_only_if_the_head_says_so(
    engine: FrameEngine, second: int, code: int
) -> None:
    like = bytes([0x80 | BINARY, second, 0x01, 0x00]) + bytes(4 + 0x100)
    assert failure(engine, like).code == code
