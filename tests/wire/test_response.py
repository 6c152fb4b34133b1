"""Response heads: what frames the content, and what an application may not send (RFC 9112, sections 4 to 7)."""

from typing import Any, NamedTuple

import pytest

from monoceros.wire.response import (
    STATUS_LINES,
    DefaultFields,
    default_fields,
    encode_chunk,
    encode_head,
    encode_switch,
    encode_whole,
)

DATE = "Mon, 23 Nov 2026 00:00:00 GMT"
DEFAULTS = default_fields(DATE, "monoceros", [(b"X-Served-By", b"us")])
NONE = default_fields(None, None)
TEXT = (b"Content-Type", b"text/plain")


class Encoded(NamedTuple):
    """A head taken apart, and what else encode_head says."""

    status: str
    fields: list[tuple[str, str]]
    length: int | None
    chunked: bool
    close: bool


def take_apart(head: bytes) -> tuple[str, list[tuple[str, str]]]:
    assert head.endswith(b"\r\n\r\n")
    assert head.count(b"\r\n\r\n") == 1
    status, *lines = head[:-4].decode("latin-1").split("\r\n")
    fields = [line.partition(": ") for line in lines]
    assert all(separator for _, separator, _ in fields)
    return status, [(name, value) for name, _, value in fields]


def encode(
    *headers: Any,
    status: int = 200,
    whole: int | None = None,
    keep_alive: bool = True,
    new: bool = True,
    head_request: bool = False,
    defaults: DefaultFields = NONE,
) -> Encoded:
    head, length, chunked, close = encode_head(status, list(headers), defaults, whole, keep_alive, new, head_request)
    return Encoded(*take_apart(head), length, chunked, close)


def fault(*headers: Any, **rest: Any) -> str:
    with pytest.raises(RuntimeError) as caught:
        encode(*headers, **rest)
    assert str(caught.value).startswith("the application ")
    return str(caught.value)


def declared(octets: int) -> tuple[bytes, bytes]:
    return b"Content-Length", b"%d" % octets


CODED = (b"Transfer-Encoding", b"chunked")
SAYS_LENGTH = [("content-length", "5")]
SAYS_CHUNKED = [("transfer-encoding", "chunked")]
SAYS_CLOSE = [("connection", "close")]
SAYS_KEEP = [("connection", "keep-alive")]


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK\r\n"),
        (404, b"HTTP/1.1 404 Not Found\r\n"),
        (413, b"HTTP/1.1 413 Content Too Large\r\n"),
        (299, b"HTTP/1.1 299 \r\n"),
        (599, b"HTTP/1.1 599 \r\n"),
    ],
)
def test_a_status_line_keeps_its_space_where_there_is_no_phrase(status: int, line: bytes) -> None:
    """RFC 9112, section 4; the phrases are those of RFC 9110, section 15."""
    assert STATUS_LINES[status] == line


@pytest.mark.parametrize(
    ("headers", "rest", "fields", "framing"),
    [
        # Whole content: its length is known and said.
        ([], {"whole": 5}, SAYS_LENGTH, (5, False, False)),
        ([declared(5)], {"whole": 5}, SAYS_LENGTH, (5, False, False)),
        ([], {"whole": 0}, [("content-length", "0")], (0, False, False)),
        ([CODED], {"whole": 5}, SAYS_CHUNKED, (None, True, False)),
        ([CODED, declared(5)], {"whole": 5}, SAYS_LENGTH, (5, False, False)),
        ([], {"whole": 5, "new": False}, [*SAYS_LENGTH, *SAYS_KEEP], (5, False, False)),
        ([CODED], {"whole": 5, "new": False}, [*SAYS_LENGTH, *SAYS_KEEP], (5, False, False)),
        # Streamed content: chunks, or to HTTP/1.0 the end of the connection, unless the application knows.
        ([], {}, SAYS_CHUNKED, (None, True, False)),
        ([CODED], {}, SAYS_CHUNKED, (None, True, False)),
        ([declared(5)], {}, SAYS_LENGTH, (5, False, False)),
        ([], {"new": False}, SAYS_CLOSE, (None, False, True)),
        ([CODED], {"new": False}, SAYS_CLOSE, (None, False, True)),
        ([declared(5)], {"new": False}, [*SAYS_LENGTH, *SAYS_KEEP], (5, False, False)),
        # The answer to HEAD says what that to GET would, as far as that is known, and has no content.
        ([], {"head_request": True}, [], (None, False, False)),
        ([declared(5)], {"head_request": True, "whole": 0}, SAYS_LENGTH, (5, False, False)),
        ([], {"head_request": True, "whole": 5}, SAYS_LENGTH, (5, False, False)),
        ([], {"head_request": True, "whole": 0}, [], (None, False, False)),
        ([CODED], {"head_request": True}, [], (None, False, False)),
        ([], {"head_request": True, "new": False}, SAYS_KEEP, (None, False, False)),
        # Statuses without content.
        ([], {"status": 204, "whole": 0}, [], (None, False, False)),
        ([declared(0)], {"status": 204, "whole": 0}, [], (None, False, False)),
        ([declared(5)], {"status": 204}, [], (None, False, False)),
        ([CODED], {"status": 204}, [], (None, False, False)),
        ([], {"status": 304, "whole": 0}, [], (None, False, False)),
        ([declared(5)], {"status": 304, "whole": 0}, SAYS_LENGTH, (5, False, False)),
        ([], {"status": 304, "new": False}, SAYS_KEEP, (None, False, False)),
        ([], {"status": 204, "head_request": True, "whole": 5}, [], (None, False, False)),
        # The connection.
        ([], {"whole": 5, "keep_alive": False}, [*SAYS_LENGTH, *SAYS_CLOSE], (5, False, True)),
        ([], {"whole": 5, "keep_alive": False, "new": False}, [*SAYS_LENGTH, *SAYS_CLOSE], (5, False, True)),
        ([(b"Connection", b"x, Close")], {"whole": 5}, [*SAYS_LENGTH, *SAYS_CLOSE], (5, False, True)),
        ([(b"Connection", b"keep-alive")], {"whole": 5}, [*SAYS_LENGTH, *SAYS_KEEP], (5, False, False)),
        ([(b"Connection", b"keep-alive")], {"whole": 5, "new": False}, [*SAYS_LENGTH, *SAYS_KEEP], (5, False, False)),
        (
            [(b"Connection", b"keep-alive"), (b"Connection", b"close")],
            {"whole": 5},
            [*SAYS_LENGTH, *SAYS_CLOSE],
            (5, False, True),
        ),
    ],
)
def test_content_is_delimited_by_what_is_known_of_it(
    headers: list[tuple[bytes, bytes]],
    rest: dict[str, Any],
    fields: list[tuple[str, str]],
    framing: tuple[int | None, bool, bool],
) -> None:
    """RFC 9112, sections 6.1 to 6.3 and 9.3; RFC 9110, sections 8.6, 9.3.2, 15.3.5 and 15.4.5."""
    encoded = encode(*headers, **rest)
    assert encoded.fields == fields
    assert encoded[2:] == framing


