"""The Forwarded field (RFC 7239): its elements from the last one backwards, whatever a client wrote before them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monoceros.wire.forwarded import elements_backwards


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        (b"", [{}]),
        (b"for=192.0.2.60;proto=http;by=203.0.113.43", [{"for": "192.0.2.60", "proto": "http", "by": "203.0.113.43"}]),
        (b'For="[2001:db8:cafe::17]:4711"', [{"for": "[2001:db8:cafe::17]:4711"}]),
        (b"for=_gazonk, FOR=unknown", [{"for": "unknown"}, {"for": "_gazonk"}]),
        (b"for=192.0.2.43,for=198.51.100.17", [{"for": "198.51.100.17"}, {"for": "192.0.2.43"}]),
        (b"for=1.2.3.4 ; proto=https\t,\t", [{}, {"for": "1.2.3.4", "proto": "https"}]),
        (b";;for=a;;host=b;", [{"for": "a", "host": "b"}]),
        (b"for=1.2.3.4:80;host=[::1]:81", [{"for": "1.2.3.4:80", "host": "[::1]:81"}]),
        (b'for=a;host="x, for=b";proto=http', [{"for": "a", "host": "x, for=b", "proto": "http"}]),
        (rb'for=a;host="x\", for=\"b"', [{"for": "a", "host": 'x", for="b'}]),
        (rb'for=a;host="x\\", for=b', [{"for": "b"}, {"for": "a", "host": "x\\"}]),
        (b'for="";ext="\xe9"', [{"for": "", "ext": "\xe9"}]),
        (b"secret=1;for=a", [{"secret": "1", "for": "a"}]),
    ],
)
def test_elements_are_read_from_the_last_one_backwards(value: bytes, elements: list[dict[str, str]]) -> None:
    """RFC 7239, section 4: pairs of a token and a token or a quoted string, names in any case."""
    assert list(elements_backwards(value)) == elements


@pytest.mark.parametrize(
    "value",
    [
        b"for",
        b"for=",
        b"=a",
        b"for=a=b",
        b"for =a",
        b"for= a",
        b"for=a b",
        b"for=a;for=b",
        b"for=a;FOR=a",
        b'for="a',
        b'for=a"',
        b'for="a"b',
        b'for="a\\"',
        b"for=1.2.3.4/8",
        b"for=\xe9",
        b'for="\x7f"',
    ],
)
def test_a_malformed_element_is_none_and_what_stands_before_it_is_not_read(value: bytes) -> None:
    """RFC 7239, section 4: "Each parameter MUST NOT occur more than once per field-value"."""
    assert list(elements_backwards(value)) == [None]
    assert list(elements_backwards(value + b", for=1.2.3.4")) == [{"for": "1.2.3.4"}, None]
    assert next(elements_backwards(b"for=1.2.3.4, " + value)) is None


QUOTED = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f")).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)


@given(st.binary(max_size=80), st.binary(max_size=80), QUOTED)
def test_no_field_of_a_client_hides_or_changes_what_a_proxy_appends(made_up: bytes, host: bytes, quoted: str) -> None:
    """Neither before the proxy's element, nor within a quoted string of it."""
    own = b"for=192.0.2.1;host=" + quoted.encode("latin-1")
    elements = elements_backwards(made_up + b"," + own)
    first = next(elements)
    assert first is not None
    assert first["for"] == "192.0.2.1"
    assert first.keys() == {"for", "host"}
