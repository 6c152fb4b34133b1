"""What is known of one request, and what is worked out only when it is asked for."""

from typing import Any

import pytest

from monoceros.protocol.exchange import UNANSWERED, Exchange
from monoceros.wire.response import default_fields

DEFAULTS = default_fields("Thu, 01 Jan 1970 00:00:00 GMT", "monoceros")


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/a%20b?x=1?y", b"/a%20b", b"x=1?y"),
        (b"/", b"/", b""),
        (b"*", b"*", b""),
        (b"http://b.example/there?q", b"/there", b"q"),
        (b"http://b.example", b"/", b""),
        (b"nonsense?q", b"nonsense", b"q"),
        (b"", b"", b""),
    ],
)
def test_path_and_query_are_those_of_the_target_whatever_its_form(target: bytes, path: bytes, query: bytes) -> None:
    exchange = Exchange({}, method="GET", target=target, version="1.1")
    assert (exchange.path, exchange.query) == (path, query)
    assert exchange.request_line == b"GET %b HTTP/1.1" % target


def test_of_a_refused_head_the_line_is_shown_as_it_came() -> None:
    assert Exchange({}, line=b"\x16\x03", refused=True).request_line == b"\x16\x03"


@pytest.mark.parametrize(("scheme", "shown"), [("http", "http"), ("ws", "http"), ("https", "https"), ("wss", "https")])
def test_the_scheme_of_a_session_is_that_of_its_url(scheme: str, shown: str) -> None:
    assert Exchange({"scheme": scheme}).scheme == shown


def test_client_and_server_are_those_of_the_scope_as_it_is_now() -> None:
    scope: dict[str, Any] = {"client": None, "server": ("/run/app.sock", None)}
    exchange = Exchange(scope)
    scope["client"] = ("203.0.113.7", 0)
    assert exchange.client == ("203.0.113.7", 0)
    assert exchange.server == ("/run/app.sock", None)


def test_a_head_that_could_not_be_written_was_none() -> None:
    exchange = Exchange({}, method="GET", version="1.1")
    exchange.switched([(b"x-a", b"b")], DEFAULTS)
    exchange.unanswered()
    assert exchange.response_fields == []
    exchange.end(2.5)
    assert exchange.status == UNANSWERED
    assert exchange.response_fields == []
    assert exchange.seconds == 2.5


def test_a_clock_that_goes_back_makes_no_negative_time() -> None:
    exchange = Exchange({}, began_at=10.0)
    exchange.end(9.0)
    assert exchange.seconds == 0


@pytest.mark.parametrize(
    ("framing", "lost", "left"),
    [
        (b"content-length", 0, 1000),
        (b"content-length", 400, 600),
        (b"content-length", 1000, 0),
        (b"content-length", 1100, 0),
        (b"content-length", 9000, 0),
        (b"transfer-encoding", 550, 500),
        (b"transfer-encoding", 1100, 0),
        (b"transfer-encoding", 9000, 0),
    ],
)
def test_content_that_is_lost_does_not_count(framing: bytes, lost: int, left: int) -> None:
    """A head, and chunk sizes, are among what is lost; those of chunks are between the content."""
    exchange = Exchange({}, method="GET", version="1.1")
    size = 1000 if framing == b"content-length" else None
    exchange.answered(200, [], DEFAULTS, size)
    assert framing in dict(exchange.response_fields)
    exchange.octets = 1000
    exchange.lose(lost, 1100)
    assert exchange.octets == left


def test_of_an_answer_that_was_never_written_nothing_can_be_lost() -> None:
    exchange = Exchange({}, method="GET", version="1.1")
    exchange.answered(200, [], DEFAULTS, None)
    exchange.lose(100, 0)
    assert exchange.octets == 0
