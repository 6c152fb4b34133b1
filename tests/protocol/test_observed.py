"""What an observer is told: each request once, however it ends."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from monoceros.errors import RequestError
from monoceros.protocol.context import Context
from monoceros.protocol.exchange import UNANSWERED, Exchange, Observer
from monoceros.protocol.observed import LONGEST_LINE, ObservedConnection
from monoceros.wire.proxy_protocol import Ends
from tests.doubles.stage import GET, Peer, Stage, staged

HEAD = GET.replace(b"GET", b"HEAD")
OLD = b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
TYPE = [(b"content-type", b"text/plain")]


@dataclass
class Diary:
    """Who is told; and the clock, which the test moves."""

    began: list[Exchange] = field(default_factory=list)
    ended: list[Exchange] = field(default_factory=list)
    now: float = 100.0

    @property
    def last(self) -> Exchange:
        """The one request that has ended, or the latest."""
        return self.ended[-1]

    def outcome(self) -> tuple[int, int, bool]:
        """Status, octets, and whether it was cut off, of the only request that has ended."""
        (only,) = self.ended
        return only.status, only.octets, only.cut_off


@pytest.fixture
def stage() -> Iterator[Stage]:
    yield from staged()


@pytest.fixture
def diary(stage: Stage) -> Diary:
    diary = Diary()
    stage.context.observer = Observer((diary.ended.append,), (diary.began.append,), lambda: diary.now)
    return diary


@pytest.fixture
def peer(stage: Stage, diary: Diary) -> Peer:
    return stage.connect()


def test_a_request_begins_before_its_application_is_called(stage: Stage, diary: Diary, peer: Peer) -> None:
    seen: list[int] = []
    stage.context.observer = Observer((), (lambda exchange: seen.append(len(stage.calls)),))
    stage.connect().send(b"GET /a?b=c HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n")
    assert seen == [0]
    assert len(stage.calls) == 1


def test_an_answered_request_is_told_with_all_there_is_to_know(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.send(b"GET /a%20b?c=d HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n")
    (exchange,) = diary.began
    assert (exchange.status, diary.ended) == (0, [])
    diary.now += 1.25
    stage.call.answer(b"hello")
    assert diary.last is exchange
    assert (exchange.method, exchange.target, exchange.version) == ("GET", b"/a%20b?c=d", "1.1")
    assert exchange.fields == [(b"host", b"a"), (b"x-y", b"z")]
    assert exchange.scope is stage.call.scope
    assert exchange.client == exchange.peer == ("127.0.0.1", 50000)
    assert diary.outcome() == (200, 5, False)
    assert exchange.seconds == 1.25
    assert not exchange.refused


def test_a_peer_keeps_its_address_when_a_proxy_names_the_client(stage: Stage, diary: Diary) -> None:
    stage.context.rewriter = lambda host: lambda scope: scope.__setitem__("client", ("203.0.113.7", 0))
    peer = stage.connect()
    peer.send()
    stage.call.answer()
    assert diary.last.peer == ("127.0.0.1", 50000)
    assert diary.last.client == ("203.0.113.7", 0)


def test_behind_a_balancer_the_peer_is_the_balancer_and_the_ends_are_those_it_names(stage: Stage, diary: Diary) -> None:
    ends = Ends(("203.0.113.7", 4000), ("198.51.100.1", 443))
    for data in (GET, b"nonsense\r\n\r\n"):
        stage.connect(ends=ends).send(data)
    stage.call.answer()
    for exchange in diary.ended:
        assert (exchange.ends, exchange.peer) == (ends, ("127.0.0.1", 50000))
    assert diary.last.client == ("203.0.113.7", 4000)


@pytest.mark.parametrize("request_", [GET, HEAD, OLD, POST], ids=["get", "head", "old", "post"])
@pytest.mark.parametrize("status", [200, 204, 304, 500])
@pytest.mark.parametrize("parts", [[b"hello"], [b"hel", b"lo"], [b""]], ids=["whole", "parts", "empty"])
@pytest.mark.parametrize(
    "headers", [TYPE, [(b"X-A", b"1"), (b"X-A", b"2"), (b"Server", b"own")], [(b"connection", b"close")]]
)
def test_fields_and_octets_are_those_on_the_wire(
    stage: Stage, diary: Diary, peer: Peer, request_: bytes, status: int, parts: list[bytes], headers: object
) -> None:
    peer.send(request_)
    stage.call.start(status, headers)
    for part in parts[:-1]:
        stage.call.body(part, more=True)
    stage.call.body(parts[-1])
    answer = peer.answer()
    told = diary.last
    assert sorted((name.decode(), value.decode()) for name, value in told.response_fields) == sorted(answer.headers)
    assert told.status == answer.status
    chunked = answer.header("transfer-encoding") == "chunked"
    assert told.octets == (len(b"".join(parts)) if chunked else len(answer.body))
    assert not told.cut_off


def test_a_head_that_waits_in_vain_for_content_is_told_as_it_was_sent(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.send()
    stage.call.start(200, headers := [(b"x-a", b"b")])
    stage.tick()
    headers.append((b"x-late", b"c"))
    stage.call.body(b"later")
    assert (b"x-a", b"b") in diary.last.response_fields
    assert b"x-late" not in dict(diary.last.response_fields)
    assert diary.outcome() == (200, 5, False)


def test_pipelined_requests_are_told_one_by_one(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.send(GET + GET.replace(b"/ ", b"/2 "))
    assert len(diary.began) == 1
    stage.call.answer(b"one")
    stage.call.answer(b"three")
    assert [(each.target, each.octets) for each in diary.ended] == [(b"/", 3), (b"/2", 5)]


def test_an_application_that_fails_is_told_as_500(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.send()
    stage.call.raises(RuntimeError("no"))
    assert diary.outcome() == (500, len("Internal Server Error"), False)


def test_fields_that_can_not_be_sent_are_told_as_the_500_that_came_of_them(
    stage: Stage, diary: Diary, peer: Peer
) -> None:
    peer.send()
    stage.call.start(200, [(b"bad name", b"")])
    with pytest.raises(RuntimeError):
        stage.call.body(b"hello")
    stage.call.raises(RuntimeError("no"))
    assert diary.outcome() == (500, len("Internal Server Error"), False)
    assert b"bad name" not in dict(diary.last.response_fields)


def test_an_application_that_breaks_off_is_told_with_what_was_written(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.send()
    stage.call.start()
    stage.call.body(b"hello", more=True)
    stage.call.raises(RuntimeError("no"))
    assert diary.outcome() == (200, 5, True)
    assert (b"transfer-encoding", b"chunked") in diary.last.response_fields
    assert b"connection" not in dict(diary.last.response_fields)


def test_a_peer_that_leaves_is_told_with_what_was_written_to_it(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.send()
    stage.call.start()
    stage.call.body(b"hello", more=True)
    peer.vanish()
    stage.call.body(b"nobody", more=False)
    assert diary.outcome() == (200, 5, True)


def test_what_is_written_to_a_connection_that_closes_does_not_count(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.send()
    stage.call.start()
    stage.call.body(b"hello", more=True)
    peer.transport.close()
    stage.call.begin_send("http.response.body", body=b"nobody", more_body=True)
    assert diary.outcome() == (200, 5, True)


def test_a_peer_that_leaves_before_the_answer_is_told_as_499(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.send()
    peer.vanish()
    assert diary.outcome() == (UNANSWERED, 0, True)
    assert diary.last.response_fields == []


def test_over_the_concurrency_limit_a_request_is_told_as_503(stage: Stage, diary: Diary, peer: Peer) -> None:
    stage.context.limit_concurrency = 0
    peer.send()
    assert diary.outcome() == (503, len("Service Unavailable"), False)
    assert (b"retry-after", b"1") in diary.last.response_fields
    assert diary.began == diary.ended


REFUSED = {
    b"GET / HTTP/1.1\r\n\r\n": (400, b"GET / HTTP/1.1", "GET", b"/"),
    b"\r\nFROB / HTTP/1.1\r\nHost: a\r\n\r\n": (501, b"FROB / HTTP/1.1", "FROB", b"/"),
    b"\x16\x03\x01\x02\x00\r\n\r\n": (400, b"\x16\x03\x01\x02\x00", "", b""),
    b"GET /" + b"a" * 9000: (414, b"GET /" + b"a" * (LONGEST_LINE - 5), "", b""),
    b"GET / HTTP/1.1\r\nA: " + b"a" * 70000: (431, b"GET / HTTP/1.1", "GET", b"/"),
    b"GET ftp://a HTTP/1.1\r\nHost: a\r\n\r\n": (400, b"GET ftp://a HTTP/1.1", "GET", b"ftp://a"),
}


@pytest.mark.parametrize("data", REFUSED, ids=lambda data: repr(data[:30]))
@pytest.mark.parametrize("size", [1 << 20, 7], ids=["whole", "in pieces"])
def test_a_refused_head_is_told_with_its_first_line(diary: Diary, peer: Peer, data: bytes, size: int) -> None:
    for start in range(0, len(data), size):
        if not diary.ended:
            peer.send(data[start : start + size])
    status, line, method, target = REFUSED[data]
    answer = peer.answer()
    assert (answer.status, diary.began) == (status, [])
    assert diary.outcome() == (status, len(answer.body), False)
    told = diary.last
    assert told.request_line == line
    assert (told.method, told.target, told.refused) == (method, target, True)
    assert told.peer == ("127.0.0.1", 50000)
    assert (b"connection", b"close") in told.response_fields


def test_a_head_that_does_not_come_in_time_is_told_as_408(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.send(GET[:10])
    stage.tick(30)
    assert diary.outcome() == (408, len(peer.answer().body), False)
    assert diary.last.request_line == GET[:10]


def test_a_request_that_a_proxys_fields_make_refused_is_told_with_its_line(stage: Stage, diary: Diary) -> None:
    def refuse(scope: object) -> None:
        raise RequestError(400, "two schemes")

    stage.context.rewriter = lambda host: refuse
    stage.connect().send()
    assert diary.outcome() == (400, len("two schemes\n"), False)
    assert diary.last.request_line == b"GET / HTTP/1.1"


def test_of_a_pipelined_head_that_is_refused_no_line_is_made_up(stage: Stage, diary: Diary, peer: Peer) -> None:
    """Its beginning came with another request."""
    peer.send(GET + b"FROB / HTTP")
    stage.call.answer()
    peer.send(b"/1.1\r\nHost: a\r\n\r\n")
    assert [each.status for each in diary.ended] == [200, 501]
    assert diary.last.request_line == b""


def test_a_body_that_can_not_be_read_is_told_as_the_refusal_of_its_request(
    stage: Stage, diary: Diary, peer: Peer
) -> None:
    peer.send(CHUNKED)
    peer.send(b"nonsense\r\n")
    assert diary.last is diary.began[0]
    assert diary.outcome()[::2] == (400, False)
    assert not diary.last.refused


def test_a_body_that_can_not_be_read_cuts_off_an_answer_that_streams(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.send(CHUNKED)
    stage.call.start()
    stage.call.body(b"hello", more=True)
    peer.send(b"nonsense\r\n")
    assert diary.outcome() == (200, 5, True)


def test_a_connection_that_was_idle_is_told_of_nothing(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.send()
    stage.call.answer()
    stage.tick(10)
    assert peer.closed
    assert len(diary.ended) == 1


def test_a_session_is_told_at_its_end_with_its_duration_and_frames(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.upgrade(path="/chat")
    stage.call.accept(headers=[(b"x-a", b"b")])
    before = len(peer.take())
    assert before
    stage.call.send("websocket.send", text="hello")
    frame = len(peer.take())
    diary.now += 60
    assert diary.ended == []
    stage.call.send("websocket.close")
    peer.send(b"\x88\x82\x00\x00\x00\x00\x03\xe8")
    stage.tick(20)
    assert diary.outcome()[::2] == (101, False)
    assert diary.last.octets > frame
    assert diary.last.seconds == 60
    assert diary.last.method == "GET"
    fields = dict(diary.last.response_fields)
    assert (fields[b"upgrade"], fields[b"x-a"]) == (b"websocket", b"b")


def test_a_session_whose_peer_vanishes_was_cut_off(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.upgrade()
    stage.call.accept()
    peer.vanish()
    assert diary.outcome()[::2] == (101, True)


def test_a_handshake_that_is_refused_is_told_with_the_answer(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.upgrade()
    stage.call.receive()
    stage.call.send("websocket.close")
    assert diary.outcome() == (403, 0, False)


def test_a_handshake_that_can_not_be_accepted_is_told_as_500(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.upgrade()
    with pytest.raises(RuntimeError):
        stage.call.accept(headers=[(b"bad name", b"")])
    stage.call.raises(RuntimeError("no"))
    assert diary.outcome()[::2] == (500, False)


def test_a_handshake_that_is_denied_is_told_with_the_applications_answer(
    stage: Stage, diary: Diary, peer: Peer
) -> None:
    peer.upgrade()
    stage.call.receive()
    stage.call.send("websocket.http.response.start", status=401, headers=TYPE)
    stage.call.send("websocket.http.response.body", body=b"who are you?")
    assert diary.outcome() == (401, 12, False)


def test_a_peer_that_leaves_during_its_handshake_is_told_as_499(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.upgrade()
    peer.vanish()
    assert diary.outcome() == (UNANSWERED, 0, True)


def test_who_only_wants_to_know_the_end_is_told_only_that(stage: Stage, diary: Diary) -> None:
    stage.context.observer = Observer((diary.ended.append,))
    stage.connect().send()
    stage.call.answer()
    assert diary.last.seconds < 30
    assert diary.began == []


def test_the_default_access_log_is_written_as_well(stage: Stage, diary: Diary, peer: Peer) -> None:
    peer.send()
    stage.call.answer()
    assert stage.log == [("127.0.0.1:50000", "GET", "/", "1.1", 200)]


def test_nothing_of_an_observed_connection_waits_for_the_collector(stage: Stage, diary: Diary) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.answer()
    gc.disable()
    try:
        left = weakref.ref(peer.transport)
        peer.vanish()
        peer.transport.set_protocol(asyncio.Protocol())  # loops forget it, too
        stage.calls.clear()
        del peer
        assert left() is None
    finally:
        gc.enable()


def test_it_takes_an_observer_to_be_observed(stage: Stage) -> None:
    context: Context = stage.context
    with pytest.raises(AssertionError):
        ObservedConnection(context)
