"""What an application sees of a request, over every field parser."""

import pytest

from tests.doubles.stage import GET, Stage

LARGE = 65537


def post(headers: str = "", body: bytes = b"") -> bytes:
    return f"POST /p HTTP/1.1\r\nHost: a\r\n{headers}\r\n".encode() + body


def test_the_scope_tells_all_of_a_request(stage: Stage) -> None:
    stage.context.state = {"key": "value"}
    stage.connect().send(
        b"GET /a%20b?c=%20 HTTP/1.1\r\nHost: h:1\r\nX-Y:  z \r\nx-y: w\r\nConnection: keep-alive\r\n\r\n"
    )
    assert stage.call.scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/a b",
        "raw_path": b"/a%20b",
        "query_string": b"c=%20",
        "root_path": "",
        "headers": [(b"host", b"h:1"), (b"x-y", b"z"), (b"x-y", b"w"), (b"connection", b"keep-alive")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": {"key": "value"},
    }


@pytest.mark.parametrize("header", ["", "Connection: close\r\n", "Content-Length: 0\r\n", "Upgrade: h2c\r\n"])
def test_the_types_of_a_scope_are_those_of_asgi(stage: Stage, header: str) -> None:
    """The plain head has a way of its own through the server: both ways lead to the same scope."""
    stage.connect().send(f"DELETE /x HTTP/1.1\r\nHost: a\r\n{header}\r\n".encode())
    scope = stage.call.scope
    types = {key: type(value) for key, value in scope.items()}
    assert types == {
        "type": str, "asgi": dict, "http_version": str, "method": str, "scheme": str, "path": str, "raw_path": bytes,
        "query_string": bytes, "root_path": str, "headers": list, "client": tuple, "server": tuple, "state": dict,
    }  # fmt: skip
    assert all(type(name) is bytes and type(value) is bytes for name, value in scope["headers"])
    assert scope["headers"][0] == (b"host", b"a")


@pytest.mark.parametrize(
    ("target", "path", "raw_path", "query"),
    [
        (b"/", "/", b"/", b""),
        (b"/%C3%A9", "/é", b"/%C3%A9", b""),
        (b"/%ff", "/\ufffd", b"/%ff", b""),
        (b"/a%2Fb", "/a/b", b"/a%2Fb", b""),
        (b"/a?b?c", "/a", b"/a", b"b?c"),
        (b"//a", "//a", b"//a", b""),
        (b"http://h/p?q", "/p", b"/p", b"q"),
        (b"HTTP://h", "/", b"/", b""),
        (b"http://h?q", "/", b"/", b"q"),
    ],
)
def test_the_target_is_split_and_decoded(stage: Stage, target: bytes, path: str, raw_path: bytes, query: bytes) -> None:
    """RFC 9112, section 3.2."""
    stage.connect().send(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % target)
    scope = stage.call.scope
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == (path, raw_path, query)
    assert scope["headers"] == [(b"host", b"h")]


def test_the_authority_of_an_absolute_target_replaces_host(stage: Stage) -> None:
    """RFC 9112, section 3.2.2."""
    stage.connect().send(b"GET http://right:80/ HTTP/1.1\r\nA: b\r\nHost: wrong\r\n\r\n")
    assert stage.call.scope["headers"] == [(b"host", b"right:80"), (b"a", b"b")]


def test_a_root_path_stands_before_both_paths(stage: Stage) -> None:
    stage.context.root_path = "/root"
    stage.connect().send(b"GET /x%20y HTTP/1.1\r\nHost: a\r\n\r\n")
    scope = stage.call.scope
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/root", "/root/x y", b"/root/x%20y")


def test_a_request_without_content_has_one_empty_body(stage: Stage) -> None:
    stage.connect().send()
    assert stage.call.receive() == {"type": "http.request", "body": b"", "more_body": False}
    assert not stage.call.begin_receive().done()


