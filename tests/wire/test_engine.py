"""Every engine keeps the same promises: each case here runs over both (RFC 6455, sections 5 to 7; RFC 7692)."""

import random
import zlib
from collections.abc import Callable, Iterator

import pytest

from monoceros.errors import FrameError
from monoceros.wire.engine import EngineFailure, EngineOptions, Event, FrameEngine, Pong
from monoceros.wire.frames import Close
from monoceros.wire.websockets_engine import WebsocketsEngine
from monoceros.wire.wsproto_engine import WsprotoEngine
from tests.doubles.websocket_client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    RSV1,
    TEXT,
    Deflater,
    ServerFrame,
    close_frame,
    frame,
    read_frames,
)

MakeEngine = Callable[[EngineOptions], FrameEngine]
Outcome = tuple[list[Event], int | None, bytes]

OFFER = b"permessage-deflate; client_max_window_bits"
TAIL = b"\x00\x00\xff\xff"


@pytest.fixture(params=[WebsocketsEngine, WsprotoEngine])
def make_engine(request: pytest.FixtureRequest) -> MakeEngine:
    made: MakeEngine = request.param
    return made


@pytest.fixture
def engine(make_engine: MakeEngine) -> FrameEngine:
    return make_engine(EngineOptions())


def outcome(engine: FrameEngine, pieces: Iterator[bytes]) -> Outcome:
    """Feed the pieces. Return the events, the code of the failure if there is one, and what the peer is owed."""
    events: list[Event] = []
    code = None
    owed = b""
    for piece in pieces:
        try:
            events += engine.feed(piece)
        except EngineFailure as failure:
            events += failure.events
            code = failure.code
        owed += engine.reply()
    return events, code, owed


def sent(data: bytes) -> list[ServerFrame]:
    frames, rest = read_frames(data)
    assert rest == b""
    return frames


def fragments(opcode: int, *payloads: bytes, rsv: int = 0) -> bytes:
    last = len(payloads) - 1
    return b"".join(
        frame(CONTINUATION if at else opcode, payload, fin=at == last, rsv=0 if at else rsv)
        for at, payload in enumerate(payloads)
    )


EURO = "€uro and 🦄".encode()

