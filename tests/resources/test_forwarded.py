"""The scope that trusted proxies rewrite by fields that are named for it. `test_forwarded_usual` has the usual ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monoceros.asgi import Scope
from monoceros.errors import UsageError
from monoceros.resources.forwarded import FAMILY, FORWARDED, USUAL, ForwardedFields
from monoceros.resources.proxy import TrustedHops

PEER = "127.0.0.1"
Fields = list[tuple[bytes, bytes]]


def rewritten(
    headers: Fields,
    names: tuple[str, ...] = FAMILY,
    trusted: str = f"{PEER},10.0.0.0/8",
    root_path: str = "",
    **others: object,
) -> Scope:
    """The scope of a request for /a/b, after it was rewritten."""
    scope: Scope = {
        "type": "http",
        "scheme": "http",
        "client": (PEER, 5),
        "server": (PEER, 8000),
        "root_path": root_path,
        "path": f"{root_path}/a b",
        "raw_path": f"{root_path}/a%20b".encode(),
        "headers": [(b"accept", b"*/*"), (b"host", b"inside:8000"), *headers],
        **others,
    }
    ForwardedFields(TrustedHops(trusted), names).rewrite(scope)
    return scope


def host_field(scope: Scope) -> bytes:
    (value,) = [value for name, value in scope["headers"] if name == b"host"]
    return bytes(value)


# The rest of the X-Forwarded family.


def test_nothing_but_client_and_scheme_is_read_unless_it_is_named() -> None:
    told = [
        (b"x-forwarded-host", b"evil.example"),
        (b"x-forwarded-port", b"1"),
        (b"x-forwarded-prefix", b"/evil"),
        (b"forwarded", b"for=6.6.6.6;host=evil.example;proto=https"),
    ]
    scope = rewritten(told, USUAL)
    assert {**scope, "headers": []} == {**rewritten([], USUAL), "headers": []}
    assert scope["headers"][2:] == told
    assert host_field(rewritten(told, USUAL)) == b"inside:8000"


@pytest.mark.parametrize(
    ("headers", "host", "server"),
    [
        ([(b"x-forwarded-host", b"example.org")], b"example.org", ("example.org", 80)),
        ([(b"x-forwarded-host", b"example.org:8443")], b"example.org:8443", ("example.org", 8443)),
        ([(b"x-forwarded-host", b"[2001:db8::1]")], b"[2001:db8::1]", ("2001:db8::1", 80)),
        ([(b"x-forwarded-host", b"[2001:db8::1]:81")], b"[2001:db8::1]:81", ("2001:db8::1", 81)),
        (
            [(b"x-forwarded-host", b"example.org"), (b"x-forwarded-proto", b"https")],
            b"example.org",
            ("example.org", 443),
        ),
        (
            [(b"x-forwarded-host", b"example.org:81"), (b"x-forwarded-port", b"8443")],
            b"example.org:81",
            ("example.org", 8443),
        ),
        ([(b"x-forwarded-port", b"8443")], b"inside:8000", (PEER, 8443)),
        ([(b"x-forwarded-host", b"evil.example, example.org")], b"example.org", ("example.org", 80)),
        (
            [(b"x-forwarded-host", b"evil.example"), (b"x-forwarded-host", b"example.org")],
            b"example.org",
            ("example.org", 80),
        ),
        ([(b"x-forwarded-port", b"1, 8443")], b"inside:8000", (PEER, 8443)),
        # What is malformed is as good as not there.
        ([(b"x-forwarded-host", b"user@example.org")], b"inside:8000", (PEER, 8000)),
        ([(b"x-forwarded-host", b"example.org/x")], b"inside:8000", (PEER, 8000)),
        ([(b"x-forwarded-host", b"example org")], b"inside:8000", (PEER, 8000)),
        ([(b"x-forwarded-host", b"example.org:99999")], b"inside:8000", (PEER, 8000)),
        ([(b"x-forwarded-host", b"\xe9.example")], b"inside:8000", (PEER, 8000)),
        ([(b"x-forwarded-host", b"example.org, ")], b"inside:8000", (PEER, 8000)),
        ([(b"x-forwarded-host", b"")], b"inside:8000", (PEER, 8000)),
        ([(b"x-forwarded-port", b"0")], b"inside:8000", (PEER, 8000)),
        ([(b"x-forwarded-port", b"65536")], b"inside:8000", (PEER, 8000)),
        ([(b"x-forwarded-port", b"+443")], b"inside:8000", (PEER, 8000)),
        ([(b"x-forwarded-port", b"\xb2")], b"inside:8000", (PEER, 8000)),
    ],
)
def test_a_host_and_a_port_are_those_that_the_client_addressed(
    headers: Fields, host: bytes, server: tuple[str, int]
) -> None:
    """Of several values the last counts: a proxy that doesn't replace a field appends to it."""
    scope = rewritten(headers)
    assert (host_field(scope), scope["server"]) == (host, server)


