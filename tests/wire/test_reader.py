"""The requests of a connection, read in whatever pieces they come (RFC 9112, sections 2.2, 6, 7 and 9.3.2)."""

import pytest

from monoceros.errors import RequestError
from monoceros.wire.framing import PLAIN
from monoceros.wire.limits import RequestLimits
from monoceros.wire.reader import Reading, RequestReader
from tests.doubles.requests import LIMITS, PARSERS, Conversation, RecordingSink, bytewise, two_way_cuts

GET = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSE = b"GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"PUT /4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n"
UPGRADE = b"GET /5 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

pytestmark = pytest.mark.parametrize("parser", PARSERS)


def reading(parser: str, limits: RequestLimits = LIMITS) -> tuple[RequestReader, RecordingSink]:
    sink = RecordingSink()
    return RequestReader(sink, PARSERS[parser](), limits), sink


def targets(sink: RecordingSink) -> list[bytes]:
    return [request.target for request in sink.requests]


def test_requests_are_told_of_alike_in_whatever_pieces_they_come(parser: str) -> None:
    data = GET + POST + b"\r\n" + CHUNKED + GET + UPGRADE + b"\r\n\r\n" + POST + CLOSE
    whole = Conversation(PARSERS[parser]()).send([data])
    assert targets(whole.sink) == [b"/1", b"/3", b"/4", b"/1", b"/5", b"/3", b"/2"]
    assert [request.body for request in whole.sink.requests] == [b"", b"hello", b"abc", b"", b"", b"hello", b""]
    for pieces in [bytewise(data), *two_way_cuts(data)]:
        held = Conversation(PARSERS[parser]()).send(pieces)
        assert held.refusal is None
        assert held.sink.requests == whole.sink.requests


def test_a_plain_head_alone_has_the_traits_of_all_plain_heads(parser: str) -> None:
    reader, sink = reading(parser)
    reader.feed(GET)
    assert sink.requests[0].traits is PLAIN
    assert sink.requests[0].method == "GET"
    assert sink.requests[0].fields == [(b"host", b"a")]


def test_content_that_comes_with_its_plain_head_is_told_of_with_it(parser: str) -> None:
    reader, sink = reading(parser)
    sink.on_end = lambda: pytest.fail("told of twice")
    for _ in range(2):
        reader.feed(POST)
        assert sink.requests[-1].body == b"hello"
        assert sink.requests[-1].ended
        assert reader.state is Reading.ANSWER
        reader.resume()
        assert reader.idle


def test_content_may_look_like_the_end_of_a_head_or_like_a_head(parser: str) -> None:
    """RFC 9112, section 6: where content ends, its length says."""
    for content in (b"\r\n\r\n", GET, b"x" + GET, POST):
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(content)
        for data, count in ((head + content, 1), (head + content + GET, 2), (head + content + POST + GET, 3)):
            for pieces in [(data,), *two_way_cuts(data)]:
                held = Conversation(PARSERS[parser]()).send(pieces)
                assert held.refusal is None
                assert held.sink.requests[0].body == content
                assert len(held.sink.requests) == count


def test_a_plain_head_is_measured_where_a_limit_is_small(parser: str) -> None:
    """RFC 6585, section 5."""
    reader, _ = reading(parser, RequestLimits(fields=1))
    with pytest.raises(RequestError) as caught:
        reader.feed(GET[:-2] + b"X: y\r\n\r\n")
    assert caught.value.status == 431


@pytest.mark.parametrize("first", [GET, POST, CHUNKED])
def test_a_pipelined_request_waits_until_the_one_before_is_answered(parser: str, first: bytes) -> None:
    """RFC 9112, section 9.3.2."""
    reader, sink = reading(parser)
    reader.feed(first + CLOSE)
    assert len(sink.requests) == 1
    assert sink.waits == 1
    assert reader.state is Reading.ANSWER
    assert reader.has_input
    reader.resume()
    assert targets(sink)[1:] == [b"/2"]
    assert not reader.has_input


def test_a_waiting_request_that_is_bad_is_refused_when_its_turn_comes(parser: str) -> None:
    """The one before it is answered first (RFC 9112, section 9.3.2)."""
    reader, sink = reading(parser)
    reader.feed(GET + b"GET /\r\n\r\n")
    with pytest.raises(RequestError, match="malformed request line"):
        reader.resume()
    assert reader.state is Reading.NOTHING
    assert len(sink.requests) == 1


def test_an_answer_before_the_body_has_come_lets_the_body_be_read_first(parser: str) -> None:
    """RFC 9112, section 9.3: a server reads the whole of a request before the next."""
    reader, sink = reading(parser)
    reader.feed(POST[:-2])
    assert reader.state is Reading.BODY
    reader.resume()
    assert reader.state is Reading.BODY
    reader.feed(POST[-2:] + GET)
    assert targets(sink) == [b"/3", b"/1"]
    assert sink.requests[0].body == b"hello"