SCRIPTS: dict[str, tuple[bytes, list[Event], int | None]] = {
    "text": (frame(TEXT, EURO), ["€uro and 🦄"], None),
    "binary": (frame(BINARY, b"\x00\xff"), [b"\x00\xff"], None),
    "empty messages": (frame(TEXT) + frame(BINARY), ["", b""], None),
    "several in a row": (frame(TEXT, b"a") + frame(BINARY, b"b") + frame(TEXT, b"c"), ["a", b"b", "c"], None),
    "16-bit length": (frame(TEXT, b"x" * 126) + frame(BINARY, b"y" * 300), ["x" * 126, b"y" * 300], None),
    "fragments": (fragments(TEXT, b"Hel", b"", b"lo") + fragments(BINARY, b"a", b"b"), ["Hello", b"ab"], None),
    "a character cut by fragments": (fragments(TEXT, EURO[:2], EURO[2:12], EURO[12:]), ["€uro and 🦄"], None),
    "line ends are kept": (fragments(TEXT, b"a\r\n", b"\rb"), ["a\r\n\rb"], None),
    "only empty fragments": (fragments(TEXT, b"", b"") + fragments(BINARY, b"", b"", b""), ["", b""], None),
    "controls between fragments": (
        frame(TEXT, b"a", fin=False) + frame(PING, b"1") + frame(PONG, b"2") + frame(CONTINUATION, b"b"),
        [Pong(b"2"), "ab"],
        None,
    ),
    "close": (frame(TEXT, b"bye") + close_frame(1001, "later ☕"), ["bye", Close(1001, "later ☕")], None),
    "empty close": (close_frame(), [Close(1005, "")], None),
    "after a close nothing counts": (close_frame(1000) + frame(TEXT, b"x") + b"\xff", [Close(1000, "")], None),
    "close amid a message": (frame(TEXT, b"a", fin=False) + close_frame(4000), [Close(4000, "")], None),
    "close code 1014": (close_frame(1014), [Close(1014, "")], None),
    "text that isn't UTF-8": (frame(TEXT, b"ok") + frame(TEXT, b"\xff"), ["ok"], 1007),
    "a fragment that isn't UTF-8": (fragments(TEXT, b"a\xff", b"b"), [], 1007),
    "a character that never ends": (fragments(TEXT, b"a", EURO[:2]), [], 1007),
    "a surrogate in UTF-8": (frame(TEXT, b"\xed\xa0\x80"), [], 1007),
    "events before an error": (frame(BINARY, b"a") + frame(PONG) + frame(0x3), [b"a", Pong(b"")], 1002),
    "nothing after an error": (frame(TEXT, b"a", mask=None) + frame(TEXT, b"b"), [], 1002),
    "an unfinished message": (frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b")[:-1], [], None),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_gives_the_same_events_however_it_is_cut(make_engine: MakeEngine, name: str) -> None:
    script, events, code = SCRIPTS[name]
    whole = outcome(make_engine(EngineOptions()), iter([script]))
    assert whole[:2] == (events, code)
    assert outcome(make_engine(EngineOptions()), (bytes((octet,)) for octet in script)) == whole
    for cut in range(1, len(script)):
        assert outcome(make_engine(EngineOptions()), iter([script[:cut], script[cut:]])) == whole, f"cut at {cut}"


def test_a_compressed_script_gives_the_same_events_however_it_is_cut(make_engine: MakeEngine) -> None:
    def negotiated() -> tuple[FrameEngine, str]:
        engine = make_engine(EngineOptions())
        agreed = engine.negotiate(OFFER)
        assert agreed is not None
        return engine, agreed

    deflater = Deflater(negotiated()[1])
    text, again = deflater.deflate(b"hello hello hello"), deflater.deflate(b"hello hello hello")
    assert len(again) < len(text), "the context is kept"
    script = (
        frame(TEXT, text, rsv=RSV1)
        + frame(TEXT, again[:3], fin=False, rsv=RSV1)
        + frame(PING, b"between")
        + frame(CONTINUATION, again[3:])
        + frame(BINARY, b"not compressed")
        + frame(BINARY, deflater.deflate(b""), rsv=RSV1)
        + close_frame(1000)
    )
    whole = outcome(negotiated()[0], iter([script]))
    assert whole[0] == ["hello hello hello", "hello hello hello", b"not compressed", b"", Close(1000, "")]
    assert outcome(negotiated()[0], (bytes((octet,)) for octet in script)) == whole
    for cut in range(1, len(script)):
        assert outcome(negotiated()[0], iter([script[:cut], script[cut:]])) == whole, f"cut at {cut}"


@pytest.mark.parametrize("offer", [b"", b"permessage-deflate; client_no_context_takeover"])
def test_random_frames_give_the_same_with_every_engine_and_raise_nothing_but_frame_errors(offer: bytes) -> None:
    chance = random.Random(6455)
    for _ in range(2000):
        pieces = [random_piece(chance) for _ in range(4)]
        outcomes = []
        for make in (WebsocketsEngine, WsprotoEngine):
            engine = make(EngineOptions(max_size=1000))
            engine.negotiate(offer)
            outcomes.append(outcome(engine, iter(pieces)))
        assert outcomes[0] == outcomes[1]
        assert outcomes[0][1] in (None, 1002, 1007, 1009)


def random_piece(chance: random.Random) -> bytes:
    """Return a frame, mostly a good one, or noise. Some payloads are text and some can be inflated."""
    if chance.random() < 0.1:
        return chance.randbytes(20)
    payload = chance.choice(
        (b"", b"text", EURO[:2], b"\x03\xe8", bytes.fromhex("f248cdc9c907000000ffff")[:-4], bytes(130))
    )
    if chance.random() < 0.1:
        payload = chance.randbytes(40)
    opcode = chance.choice((0, 0, 0, 1, 1, 2, 2, 8, 9, 10, 3))
    return frame(opcode, payload, fin=chance.random() < 0.6, rsv=chance.choice((0, 0, 0, RSV1, 0x20)))


def test_a_message_split_over_many_reads_is_given_once_and_whole(engine: FrameEngine) -> None:
    payload = random.Random(1).randbytes(200_000)
    wire = frame(BINARY, payload) + frame(TEXT, b"next")
    events: list[Event] = []
    for at in range(0, len(wire), 4096):
        events += engine.feed(wire[at : at + 4096])
    assert events == [payload, "next"]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 0xFFFF, 0x10000])
