"""One request and its response: what the application is told, and when. Parity tests have what the peer gets."""

import asyncio

import pytest

from monoceros.asgi import Message, Receive, Scope, Send
from monoceros.logs.lines import EXCERPT
from monoceros.protocol.cycle import TURN, HTTPCycle
from tests.doubles.stage import GET, Stage

START: Message = {"type": "http.response.start", "status": 200}
DECLARED: Message = {**START, "headers": [(b"content-length", b"3")]}
BODY: Message = {"type": "http.response.body"}
MORE: Message = {**BODY, "more_body": True}
EVENTS = [(b"Content-Type", b"text/event-stream; charset=utf-8")]


def headers(*fields: object) -> list[Message]:
    return [{**START, "headers": list(fields)}, BODY]


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([BODY], "sent 'http.response.body' first; ASGI asks for 'http.response.start'"),
        ([{}], "sent None first"),
        ([{"type": "websocket.accept"}], "sent 'websocket.accept' first"),
        ([{"type": "http.response.start"}], "the status None; a final status is a number from 200 to 599"),
        ([{**START, "status": 103}], "the status 103; a final status"),
        ([{**START, "status": "200"}], "the status '200'; a final status"),
        ([{**START, "headers": None}], "headers of type NoneType; ASGI asks for a list of pairs"),
        ([{**START, "headers": {b"a": b"b"}}], "headers of type dict; ASGI asks for a list of pairs"),
        ([START, START], "sent 'http.response.start'; ASGI asks for 'http.response.body' after"),
        ([START, {"type": "http.response.bdoy"}], "sent 'http.response.bdoy'; ASGI asks for 'http.response.body'"),
        ([START, {**BODY, "body": "text"}], "sent 'body' of type str; ASGI asks for bytes"),
        ([START, {**BODY, "body": None}], "sent 'body' of type NoneType; ASGI asks for bytes"),
        ([START, BODY, BODY], "sent 'http.response.body' after its response was complete"),
        ([START, BODY, START], "sent 'http.response.start' after its response was complete"),
        ([START, MORE, START], "sent 'http.response.start'; ASGI asks for 'http.response.body'"),
        (headers((b"a", "b")), "the header value 'b' as str; ASGI asks for bytes"),
        (headers(("a", b"b")), "the header name 'a' as str; ASGI asks for bytes"),
        (headers(b"a"), "the header b'a'; ASGI asks for a pair"),
        (headers((b"a", b"b", b"c")), "ASGI asks for a pair of a name and a value"),
        (headers((b"a b", b"c")), "the header name b'a b', which isn't a token"),
        (headers((b"a", b"b\r\nc: d")), "the header b'a' with a control character in its value"),
        (headers((b"a\r\nb", b"c")), "the header name b'a\\r\\nb', which isn't a token"),
        (headers((b"content-length", b"x")), "content-length b'x'; ASGI asks for a number"),
        (headers((b"content-length", b"1"), (b"content-length", b"2")), "two different content-lengths, 1 and 2"),
        (headers((b"transfer-encoding", b"gzip")), "transfer-encoding b'gzip'; the server alone frames"),
        ([DECLARED, {**BODY, "body": b"1234"}], "declared 3 octets of content and sent 4"),
        ([DECLARED, {**BODY, "body": b"12"}], "declared 3 octets of content and sent 2"),
        ([DECLARED, {**MORE, "body": b"1234"}], "sent 1 octets of content more than it declared"),
        ([DECLARED, {**MORE, "body": b"12"}, {**MORE, "body": b"3456"}], "sent 3 octets of content more than it"),
        ([DECLARED, {**MORE, "body": b"1"}, {**BODY, "body": b"2"}], "sent 1 octets of content less than it declared"),
    ],
)
def test_a_mistake_is_named_where_it_is_made(stage: Stage, messages: list[Message], said: str) -> None:
    stage.connect().send()
    for message in messages[:-1]:
        stage.call.send_message(message)
    with pytest.raises(RuntimeError) as caught:
        stage.call.send_message(messages[-1])
    assert str(caught.value).startswith("the application ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "messages", [headers((b"a", "b")), headers((b"a", b"\n")), [DECLARED, {**MORE, "body": b"12345"}]]
)
def test_500_is_written_even_when_the_fields_of_the_application_cannot_be(
    stage: Stage, messages: list[Message]
) -> None:
    peer = stage.connect()
    peer.send()
    for message in messages[:-1]:
        stage.call.send_message(message)
    task = stage.call.begin_send_message(messages[-1])
    exc = task.exception()
    assert exc is not None
    assert peer.take() == b""
    stage.call.raises(exc)
    assert peer.answer().status == 500
    assert peer.closed


def test_fields_that_cannot_be_written_wait_for_the_next_send_to_say_so(stage: Stage) -> None:
    """The tick, which writes a head that is held, is no place for an application's error."""
    peer = stage.connect()
    peer.send()
    stage.call.start(200, [(b"a", "b")])
    stage.tick(2)
    assert peer.take() == b""
    with pytest.raises(RuntimeError, match="ASGI asks for bytes"):
        stage.call.body()


