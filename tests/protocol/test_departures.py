"""When an answer is over for an observer: once its transport has taken it all, or the connection is gone."""

from collections.abc import Iterator

import pytest

from monoceros.asgi import Receive, Scope, Send
from monoceros.protocol.exchange import Exchange, Observer
from tests.doubles.stage import GET, Peer, Stage, staged

LARGE = 1_000_000


class Watch:
    """Who is told, what the kernel says of the peer, and the clock."""

    def __init__(self) -> None:
        self.ended: list[Exchange] = []
        self.now = 100.0
        self.delivered: int | None = None
        self.asked = 0

    def look(self, transport: object) -> int | None:
        self.asked += 1
        return self.delivered

    @property
    def outcomes(self) -> list[tuple[int, float, bool]]:
        """Octets, seconds, and whether it was cut off, of each that has ended."""
        return [(each.octets, each.seconds, each.cut_off) for each in self.ended]


@pytest.fixture
def stage() -> Iterator[Stage]:
    yield from staged()


@pytest.fixture
def watch(stage: Stage) -> Watch:
    watch = Watch()
    stage.context.observer = Observer((watch.ended.append,), clock=lambda: watch.now, delivered=watch.look)
    return watch


@pytest.fixture
def slow(stage: Stage, watch: Watch) -> Peer:
    """A peer that has asked, and reads nothing."""
    peer = stage.connect()
    peer.transport.peer_stops_reading()
    peer.send()
    return peer


def test_an_answer_ends_when_its_transport_has_got_rid_of_it(stage: Stage, watch: Watch, slow: Peer) -> None:
    stage.call.answer(b"x" * LARGE)
    watch.now += 5
    slow.transport.peer_takes(LARGE)
    assert slow.transport.get_write_buffer_size() > 0
    assert watch.ended == []
    watch.now += 1
    slow.read_again()
    assert watch.outcomes == [(LARGE, 6.0, False)]
    assert watch.asked == 0


def test_a_peer_that_leaves_in_the_middle_of_one_large_write_has_got_what_it_acknowledged(
    stage: Stage, watch: Watch, slow: Peer
) -> None:
    stage.call.answer(b"x" * LARGE)
    head = len(slow.take()) - LARGE
    watch.delivered = head + 1234
    watch.now += 2
    slow.vanish()
    assert watch.outcomes == [(1234, 2.0, True)]


def test_where_nobody_knows_what_was_acknowledged_all_that_was_written_counts(
    stage: Stage, watch: Watch, slow: Peer
) -> None:
    stage.call.answer(b"x" * LARGE)
    slow.vanish()
    assert watch.outcomes == [(LARGE, 0.0, True)]


def test_a_peer_that_leaves_an_answer_that_is_not_finished_has_got_what_it_acknowledged(
    stage: Stage, watch: Watch, slow: Peer
) -> None:
    stage.call.start(200, [(b"content-length", b"%d" % (2 * LARGE))])
    stage.call.begin_send("http.response.body", body=b"x" * LARGE, more_body=True)
    watch.delivered = len(slow.take()) - LARGE + 1234
    slow.vanish()
    assert watch.outcomes == [(1234, 0.0, True)]


def test_a_session_counts_the_frames_that_were_acknowledged(stage: Stage, watch: Watch) -> None:
    peer = stage.connect()
    peer.upgrade()
    stage.call.accept()
    watch.delivered = len(peer.take()) + 5
    stage.call.send("websocket.send", text="hello")
    peer.vanish()
    assert watch.outcomes == [(5, 0.0, True)]


def test_an_answer_that_breaks_off_is_told_when_what_there_is_of_it_has_left(
    stage: Stage, watch: Watch, slow: Peer
) -> None:
    stage.call.start(200, [(b"content-length", b"%d" % (2 * LARGE))])
    stage.call.begin_send("http.response.body", body=b"x" * LARGE, more_body=True)
    stage.call.raises(RuntimeError("no"))
    assert watch.ended == []
    watch.now += 3
    slow.read_again()
    assert watch.outcomes == [(LARGE, 3.0, True)]


