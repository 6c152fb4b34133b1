"""A transport that counts, and is the one it stands for in all else."""

import asyncio
import inspect
from collections.abc import Iterator

import pytest

from monoceros.protocol.metered import MeteredTransport
from tests.doubles.loop import ManualLoop
from tests.doubles.transport import PEER, FakeTransport


@pytest.fixture
def counted() -> Iterator[FakeTransport]:
    loop = ManualLoop()
    transport = FakeTransport(loop)
    transport.connect(asyncio.Protocol())
    yield transport
    loop.close()


def test_what_is_written_is_counted_and_reaches_the_transport(counted: FakeTransport) -> None:
    metered = MeteredTransport(counted)
    metered.write(b"hello")
    metered.write(b"!")
    assert (metered.written, counted.writes) == (6, [b"hello", b"!"])


def test_what_a_transport_that_closes_does_not_take_is_not_counted(counted: FakeTransport) -> None:
    metered = MeteredTransport(counted)
    metered.close()
    metered.write(b"hello")
    assert (metered.written, counted.lost_writes) == (0, [b"hello"])


def test_all_else_is_the_transports_own(counted: FakeTransport) -> None:
    metered = MeteredTransport(counted)
    assert metered.get_extra_info("peername") == PEER
    assert metered.get_extra_info("none", 7) == 7
    assert metered.get_protocol() is counted.get_protocol()
    metered.set_protocol(other := asyncio.Protocol())
    assert counted.get_protocol() is other
    metered.pause_reading()
    assert (counted.reading, metered.is_reading()) == (False, False)
    metered.resume_reading()
    assert counted.reading
    counted.peer_stops_reading()
    metered.set_write_buffer_limits(high=10, low=2)
    assert metered.get_write_buffer_limits() == counted.get_write_buffer_limits() == (2, 10)
    metered.write(b"held")
    assert metered.get_write_buffer_size() == 4
    assert metered.can_write_eof()
    metered.write_eof()
    assert counted.eof_written
    assert not metered.is_closing()
    metered.abort()
    assert metered.is_closing()
    assert counted.aborted


def test_no_method_of_a_transport_is_left_out() -> None:
    """What a Transport of asyncio's doesn't do itself, but leaves to its classes."""
    methods = {name for name, _ in inspect.getmembers(asyncio.Transport, inspect.isfunction) if name[0] != "_"}
    assert methods - {"writelines"} <= set(vars(MeteredTransport))
