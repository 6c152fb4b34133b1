"""The opening handshake (RFC 6455, section 4.2)."""

import pytest

from monoceros.errors import RequestError
from monoceros.wire.handshake import Field, Handshake, UpgradeRefused, accept_head, read_upgrade, wants_websocket

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


def request(*changes: Field, without: bytes = b"") -> list[Field]:
    """Return a good handshake's fields, with those named in the changes replaced."""
    replaced = {name for name, _ in changes} | {without}
    good = [
        (b"host", b"example.com"),
        (b"upgrade", b"websocket"),
        (b"connection", b"Upgrade"),
        (b"sec-websocket-key", KEY),
        (b"sec-websocket-version", b"13"),
    ]
    return [field for field in good if field[0] not in replaced] + list(changes)


def refusal(fields: list[Field], method: str = "GET", version: str = "1.1") -> UpgradeRefused:
    with pytest.raises(UpgradeRefused) as caught:
        read_upgrade(method, version, fields)
    assert isinstance(caught.value, RequestError)
    return caught.value


def accepted(handshake: Handshake, *headers: Field, subprotocol: str | None = None) -> list[Field]:
    return accept_head(handshake, subprotocol=subprotocol, extensions=None, headers=headers)


@pytest.fixture
def handshake() -> Handshake:
    return read_upgrade("GET", "1.1", request())


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ([(b"connection", b"Upgrade"), (b"upgrade", b"websocket")], True),
        ([(b"upgrade", b"WebSocket"), (b"connection", b"keep-alive, UPGRADE")], True),
        ([(b"connection", b"keep-alive"), (b"connection", b"upgrade"), (b"upgrade", b"h2c ,websocket")], True),
        ([(b"connection", b"upgrade"), (b"upgrade", b"h2c"), (b"upgrade", b"websocket")], True),
        ([(b"connection", b"upgrade")], False),
        ([(b"upgrade", b"websocket")], False),
        ([(b"connection", b"keep-alive"), (b"upgrade", b"websocket")], False),
        ([(b"connection", b"upgrade"), (b"upgrade", b"h2c")], False),
        ([(b"connection", b"upgrade-insecure"), (b"upgrade", b"websockets")], False),
        ([], False),
    ],
)
def test_websocket_is_wanted_when_connection_and_upgrade_say_so(fields: list[Field], wanted: bool) -> None:
    """RFC 9110, section 7.8: lists, in any case, over any number of fields."""
    assert wants_websocket(fields) is wanted


def test_the_key_of_the_rfc_gives_the_answer_of_the_rfc(handshake: Handshake) -> None:
    """RFC 6455, section 1.3."""
    assert handshake.accept_key == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert handshake == Handshake(KEY, [], b"")


def test_subprotocols_and_extensions_are_joined_over_repeated_fields() -> None:
    """RFC 6455, sections 11.3.2 and 11.3.4."""
    handshake = read_upgrade(
        "GET",
        "1.1",
        request(
            (b"sec-websocket-protocol", b"chat, superchat"),
            (b"sec-websocket-protocol", b" v2.chat ,,"),
            (b"sec-websocket-extensions", b"permessage-deflate; a=1"),
            (b"sec-websocket-extensions", b"other"),
        ),
    )
    assert handshake.subprotocols == ["chat", "superchat", "v2.chat"]
    assert handshake.extensions == b"permessage-deflate; a=1,other"


def test_another_method_than_get_is_refused_with_the_one_allowed() -> None:
    """RFC 6455, section 4.2.1; RFC 9110, section 15.5.6."""
    error = refusal(request(), method="POST")
    assert error.status == 405
    assert error.headers == [(b"allow", b"GET")]


@pytest.mark.parametrize("version", [b"8", b"0", b"13, 8", b"", b"x"])
def test_another_version_is_refused_with_the_one_spoken(version: bytes) -> None:
    """RFC 6455, section 4.4."""
    error = refusal(request((b"sec-websocket-version", version)))
    assert error.status == 426
    assert error.headers == [(b"sec-websocket-version", b"13"), (b"upgrade", b"websocket")]