def test_content_of_a_known_length_is_received_as_it_comes(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(post("Content-Length: 10\r\n", b"1234"))
    assert stage.call.receive() == {"type": "http.request", "body": b"1234", "more_body": True}
    waiting = stage.call.begin_receive()
    peer.send(b"56")
    assert waiting.result() == {"type": "http.request", "body": b"56", "more_body": True}
    peer.send(b"78")
    peer.send(b"90")
    assert stage.call.receive() == {"type": "http.request", "body": b"7890", "more_body": False}


def test_chunked_content_is_received_without_its_framing(stage: Stage) -> None:
    """RFC 9112, section 7.1."""
    peer = stage.connect()
    peer.send(post("Transfer-Encoding: chunked\r\n", b"4\r\nWiki\r\n5;a=b\r\npe"))
    assert stage.call.receive() == {"type": "http.request", "body": b"Wikipe", "more_body": True}
    peer.send(b"dia\r\n0\r\nTrailer: x\r\n\r\n")
    assert stage.call.receive() == {"type": "http.request", "body": b"dia", "more_body": False}


def test_the_end_of_chunked_content_may_come_alone(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(post("Transfer-Encoding: chunked\r\n", b"1\r\na\r\n"))
    assert stage.call.receive()["more_body"]
    waiting = stage.call.begin_receive()
    peer.send(b"0\r\n\r\n")
    assert waiting.result() == {"type": "http.request", "body": b"", "more_body": False}


@pytest.mark.parametrize("framing", ["Content-Length: 200000\r\n", "Transfer-Encoding: chunked\r\n"])
def test_reading_pauses_until_a_large_body_is_received(stage: Stage, framing: str) -> None:
    peer = stage.connect()
    chunked = framing.startswith("T")
    peer.send(post(framing, b"%x\r\n" % 200000 if chunked else b""))
    peer.send(b"x" * 65536)
    assert peer.transport.reading
    peer.send(b"x")
    assert not peer.transport.reading
    peer.send(b"y" * (200000 - LARGE) + (b"\r\n0\r\n\r\n" if chunked else b""))
    assert len(stage.call.receive()["body"]) == LARGE
    assert stage.call.receive() == {"type": "http.request", "body": b"y" * (200000 - LARGE), "more_body": False}
    assert peer.transport.reading


def test_a_large_body_that_nobody_receives_holds_up_no_later_request(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(post(f"Content-Length: {3 * LARGE}\r\n", b"x" * LARGE))
    assert not peer.transport.reading
    stage.call.answer()
    peer.send(b"x" * 2 * LARGE + GET)
    assert len(stage.calls) == 2


def test_requests_that_come_together_are_served_in_order(stage: Stage) -> None:
    """RFC 9112, section 9.3.2."""
    peer = stage.connect()
    peer.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(4)))
    for number in range(4):
        assert len(stage.calls) == number + 1
        assert stage.call.scope["path"] == f"/{number}"
        assert peer.transport.reading is (number == 3)
        stage.call.answer(str(number).encode())
        assert peer.answer().body == str(number).encode()
    assert peer.transport.reading
    assert not peer.closed


def test_a_pipelined_request_with_content_gets_its_own(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(
        post("Content-Length: 1\r\n", b"1") + post("Transfer-Encoding: chunked\r\n", b"1\r\n2\r\n0\r\n\r\n") + GET
    )
    for body in (b"1", b"2", b""):
        assert stage.call.receive() == {"type": "http.request", "body": body, "more_body": False}
        stage.call.answer()
    assert len(stage.calls) == 3


@pytest.mark.parametrize("cut", [1, 20, len(GET) - 1])
def test_a_head_may_come_in_pieces(stage: Stage, cut: int) -> None:
    peer = stage.connect()
    for _ in range(2):
        peer.send(GET[:cut])
        peer.send(GET[cut:])
        stage.call.answer()
    assert len(stage.calls) == 2


EXPECTING = post("Content-Length: 3\r\nExpect: 100-continue\r\n")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def test_100_continue_is_sent_when_the_application_first_receives(stage: Stage) -> None:
    """RFC 9110, section 10.1.1."""
    peer = stage.connect()
    peer.send(EXPECTING)
    assert peer.take() == b""
    waiting = stage.call.begin_receive()
    assert peer.take() == CONTINUE
    peer.send(b"abc")
    assert waiting.result()["body"] == b"abc"
    stage.call.begin_receive()
    stage.call.answer()
    assert peer.answer().header("connection") is None
    assert not peer.closed


def test_an_answer_without_100_continue_ends_the_connection(stage: Stage) -> None:
    """What came next could be the content or a request: nobody could tell."""
    peer = stage.connect()
    peer.send(EXPECTING)
    stage.call.answer(status=403)
    assert peer.answer().header("connection") == "close"
    assert peer.transport.eof_written
    peer.send(b"abc" + GET)
    assert len(stage.calls) == 1
    stage.tick(6)
    assert peer.closed


def test_no_100_continue_is_sent_when_content_came_already(stage: Stage) -> None:
    """RFC 9110, section 10.1.1: the server may omit it then."""
    peer = stage.connect()
    peer.send(EXPECTING + b"a")
    assert stage.call.receive()["body"] == b"a"
    stage.call.begin_receive()
    assert peer.take() == b""
    stage.call.answer()
    assert peer.answer().header("connection") is None


@pytest.mark.parametrize("framing", ["", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n"])
def test_no_100_continue_is_sent_for_an_empty_body(stage: Stage, framing: str) -> None:
    peer = stage.connect()
    peer.send(post(framing + "Expect: 100-continue\r\n", b"0\r\n\r\n" if "chunked" in framing else b""))
    assert stage.call.receive() == {"type": "http.request", "body": b"", "more_body": False}
    stage.call.begin_receive()
    assert peer.take() == b""


def test_http_1_0_gets_no_100_continue(stage: Stage) -> None:
    """RFC 9110, section 10.1.1: the expectation is ignored in an HTTP/1.0 request."""
    peer = stage.connect()
    peer.send(EXPECTING.replace(b"1.1", b"1.0"))
    stage.call.begin_receive()
    assert peer.take() == b""


def test_unread_content_is_skipped_and_the_connection_kept(stage: Stage) -> None:
    peer = stage.connect()
    peer.send(post("Content-Length: 1000000\r\n"))
    stage.call.answer()
    assert peer.answer().header("connection") is None
    peer.send(b"x" * 1000000 + GET)
    assert len(stage.calls) == 2


def test_more_than_1_mib_of_unread_content_ends_the_connection_gently(stage: Stage) -> None:
    """RFC 9112, section 9.6: a reset could overtake the response."""
    peer = stage.connect()
    peer.send(post("Content-Length: 9000000\r\n"))
    stage.call.answer()
    peer.send(b"x" * (1 << 20))
    assert not peer.transport.eof_written
    peer.send(b"x")
    assert peer.transport.eof_written
    peer.send(b"x" * 5000000)
    assert not peer.closed
    stage.tick(6)
    assert peer.closed