def test_a_body_is_skipped_from_the_answer_to_its_end(parser: str) -> None:
    reader, _ = reading(parser)
    reader.feed(POST[:-5])
    assert not reader.skips_body
    reader.resume()
    assert reader.skips_body
    reader.feed(POST[-5:])
    assert not reader.skips_body
    reader.feed(POST[:-5])
    reader.stop()
    reader.resume()
    assert not reader.skips_body


def test_a_sink_may_resume_while_it_is_told_of_a_request(parser: str) -> None:
    reader, sink = reading(parser)
    sink.on_request = sink.on_end = reader.resume
    reader.feed(GET * 500 + POST + CHUNKED + GET)
    assert len(sink.requests) == 503
    assert all(request.ended for request in sink.requests)
    assert reader.idle


def test_resuming_twice_changes_nothing(parser: str) -> None:
    reader, sink = reading(parser)
    reader.resume()
    reader.feed(GET + GET + GET)
    reader.resume()
    assert len(sink.requests) == 2
    reader.resume()
    reader.resume()
    assert len(sink.requests) == 3


def test_a_connection_is_idle_before_and_between_requests_only(parser: str) -> None:
    reader, _ = reading(parser)
    assert reader.idle
    reader.feed(GET[:1])
    assert not reader.idle
    reader.feed(GET[1:])
    assert not reader.idle
    reader.resume()
    assert reader.idle


@pytest.mark.parametrize("lines", [b"\r", b"\r\n", b"\r\n\r", b"\r\n\r\n"])
def test_empty_lines_between_requests_are_no_request_that_has_begun(parser: str, lines: bytes) -> None:
    """RFC 9112, section 2.2."""
    reader, sink = reading(parser)
    for _ in range(3):
        reader.feed(POST + lines)
        assert not reader.has_input
        reader.resume()
        assert reader.idle
        reader.feed(b"\r\n\r\n"[len(lines) :])
        assert reader.idle
    assert targets(sink) == [b"/3"] * 3
    assert sink.waits == 0


@pytest.mark.parametrize("first", [GET, POST])
def test_empty_lines_are_counted_afresh_for_each_request(parser: str, first: bytes) -> None:
    """RFC 9112, section 2.2: those before one request say nothing about the next."""
    for pieces in ([b"\r\n", GET], [b"\r\n" + GET], [b"\r\n", b"\r\n", GET], [b"\r", b"\n" + GET]):
        held = Conversation(PARSERS[parser]()).send([first, *pieces * 5])
        assert held.refusal is None
        assert targets(held.sink)[1:] == [b"/1"] * 5


def test_before_the_first_request_one_empty_line_is_ignored(parser: str) -> None:
    """RFC 9112, section 2.2. There is no content before it that another one could belong to."""
    for pieces in ([b"\r\n" + GET], [b"\r", b"\n", GET]):
        assert targets(Conversation(PARSERS[parser]()).send(pieces).sink) == [b"/1"]
    for pieces in ([b"\r\n\r\n" + GET], [b"\r\n\r"], [b"\r", b"\n", b"\r"]):
        held = Conversation(PARSERS[parser]()).send(pieces)
        assert (held.status, held.sink.requests) == (400, [])


def test_a_stream_of_empty_lines_is_refused(parser: str) -> None:
    """RFC 9112, section 2.2, asks for one to be ignored at least."""
    for pieces in ([b"\r\n" * 3], [b"\r\n"] * 3, [b"\r\n\r\n", b"\r"]):
        assert Conversation(PARSERS[parser]()).send([GET, *pieces]).status == 400


def test_behind_an_upgrade_stopping_returns_what_no_request_has_claimed(parser: str) -> None:
    """RFC 9110, section 7.8: what follows is of the other protocol."""
    for pieces in [(UPGRADE + b"frames",), *two_way_cuts(UPGRADE + b"frames")]:
        reader, sink = reading(parser)
        kept: list[bytes] = []

        def switch(reader: RequestReader = reader, kept: list[bytes] = kept) -> None:
            kept.append(reader.stop())

        sink.on_request = switch
        for piece in pieces:
            if kept:
                kept.append(piece)
            else:
                reader.feed(piece)
        assert b"".join(kept) == b"frames"
        assert sink.requests[0].traits.upgrade
        assert reader.state is Reading.NOTHING
        assert sink.waits == 0


def test_what_comes_with_a_last_upgrade_is_of_the_other_protocol(parser: str) -> None:
    """RFC 9110, section 7.8: of a switch, what is said about this protocol's connection is void."""
    reader, sink = reading(parser)
    kept: list[bytes] = []
    sink.on_request = lambda: kept.append(reader.stop())
    reader.feed(UPGRADE.replace(b"Upgrade\r\n", b"Upgrade, close\r\n", 1) + b"frames")
    assert kept == [b"frames"]
    assert not sink.requests[0].traits.keep_alive


def test_behind_an_upgrade_that_is_not_taken_comes_the_next_request(parser: str) -> None:
    """RFC 9110, section 7.8: a server may ignore the field."""
    held = Conversation(PARSERS[parser]()).send([UPGRADE + GET, UPGRADE + POST])
    assert targets(held.sink) == [b"/5", b"/1", b"/5", b"/3"]