def test_the_host_field_is_replaced_in_its_place() -> None:
    """Who holds the list of fields sees it, too."""
    scope = rewritten([(b"x-forwarded-host", b"example.org")])
    assert scope["headers"][:2] == [(b"accept", b"*/*"), (b"host", b"example.org")]


def test_a_request_without_a_host_gets_one() -> None:
    """One of HTTP/1.0 may have none."""
    fields: Fields = [(b"x-forwarded-host", b"example.org")]
    scope: Scope = {"type": "http", "scheme": "http", "server": None, "headers": fields}
    ForwardedFields(TrustedHops(PEER), FAMILY).rewrite(scope)
    assert scope["headers"] is fields
    assert fields[0] == (b"host", b"example.org")


def test_a_unix_socket_has_no_port_and_gets_none_without_a_host() -> None:
    path = ("/run/app.sock", None)
    assert rewritten([(b"x-forwarded-port", b"443")], server=path)["server"] == path
    assert rewritten([(b"x-forwarded-port", b"443")], server=None)["server"] is None
    both = [(b"x-forwarded-port", b"443"), (b"x-forwarded-host", b"example.org")]
    assert rewritten(both, server=path)["server"] == ("example.org", 443)


@pytest.mark.parametrize("configured", ["", "/configured"])
@pytest.mark.parametrize(
    ("prefix", "root_path"),
    [
        (b"/app", "/app"),
        (b"/app/", "/app"),
        (b"/a/b-c_d.e~f", "/a/b-c_d.e~f"),
        (b"/evil, /app", "/app"),
        (b"/", ""),
    ],
)
def test_a_prefix_is_the_root_path_and_the_path_begins_with_it(prefix: bytes, root_path: str, configured: str) -> None:
    """It replaces the one that was configured: it is the whole of what was taken off."""
    scope = rewritten([(b"x-forwarded-prefix", prefix)], root_path=configured)
    assert scope["root_path"] == root_path
    assert scope["path"] == f"{root_path}/a b"
    assert scope["raw_path"] == f"{root_path}/a%20b".encode()


@pytest.mark.parametrize(
    "prefix",
    [
        b"",
        b"app",
        b"//evil.example",
        b"/a//b",
        b"/..",
        b"/a/../b",
        b"/./a",
        b"/a/.",
        b"/a%2fb",
        b"/a?b",
        b"/a#b",
        b"/a b",
        b"/\xe9",
        b"\\evil",
        b"/a\\b",
        b"http://evil.example/",
        b'/"',
        b"/app, ",
    ],
)
def test_a_prefix_that_is_no_plain_path_is_not_read(prefix: bytes) -> None:
    """A URL that an application makes of `//host` or `..` leads elsewhere."""
    headers = [(b"x-forwarded-prefix", prefix)]
    assert rewritten(headers, root_path="/mine") == rewritten(headers, USUAL, root_path="/mine")


# Forwarded (RFC 7239).

