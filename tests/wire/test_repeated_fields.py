"""Requests of a connection whose fields are those of the one before: they are judged once, and told of each time."""

import random
import tracemalloc

import pytest

from monoceros.asgi import Headers
from monoceros.errors import RequestError
from monoceros.wire import plain, reader
from monoceros.wire.framing import Traits
from monoceros.wire.limits import RequestLimits
from monoceros.wire.reader import RequestReader
from tests.doubles.requests import LIMITS, PARSERS, Received, RecordingSink
from tests.wire.test_mutations import made_head, spoilt

FIELDS = b"Host: a\r\nCookie: theme=dark\r\nX-One: 1\r\n\r\n"


def reading(limits: RequestLimits = LIMITS) -> tuple[RequestReader, RecordingSink]:
    sink = RecordingSink()
    return RequestReader(sink, PARSERS["httptools"](), limits), sink


def ask(reader: RequestReader, *requests: bytes) -> None:
    for request in requests:
        reader.feed(request)
        reader.resume()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The heads whose fields were read."""
    heads: list[bytes] = []
    read_plain = plain.read_plain

    def recorded(head: bytes, most: int) -> object:
        heads.append(head)
        return read_plain(head, most)

    monkeypatch.setattr(reader, "read_plain", recorded)
    return heads


def test_the_same_fields_are_read_once_whatever_is_asked_for(read: list[bytes]) -> None:
    reader, sink = reading()
    ask(reader, *(b"%b /%d?x HTTP/1.1\r\n" % (method, 7) + FIELDS for method in (b"GET", b"DELETE", b"GET")))
    assert read == [b"GET /7?x HTTP/1.1\r\n" + FIELDS]
    assert [(request.method, request.target) for request in sink.requests] == [
        ("GET", b"/7?x"),
        ("DELETE", b"/7?x"),
        ("GET", b"/7?x"),
    ]
    assert all(request.fields == sink.requests[0].fields for request in sink.requests)
    assert sink.requests[0].fields == [(b"host", b"a"), (b"cookie", b"theme=dark"), (b"x-one", b"1")]


def test_the_same_fields_are_the_same_list_and_others_another() -> None:
    told = []

    class Keeping(RecordingSink):
        def request_received(
            self, method: str, target: bytes, traits: Traits, fields: Headers, content: bytes = b""
        ) -> None:
            told.append(fields)

    other = b"GET / HTTP/1.1\r\nHost: b\r\n\r\n"
    ask(RequestReader(Keeping(), PARSERS["httptools"](), LIMITS), *[b"GET / HTTP/1.1\r\n" + FIELDS] * 3, other)
    assert told[0] is told[1] is told[2] is not told[3]
    assert told[3] == [(b"host", b"b")]


def test_content_comes_behind_the_same_fields_whole_or_in_parts(read: list[bytes]) -> None:
    reader, sink = reading()
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 25\r\n\r\n"
    for content in (b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n\r\n" * 6 + b"x", b"x" * 25):
        ask(reader, head + content)
        assert sink.requests[-1].body == content
    for cut in (0, 1, 24):
        reader.feed(head + bytes(cut))
        assert not sink.requests[-1].ended
        reader.feed(bytes(25 - cut))
        assert sink.requests[-1].ended
        assert sink.requests[-1].body == bytes(25)
        reader.resume()
    assert read == [head]


def test_content_is_copied_once_though_its_fields_may_be_known() -> None:
    reader, sink = reading()
    size = 200_000
    data = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)
    ask(reader, data)
    sink.requests.clear()
    tracemalloc.start()
    try:
        ask(reader, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sink.requests[0].body == bytes(size)
    assert peak < 1.5 * size


@pytest.mark.parametrize("length", range(4000, 4100))
def test_known_fields_are_told_of_alike_behind_a_target_of_any_length(length: int) -> None:
    reader, sink = reading()
    ask(reader, b"GET / HTTP/1.1\r\n" + FIELDS, b"GET /%b HTTP/1.1\r\n" % (b"a" * length) + FIELDS)
    assert sink.requests[1].target == b"/" + b"a" * length
    assert sink.requests[1].fields == sink.requests[0].fields


def test_what_is_pipelined_behind_the_same_fields_waits_its_turn() -> None:
    reader, sink = reading()
    request = b"GET /1 HTTP/1.1\r\n" + FIELDS
    ask(reader, request)
    reader.feed(request + b"GET /2 HTTP/1.1\r\n" + FIELDS)
    assert [each.target for each in sink.requests] == [b"/1", b"/1"]
    reader.resume()
    assert [each.target for each in sink.requests] == [b"/1", b"/1", b"/2"]


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET / HTTP/2.0", 505),
        (b"GET  / HTTP/1.1", 400),
        (b"GET /\x00 HTTP/1.1", 400),
        (b" GET / HTTP/1.1", 400),
        (b"CONNECT / HTTP/1.1", 501),
        (b"GET / HTTP/1.1\nX: y", 400),
        (b"GET /" + b"a" * 8190 + b" HTTP/1.1", 414),
    ],
)
def test_a_request_line_is_judged_whatever_is_known_of_the_fields(line: bytes, status: int) -> None:
    """RFC 9112, section 3."""
    reader, _ = reading()
    ask(reader, b"GET / HTTP/1.1\r\n" + FIELDS)
    with pytest.raises(RequestError) as caught:
        reader.feed(line + b"\r\n" + FIELDS)
    assert caught.value.status == status


def test_the_whole_head_is_measured_whatever_is_known_of_the_fields() -> None:
    block = b"Host: a\r\nX: " + b"y" * 60 + b"\r\n\r\n"
    reader, sink = reading(RequestLimits(line=200, field_size=200, head=100))
    ask(reader, b"GET / HTTP/1.1\r\n" + block)
    with pytest.raises(RequestError) as caught:
        reader.feed(b"GET /much-longer HTTP/1.1\r\n" + block)
    assert caught.value.status == 431
    assert len(sink.requests) == 1


@pytest.mark.parametrize(("size", "times"), [(1024, 1), (1025, 2)])
def test_long_fields_are_not_kept(read: list[bytes], size: int, times: int) -> None:
    reader, _ = reading()
    block = b"Host: a\r\nCookie: (c)\r\n\r\n"
    request = b"GET / HTTP/1.1\r\n" + block.replace(b"(c)", b"c" * (size - len(block) + 3))
    ask(reader, request, request)
    assert read == [request] * times


def test_where_fields_differ_each_time_few_heads_are_remembered_and_it_is_seen_when_they_no_longer_do(
    read: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, _ = reading()
    kept = []
    remember = RequestReader._remember

    def remembered(self: RequestReader, block: bytes, fields: Headers, traits: Traits) -> None:
        kept.append(block)
        remember(self, block, fields, traits)

    monkeypatch.setattr(RequestReader, "_remember", remembered)
    for number in range(100):
        ask(reader, b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: %d\r\n\r\n" % number)
    assert len(read) == 100
    assert 5 <= len(kept) <= 30
    for _ in range(100):
        ask(reader, b"GET / HTTP/1.1\r\n" + FIELDS)
    assert len(read) <= 125


@pytest.mark.parametrize("seed", range(2))
def test_a_connection_with_a_past_says_the_same_as_a_new_one(seed: int) -> None:
    """Whatever line comes before fields that are known, and whatever content behind them."""
    choice = random.Random(seed)
    accepted = refused = 0
    for _ in range(3000):
        first, second = made_head(choice), made_head(choice)
        line = spoilt(second, choice).partition(b"\r\n")[0]
        data = line + b"\r\n" + first.partition(b"\r\n")[2] + choice.choice((b"", b"x", b"hello", first))
        reader, sink = reading()
        try:
            reader.feed(first)
            if not sink.requests[0].ended:
                length = sink.requests[0].traits.length
                reader.feed(bytes(length) if length > 0 else b"0\r\n\r\n")
            reader.resume()
        except (RequestError, IndexError):
            continue
        if not sink.requests[0].traits.keep_alive:
            continue
        known = outcome(reader, sink, data)
        assert known == outcome(*reading(), data), (first, data)
        accepted += bool(known[0])
        refused += known[1] is not None
    assert accepted > 100
    assert refused > 100


def outcome(reader: RequestReader, sink: RecordingSink, data: bytes) -> tuple[list[Received], int | None]:
    """Return the requests that the sink is told of, and the status of a refusal."""
    sink.requests.clear()
    try:
        reader.feed(data)
    except RequestError as exc:
        return sink.requests, exc.status
    return sink.requests, None