def test_names_go_out_in_lower_case_and_values_as_they_are() -> None:
    """RFC 9110, section 5.1: their case means nothing; ASGI asks for lower case."""
    encoded = encode((b"X-Thing", b" A\tb\xe9 "), (b"Set-Cookie", b"a"), (b"set-cookie", b"b"), whole=0)
    expected = [("x-thing", " A\tb\xe9 "), ("set-cookie", "a"), ("set-cookie", "b"), ("content-length", "0")]
    assert encoded.fields == expected


def test_every_response_has_the_default_fields() -> None:
    """RFC 9110, sections 6.6.1 and 10.2.4."""
    assert encode(whole=0, defaults=DEFAULTS).fields[:3] == [
        ("date", DATE),
        ("server", "monoceros"),
        ("x-served-by", "us"),
    ]


@pytest.mark.parametrize("name", [b"Date", b"Server"])
def test_date_and_server_give_way_to_those_of_the_application(name: bytes) -> None:
    fields = encode((name, b"mine"), whole=0, defaults=DEFAULTS).fields
    lower = name.decode().lower()
    assert [value for field, value in fields if field == lower] == ["mine"]
    assert {"date", "server", "x-served-by"} <= {field for field, _ in fields}


def test_date_and_server_give_way_to_those_the_user_configured() -> None:
    defaults = default_fields(DATE, "monoceros", [(b"server", b"mine"), (b"DATE", b"never"), (b"X", b"y")])
    date, server, custom = b"date: never\r\n", b"server: mine\r\n", b"x: y\r\n"
    assert defaults == DefaultFields(date + server + custom, date, server, custom, {})
    assert default_fields(None, None) == DefaultFields(b"", b"", b"", b"", {})


def test_a_configured_name_that_is_no_token_is_refused() -> None:
    with pytest.raises(ValueError, match="x y"):
        default_fields(DATE, None, [(b"x y", b"z")])


INJECTIONS = [b"a\r\nset-cookie: b", b"a\rb", b"a\nb", b"\n", b"a\r\n", b"\0", b"\x1b[2J", b"\x7f", b"\x0b"]


@pytest.mark.parametrize("value", INJECTIONS)
@pytest.mark.parametrize("name", [b"X", b"Content-Type", b"Date", b"Server", b"Connection"])
def test_a_control_in_a_value_is_refused_whichever_the_field(name: bytes, value: bytes) -> None:
    """RFC 9110, section 5.5: else an application that echoes input would let its clients write fields."""
    assert "control character in its value" in fault((b"A", b"b"), (name, value), whole=0)
    assert encode_whole(200, [(b"A", b"b"), (name, value)], DEFAULTS, b"") is None
    with pytest.raises(RuntimeError, match="control character"):
        encode_switch([(b"upgrade", b"websocket"), (name, value)], DEFAULTS)


