"""How content goes to a transport."""

from collections.abc import Iterator

import pytest

from monoceros.protocol.content import COPIED, PAUSE, ContentStream, write_content
from monoceros.protocol.outbox import LARGE, Turn
from tests.doubles.loop import ManualLoop
from tests.doubles.transport import FakeTransport


@pytest.fixture
def transport() -> Iterator[FakeTransport]:
    loop = ManualLoop()
    yield FakeTransport(loop)
    loop.close()


@pytest.mark.parametrize(
    ("body", "more", "chunked", "writes"),
    [
        (b"abc", True, False, [b"abc"]),
        (b"abc", True, True, [b"3\r\nabc\r\n"]),
        (b"abc", False, True, [b"3\r\nabc\r\n0\r\n\r\n"]),
    ],
)
def test_small_content_is_one_write(
    transport: FakeTransport, body: bytes, more: bool, chunked: bool, writes: list[bytes]
) -> None:
    write_content(transport, body, more, chunked)
    assert transport.writes == writes


@pytest.mark.parametrize(("more", "end"), [(True, b"\r\n"), (False, b"\r\n0\r\n\r\n")])
def test_large_content_is_not_copied_into_its_chunk(transport: FakeTransport, more: bool, end: bytes) -> None:
    body = b"x" * (COPIED + 1)
    write_content(transport, body, more, True)
    assert transport.writes == [b"10001\r\n", body, end]
    assert transport.writes[1] is body


class Streamed:
    """A chunked stream, and what it wrote; its clock stands still until it is moved."""

    def __init__(self, loop: ManualLoop, chunked: bool = True) -> None:
        self.loop = loop
        self.now = 100.0
        self.transport = FakeTransport(loop)
        self.turn = Turn(loop)
        self.chunked = chunked

    def begin(self) -> ContentStream:
        return ContentStream(self.transport, self.turn, self.chunked, b"head ")


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Streamed]:
    loop = ManualLoop()
    streamed = Streamed(loop)
    monkeypatch.setattr("monoceros.protocol.content.monotonic", lambda: streamed.now)
    yield streamed
    loop.close()


def test_pieces_of_one_turn_leave_with_the_head_as_one_chunk_in_one_write(streamed: Streamed) -> None:
    content = streamed.begin()
    for piece in (b"1", b"2", b"3"):
        content.add(piece)
    assert streamed.transport.writes == []
    streamed.loop.run_turn()
    assert streamed.transport.writes == [b"head 3\r\n123\r\n"]


def test_pieces_of_a_declared_length_are_joined_as_they_are(streamed: Streamed) -> None:
    streamed.chunked = False
    content = streamed.begin()
    content.add(b"1")
    content.add(b"2")
    content.end(b"3")
    assert streamed.transport.writes == [b"head 123"]


@pytest.mark.parametrize(
    ("last", "written"), [(b"", b"head 1\r\n1\r\n0\r\n\r\n"), (b"2", b"head 2\r\n12\r\n0\r\n\r\n")]
)
def test_the_end_of_the_content_does_not_wait_for_the_end_of_the_turn(
    streamed: Streamed, last: bytes, written: bytes
) -> None:
    content = streamed.begin()
    content.add(b"1")
    content.end(last)
    assert streamed.transport.writes == [written]
    streamed.loop.run_ready()
    assert streamed.transport.writes == [written]


def test_an_empty_piece_has_what_is_held_written(streamed: Streamed) -> None:
    content = streamed.begin()
    content.add(b"")
    assert streamed.transport.take() == b"head "
    content.add(b"1")
    content.add(b"")
    assert streamed.transport.take() == b"1\r\n1\r\n"


def test_a_piece_that_comes_after_a_pause_leaves_at_once(streamed: Streamed) -> None:
    """An application that computes between two pieces ends no turn; what it has sent isn't kept for that."""
    content = streamed.begin()
    content.add(b"1")
    streamed.now += PAUSE
    content.add(b"2")
    assert streamed.transport.take() == b"head 2\r\n12\r\n"
    content.add(b"3")
    assert streamed.transport.take() == b""
    streamed.loop.run_ready()
    assert streamed.transport.take() == b"1\r\n3\r\n"
    streamed.now += PAUSE
    content.add(b"4")
    assert streamed.transport.take() == b"1\r\n4\r\n"


def test_no_more_is_held_than_one_write_is_worth(streamed: Streamed) -> None:
    content = streamed.begin()
    piece = b"x" * (LARGE - 1)
    for _ in range(COPIED // len(piece)):
        content.add(piece)
    assert streamed.transport.writes == []
    content.add(piece)
    assert len(streamed.transport.writes) == 1
    assert len(streamed.transport.writes[0]) > COPIED


@pytest.mark.parametrize("last", [False, True])
def test_a_large_piece_is_written_at_once_behind_what_is_held(streamed: Streamed, last: bool) -> None:
    streamed.chunked = False
    content = streamed.begin()
    content.add(b"1")
    large = b"x" * LARGE
    (content.end if last else content.add)(large)
    assert streamed.transport.writes == [b"head 1", large]
    assert streamed.transport.writes[1] is large


def test_what_is_dropped_is_not_written(streamed: Streamed) -> None:
    content = streamed.begin()
    content.add(b"1")
    content.drop()
    streamed.loop.run_ready()
    assert streamed.transport.writes == []
