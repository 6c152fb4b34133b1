"""Accepting beside other workers: when the acceptor lets them go first, and for how long. Time is moved."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from typing import Any, TypeVarTuple

import pytest

from monoceros.protocol.complaints import Complaints
from monoceros.server.acceptor import LOOK, LOOKS, Acceptor
from monoceros.server.fair_share import ABSENT, FairShare
from tests.doubles.loop import ManualLoop

Ts = TypeVarTuple("Ts")


class Worker:
    """Another worker, as it shows itself."""

    held = 0


class Workers:
    """All the others, and what they were shown."""

    def __init__(self) -> None:
        self.worker = Worker()
        self.shown: list[int] = []

    def show(self, held: int) -> None:
        self.shown.append(held)

    def others(self) -> list[Worker]:
        return [self.worker]


class ListeningLoop(ManualLoop):
    """A loop that looks at listeners when it is told to, and opens connections at once: they are held from then on."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: dict[int, Callable[[], None]] = {}
        self.held: list[socket.socket] = []

    def add_reader(self, fd: Any, callback: Callable[[*Ts], Any], *args: *Ts) -> None:
        self.readers[fd] = lambda: callback(*args)

    def remove_reader(self, fd: Any) -> bool:
        return self.readers.pop(fd, None) is not None

    def look(self) -> None:
        """Tell whoever reads that there is something."""
        for reader in list(self.readers.values()):
            reader()
        self.run_ready()

    async def connect_accepted_socket(self, protocol_factory: Any, sock: socket.socket, **_: Any) -> Any:
        self.held.append(sock)


class Scene:
    """An acceptor beside one other worker, and those who connect."""

    def __init__(self, listener: socket.socket) -> None:
        self.loop = ListeningLoop()
        self.crew = Workers()
        self.clients: list[socket.socket] = []
        self._listener = listener
        self.acceptor = Acceptor(
            self.loop,
            [listener],
            asyncio.Protocol,
            complaints=Complaints(),
            held=lambda: len(self.loop.held),
            share=FairShare(self.crew, self.loop.time),
        )
        self.acceptor.start()

    @property
    def other(self) -> Worker:
        return self.crew.worker

    @property
    def held(self) -> int:
        return len(self.loop.held)

    def connect(self, count: int) -> None:
        self.clients += [socket.create_connection(self._listener.getsockname()) for _ in range(count)]

    def other_takes_one(self) -> None:
        self._listener.accept()[0].close()
        self.other.held += 1

    def wait_in_vain(self) -> None:
        """All looks but the last one."""
        self.loop.advance(LOOK * (LOOKS - 0.5))
        assert not self.loop.readers
        self.loop.advance(LOOK)
        assert self.loop.readers

    def end(self) -> None:
        self.acceptor.pause()
        for sock in (*self.clients, *self.loop.held):
            sock.close()
        self.loop.settle()


@pytest.fixture
def scene() -> Iterator[Scene]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        listener.setblocking(False)
        made = Scene(listener)
        yield made
        made.end()


def test_of_a_burst_it_takes_its_share_and_lets_the_others_go_first(scene: Scene) -> None:
    scene.connect(20)
    scene.loop.look()
    assert scene.held == 8
    scene.loop.look()
    assert not scene.loop.readers
    scene.other.held = 8
    scene.loop.advance(LOOK)
    scene.loop.look()
    assert scene.held == 16


def test_it_goes_on_when_nobody_waits_any_more(scene: Scene) -> None:
    scene.connect(9)
    scene.loop.look()
    scene.loop.look()
    assert not scene.loop.readers
    scene.other_takes_one()
    scene.loop.advance(LOOK)
    assert scene.loop.readers
    assert scene.loop.timers == 0


def test_if_nobody_comes_it_takes_those_who_wait_and_more_each_time(scene: Scene) -> None:
    scene.connect(24)
    scene.loop.look()
    for held in (9, 11, 15, 23, 24):
        scene.loop.look()
        assert not scene.loop.readers
        scene.wait_in_vain()
        scene.loop.look()
        assert scene.held == held


def test_connections_that_were_let_in_though_nobody_came_cause_no_more_waiting(scene: Scene) -> None:
    """A worker that is blocked for long is waited for a few times, and not for each connection."""
    scene.connect(9)
    scene.loop.look()
    scene.loop.look()
    scene.wait_in_vain()
    scene.loop.look()
    scene.loop.held.pop().close()
    scene.acceptor.make_room()
    scene.connect(1)
    scene.loop.look()
    assert scene.held == 9
    assert scene.loop.readers


def test_when_it_loses_connections_it_waits_no_longer(scene: Scene) -> None:
    scene.connect(9)
    scene.loop.look()
    scene.loop.look()
    assert not scene.loop.readers
    scene.loop.held.pop().close()
    scene.acceptor.make_room()
    assert scene.loop.readers
    assert scene.loop.timers == 0


def test_the_others_are_shown_what_it_holds_and_when_it_accepts_none(scene: Scene) -> None:
    scene.loop.held += [socket.socket() for _ in range(10)]
    scene.connect(1)
    scene.loop.look()
    assert not scene.loop.readers
    assert scene.crew.shown[-1] == 10, "while others go first, it counts as one that accepts"
    scene.acceptor.pause()
    scene.acceptor.make_room()
    assert scene.crew.shown[-1] == ABSENT
    scene.acceptor.start()
    assert scene.crew.shown[-1] == 10
    scene.other.held = 9
    scene.loop.look()
    assert scene.crew.shown[-1] == 11


def test_that_more_than_half_have_gone_is_shown_at_once(scene: Scene) -> None:
    """The others are to know before they take the next ones."""
    scene.connect(8)
    scene.loop.look()
    told = len(scene.crew.shown)
    for left in (7, 6, 5, 4):
        scene.loop.held.pop().close()
        scene.acceptor.make_room()
        assert scene.held == left
    assert len(scene.crew.shown) == told
    scene.loop.held.pop().close()
    scene.acceptor.make_room()
    assert scene.crew.shown[told:] == [3]


def test_one_that_pauses_or_finishes_while_others_go_first_does_not_go_on_by_itself(scene: Scene) -> None:
    scene.connect(9)
    scene.loop.look()
    scene.loop.look()
    assert scene.acceptor.finish()
    scene.loop.run_ready()
    assert scene.held == 9, "closing would reset those who wait"
    scene.loop.advance(1)
    assert not scene.loop.readers
    assert scene.loop.timers == 0


def test_a_connection_that_is_being_opened_counts_once(scene: Scene) -> None:
    """It may be held already: the loop says so later."""
    scene.connect(8)
    for reader in list(scene.loop.readers.values()):
        reader()
    scene.loop.run_turn()
    assert scene.held == 8
    assert scene.acceptor.opening
    scene.other.held = 1
    scene.loop.look()
    assert scene.loop.readers, "it may hold nine"
