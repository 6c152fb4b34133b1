"""The load's WebSocket codec, against the library that servers use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from benchmarks.load.answers import LoadError
from benchmarks.load.frames import COMPRESSED, FrameReader, client_frame, deflated, payload, server_frame

SIZES = [0, 1, 16, 125, 126, 1024, 65535, 65536]


def parsed(data: bytes) -> Frame:
    """Read one frame as a server does."""
    reader = StreamReader()
    reader.feed_data(data)
    parsing = Frame.parse(reader.read_exact, mask=True)
    try:
        next(parsing)
    except StopIteration as done:
        frame: Frame = done.value
        return frame
    raise AssertionError("the frame isn't whole")


@pytest.mark.parametrize("size", SIZES)
def test_a_clients_frame_is_read_by_the_library(size: int) -> None:
    """RFC 6455, section 5.2: the three forms of the length, and the mask."""
    frame = parsed(client_frame(payload(size)))
    assert (frame.opcode, frame.fin, frame.rsv1, bytes(frame.data)) == (Opcode.TEXT, True, False, payload(size))


@pytest.mark.parametrize("size", SIZES)
def test_a_servers_frame_is_what_the_library_writes(size: int) -> None:
    assert server_frame(payload(size)) == Frame(Opcode.TEXT, payload(size)).serialize(mask=False)


@pytest.mark.parametrize("size", SIZES[1:])
def test_a_payload_has_its_size_and_is_text(size: int) -> None:
    assert len(payload(size)) == size
    assert payload(size).decode("ascii")


@given(st.lists(st.integers(0, 300), min_size=1, max_size=5), st.integers(1, 50))
def test_messages_are_read_however_they_are_cut(sizes: list[int], step: int) -> None:
    data = b"".join(server_frame(payload(size)) for size in sizes)
    reader = FrameReader()
    messages = []
    for start in range(0, len(data), step):
        messages += reader.feed(data[start : start + step])
    assert messages == [payload(size) for size in sizes]


def test_fragments_are_joined_and_pings_passed_over() -> None:
    """RFC 6455, section 5.4."""
    frames = [
        Frame(Opcode.TEXT, b"one ", fin=False),
        Frame(Opcode.PING, b"there?"),
        Frame(Opcode.CONT, b"two", fin=True),
    ]
    assert FrameReader().feed(b"".join(frame.serialize(mask=False) for frame in frames)) == [b"one two"]


@pytest.mark.parametrize("window_bits", [9, 12, 15])
def test_a_compressed_message_is_read_again(window_bits: int) -> None:
    """RFC 7692, section 7.2: with what the former one left in the window, or without."""
    content = deflated(payload(1024), window_bits)
    plain = server_frame(content)
    frame = bytes([plain[0] | COMPRESSED]) + plain[1:]
    assert FrameReader().feed(frame + frame) == [payload(1024)] * 2
    assert len(content) < 1024


def test_a_close_is_no_message() -> None:
    with pytest.raises(LoadError, match="opcode 8"):
        FrameReader().feed(Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=False))