def test_too_much_content_is_not_written(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.start(200, [(b"content-length", b"3")])
    stage.call.body(b"12", more=True)
    assert stage.call.begin_send("http.response.body", body=b"34").exception() is not None
    assert peer.answer().body == b"12"
    stage.call.returns()
    assert peer.closed


def test_two_that_wait_are_both_told(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.receive()
    waiting = [stage.call.begin_receive() for _ in range(3)]
    waiting[0].cancel()
    stage.loop.run_ready()
    peer.vanish()
    assert [task.result() for task in waiting[1:]] == [{"type": "http.disconnect"}] * 2


def test_a_peer_that_is_gone_is_a_disconnect_and_hears_nothing(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.receive()
    waiting = stage.call.begin_receive()
    assert not waiting.done()
    peer.vanish()
    assert waiting.result() == {"type": "http.disconnect"}
    assert stage.call.receive() == {"type": "http.disconnect"}
    stage.call.start()
    stage.call.body(b"x")
    stage.call.send("anything")
    stage.call.returns()
    assert stage.log == []
    assert not stage.context.running


def test_a_peer_that_is_gone_amid_its_own_content_is_a_disconnect(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123")
    peer.vanish()
    assert stage.call.receive() == {"type": "http.disconnect"}


def test_a_response_that_is_complete_is_a_disconnect_for_those_who_wait(stage: Stage) -> None:
    """Else they, and the request with them, would wait for ever."""
    peer = stage.connect()
    for stream in (False, True):
        peer.send()
        stage.call.receive()
        waiting = stage.call.begin_receive()
        stage.call.start()
        if stream:
            stage.call.body(b"a", more=True)
        assert not waiting.done()
        stage.call.body(b"b")
        assert waiting.result() == {"type": "http.disconnect"}
        assert stage.call.receive() == {"type": "http.disconnect"}


def test_a_send_waits_for_a_peer_that_reads_too_slowly(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    peer.transport.peer_stops_reading()
    stage.call.start()
    stage.call.body(b"x" * 60000, more=True)
    waiting = stage.call.begin_send("http.response.body", body=b"x" * 60000, more_body=True)
    assert not waiting.done()
    peer.read_again()
    assert waiting.done()


def test_a_send_waits_no_longer_than_the_peer_is_there(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    peer.transport.peer_stops_reading()
    stage.call.start()
    waiting = stage.call.begin_send("http.response.body", body=b"x" * 70000, more_body=True)
    assert not waiting.done()
    peer.vanish()
    assert waiting.done()
    stage.call.body(b"x" * 70000, more=True)


def test_the_last_of_a_response_is_not_waited_for(stage: Stage) -> None:
    """The application has nothing more to do; the transport has."""
    peer = stage.connect()
    peer.send()
    peer.transport.peer_stops_reading()
    stage.call.start()
    stage.call.body(b"x" * 100_000)
    assert stage.context.requests == 1


def test_a_peer_that_pipelines_must_read_too(stage: Stage) -> None:
    """Else a few octets of requests would pile up any number of responses."""
    peer = stage.connect()
    peer.transport.peer_stops_reading()
    peer.send(GET * 2)
    stage.call.answer(b"x" * 70000)
    assert len(stage.calls) == 2
    waiting = stage.call.begin_send("http.response.start", status=200)
    assert not waiting.done()
    peer.read_again()
    assert waiting.done()
    stage.call.body(b"second")
    assert peer.take().endswith(b"second")


def test_a_drain_tells_an_event_stream_to_end(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.receive()
    stage.call.start(200, EVENTS)
    stage.call.body(b"data: 1\n\n", more=True)
    waiting = stage.call.begin_receive()
    (running,) = stage.context.running
    running.notify_drain()
    stage.loop.run_ready()
    assert waiting.result() == {"type": "http.disconnect"}
    stage.call.returns()
    assert peer.take().endswith(b"\r\n0\r\n\r\n")
    assert caplog.records == []


def test_an_event_stream_without_events_ends_as_well(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.start(200, EVENTS)
    (running,) = stage.context.running
    running.notify_drain()
    assert stage.call.receive() == {"type": "http.disconnect"}
    stage.call.returns()
    assert peer.answer().body == b"0\r\n\r\n"
    assert caplog.records == []


def test_an_event_stream_that_does_not_listen_is_cut_off(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.start(200, EVENTS)
    stage.call.body(b"data: 1\n\n", more=True)
    (running,) = stage.context.running
    running.cut_off()
    stage.loop.run_ready()
    assert not stage.call.cancelled
    running.notify_drain()
    running.cut_off()
    stage.loop.run_ready()
    assert stage.call.cancelled
    assert peer.take().endswith(b"\r\n0\r\n\r\n")
    assert caplog.records == []


def test_an_event_stream_that_ends_by_itself_after_the_notice_ends_once(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.start(200, EVENTS)
    stage.call.body(b"data: 1\n\n", more=True)
    (running,) = stage.context.running
    running.notify_drain()
    stage.call.body(b"data: bye\n\n")
    peer.take()
    running.notify_drain()
    running.cut_off()
    stage.loop.run_ready()
    assert peer.take() == b""
    assert stage.context.requests == 1


@pytest.mark.parametrize("content_type", [b"text/plain", b"application/octet-stream"])
def test_a_drain_leaves_every_other_response_alone(stage: Stage, content_type: bytes) -> None:
    """Frameworks cancel a download when they see a disconnect."""
    peer = stage.connect()
    peer.send()
    stage.call.receive()
    (running,) = stage.context.running
    running.notify_drain()
    stage.call.start(200, [(b"content-type", content_type)])
    running.notify_drain()
    stage.call.body(b"a", more=True)
    running.notify_drain()
    running.cut_off()
    waiting = stage.call.begin_receive()
    assert not waiting.done()
    stage.call.body(b"b")
    assert peer.take().endswith(b"b\r\n0\r\n\r\n")


def test_a_drain_isnt_stopped_by_fields_that_cannot_be_written(stage: Stage) -> None:
    stage.connect().send()
    stage.call.start(200, [("content-type", "text/event-stream")])
    (running,) = stage.context.running
    running.notify_drain()
    assert not stage.call.returned


def test_a_request_that_is_cancelled_is_answered_for(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """The graceful timeout cancels tasks; a framework's own cancellation may escape too."""
    peer = stage.connect()
    peer.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    (running,) = stage.context.running
    assert running.task is not None
    running.task.cancel()
    stage.loop.run_ready()
    assert peer.answer().status == 500
    assert [record.getMessage() for record in caplog.records] == [
        "GET /slow: cancelled before its response was complete"
    ]


def test_a_cancellation_once_the_peer_is_gone_is_no_failure(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    peer = stage.connect()
    peer.send()
    peer.vanish()
    stage.call.raises(asyncio.CancelledError())
    assert caplog.records == []


def test_a_value_that_the_application_returns_is_mentioned(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.start()
    stage.call.body()
    stage.call.returns("oops")
    assert "the application returned 'oops'; ASGI asks for None" in caplog.text
    assert not peer.closed


def test_a_cycle_says_which_request_it_is(stage: Stage) -> None:
    stage.connect().send(b"PUT /a%1B?b HTTP/1.1\r\nHost: a\r\n\r\n")
    (running,) = stage.context.running
    assert isinstance(running, HTTPCycle)
    assert running.describe() == "PUT /a%1B?b"


def test_the_line_of_a_failure_shows_the_beginning_of_a_long_path(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.connect().send(b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * 8000))
    stage.call.raises(ValueError("mine"))
    (message,) = caplog.messages
    assert message == f"Exception in ASGI application: GET /{'a' * (EXCERPT - 1)}... (8001 characters)\n"


@pytest.mark.parametrize("peer_is_gone", [False, True])
def test_who_streams_and_never_has_to_wait_lets_others_have_their_turn(peer_is_gone: bool) -> None:
    """One of them is who tells that the peer is gone, where the transport doesn't."""
    turns: list[int] = []
    sent: list[int] = []

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(MORE)
        while peer_is_gone and (await receive())["type"] != "http.disconnect":
            pass
        asyncio.get_running_loop().call_soon(turns.append, 1)
        while not turns and len(sent) < 2 * TURN:
            await send({**MORE, "body": b"x"})
            sent.append(1)

    stage = Stage(app=stream)
    peer = stage.connect()
    peer.send()
    if peer_is_gone:
        peer.vanish()
    assert turns
    assert len(sent) <= TURN
    stage.close()


def test_the_headers_of_a_held_head_are_those_that_were_sent(stage: Stage) -> None:
    """An application may use its list for the next request before this one's first content."""
    headers = [(b"set-cookie", b"user=alice")]
    peer = stage.connect()
    peer.send()
    stage.call.start(headers=headers)
    headers[0] = (b"set-cookie", b"user=bob")
    stage.call.body(b"")
    assert peer.answer().header("set-cookie") == "user=alice"


def test_a_drain_survives_whatever_the_headers_are_made_of(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.start(headers=[(b"content-type", memoryview(b"text/event-stream"))])
    waiting = [stage.call.begin_receive(), stage.call.begin_receive()]
    for running in list(stage.context.running):
        running.notify_drain()
    stage.loop.run_ready()
    assert waiting[1].result() == {"type": "http.disconnect"}
    stage.call.returns()


def test_a_held_head_that_cannot_be_sent_stops_no_tick(stage: Stage) -> None:
    peer = stage.connect()
    peer.send()
    stage.call.start(headers=[(memoryview(b"x-name"), b"1")])
    stage.tick(2)
    stage.call.returns()
    assert peer.answer().status == 500