def test_a_stopped_reader_drops_what_still_comes(parser: str) -> None:
    reader, sink = reading(parser)
    reader.feed(GET + POST)
    assert reader.stop() == POST
    reader.feed(GET)
    reader.resume()
    reader.feed(GET)
    assert len(sink.requests) == 1
    assert not reader.has_input
    assert reader.stop() == b""


def test_a_reader_may_be_stopped_while_it_tells_of_content(parser: str) -> None:
    class Stopping(RecordingSink):
        def body_received(self, data: bytes) -> None:
            super().body_received(data)
            reader.stop()

    sink = Stopping()
    reader = RequestReader(sink, PARSERS[parser](), LIMITS)
    reader.feed(POST[:-5])
    reader.feed(POST[-5:] + GET)
    reader.resume()
    reader.feed(GET)
    assert targets(sink) == [b"/3"]
    assert not sink.requests[0].ended


def test_a_reader_may_be_stopped_while_it_tells_of_the_end_of_a_body(parser: str) -> None:
    reader, sink = reading(parser)
    rests: list[bytes] = []
    sink.on_end = lambda: rests.append(reader.stop())
    reader.feed(POST + GET)
    assert rests == [GET]
    assert len(sink.requests) == 1


GRUDGE = GET[:-2] + b"Proxy-Connection: close\r\n\r\n"


@pytest.mark.parametrize("first", [GET, UPGRADE, GRUDGE])
@pytest.mark.parametrize("second", [GET, POST, GRUDGE])
def test_no_parser_keeps_a_grudge_from_one_head_to_the_next(parser: str, first: bytes, second: bytes) -> None:
    """Whether a connection goes on is the connection's decision, and it is made on the judged head."""
    held = Conversation(PARSERS[parser]()).send([first, second, first, second])
    assert held.refusal is None
    assert len(held.sink.requests) == 4


LAST = [CLOSE, POST.replace(b"\r\n", b"\r\nConnection: close\r\n", 1), b"GET /2 HTTP/1.0\r\n\r\n"]


@pytest.mark.parametrize("last", LAST)
@pytest.mark.parametrize("more", [b"x", b"\r\n\r\n\r", GET, POST])
def test_what_comes_with_a_last_request_is_refused_and_never_read_as_one(parser: str, last: bytes, more: bytes) -> None:
    """RFC 9112, section 9.6: a client MUST NOT send more behind `Connection: close`."""
    data = last + more
    for pieces in [(data,), bytewise(data), *two_way_cuts(data)]:
        held = Conversation(PARSERS[parser]()).send(pieces)
        assert (held.status, len(held.sink.requests), held.sink.waits) == (400, 1, 0)
        assert held.sink.requests[0].ended


@pytest.mark.parametrize("last", LAST)
def test_what_comes_while_a_last_request_is_served_waits_in_vain(parser: str, last: bytes) -> None:
    """RFC 9112, section 9.6: no more is processed; nor is the answer that is due broken off for it."""
    reader, sink = reading(parser)
    reader.feed(last)
    reader.feed(GET)
    assert reader.state is Reading.ANSWER
    assert (len(sink.requests), sink.waits) == (1, 1)
    with pytest.raises(RequestError, match="behind a request after which"):
        reader.resume()


@pytest.mark.parametrize("last", LAST)
def test_empty_lines_behind_a_last_request_are_ignored(parser: str, last: bytes) -> None:
    """RFC 9112, section 2.2."""
    for pieces in ([last + b"\r\n\r\n"], [last, b"\r\n", b"\r\n"]):
        held = Conversation(PARSERS[parser]()).send(pieces)
        assert (held.refusal, len(held.sink.requests)) == (None, 1)
        assert held.reader.idle


def test_content_that_was_announced_as_too_large_is_refused_with_the_head(parser: str) -> None:
    """RFC 9110, section 15.5.14."""
    reader, sink = reading(parser, RequestLimits(body=4))
    with pytest.raises(RequestError) as caught:
        reader.feed(POST)
    assert (caught.value.status, sink.requests) == (413, [])


def test_chunked_content_is_refused_once_it_is_too_large(parser: str) -> None:
    """RFC 9110, section 15.5.14."""
    limits = RequestLimits(body=3)
    assert Conversation(PARSERS[parser](), limits).send([CHUNKED]).refusal is None
    held = Conversation(PARSERS[parser](), limits).send(bytewise(CHUNKED.replace(b"0\r\n", b"1\r\n")))
    assert held.status == 413
    (request,) = held.sink.requests
    assert (request.body, request.ended) == (b"abc", False)
    assert held.reader.state is Reading.NOTHING


def test_what_a_sink_refuses_stops_the_reader(parser: str) -> None:
    """RFC 9112, section 3.2.2: an absolute target is looked into by the connection."""
    held = Conversation(PARSERS[parser]()).send([b"GET x://a HTTP/1.1\r\nHost: a\r\n\r\n" + GET])
    assert held.status == 400
    assert held.reader.state is Reading.NOTHING
    assert not held.reader.has_input