def test_messages_are_framed_in_the_shortest_form(engine: FrameEngine, size: int) -> None:
    """RFC 6455, section 5.2."""
    data = engine.encode_text("x" * size) + engine.encode_binary(b"y" * size)
    assert sent(data) == [ServerFrame(True, 0, TEXT, b"x" * size), ServerFrame(True, 0, BINARY, b"y" * size)]


@pytest.mark.parametrize("fragmented", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_message_of_the_largest_size_passes_and_one_byte_more_is_1009(
    make_engine: MakeEngine, compressed: bool, fragmented: bool
) -> None:
    for size, expected in ((1000, ([b"x" * 1000], None)), (1001, ([], 1009))):
        engine = make_engine(EngineOptions(max_size=1000))
        payload = b"x" * size
        if compressed:
            payload = Deflater(engine.negotiate(OFFER) or "").deflate(payload)
        pieces = (payload[:4], payload[4:]) if fragmented else (payload,)
        wire = fragments(BINARY, *pieces, rsv=RSV1 if compressed else 0)
        assert outcome(engine, iter([wire]))[:2] == expected
        engine = make_engine(EngineOptions(max_size=1000))
        if compressed:
            engine.negotiate(OFFER)
        assert outcome(engine, iter([wire[:-1], wire[-1:]]))[:2] == expected


def test_a_message_too_big_is_refused_when_its_head_says_so(make_engine: MakeEngine) -> None:
    """Nothing of the payload has to arrive: it would be kept in memory."""
    engine = make_engine(EngineOptions(max_size=1000))
    with pytest.raises(FrameError) as caught:
        engine.feed(frame(BINARY, b"x" * 1001)[:4])
    assert caught.value.code == 1009
    assert "1000 bytes" in caught.value.reason


def test_fragments_are_counted_together(make_engine: MakeEngine) -> None:
    engine = make_engine(EngineOptions(max_size=10))
    assert engine.feed(frame(TEXT, b"x" * 6, fin=False) + frame(CONTINUATION, b"x" * 4, fin=False)) == []
    with pytest.raises(FrameError) as caught:
        engine.feed(frame(CONTINUATION, b"x")[:2])
    assert caught.value.code == 1009


@pytest.mark.parametrize("fragmented", [False, True])
def test_a_compression_bomb_is_refused(make_engine: MakeEngine, fragmented: bool) -> None:
    """40 MB of zeros take 40 KB on the wire."""
    engine = make_engine(EngineOptions(max_size=64_000))
    bomb = Deflater(engine.negotiate(OFFER) or "").deflate(bytes(40_000_000))
    assert len(bomb) < 64_000
    pieces = [bomb[at : at + 9000] for at in range(0, len(bomb), 9000)] if fragmented else [bomb]
    assert outcome(engine, iter([fragments(BINARY, *pieces, rsv=RSV1)]))[:2] == ([], 1009)


@pytest.mark.parametrize("offer", [OFFER, b"permessage-deflate; client_no_context_takeover"])
def test_a_final_deflate_block_ends_its_message(make_engine: MakeEngine, offer: bytes) -> None:
    """RFC 7692, section 7.2.3.4, and its example: "Hello" with the BFINAL bit. The next message has a new stream."""
    engine = make_engine(EngineOptions())
    engine.negotiate(offer)
    hello = bytes.fromhex("f348cdc9c9070000")
    assert engine.feed(frame(TEXT, hello, rsv=RSV1)) == ["Hello"]
    assert engine.feed(fragments(TEXT, hello[:2], hello[2:], rsv=RSV1)) == ["Hello"]
    compressor = zlib.compressobj(wbits=-9)
    payload = compressor.compress(b"next") + compressor.flush(zlib.Z_SYNC_FLUSH)
    assert engine.feed(frame(TEXT, payload.removesuffix(TAIL), rsv=RSV1)) == ["next"]


@pytest.mark.parametrize("offer", [OFFER, b"permessage-deflate; client_no_context_takeover"])
def test_data_behind_a_final_deflate_block_is_refused(make_engine: MakeEngine, offer: bytes) -> None:
    """The libraries would drop it in silence, and keep every byte of it."""
    for script in (
        frame(TEXT, bytes.fromhex("f348cdc9c90700") + b"junk", rsv=RSV1),
        fragments(TEXT, bytes.fromhex("f348cdc9c90700"), b"junk", b"junk", rsv=RSV1),
    ):
        engine = make_engine(EngineOptions())
        engine.negotiate(offer)
        assert outcome(engine, iter([script]))[:2] == ([], 1002)


def test_a_compressed_message_that_cannot_be_inflated_is_refused(make_engine: MakeEngine) -> None:
    for script in (frame(TEXT, b"\xff" * 9, rsv=RSV1), fragments(TEXT, b"\xff" * 9, b"\xff", rsv=RSV1)):
        engine = make_engine(EngineOptions())
        engine.negotiate(OFFER)
        assert outcome(engine, iter([script]))[:2] == ([], 1002)


@pytest.mark.parametrize(
    "offer",
    [
        OFFER,
        b"permessage-deflate",
        b"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        b"permessage-deflate; server_max_window_bits=10; client_max_window_bits=10",
        b"x-webkit-deflate-frame, permessage-deflate; unknown, permessage-deflate",
    ],
)
def test_compressed_messages_go_both_ways(engine: FrameEngine, offer: bytes) -> None:
    agreed = engine.negotiate(offer)
    assert agreed is not None
    assert agreed.startswith("permessage-deflate")
    deflater = Deflater(agreed)
    for text in ("hello", "hello", "", "€" * 70_000):
        (received,) = sent(engine.encode_text(text))
        assert (received.opcode, received.rsv) == (TEXT, RSV1)
        assert deflater.inflate(received.payload).decode() == text
        assert engine.feed(frame(TEXT, deflater.deflate(text.encode()), rsv=RSV1)) == [text]
    (received,) = sent(engine.encode_binary(b"\x00\x01"))
    assert (received.opcode, received.rsv) == (BINARY, RSV1)
    assert deflater.inflate(received.payload) == b"\x00\x01"
    assert [part.rsv for part in sent(engine.encode_ping(b"p") + engine.encode_close(1000, "r"))] == [0, 0]


@pytest.mark.parametrize(
    "offer",
    [b"", b"x-other", b"permessage-deflate; what=1", b"permessage-deflate; server_max_window_bits", b';;="\xff'],
)
def test_an_offer_that_cannot_be_met_is_declined(engine: FrameEngine, offer: bytes) -> None:
    """RFC 7692, section 7.1."""
    assert engine.negotiate(offer) is None
    assert sent(engine.encode_text("plain")) == [ServerFrame(True, 0, TEXT, b"plain")]
    with pytest.raises(FrameError, match="reserved bit"):
        engine.feed(frame(TEXT, b"", rsv=RSV1))


def test_compression_can_be_switched_off(make_engine: MakeEngine) -> None:
    assert make_engine(EngineOptions(per_message_deflate=False)).negotiate(OFFER) is None


def test_after_our_close_messages_are_dropped_until_the_peer_closes(engine: FrameEngine) -> None:
    """RFC 6455, section 7.1.1. A ping is answered still: the peer's close wasn't received yet."""
    large = frame(BINARY, b"x" * 70_000)
    assert engine.feed(frame(TEXT, b"begun", fin=False) + frame(CONTINUATION, b"...")[:7]) == []
    assert sent(engine.encode_close(1001, "")) == [ServerFrame(True, 0, CLOSE, b"\x03\xe9")]
    assert engine.feed(frame(CONTINUATION, b"...")[7:] + frame(TEXT, b"late") + large[:1000]) == []
    assert engine.feed(large[1000:] + frame(PING, b"p") + frame(PONG, b"q")) == [Pong(b"q")]
    assert sent(engine.reply()) == [ServerFrame(True, 0, PONG, b"p")]
    assert engine.feed(close_frame(1001) + frame(TEXT, b"never")) == [Close(1001, "")]
    assert engine.reply() == b""
    assert engine.feed(b"\xff\xff") == []
