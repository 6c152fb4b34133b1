"""Some 900 spellings of Transfer-Encoding, through both parsers (RFC 9112, sections 6.1, 6.3 and 11.2).

The invariant: only the coding `chunked`, in any case and with white space before it, is taken for chunked. All else
that somebody could take for it is refused with 400 or 501. No message with a spelling of it is ever read without
content, so that its content would be the next request.
"""

from collections.abc import Iterator

import pytest

from tests.doubles.requests import PARSERS, Conversation, bytewise

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
CONTENT = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)

GOOD = [
    b"Transfer-Encoding: " + coding for coding in (b"chunked", b"Chunked", b"CHUNKED", b"chunkeD", b"cHuNkEd")
] + [
    name + b":" + space + b"chunked"
    for name in (b"Transfer-Encoding", b"transfer-encoding", b"TRANSFER-ENCODING", b"tRANSFER-eNCODING")
    for space in (b"", b" ", b"\t", b"  ", b" \t ", b" " * 100)
]  # fmt: skip

VALUES = [
    *(b"", b" ", b"\t", b",", b",,", b";", b"chunke", b"hunked", b"chunkedd", b"cchunked", b"chunked1", b"1chunked"),
    *(b"chunkedchunked", b"chunked-", b"-chunked", b"chunk", b"chunks", b"chunking", b"chun ked", b"chunk,ed", b"x"),
    *(b"xchunked", b"chunkedx", b"x-chunked", b"chunked_", b"chunked.", b".chunked", b"chunked/1", b"*", b"a, b"),
    *(b"chunked chunked", b"chunked,chunked", b"chunked, chunked", b"chunked ,chunked", b"chunked\t,\tchunked"),
    *(b"identity", b"Identity", b"identity, chunked", b"chunked, identity", b"chunked identity", b"none", b"null"),
    *(b"gzip", b"deflate", b"compress", b"br", b"zstd", b"trailers", b"gzip, deflate", b"gzip,deflate,chunked"),
    *(b"gzip, chunked", b"gzip,chunked", b"chunked, gzip", b"chunked,gzip", b"chunked gzip", b"gzip chunked"),
    *(b"deflate, chunked", b"x-gzip, chunked", b"chunked, x", b"chunked, gzip, chunked", b"gzip, chunked, chunked"),
    *(b",chunked", b", chunked", b"chunked,", b"chunked, ", b",,chunked", b"chunked,,", b"gzip,,chunked"),
    *(b"chunked;", b"chunked;x", b"chunked;x=y", b"chunked; x=y", b'chunked;x="y"', b"chunked ;x", b";chunked"),
    *(b"gzip;q=1, chunked", b"chunked;q=0", b"chunked;q=1.0, chunked", b"chunked=", b"=chunked", b"x=chunked"),
    *(b'"chunked"', b"'chunked'", b"`chunked`", b"<chunked>", b"(chunked)", b"[chunked]", b"{chunked}", b'"chunked'),
    *(b'chunked"', b"(x) chunked", b"chunked (x)", b"%63hunked", b"chunked%00", b"chunked%20", b"\\chunked"),
    *(b"\xc3\xa7hunked", b"\xef\xbb\xbfchunked", b"chunked\xc2\xa0", b"\xc2\xa0chunked", b"chun\xc5\xb7ed"),
    *(b"chun\xe2\x84\xaaed", b"ch\xc3\xbcnked", b"\xef\xbd\x83hunked", b"chunked\xe2\x80\x8b", b"c\xcc\xa7hunked"),
    *(b"chunked ", b"chunked\t", b"chunked \t", b"chunked" + b" " * 100, b" chunked ", b"c h u n k e d"),
    *(b"\r\nchunked", b"chunked\r\n ", b"\r\n chunked", b"\r\n\tchunked", b" \r\n chunked"),
    *(b"chunked\r\n\tx", b"chun\r\n ked", b"gzip,\r\n chunked", b"chunked\n", b"\nchunked", b"chunked\nX: y"),
    *(b"\n chunked", b"chunked\r", b"\rchunked", b"chunked\rX: y", b"\r\rchunked", b"chunked\x00, chunked"),
    *(b"0", b"1", b"true", b"chunked: chunked", b": chunked", b":chunked", b"Transfer-Encoding: chunked", b"\\"),
]