OURS = b'for="[2001:db8::1]:4711";proto=https;host="example.org:8443";by=10.0.0.1'


@pytest.mark.parametrize(
    ("values", "client", "scheme", "host"),
    [
        ([OURS], ("2001:db8::1", 4711), "https", b"example.org:8443"),
        # The nearest trusted proxies saw each other; the element of the first of them counts.
        ([OURS + b", for=10.0.0.1;proto=http;host=inner"], ("2001:db8::1", 4711), "https", b"example.org:8443"),
        ([OURS, b"for=10.0.0.1;proto=http;host=inner"], ("2001:db8::1", 4711), "https", b"example.org:8443"),
        # What a client sends of itself doesn't.
        ([b"for=10.0.0.7;host=evil;proto=http," + OURS], ("2001:db8::1", 4711), "https", b"example.org:8443"),
        ([b'for="', OURS], ("2001:db8::1", 4711), "https", b"example.org:8443"),
        ([b'for=";host="x' + b"," + OURS], ("2001:db8::1", 4711), "https", b"example.org:8443"),
        # Neither does what a nearer proxy says of a farther one stand in for what that one doesn't say.
        ([b"for=1.2.3.4, for=10.0.0.1;proto=https;host=inner"], ("1.2.3.4", 0), "http", b"inside:8000"),
        # All are trusted: the leftmost is the client.
        ([b"for=10.0.0.9;proto=https, for=10.0.0.1"], ("10.0.0.9", 0), "https", b"inside:8000"),
        ([b"for=unknown;proto=HTTPS"], ("unknown", 0), "https", b"inside:8000"),
        ([b"for=_hidden;HOST=a, for=10.0.0.1"], ("_hidden", 0), "http", b"a"),
        ([b'for="_hidden:_port"'], ("_hidden", 0), "http", b"inside:8000"),
        ([b'for="10.0.0.1:_port", for="[::ffff:10.0.0.1]"'], ("10.0.0.1", 0), "http", b"inside:8000"),
        # Nobody is told: the peer is the client, and in a chain whom the next proxy saw.
        ([b"proto=https;host=a"], (PEER, 5), "https", b"a"),
        ([b""], (PEER, 5), "http", b"inside:8000"),
        ([b"for=6.6.6.6, proto=https, for=10.0.0.1"], ("10.0.0.1", 0), "https", b"inside:8000"),
        # What isn't understood is somebody, and not the proxy.
        ([OURS + b", for=10.0.0.1/8"], ("unknown", 0), "http", b"inside:8000"),
        ([OURS + b', for=", for=10.0.0.1'], ("unknown", 0), "http", b"inside:8000"),
        ([OURS + b', for="\xe9";proto=https'], ("unknown", 0), "https", b"inside:8000"),
        ([OURS + b', for="";proto=https'], ("unknown", 0), "https", b"inside:8000"),
        ([b"for=1.2.3.4;proto=https;proto=http"], ("unknown", 0), "http", b"inside:8000"),
        # One that is malformed takes no other with it.
        ([b'for=1.2.3.4;proto=ftp;host="a/b"'], ("1.2.3.4", 0), "http", b"inside:8000"),
        ([b'for=1.2.3.4;proto="https, http";host="a, b"'], ("1.2.3.4", 0), "http", b"inside:8000"),
    ],
)
def test_the_element_of_the_proxy_that_saw_the_client_counts(
    values: list[bytes], client: tuple[str, int], scheme: str, host: bytes
) -> None:
    """RFC 7239, section 4: each proxy appends an element of what it saw."""
    scope = rewritten([(b"forwarded", value) for value in values], (FORWARDED,))
    assert (scope["client"], scope["scheme"], host_field(scope)) == (client, scheme, host)