@pytest.mark.parametrize("name", [b"", b"x y", b"x:", b"x\r\ny", b"x\0", b"caf\xe9"])
def test_a_name_that_is_no_token_is_refused(name: bytes) -> None:
    """RFC 9110, section 5.1."""
    assert f"header name {name!r}, which isn't a token" in fault((name, b"y"))
    assert encode_whole(200, [(name, b"y")], DEFAULTS, b"") is None
    with pytest.raises(RuntimeError, match="isn't a token"):
        encode_switch([(name, b"y")], DEFAULTS)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (("x", b"y"), "header name 'x' as str; ASGI asks for bytes"),
        ((b"x", "y"), "header value 'y' as str; ASGI asks for bytes"),
        ((b"x", 5), "header value 5 as int; ASGI asks for bytes"),
        ((b"x", None), "header value None as NoneType; ASGI asks for bytes"),
        ((b"Content-Length", 5), "header value 5 as int; ASGI asks for bytes"),
        ((b"Content-Length", "5"), "header value '5' as str; ASGI asks for bytes"),
        ((b"Connection", "close"), "header value 'close' as str; ASGI asks for bytes"),
        ((b"Server", "mine"), "header value 'mine' as str; ASGI asks for bytes"),
        ((b"x",), "a pair of a name and a value"),
        ((b"x", b"y", b"z"), "a pair of a name and a value"),
        (5, "a pair of a name and a value"),
        (None, "a pair of a name and a value"),
    ],
)
def test_a_header_that_is_no_pair_of_bytes_is_refused_with_what_asgi_asks_for(header: Any, said: str) -> None:
    assert said in fault((b"a", b"b"), header)
    assert encode_whole(200, [(b"a", b"b"), header], DEFAULTS, b"hello") is None


def test_headers_that_can_be_read_only_once_are_named_as_such() -> None:
    headers = iter([(b"x", b"y\n")])
    with pytest.raises(RuntimeError, match="only once"):
        encode_head(200, headers, NONE, 0, True, True, False)


@pytest.mark.parametrize(
    "value", [b"", b"x", b"-1", b"+5", b"5.0", b"0x5", b"5, 5", b"1_0", b"5\n", b"\x0b5", b"9" * 5000]
)
def test_a_content_length_that_is_no_number_is_refused(value: bytes) -> None:
    """RFC 9110, section 8.6."""
    assert "ASGI asks for a number of octets" in fault((b"content-length", value), whole=5)


def test_two_content_lengths_must_agree() -> None:
    """RFC 9110, section 8.6: a sender says it once."""
    assert encode(declared(5), declared(5)).fields == SAYS_LENGTH
    assert "two different content-lengths, 5 and 6" in fault(declared(5), declared(6))


def test_content_that_is_whole_must_have_the_length_declared() -> None:
    """RFC 9110, section 8.6."""
    assert "declared 6 octets of content and sent 5" in fault(declared(6), whole=5)


@pytest.mark.parametrize("value", [b"gzip", b"gzip, chunked", b"identity", b"", b"chunked\n"])
def test_a_transfer_coding_is_the_servers_to_choose(value: bytes) -> None:
    """RFC 9112, section 6.1."""
    assert "the server alone frames the content" in fault((b"transfer-encoding", value))


@pytest.mark.parametrize(("whole", "headers"), [(0, []), (4, []), (4, [declared(4)]), (None, []), (None, [CODED])])
def test_a_205_says_that_it_has_no_content(whole: int | None, headers: list[tuple[bytes, bytes]]) -> None:
    """RFC 9110, section 15.3.6; RFC 9112, section 6.3, doesn't name it: without a length, a peer would wait for one."""
    for head_request in (False, True):
        encoded = encode(*headers, status=205, whole=whole, head_request=head_request)
        assert (encoded.fields, encoded.length, encoded.chunked) == ([("content-length", "0")], 0, False)


@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize("value", [b"content-length", b"close, Content-Length", b"x , transfer-encoding\t"])
def test_what_frames_the_content_is_no_option_of_a_connection(value: bytes, keep_alive: bool) -> None:
    """RFC 9110, section 7.6.1: an intermediary takes off what Connection names. Also where ours replaces the field."""
    assert "meant for all recipients" in fault((b"connection", value), keep_alive=keep_alive)


def test_a_control_is_refused_also_in_a_connection_that_the_server_replaces() -> None:
    assert "b'connection' with a control" in fault((b"connection", b"a\r\nb: c"), keep_alive=False)


def test_a_switch_of_protocols_has_the_fields_given_and_the_default_ones() -> None:
    """RFC 9110, section 15.2.2."""
    head = encode_switch([(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"), (b"Server", b"mine")], DEFAULTS)
    status, fields = take_apart(head)
    assert status == "HTTP/1.1 101 Switching Protocols"
    assert dict(fields) == {
        "date": DATE,
        "x-served-by": "us",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "server": "mine",
    }
    with pytest.raises(RuntimeError, match="as str"):
        encode_switch([(b"x", "y")], DEFAULTS)  # type: ignore[list-item]


def test_a_chunk_has_its_size_in_hexadecimal() -> None:
    """RFC 9112, section 7.1."""
    assert encode_chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"


def test_a_switch_without_fields_ends_its_head_all_the_same() -> None:
    assert encode_switch([], NONE) == b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