def test_pipelined_answers_leave_in_their_order(stage: Stage, watch: Watch) -> None:
    peer = stage.connect()
    peer.transport.peer_stops_reading()
    peer.send(GET + GET)
    stage.call.answer(b"x" * LARGE)
    stage.call.begin_send("http.response.start", status=200, headers=[])
    stage.call.begin_send("http.response.body", body=b"y" * LARGE)
    first, second = (len(part) for part in peer.transport.writes[1::2])
    assert first == second == LARGE
    watch.delivered = peer.transport.get_write_buffer_size() - 10
    peer.vanish()
    assert watch.outcomes == [(LARGE, 0.0, True), (LARGE - 10, 0.0, True)]


def test_a_transport_has_its_usual_limits_again_for_the_next_answer(stage: Stage, watch: Watch, slow: Peer) -> None:
    usual = slow.transport.get_write_buffer_limits()
    stage.call.answer(b"x" * LARGE)
    assert slow.transport.get_write_buffer_limits() == (0, usual[1])
    slow.read_again()
    assert slow.transport.get_write_buffer_limits() == usual
    slow.send()
    stage.call.answer(b"small")
    assert [octets for octets, _, _ in watch.outcomes] == [LARGE, 5]


@pytest.fixture
def secret(stage: Stage, watch: Watch) -> Peer:
    """A peer over TLS, of whose transport only a look at the kernel tells what it holds."""
    peer = stage.connect(tls=True)
    peer.send()
    return peer


def test_under_tls_a_large_answer_is_over_when_two_looks_find_nothing_of_it(
    stage: Stage, watch: Watch, secret: Peer
) -> None:
    stage.context.holds_unsent = lambda transport: watch.now < 105
    stage.call.answer(b"x" * LARGE)
    stage.tick(2)
    assert watch.ended == []
    watch.now += 5
    stage.tick()
    watch.now += 1
    assert watch.ended == []
    stage.tick()
    assert watch.outcomes == [(LARGE, 5.0, False)]


def test_under_tls_who_asks_again_has_got_the_former_answer_when_it_had_left(
    stage: Stage, watch: Watch, secret: Peer
) -> None:
    stage.call.answer(b"x" * LARGE)
    assert watch.ended == []
    watch.now += 1
    secret.send()
    assert watch.outcomes == [(LARGE, 0.0, False)]


def test_one_look_that_finds_nothing_may_have_been_a_moment_s(stage: Stage, watch: Watch, secret: Peer) -> None:
    """A fast peer may empty the kernel's buffer before the loop has filled it again."""
    stage.call.answer(b"x" * LARGE)
    stage.context.holds_unsent = lambda transport: True
    stage.tick(3)
    assert watch.ended == []
    secret.vanish()
    assert watch.outcomes == [(LARGE, 0.0, True)]


def test_a_connection_that_is_closed_in_order_has_brought_what_it_held(
    stage: Stage, watch: Watch, secret: Peer
) -> None:
    stage.call.answer(b"x" * LARGE)
    watch.now += 1
    secret.transport.close()
    stage.loop.run_ready()
    assert watch.outcomes == [(LARGE, 0.0, False)]


def test_a_small_answer_is_not_looked_after(stage: Stage, watch: Watch, secret: Peer) -> None:
    stage.context.holds_unsent = lambda transport: True
    stage.call.answer(b"small")
    assert watch.outcomes == [(5, 0.0, False)]


def test_an_answer_to_a_peer_that_is_gone_already_has_no_octets(stage: Stage, watch: Watch) -> None:
    peer = stage.connect()
    peer.send()
    peer.transport.close()
    stage.call.begin_send("http.response.start", status=200, headers=[])
    stage.call.begin_send("http.response.body", body=b"nobody")
    assert [octets for octets, _, _ in watch.outcomes] == [0]


async def _stream(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"a part", "more_body": True})
    await receive()


def test_content_that_was_held_when_the_peer_left_was_never_sent(stage: Stage, watch: Watch) -> None:
    stage.context.app = _stream
    peer = stage.connect()
    peer.transport.peer_sends(GET)
    stage.loop.run_turn()
    peer.vanish()
    assert watch.outcomes == [(0, 0.0, True)]