NAMES = [
    *(b"Transfer_Encoding", b"transfer_encoding", b"TRANSFER_ENCODING", b"Transfer--Encoding", b"Transfer__Encoding"),
    *(b"Transfer---Encoding", b"Transfer_-Encoding", b"Transfer.Encoding", b"Transfer~Encoding", b"Transfer+Encoding"),
    *(
        b"Transfer-Encoding-",
        b"Transfer-Encoding_",
        b"-Transfer-Encoding",
        b"_Transfer-Encoding",
        b"'Transfer-Encoding",
    ),
    *(
        b"Transfer-Encoding ",
        b"Transfer-Encoding\t",
        b"Transfer-Encoding  ",
        b" Transfer-Encoding",
        b"\tTransfer-Encoding",
    ),
    *(b"Transfer Encoding", b"Transfer\tEncoding", b"Transfer- Encoding", b"Transfer -Encoding", b"Transfer-Enco ding"),
    *(b"Transfer-\r\n Encoding", b"Transfer\r\n-Encoding", b"Transfer-Encoding\r\n "),
    *(
        b"Transfer-Encoding:",
        b":Transfer-Encoding",
        b": Transfer-Encoding",
        b"Transfer-Encoding;",
    ),
    *(b'"Transfer-Encoding"', b"Transfer\xe2\x80\x90Encoding", b"Transfer\xadEncoding", b"Transfer-Encoding\xa0"),
    *(b"Transfer\\Encoding", b"Transfer/Encoding", b"Transfer,Encoding", b"Transfer=Encoding", b"(Transfer-Encoding)"),
]

PAIRS = [
    [b"Transfer-Encoding: " + first, b"Transfer-Encoding: " + second]
    for first in (b"chunked", b"gzip", b"identity", b"", b"xchunked", b"Chunked")
    for second in (b"chunked", b"gzip", b"identity", b"", b"x, chunked", b"CHUNKED")
]


def bad_fields() -> Iterator[list[bytes]]:
    """Yield the lines that one bad message has: each octet at each end of the value and of the name, and the lists."""
    for value in VALUES:
        yield [b"Transfer-Encoding: " + value]
        yield (
            [b"Transfer-Encoding:" + value] if value.strip(b" \t").lower() != b"chunked" else [b"transfer-encoding: x"]
        )
    for octet in range(256):
        mark = bytes([octet])
        if mark not in b" \t":
            yield [b"Transfer-Encoding: " + mark + b"chunked"]
        yield [b"Transfer-Encoding: chunked" + mark]
    for octet in (*range(0x30), *range(0x3A, 0x41), *range(0x5B, 0x61), *range(0x7B, 0x100)):
        mark = bytes([octet])
        if mark not in b"-:":
            yield [b"Transfer" + mark + b"Encoding: chunked"]
        yield [b"Transfer-Encoding" + mark + b": chunked"] if mark != b":" else [b"Transfer-Encoding:: chunked"]
        yield [mark + b"Transfer-Encoding: chunked"]
    for name in NAMES:
        yield [name + b": chunked"]
    yield from PAIRS
    for framing in (b"Content-Length: 3", b"content-length: 0", b"Content-Length: x", b"Content-Length:"):
        for good in GOOD:
            yield [good, framing]
            yield [framing, good]


BAD = list(bad_fields())


def message(fields: list[bytes], version: bytes = b"1.1", content: bytes = CONTENT) -> bytes:
    return b"POST / HTTP/%b\r\nHost: a\r\n%b\r\n%b" % (version, b"".join(field + b"\r\n" for field in fields), content)


def test_there_are_enough_of_them() -> None:
    assert len({tuple(fields) for fields in BAD}) > 900


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("field", GOOD)
def test_chunked_in_any_case_is_chunked(parser: str, field: bytes) -> None:
    """RFC 9112, section 7; RFC 9110, section 5.6.3."""
    data = message([field])
    for pieces in ([data], bytewise(data)):
        held = Conversation(PARSERS[parser]()).send(pieces)
        assert held.refusal is None
        assert [request.body for request in held.sink.requests] == [SMUGGLED]


@pytest.mark.parametrize("parser", PARSERS)
def test_any_other_spelling_is_refused_and_its_content_never_a_request(parser: str) -> None:
    """RFC 9112, sections 6.1, 6.3 and 11.2."""
    for fields in BAD:
        data = message(fields)
        for pieces in ([data], bytewise(data)):
            held = Conversation(PARSERS[parser]()).send(pieces)
            assert held.status in (400, 501), (fields, held.status)
            assert held.sink.requests == [], fields


@pytest.mark.parametrize("parser", PARSERS)
def test_no_spelling_is_taken_in_http_1_0(parser: str) -> None:
    """RFC 9112, section 6.1: a server MUST treat that framing as faulty."""
    for fields in [[field] for field in GOOD] + BAD:
        held = Conversation(PARSERS[parser]()).send([message(fields, b"1.0")])
        assert (held.status, held.sink.requests) == (400, []), fields
