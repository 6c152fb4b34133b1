"""What an application may send wrong, and what its peer sees of that, octet by octet and over every field parser.

It is 500 or a response that breaks off; never a field, a body or a second response that isn't meant.
"""

import logging
from collections.abc import Iterator
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monoceros.asgi import Message
from tests.doubles.stage import GET, PARSERS, Stage, staged

GET_1_0 = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
HEAD = GET.replace(b"GET", b"HEAD")
OK = b"HTTP/1.1 200 OK\r\nserver: monoceros\r\n"
FAILURE = (
    b"HTTP/1.1 500 Internal Server Error\r\nserver: monoceros\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 21\r\nconnection: close\r\n\r\nInternal Server Error"
)
LENGTH, CODING, CONNECTION = b"content-length", b"transfer-encoding", b"connection"


def start(*headers: object, status: object = 200, **fields: object) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers), **fields}


def body(content: object = b"", more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


def play(stage: Stage, messages: list[Message]) -> RuntimeError | None:
    """Send messages as far as they are taken, and fail as an application does that catches nothing."""
    for message in messages:
        exc = stage.call.begin_send_message(message).exception()
        if exc is not None:
            assert isinstance(exc, RuntimeError)
            stage.call.raises(exc)
            return exc
    stage.call.returns()
    return None


STATUSES = [True, False, "200", b"200", None, 200.0, -1, 0, 99, 100, 101, 103, 199, 600, 999, 1000]

HEADERS: list[tuple[object, str]] = [
    ((b"a", b"b\r\nset-cookie: c"), "the header b'a' with a control character in its value"),
    ((b"a", b"b\r\n\r\nHTTP/1.1 200 OK"), "the header b'a' with a control character in its value"),
    ((b"a", b"b\rc"), "with a control character"),
    ((b"a", b"b\nc"), "with a control character"),
    ((b"a", b"b\0c"), "with a control character"),
    ((b"a", b"b\x7f"), "with a control character"),
    ((b"a", b"\r\n"), "with a control character"),
    ((b"date", b"a\r\nb: c"), "with a control character"),
    ((b"server", b"a\nb: c"), "with a control character"),
    ((CONNECTION, b"close\r\na: b"), "with a control character"),
    ((CONNECTION, b"keep-alive\0"), "with a control character"),
    ((b"a\r\nb", b"c"), "the header name b'a\\r\\nb', which isn't a token"),
    ((b"a: b\r\nc", b"d"), "which isn't a token"),
    ((b"a\0", b"b"), "which isn't a token"),
    ((b"a ", b"b"), "which isn't a token"),
    ((b":status", b"200"), "which isn't a token"),
    ((b"\xe9", b"b"), "which isn't a token"),
    ((b"", b"b"), "which isn't a token"),
    (("a", b"b"), "the header name 'a' as str; ASGI asks for bytes"),
    ((b"a", "b"), "the header value 'b' as str; ASGI asks for bytes"),
    ((b"a", 5), "the header value 5 as int; ASGI asks for bytes"),
    ((b"a", None), "the header value None as NoneType; ASGI asks for bytes"),
    ((b"a", bytearray(b"\r\n")), "ASGI asks for bytes"),
    ((b"a",), "the header (b'a',); ASGI asks for a pair"),
    (None, "the header None; ASGI asks for a pair"),
    ((LENGTH, b""), "content-length b''; ASGI asks for a number of octets"),
    ((LENGTH, b"-5"), "ASGI asks for a number of octets"),
    ((LENGTH, b"+5"), "ASGI asks for a number of octets"),
    ((LENGTH, b"5, 5"), "ASGI asks for a number of octets"),
    ((LENGTH, b"0x5"), "ASGI asks for a number of octets"),
    ((LENGTH, b"5\r\n"), "ASGI asks for a number of octets"),
    ((LENGTH, b"5\x0b"), "ASGI asks for a number of octets"),
    ((LENGTH, b"9" * 19), "ASGI asks for a number of octets"),
    ((CODING, b"gzip"), "transfer-encoding b'gzip'; the server alone frames the content"),
    ((CODING, b"gzip, chunked"), "the server alone frames the content"),
    ((CODING, b"chunked, chunked"), "the server alone frames the content"),
    ((CODING, b"identity"), "the server alone frames the content"),
    ((CODING, b"chunked\r\n"), "the server alone frames the content"),
    ((CODING, b"\x0bchunked"), "the server alone frames the content"),
    ((CONNECTION, b"close, Content-Length"), "connection b'close, Content-Length'; content-length is meant for all"),
    ((CONNECTION, b"transfer-encoding"), "transfer-encoding is meant for all recipients"),
]

MESSAGES: list[tuple[list[Message], str]] = [
    *(([start(status=status), body()], f"the status {status!r}; a final status is a number") for status in STATUSES),
    *(([start(header), body(b"12345", more)], said) for header, said in HEADERS for more in (False, True)),
    ([start((LENGTH, b"5"), (LENGTH, b"6")), body(b"12345")], "two different content-lengths, 5 and 6"),
    ([start((LENGTH, b"4")), body(b"12345")], "declared 4 octets of content and sent 5"),
    ([start((LENGTH, b"6")), body(b"12345")], "declared 6 octets of content and sent 5"),
    ([start((LENGTH, b"4")), body(b"12345", more=True)], "sent 1 octets of content more than it declared"),
    ([start(), body("text")], "'body' of type str; ASGI asks for bytes"),
    ([start(), body(None)], "'body' of type NoneType; ASGI asks for bytes"),
    ([start(), body([65])], "'body' of type list; ASGI asks for bytes"),
    ([body(b"12345")], "'http.response.body' first; ASGI asks for 'http.response.start'"),
    ([start(), start()], "'http.response.start'; ASGI asks for 'http.response.body' after"),
    ([{"type": "http.response.push", "path": "/"}], "first; ASGI asks for 'http.response.start' ('http.response.push'"),
    ([start(), {"type": "http.response.pathsend", "path": "/etc/passwd"}], "an extension that scope['extensions']"),
    ([start(trailers=True), {"type": "http.response.trailers"}], "an extension that scope['extensions'] doesn't offer"),
    ([start(), {"type": "http.response.zerocopysend", "file": 3}], "an extension that scope['extensions']"),
    ([start(), {"type": ["http.response.body"]}], "sent ['http.response.body']; ASGI asks for 'http.response.body'"),
]


@pytest.mark.parametrize("request_head", [GET, GET_1_0], ids=["1.1", "1.0"])
@pytest.mark.parametrize(("messages", "said"), MESSAGES)
def test_before_the_head_it_is_answered_with_500_and_nothing_else(
    stage: Stage, request_head: bytes, messages: list[Message], said: str
) -> None:
    """The whole answer, and its end is that of the connection."""
    peer = stage.connect()
    peer.send(request_head)
    exc = play(stage, messages)
    assert str(exc).startswith("the application sent ") or str(exc).startswith("the application declared ")
    assert said in str(exc)
    assert peer.take() == FAILURE
    assert peer.closed


@pytest.mark.parametrize(
    ("messages", "said", "written"),
    [
        (
            [start((LENGTH, b"5")), body(b"12", more=True), body(b"3456")],
            "1 octets of content more",
            OK + b"content-length: 5\r\n\r\n12",
        ),
        (
            [start((LENGTH, b"5")), body(b"12", more=True), body(b"34")],
            "1 octets of content less",
            OK + b"content-length: 5\r\n\r\n12",
        ),
        (
            [start((LENGTH, b"5"), (CODING, b"chunked")), body(b"12", more=True), body(b"34")],
            "1 octets of content less",
            OK + b"content-length: 5\r\n\r\n12",
        ),
        (
            [start(), body(b"12", more=True), body("34")],
            "type str",
            OK + b"transfer-encoding: chunked\r\n\r\n2\r\n12\r\n",
        ),
        (
            [start(), body(b"12", more=True), start(status=404)],
            "'http.response.start'; ASGI asks for 'http.response.body'",
            OK + b"transfer-encoding: chunked\r\n\r\n2\r\n12\r\n",
        ),
        (
            [start(), body(b"12", more=True), {"type": "http.response.trailers", "headers": [(b"a", b"b")]}],
            "an extension that scope['extensions'] doesn't offer",
            OK + b"transfer-encoding: chunked\r\n\r\n2\r\n12\r\n",
        ),
    ],
)
def test_amid_the_content_the_response_breaks_off(
    stage: Stage, messages: list[Message], said: str, written: bytes
) -> None:
    """RFC 9112, section 8: without its last octet, or its last chunk, a peer can tell that it is incomplete."""
    peer = stage.connect()
    peer.send()
    assert said in str(play(stage, messages))
    assert peer.take() == written
    assert peer.closed


@pytest.mark.parametrize(
    "late",
    [start(), body(b"again"), {"type": "http.response.trailers", "headers": []}, {"type": "http.response.debug"}],
)
def test_after_the_response_nothing_is_written(stage: Stage, late: Message) -> None:
    """The peer has its answer, and the connection serves the next request."""
    peer = stage.connect()
    peer.send()
    assert "after its response was complete" in str(play(stage, [start(trailers=True), body(b"done"), late]))
    assert peer.take() == OK + b"content-length: 4\r\n\r\ndone"
    peer.send()
    assert play(stage, [start(), body()]) is None
    assert peer.take() == OK + b"content-length: 0\r\n\r\n"


@pytest.mark.parametrize("messages", [[start((LENGTH, b"9")), body(b"12")], [start((b"a", b"\n")), body()]])
def test_an_application_that_hides_its_mistake_is_answered_for_as_well(stage: Stage, messages: list[Message]) -> None:
    peer = stage.connect()
    peer.send()
    for message in messages:
        stage.call.begin_send_message(message).exception()
    stage.call.returns()
    assert peer.take() == FAILURE
    assert peer.closed


NO_CONTENT = b"HTTP/1.1 204 No Content\r\nserver: monoceros\r\n\r\n"
RESET_CONTENT = b"HTTP/1.1 205 Reset Content\r\nserver: monoceros\r\ncontent-length: 0\r\n\r\n"
NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\nserver: monoceros\r\n"


@pytest.mark.parametrize(
    ("request_head", "messages", "written"),
    [
        (GET, [start(status=204), body(b"null")], NO_CONTENT),
        (GET, [start((LENGTH, b"4"), status=204), body(b"null")], NO_CONTENT),
        (GET, [start((LENGTH, b"4"), status=204), body()], NO_CONTENT),
        (GET, [start((CODING, b"chunked"), status=204), body(b"nu", more=True), body(b"ll")], NO_CONTENT),
        (GET, [start(status=205), body(b"null")], RESET_CONTENT),
        (GET, [start((LENGTH, b"4"), status=205), body(b"null")], RESET_CONTENT),
        (GET, [start(status=205), body(b"nu", more=True), body(b"ll")], RESET_CONTENT),
        (HEAD, [start(status=205), body(b"null")], RESET_CONTENT),
        (GET, [start(status=304), body(b"null")], NOT_MODIFIED + b"\r\n"),
        (GET, [start((LENGTH, b"9"), status=304), body(b"null")], NOT_MODIFIED + b"content-length: 9\r\n\r\n"),
        (GET, [start((CODING, b"chunked"), status=304), body(b"nu", more=True), body()], NOT_MODIFIED + b"\r\n"),
        (HEAD, [start((LENGTH, b"9")), body(b"null")], OK + b"content-length: 9\r\n\r\n"),
        (HEAD, [start((CODING, b"chunked")), body(b"nu", more=True), body(b"ll")], OK + b"\r\n"),
        (GET, [start((LENGTH, b"4"), (LENGTH, b" 4 ")), body(b"null")], OK + b"content-length: 4\r\n\r\nnull"),
        (GET, [start((LENGTH, b"4"), (CODING, b"chunked")), body(b"null")], OK + b"content-length: 4\r\n\r\nnull"),
        (
            GET,
            [start((CODING, b"chunked"), (CODING, b"Chunked")), body(b"null")],
            OK + b"transfer-encoding: chunked\r\n\r\n4\r\nnull\r\n0\r\n\r\n",
        ),
        (
            GET,
            [start((CONNECTION, b"upgrade"), (b"upgrade", b"h2c")), body(b"null")],
            OK + b"upgrade: h2c\r\ncontent-length: 4\r\nconnection: upgrade\r\n\r\nnull",
        ),
    ],
)
def test_what_the_server_knows_better_is_put_right(
    stage: Stage, request_head: bytes, messages: list[Message], written: bytes
) -> None:
    """RFC 9110, sections 8.6, 9.3.2, 15.3.5, 15.3.6, 15.4.5: content that has no place is left out, and no length lies.

    An Upgrade in any other response than 101 is an offer (section 7.8), and switches nothing: the next request is read.
    """
    peer = stage.connect()
    for _ in range(2):
        peer.send(request_head)
        assert play(stage, messages) is None
        assert peer.take() == written
    assert not peer.closed


OCTETS = st.one_of(st.binary(max_size=6), st.sampled_from([b"5", b"0", b"chunked", b"close", b"keep-alive", b"a\r\nb"]))
NAMES = st.one_of(
    st.binary(max_size=6),
    st.sampled_from([LENGTH, b"Content-Length", CODING, CONNECTION, b"date", b"server", b"upgrade", b"trailer", b"x"]),
)
CONTENTS = st.one_of(st.binary(max_size=8), st.just(b"12345"), st.just(b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"))


@given(
    st.sampled_from(sorted(PARSERS)),
    st.sampled_from([GET, GET_1_0, HEAD]),
    st.sampled_from([200, 204, 205, 304, 404, 599]),
    st.lists(st.tuples(NAMES, OCTETS), max_size=4),
    st.lists(CONTENTS, min_size=1, max_size=3),
)
def test_whatever_an_application_sends_a_client_reads_one_response_or_none(
    parser: str, request_head: bytes, status: int, headers: list[Any], contents: list[bytes]
) -> None:
    """By a client of another make: all that was written is one response, whole or broken off, and nothing after it."""
    logging.getLogger("monoceros.error").disabled = True
    for stage in one_of(parser):
        peer = stage.connect()
        peer.send(request_head)
        last = len(contents) - 1
        messages = [body(content, more=index < last) for index, content in enumerate(contents)]
        exc = play(stage, [start(*headers, status=status), *messages])
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=request_head[:4].strip(), target="/", headers=[("host", "a")]))
        client.send(h11.EndOfMessage())
        client.receive_data(peer.take())
        if peer.closed:
            client.receive_data(b"")
        response = client.next_event()
        assert isinstance(response, h11.Response)
        assert response.status_code in (status, 500)
        content, whole = read_content(client)
        if exc is None or response.status_code == 500:
            assert whole
        else:  # what is too much came after all that was declared, and wasn't written
            declared = dict(response.headers).get(LENGTH)
            assert not whole or declared == b"%d" % len(content)
        if exc is None:
            given = b"".join(contents)
            assert content == (b"" if request_head is HEAD or status in (204, 205, 304) else given)
        assert client.trailing_data[0] == b""


def one_of(parser: str) -> Iterator[Stage]:
    try:
        yield from staged(parser)
    finally:
        logging.getLogger("monoceros.error").disabled = False


def read_content(client: h11.Connection) -> tuple[bytes, bool]:
    """The content that a client reads, and whether it is complete."""
    content = b""
    while True:
        try:
            event = client.next_event()
        except h11.RemoteProtocolError as exc:
            assert "peer closed connection without sending complete message body" in str(exc)  # noqa: PT017
            return content, False
        if not isinstance(event, h11.Data):
            assert isinstance(event, h11.EndOfMessage)
            return content, True
        content += event.data


# The answers to a handshake.

ACCEPTED: list[tuple[dict[str, object], str]] = [
    ({"headers": [(b"a", b"b\r\nc: d")]}, "the header b'a' with a control character in its value"),
    ({"headers": [(b"a\r\nb", b"c")]}, "which isn't a token"),
    ({"headers": [(b":status", b"200")]}, "which isn't a token"),
    ({"headers": [(b"a", "b")]}, "ASGI asks for pairs of bytes"),
    ({"headers": [(b"a",)]}, "ASGI asks for pairs of bytes"),
    ({"headers": "a: b"}, "ASGI asks for a list of pairs of bytes"),
    ({"headers": [(LENGTH, b"5")]}, "a header 'content-length', which is the server's to send"),
    ({"headers": [(CODING, b"chunked")]}, "a header 'transfer-encoding', which is the server's to send"),
    ({"headers": [(CONNECTION, b"close")]}, "a header 'connection', which is the server's to send"),
    ({"headers": [(b"Upgrade", b"h2c")]}, "a header 'upgrade', which is the server's to send"),
    ({"subprotocol": "a\r\nb: c"}, "RFC 6455, section 4.1, asks for"),
    ({"subprotocol": "\xe9"}, "RFC 6455, section 4.1, asks for"),
    ({"subprotocol": b"a"}, "'subprotocol' of type bytes; ASGI asks for str"),
]


@pytest.mark.parametrize(("fields", "said"), ACCEPTED)
def test_a_handshake_that_is_accepted_wrongly_is_answered_with_500(
    session_stage: Stage, fields: dict[str, object], said: str
) -> None:
    """And with no 101 before it: nothing has switched."""
    peer = session_stage.connect()
    peer.upgrade()
    exc = play(session_stage, [{"type": "websocket.accept", **fields}])
    assert said in str(exc)
    assert peer.take() == FAILURE
    assert peer.closed


@pytest.mark.parametrize("status", STATUSES)
def test_a_handshake_that_is_denied_with_no_status_is_answered_with_500(session_stage: Stage, status: object) -> None:
    """With 101, too, which would switch to what nobody speaks."""
    peer = session_stage.connect()
    peer.upgrade()
    exc = play(session_stage, [{"type": "websocket.http.response.start", "status": status, "headers": []}])
    assert f"the status {status!r}; a final status is a number" in str(exc)
    assert peer.take() == FAILURE
    assert peer.closed


@pytest.mark.parametrize(("header", "said"), HEADERS)
def test_a_handshake_that_is_denied_with_a_wrong_header_is_answered_with_500(
    session_stage: Stage, header: object, said: str
) -> None:
    peer = session_stage.connect()
    peer.upgrade()
    messages: list[Message] = [start(header, status=403), body(b"12345")]
    exc = play(session_stage, [{**message, "type": f"websocket.{message['type']}"} for message in messages])
    assert said in str(exc)
    assert peer.take() == FAILURE
    assert peer.closed


@pytest.mark.parametrize(
    ("content", "said"), [(b"1234", "and sent 4"), (b"123456", "and sent 6"), ("12345", "type str")]
)
def test_a_denial_with_content_of_another_length_is_answered_with_500(
    session_stage: Stage, content: object, said: str
) -> None:
    peer = session_stage.connect()
    peer.upgrade()
    messages: list[Message] = [start((LENGTH, b"5"), status=403), body(content)]
    exc = play(session_stage, [{**message, "type": f"websocket.{message['type']}"} for message in messages])
    assert said in str(exc)
    assert peer.take() == FAILURE
    assert peer.closed
