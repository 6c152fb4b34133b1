"""The line between master and worker, over a real socket pair."""

import socket
from collections.abc import Iterator

import pytest

from monoceros.supervisor.channel import Channel, Message, Word, channel_pair


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    master, worker = channel_pair()
    yield master, worker
    master.close()
    worker.close()


def test_words_arrive_in_order_with_their_texts(ends: tuple[Channel, Channel]) -> None:
    master, worker = ends
    assert worker.send(Word.READY)
    assert worker.send(Word.LIMIT, "it has served 1000 requests")
    assert master.receive() == [Message(Word.READY), Message(Word.LIMIT, "it has served 1000 requests")]


def test_the_master_hears_nothing_instead_of_waiting(ends: tuple[Channel, Channel]) -> None:
    assert ends[0].receive() == []


def test_the_worker_hears_every_order(ends: tuple[Channel, Channel]) -> None:
    master, worker = ends
    for word in (Word.DRAIN, Word.HURRY, Word.STOP):
        master.send(word)
    assert worker.receive() == [Message(Word.DRAIN), Message(Word.HURRY), Message(Word.STOP)]


def test_a_message_cut_in_two_arrives_whole() -> None:
    left, right = socket.socketpair()
    right.setblocking(False)
    channel = Channel(right)
    left.sendall(b"ready\nlimit it gr")
    assert channel.receive() == [Message(Word.READY)]
    left.sendall(b"ew\n")
    assert channel.receive() == [Message(Word.LIMIT, "it grew")]
    left.close()
    channel.close()


def test_what_was_said_before_the_end_is_heard_before_the_end(ends: tuple[Channel, Channel]) -> None:
    master, worker = ends
    worker.send(Word.READY)
    worker.close()
    assert master.receive() == [Message(Word.READY)]
    with pytest.raises(EOFError):
        master.receive()


def test_a_peer_that_died_with_unread_orders_is_the_end_too(ends: tuple[Channel, Channel]) -> None:
    master, worker = ends
    master.send(Word.DRAIN)
    worker.close()
    with pytest.raises(EOFError):
        master.receive()


def test_a_word_to_the_dead_is_reported(ends: tuple[Channel, Channel]) -> None:
    master, worker = ends
    worker.close()
    assert not master.send(Word.DRAIN)


def test_a_word_to_a_peer_that_never_reads_is_reported_instead_of_waiting(ends: tuple[Channel, Channel]) -> None:
    master, _ = ends
    sent = 0
    while master.send(Word.LIMIT, "x" * 1000):
        sent += 1
        assert sent < 10_000


def test_sockets_come_along_with_a_word(ends: tuple[Channel, Channel]) -> None:
    master, worker = ends
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert master.send(Word.DRAIN)
        assert master.send(Word.COVER, "2", [listener.fileno()])
        received: list[Message] = []
        while len(received) < 2:
            received += worker.receive()
        assert received == [Message(Word.DRAIN), Message(Word.COVER, "2")]
        (copy,) = worker.take_sockets()
        assert copy.getsockname() == listener.getsockname()
        assert not copy.get_inheritable()
        assert worker.take_sockets() == []
        copy.close()
