"""Back-pressure both ways, and the bookkeeping of connections."""

import pytest

from monoceros.protocol.connection import WRITE_BUFFER, Connection
from monoceros.protocol.context import NEVER
from tests.doubles.stage import Stage
from tests.doubles.transport import FakeTransport


@pytest.fixture
def connection(stage: Stage) -> Connection:
    return Connection(stage.context)


@pytest.fixture
def transport(stage: Stage, connection: Connection) -> FakeTransport:
    transport = FakeTransport(stage.loop)
    transport.connect(connection)
    return transport


def test_a_connection_is_known_from_its_beginning_to_its_end(
    stage: Stage, connection: Connection, transport: FakeTransport
) -> None:
    assert stage.context.connections == {connection}
    connection.deadline = 5
    connection.close()
    stage.loop.run_ready()
    assert stage.context.connections == set()
    assert connection.deadline == NEVER


def test_an_abort_loses_what_was_not_written(stage: Stage, connection: Connection, transport: FakeTransport) -> None:
    transport.peer_stops_reading()
    transport.write(b"unread")
    connection.close()
    stage.loop.run_ready()
    assert not transport.gone
    connection.abort()
    stage.loop.run_ready()
    assert transport.gone


def test_the_peer_has_a_label_for_the_log(connection: Connection, transport: FakeTransport) -> None:
    assert connection.client == "127.0.0.1:50000"


def test_reading_is_paused_and_resumed_once(stage: Stage, connection: Connection, transport: FakeTransport) -> None:
    connection.resume_reading()
    connection.pause_reading()
    connection.pause_reading()
    assert not transport.reading
    connection.resume_reading()
    connection.resume_reading()
    assert transport.reading


def test_a_closing_connection_is_neither_paused_nor_resumed(connection: Connection, transport: FakeTransport) -> None:
    """Some event loops raise then."""
    connection.pause_reading()
    transport.close()
    connection.resume_reading()
    connection.pause_reading()
    assert (transport.reading, transport.pauses) == (False, 1)


def test_all_that_drain_wait_for_the_peer(stage: Stage, connection: Connection, transport: FakeTransport) -> None:
    done = stage.loop.create_task(connection.drain())
    stage.loop.run_ready()
    assert done.done()
    connection.pause_writing()
    tasks = [stage.loop.create_task(connection.drain()) for _ in range(3)]
    stage.loop.run_ready()
    tasks[0].cancel()
    stage.loop.run_ready()
    assert [task.done() for task in tasks] == [True, False, False]
    connection.resume_writing()
    stage.loop.run_ready()
    assert all(task.done() for task in tasks)


def test_a_peer_that_stops_reading_again_is_waited_for_again(
    stage: Stage, connection: Connection, transport: FakeTransport
) -> None:
    connection.pause_writing()
    task = stage.loop.create_task(connection.drain())
    stage.loop.run_ready()
    connection.resume_writing()
    connection.pause_writing()
    stage.loop.run_ready()
    assert not task.done()
    connection.resume_writing()
    stage.loop.run_ready()
    assert task.done()


def test_nobody_waits_for_a_peer_that_is_gone(stage: Stage, connection: Connection, transport: FakeTransport) -> None:
    connection.pause_writing()
    task = stage.loop.create_task(connection.drain())
    stage.loop.run_ready()
    transport.peer_vanishes()
    stage.loop.run_ready()
    assert task.done()


def test_what_a_protocol_must_say_for_itself(connection: Connection) -> None:
    for ask in (connection.deadline_passed, connection.begin_drain, connection.close_if_idle):
        with pytest.raises(NotImplementedError):
            ask()


@pytest.mark.parametrize("tls", [False, True])
def test_writing_pauses_at_the_same_number_of_octets_with_and_without_tls(stage: Stage, tls: bool) -> None:
    peer = stage.connect(tls=tls)
    peer.transport.peer_stops_reading()
    peer.transport.write(bytes(WRITE_BUFFER))
    assert not peer.connection.write_paused
    peer.transport.write(b"x")
    assert peer.connection.write_paused


@pytest.mark.parametrize("sockname", [("127.0.0.1", 8000), ("::1", 8000, 0, 0)])
def test_a_peer_that_was_gone_before_it_was_accepted_is_a_stranger_and_not_one_of_a_unix_socket(
    stage: Stage, sockname: tuple[object, ...]
) -> None:
    """The kernel doesn't know its address any more; what it has sent can still be read, and must not be trusted."""
    asked: list[str | None] = []
    stage.context.rewriter = asked.append
    stage.connect(peername=None, sockname=sockname)
    stage.connect(peername="", sockname="/run/app.sock")
    assert asked == ["unknown", None]
