"""Request targets in absolute-form (RFC 9112, section 3.2.2)."""

import pytest

from monoceros.errors import RequestError
from monoceros.wire.target import split_absolute


@pytest.mark.parametrize(
    ("target", "authority", "origin"),
    [
        (b"http://a.example/", b"a.example", b"/"),
        (b"http://a.example", b"a.example", b"/"),
        (b"HTTPS://A.Example:8443/p/q", b"A.Example:8443", b"/p/q"),
        (b"http://a.example?q=1", b"a.example", b"/?q=1"),
        (b"http://a.example/p?q=1?r=/x", b"a.example", b"/p?q=1?r=/x"),
        (b"http://[::1]:80//x", b"[::1]:80", b"//x"),
        (b"http://a.example/x?to=http://b.example/", b"a.example", b"/x?to=http://b.example/"),
    ],
)
def test_a_uri_is_split_into_its_authority_and_its_origin_form(target: bytes, authority: bytes, origin: bytes) -> None:
    """RFC 9112, section 3.2.2; an empty path is a slash (RFC 9110, section 4.2.3)."""
    assert split_absolute(target) == (authority, origin)


@pytest.mark.parametrize(
    "target",
    [
        b"http:///p",
        b"http://?q",
        b"http://:80/",
        b"ftp://a.example/",
        b"xhttp://a.example/",
        b"http:/a.example/",
        b"//a.example/",
        b"/http://a.example/",
        b"a.example:80",
        b"http://root@a.example/",
        b"http://root:1@a.example/",
        b"http://a.example,b.example/",
        b"http://a.example\\b/",
        b"http://a.example:http/",
        b'http://"a"/',
        b"http://[::1/",
    ],
)
def test_what_is_no_http_uri_with_a_good_authority_is_refused(target: bytes) -> None:
    """RFC 9110, sections 4.2.1, 4.2.4 (userinfo) and 7.2 (for the authority becomes the Host field)."""
    with pytest.raises(RequestError, match="neither a path nor an http URI") as caught:
        split_absolute(target)
    assert caught.value.status == 400


def test_the_grammar_of_an_authority_is_known_to_the_octet() -> None:
    """RFC 3986, sections 2 and 3.2; RFC 9110, section 4.2.4."""
    for octet in range(0x21, 0x7F):
        mark = bytes([octet])
        name = mark.isalnum() or mark in b"-._~%!$&'()*+;="
        address = mark in b"0123456789abcdefABCDEF:."
        for authority, good in (
            (b"a" + mark + b"b", name),
            (b"[:" + mark + b"]", address),
            (b"a:8" + mark, mark.isdigit()),
        ):
            if good:
                assert split_absolute(b"http://" + authority + b"/p") == (authority, b"/p")
            elif mark not in b"/?:":
                with pytest.raises(RequestError):
                    split_absolute(b"http://" + authority + b"/p")
    for authority in (b"a:12345", b"a:"):
        assert split_absolute(b"http://" + authority) == (authority, b"/")
    with pytest.raises(RequestError):
        split_absolute(b"http://a:123456")
