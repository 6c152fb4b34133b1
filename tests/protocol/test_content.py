"""How content goes to a transport."""

from collections.abc import Iterator

import pytest

from monoceros.protocol.content import COPIED, write_content
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