@pytest.mark.parametrize(
    "fields",
    [request(without=b"sec-websocket-version"), [*request(), (b"sec-websocket-version", b"13")]],
)
def test_a_missing_or_repeated_version_is_refused_like_another(fields: list[Field]) -> None:
    assert refusal(fields).status == 426


@pytest.mark.parametrize(
    "fields",
    [
        request(without=b"sec-websocket-key"),
        request((b"sec-websocket-key", b"")),
        request((b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ")),
        request((b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZSE=")),
        request((b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZ\xff==")),
        request((b"sec-websocket-key", b"!!!!!!!!!!!!!!!!!!!!!!==")),
        [*request(), (b"sec-websocket-key", KEY)],
    ],
)
def test_a_key_that_is_not_one_base64_of_16_bytes_is_refused(fields: list[Field]) -> None:
    """RFC 6455, section 4.2.1."""
    error = refusal(fields)
    assert error.status == 400
    assert "Sec-WebSocket-Key" in error.reason


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        (request(), "1.0"),
        (request((b"connection", b"keep-alive")), "1.1"),
        (request((b"upgrade", b"h2c")), "1.1"),
        (request((b"content-length", b"5")), "1.1"),
        (request((b"transfer-encoding", b"chunked")), "1.1"),
    ],
)
def test_what_is_no_handshake_is_refused(fields: list[Field], version: str) -> None:
    assert refusal(fields, version=version).status == 400


def test_a_length_of_zero_is_no_body() -> None:
    assert read_upgrade("GET", "1.1", request((b"content-length", b"0"))).key == KEY


def test_the_answer_has_what_the_rfc_asks_for_then_the_applications_fields(handshake: Handshake) -> None:
    """RFC 6455, section 4.2.2. The application's repeated fields stay repeated."""
    fields = accept_head(
        handshake,
        subprotocol="chat",
        extensions="permessage-deflate",
        headers=[(b"X-Name", b"Value"), (b"set-cookie", b"a=1"), (b"Set-Cookie", b"b=2")],
    )
    assert fields == [
        (b"upgrade", b"websocket"),
        (b"connection", b"Upgrade"),
        (b"sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        (b"sec-websocket-protocol", b"chat"),
        (b"sec-websocket-extensions", b"permessage-deflate"),
        (b"x-name", b"Value"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    ]


@pytest.mark.parametrize("subprotocol", [None, ""])
def test_without_a_subprotocol_and_extensions_their_fields_are_left_out(
    handshake: Handshake, subprotocol: str | None
) -> None:
    assert len(accepted(handshake, subprotocol=subprotocol)) == 3


def test_a_subprotocol_that_was_not_offered_is_sent_as_the_application_asked(handshake: Handshake) -> None:
    """The client decides what it makes of it (RFC 6455, section 4.1)."""
    assert (b"sec-websocket-protocol", b"surprise") in accepted(handshake, subprotocol="surprise")


def test_a_subprotocol_that_was_offered_is_sent_though_it_is_no_token(handshake: Handshake) -> None:
    """Nobody but the client has to understand it."""
    odd = Handshake(handshake.key, ["v1/chat room"], b"")
    assert (b"sec-websocket-protocol", b"v1/chat room") in accepted(odd, subprotocol="v1/chat room")


@pytest.mark.parametrize("subprotocol", ["a\r\nx: y", "caf\xe9", "chat, superchat", " chat", "v1/chat"])
def test_a_subprotocol_that_cannot_be_sent_is_the_applications_error(handshake: Handshake, subprotocol: str) -> None:
    with pytest.raises(RuntimeError, match="the application accepted the WebSocket with subprotocol"):
        accepted(handshake, subprotocol=subprotocol)


@pytest.mark.parametrize(
    "name",
    [
        b"Upgrade",
        b"connection",
        b"Sec-WebSocket-Accept",
        b"sec-websocket-protocol",
        b"sec-websocket-extensions",
        b"Content-Length",
        b"transfer-encoding",
    ],
)
def test_a_field_of_the_handshake_itself_is_the_applications_error(handshake: Handshake, name: bytes) -> None:
    with pytest.raises(RuntimeError, match=name.decode().lower()):
        accepted(handshake, (name, b"x"))