def test_the_family_is_not_read_beside_forwarded() -> None:
    headers = [(b"x-forwarded-for", b"6.6.6.6"), (b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"evil")]
    scope = rewritten([*headers, (b"forwarded", b"for=1.2.3.4")], (FORWARDED,))
    assert (scope["client"], scope["scheme"], host_field(scope)) == (("1.2.3.4", 0), "http", b"inside:8000")


def test_who_trusts_everyone_believes_the_first_element() -> None:
    scope = rewritten([(b"forwarded", b"for=1.2.3.4;proto=https, for=5.6.7.8;proto=http")], (FORWARDED,), "*")
    assert (scope["client"], scope["scheme"]) == (("1.2.3.4", 0), "https")


def test_forwarded_tells_the_scheme_of_a_websocket() -> None:
    assert rewritten([(b"forwarded", b"proto=https")], (FORWARDED,), type="websocket", scheme="ws")["scheme"] == "wss"


@pytest.mark.parametrize(
    ("names", "secure", "others"),
    [
        ((FORWARDED, "x-forwarded-host", "x-forwarded-for"), None, "x-forwarded-for, x-forwarded-host"),
        ((FORWARDED,), {"X-Scheme": "https"}, "secure_scheme_headers"),
        ((FORWARDED,), {}, "secure_scheme_headers"),
    ],
)
def test_forwarded_beside_another_family_is_refused(
    names: tuple[str, ...], secure: dict[str, str] | None, others: str
) -> None:
    """A proxy sets either; of the other, a client's own would be believed."""
    with pytest.raises(UsageError, match=f"^--forwarded-headers: forwarded can't be read beside {others}: "):
        ForwardedFields(TrustedHops(PEER), names, secure)


@given(
    st.sampled_from([*FAMILY, FORWARDED]),
    st.lists(
        st.one_of(st.binary(max_size=60), st.text(',;="\\[]:%/ for10.x', max_size=30).map(str.encode)), max_size=3
    ),
    st.sampled_from([PEER, "*", "10.0.0.0/8"]),
)
def test_no_value_loses_a_request_or_leaves_the_scope_malformed(name: str, values: list[bytes], trusted: str) -> None:
    scope = rewritten([(name.encode(), value) for value in values], (name,), trusted, "/root")
    host, port = scope["client"]
    assert host.isascii()
    assert host.isprintable()
    assert 0 <= port <= 65535
    assert scope["scheme"] in {"http", "https", "ws", "wss"}
    assert scope["server"][0]
    assert 0 < scope["server"][1] <= 65535
    assert host_field(scope)
    assert scope["path"] == scope["root_path"] + "/a b"
    assert scope["raw_path"] == scope["root_path"].encode() + b"/a%20b"


@given(st.binary(max_size=40), st.lists(st.ip_addresses(network="10.0.0.0/8").map(str), max_size=3), st.booleans())
def test_whatever_a_client_sends_the_element_of_the_first_trusted_proxy_counts(
    made_up: bytes, proxies: list[str], lines: bool
) -> None:
    """RFC 7239, section 4: whether proxies append to a field or add one of their own."""
    elements = [made_up, OURS, *(f"for={proxy};proto=http;host=inner".encode() for proxy in proxies)]
    values = elements if lines else [b",".join(elements)]
    scope = rewritten([(b"forwarded", value) for value in values], (FORWARDED,))
    told = (scope["client"], scope["scheme"], host_field(scope))
    assert told == (("2001:db8::1", 4711), "https", b"example.org:8443")


@pytest.mark.parametrize("others", [(b"", b"%b"), (b"%b,",), (b"%b, ,",), (b",%b",)])
def test_an_empty_element_says_nothing(others: tuple[bytes, ...]) -> None:
    """RFC 9110, section 5.6.1.2."""
    said = b"for=192.0.2.7;proto=https;host=good.example"
    told = [(b"forwarded", value.replace(b"%b", said)) for value in others]
    scope = rewritten(told, (FORWARDED,))
    assert (scope["client"], scope["scheme"], host_field(scope)) == (("192.0.2.7", 0), "https", b"good.example")
