"""What the suites of other servers and parsers ask for, and is refused here, each with the sentence that says so.

Whoever meets these requests in such a suite finds here that the answer is meant.
"""

import pytest

from tests.doubles.requests import PARSERS, Conversation

HOST = b"Host: a\r\n"
CONTENT = b"5\r\nWorld\r\n0\r\n\r\n"
EMPTY = b"0\r\n\r\n"


def post(*codings: bytes, content: bytes = EMPTY) -> bytes:
    fields = b"".join(b"Transfer-Encoding: " + coding + b"\r\n" for coding in codings)
    return b"POST / HTTP/1.1\r\n" + HOST + fields + b"\r\n" + content


REFUSED = {
    # RFC 9112, section 3.2: a server MUST respond with 400 to an HTTP/1.1 request message that lacks a Host field.
    "no Host": (b"GET /test HTTP/1.1\r\n\r\n", 400),
    "no Host behind an empty line": (b"\r\nGET /url HTTP/1.1\r\nHeader1: Value1\r\n\r\n", 400),
    # RFC 9112, sections 2.3 and 3: the version is part of the request line, its name is HTTP, in capitals; a recipient
    # of an invalid request line SHOULD respond with 400. RTSP and Icecast are protocols of their own, and the content
    # of SOURCE would have no end.
    "no version": (b"GET /\r\n\r\n", 400),
    "RTSP": (b"OPTIONS /music/sweet/music RTSP/1.0\r\n" + HOST + b"\r\n", 400),
    "a method of RTSP": (b"ANNOUNCE /music/sweet/music RTSP/1.0\r\n" + HOST + b"\r\n", 400),
    "Icecast": (b"SOURCE /music/sweet/music ICE/1.0\r\n" + HOST + b"\r\n", 400),
    # RFC 9112, section 6.1: a server that receives a transfer coding it doesn't understand SHOULD respond with 501. To
    # hand on such content as if it were decoded would break the message.
    "a coding before chunked": (post(b"gzip, chunked"), 501),
    "two codings": (post(b"deflate, chunked", content=CONTENT), 501),
    "two codings in two lines": (post(b"deflate", b"chunked", content=CONTENT), 501),
    "a coding that was abolished": (post(b"deflate, identity, chunked"), 501),
    "five codings": (post(b"gzip , deflate , \tidentity\t, compress\t, chunked"), 501),
    "five codings in five lines": (post(b"gzip", b"deflate", b"identity", b"compress", b"chunked"), 501),
    # RFC 9112, section 7.1: `chunked` has no parameters, and their presence SHOULD be treated as an error.
    "a parameter of chunked": (post(b"chunked;custom_param;"), 400),
    # RFC 9110, section 4.2.4: userinfo in an http URI from an untrusted source SHOULD be treated as an error.
    "userinfo": (b"GET http://a%12:b!&*$@hypnotoad.example:1234/toto HTTP/1.1\r\n" + HOST + b"\r\n", 400),
}


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("name", REFUSED)
def test_what_other_suites_accept_is_refused_where_the_rfc_says_so(parser: str, name: str) -> None:
    data, status = REFUSED[name]
    held = Conversation(PARSERS[parser]()).send([data])
    assert (held.status, held.sink.requests) == (status, [])


# What other suites would rather see refused, and the sentence that says that it is good.
ACCEPTED = {
    # RFC 9112, section 5, and RFC 9110, section 5.5: white space around a value is no part of it.
    "space before a length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length:  5\r\n\r\nhello",
    "a tab before a length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length:\t5\r\n\r\nhello",
    "space behind a length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5 \r\n\r\nhello",
    # RFC 9110, section 8.6: a length is one or more digits, and any value is valid.
    "zeros before a length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 005\r\n\r\nhello",
    "two zeros for a length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 00\r\n\r\n",
    "a length like an octal number": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 010\r\n\r\n0123456789",
    # RFC 9110, section 9.3.1: content of GET has no defined meaning, but a framing like any other.
    "content of GET": b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello",
    "chunked content of HEAD": b"HEAD / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + CONTENT,
    # RFC 3986, section 2.1: an encoded octet is data; what it means to a path is the application's to say.
    "an encoded NUL": b"GET /path%00.html HTTP/1.1\r\n" + HOST + b"\r\n",
    "an encoded line end": b"GET /path%0d%0aX-Injected:%20true HTTP/1.1\r\n" + HOST + b"\r\n",
}


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("name", ACCEPTED)
def test_what_other_suites_suspect_is_accepted_where_the_rfc_says_so(parser: str, name: str) -> None:
    held = Conversation(PARSERS[parser]()).send([ACCEPTED[name]])
    assert held.refusal is None
    (request,) = held.sink.requests
    assert request.ended
    assert request.body in (b"", b"hello", b"World", b"0123456789")
    assert held.reader.idle
