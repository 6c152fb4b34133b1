"""Field names and values: their grammar, and the bounds of the caches (RFC 9110, section 5)."""

import re

import pytest

from monoceros.wire.fields import AUTHORITY, CONTROLS, FIELD_PREFIXES, LOWER_NAMES, TOKEN, has_option

TCHARS = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def test_a_token_is_made_of_exactly_the_characters_of_the_grammar() -> None:
    """RFC 9110, section 5.6.2."""
    matching = bytes(octet for octet in range(256) if re.fullmatch(TOKEN, bytes([octet])))
    assert sorted(matching) == sorted(TCHARS)


def test_the_controls_are_those_that_a_field_value_may_not_hold() -> None:
    """RFC 9110, section 5.5: of the controls only HTAB may stand in a value."""
    assert sorted(CONTROLS) == [octet for octet in range(256) if (octet < 0x20 and octet != 0x09) or octet == 0x7F]


def test_received_names_are_lower_cased() -> None:
    """RFC 9110, section 5.1."""
    assert LOWER_NAMES[b"X-ThInG"] == b"x-thing"
    assert LOWER_NAMES[b"x-thing"] == b"x-thing"


def test_names_of_an_application_become_prefixes_in_lower_case() -> None:
    assert FIELD_PREFIXES[b"X-Answer"] == b"x-answer: "


@pytest.mark.parametrize("name", [b"", b" x", b"x ", b"x:", b"x y", b"x\r\n", b"caf\xe9", b"x\0"])
def test_a_name_that_is_no_token_is_not_made_a_prefix(name: bytes) -> None:
    """RFC 9110, section 5.1."""
    for _ in range(2):  # nor is it cached
        with pytest.raises(ValueError, match=re.escape(repr(name))):
            FIELD_PREFIXES[name]


@pytest.mark.parametrize("cache", [LOWER_NAMES, FIELD_PREFIXES])
def test_no_peer_can_make_a_cache_of_names_grow_without_end(cache: dict[bytes, bytes]) -> None:
    before = dict(cache)
    try:
        for number in range(5000):
            assert cache[b"X-Made-Up-%d" % number].startswith(b"x-made-up-%d" % number)
        assert len(cache) == 1024
    finally:
        cache.clear()
        cache.update(before)


@pytest.mark.parametrize("cache", [LOWER_NAMES, FIELD_PREFIXES])
def test_a_name_of_any_length_is_served_but_a_long_one_not_kept(cache: dict[bytes, bytes]) -> None:
    assert cache[b"L" * 5000].startswith(b"l" * 5000)
    assert b"L" * 5000 not in cache


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        (b"close", True),
        (b"Close", True),
        (b"x,close", True),
        (b" x ,\tCLOSE\t, y", True),
        (b",,close", True),
        (b"closed", False),
        (b"x-close", False),
        (b"close;q=1", False),
        (b'"close"', False),
        (b"", False),
    ],
)
def test_an_option_is_found_in_a_list_as_a_whole_member(value: bytes, holds: bool) -> None:
    """RFC 9110, section 5.6.1."""
    assert has_option(value, b"close") is holds


@pytest.mark.parametrize(
    "authority",
    [
        b"a",
        b"A.Example",
        b"a.example:80",
        b"a.example:",
        b"127.0.0.1:65535",
        b"[::1]",
        b"[2001:DB8::1]:443",
        b"a_b",
        b"%41",
    ],
)
def test_an_authority_is_a_name_or_an_address_and_perhaps_a_port(authority: bytes) -> None:
    """RFC 3986, section 3.2."""
    assert re.fullmatch(AUTHORITY, authority)


@pytest.mark.parametrize(
    "authority",
    [
        b"",
        b":80",
        b"a,b",
        b"root@a",
        b"a b",
        b"a/b",
        b"a:b",
        b"a:1:2",
        b"::1",
        b"[::1",
        b"[a]b",
        b"[g::]",
        b"a:123456",
        b"\xe9",
    ],
)
def test_nothing_else_is_an_authority(authority: bytes) -> None:
    """RFC 9110, sections 4.2.4 and 7.2; RFC 3986, section 3.2."""
    assert re.fullmatch(AUTHORITY, authority) is None
