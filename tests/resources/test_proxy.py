"""Trust in proxies, and the way from one hop to the next."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monoceros.errors import UsageError
from monoceros.resources.proxy import TrustedHops, read_hop


@pytest.mark.parametrize(
    ("trusted", "host", "expected"),
    [
        ("127.0.0.1,::1", "127.0.0.1", True),
        (" 127.0.0.1 , ::1 ", "::1", True),
        (["10.0.0.1"], "10.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("fd00::/8", "fd12::1", True),
        ("0:0:0:0:0:0:0:1", "::1", True),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:0:0/96", "::ffff:10.0.0.1", True),
        ("proxy", "proxy", True),
        ("proxy", "proxy2", False),
        ("x" * 300, "x" * 300, False),
        ("*", "8.8.8.8", True),
        ("10.0.0.1,*", "8.8.8.8", True),
        ("", "127.0.0.1", False),
        ([], "127.0.0.1", False),
    ],
)
def test_a_peer_is_trusted_by_address_network_or_name(trusted: str | list[str], host: str, expected: bool) -> None:
    assert TrustedHops(trusted).trusts(host) is expected


@pytest.mark.parametrize("host", [None, ""])
@pytest.mark.parametrize(
    ("trusted", "expected"), [("127.0.0.1,unix:", True), ("*", True), ("127.0.0.1", False), ("", False)]
)
def test_peers_of_a_unix_socket_are_trusted_only_when_it_was_said(
    trusted: str, host: str | None, expected: bool
) -> None:
    assert TrustedHops(trusted).trusts(host) is expected


def test_trust_in_unix_peers_trusts_no_empty_hop() -> None:
    assert TrustedHops("unix:").client_of("1.2.3.4, ") is None


@pytest.mark.parametrize(
    ("entry", "advice"),
    [
        ("10.0.0.1/8", "write 10.0.0.0/8 for the network, or 10.0.0.1 for the address"),
        ("fd00::1/8", "write fd00::/8"),
        ("10.0.0.0/33", "is no network: write one as 10.0.0.0/8"),
        ("unix:/run/nginx.sock", "write 'unix:' to trust"),
    ],
)
def test_a_malformed_network_is_answered_with_what_to_write(entry: str, advice: str) -> None:
    with pytest.raises(UsageError) as caught:
        TrustedHops(f"127.0.0.1,{entry}")
    assert repr(entry) in str(caught.value)
    assert advice in str(caught.value)
    assert "--forwarded-allow-ips" in str(caught.value)


@pytest.mark.parametrize(
    ("trusted", "forwarded_for", "client"),
    [
        ("127.0.0.1", "1.2.3.4", ("1.2.3.4", 0)),
        ("127.0.0.1", "1.2.3.4:5000", ("1.2.3.4", 5000)),
        ("127.0.0.1", "[2001:db8::1]:5000", ("2001:db8::1", 5000)),
        ("127.0.0.1", "[2001:db8::1]", ("2001:db8::1", 0)),
        ("127.0.0.1", "2001:db8::1", ("2001:db8::1", 0)),
        ("127.0.0.1", "6.6.6.6, 1.2.3.4", ("1.2.3.4", 0)),
        ("127.0.0.1,10.0.0.0/8", "1.2.3.4, 10.0.0.9:443, 10.0.0.1", ("1.2.3.4", 0)),
        ("127.0.0.1,10.0.0.0/8", "6.6.6.6, 1.2.3.4, 10.0.0.1", ("1.2.3.4", 0)),
        ("10.0.0.0/8", "10.0.0.1, 10.0.0.2", ("10.0.0.1", 0)),
        ("10.0.0.0/8", "1.2.3.4, ::ffff:10.0.0.2", ("1.2.3.4", 0)),
        ("unix:", "1.2.3.4, unix:", ("1.2.3.4", 0)),
        ("*", "1.2.3.4:80, 5.6.7.8", ("1.2.3.4", 80)),
        ("127.0.0.1", "", None),
        ("*", "", None),
        ("127.0.0.1", "1.2.3.4:99999", ("1.2.3.4:99999", 0)),
        ("127.0.0.1", "1.2.3.4:-1", ("1.2.3.4:-1", 0)),
    ],
)
def test_the_client_is_the_first_hop_from_the_right_that_is_not_trusted(
    trusted: str, forwarded_for: str, client: tuple[str, int] | None
) -> None:
    assert TrustedHops(trusted).client_of(forwarded_for) == client


def test_a_malformed_network_of_another_option_is_answered_with_its_name() -> None:
    with pytest.raises(UsageError, match=r"^--proxy-allow-ips has '10\.0\.0\.1/8'"):
        TrustedHops("10.0.0.1/8", "--proxy-allow-ips")


@pytest.mark.parametrize(
    ("text", "hop"),
    [
        ("1.2.3.4", ("1.2.3.4", 0)),
        (" \t1.2.3.4\t ", ("1.2.3.4", 0)),
        ("1.2.3.4:65535", ("1.2.3.4", 65535)),
        ("1.2.3.4:_p0", ("1.2.3.4", 0)),
        ("[::1]:_p0", ("::1", 0)),
        ("unknown", ("unknown", 0)),
        ("_SEVKISEK:80", ("_SEVKISEK", 80)),
        ("fe80::1%eth0", ("fe80::1%eth0", 0)),
        ("", None),
        ("[]", None),
        (":80", None),
        (":_p", None),
        ("1.2.3.4\xa0", None),
        ("\x851.2.3.4", None),
        ("\u0661.2.3.4", None),
        ("1.2.3.4 5.6.7.8", None),
        ('1.2.3.4"', None),
        ("\x9b2J", None),
        ("x" * 262, None),
    ],
)
def test_a_hop_is_an_address_or_a_name_and_perhaps_a_port(text: str, hop: tuple[str, int] | None) -> None:
    """RFC 7239, section 6; only blanks and tabs are white space (RFC 9110, section 5.6.3)."""
    assert read_hop(text) == hop


@pytest.mark.parametrize(
    "hop",
    [
        "10.0.0.1\xa0",
        "\x8510.0.0.1",
        "010.0.0.1",
        "10.0.0.1/8",
        "10.0.0.1%eth0",
        "::ffff:10.0.0.1%1",
        "0x0a000001",
        "10.1",
    ],
)
def test_what_only_resembles_a_trusted_address_is_not_trusted(hop: str) -> None:
    """Whoever stands before it in the list may be made up."""
    client = TrustedHops("10.0.0.0/8,10.0.0.1,::ffff:10.0.0.1").client_of(f"6.6.6.6, {hop}")
    assert client is not None
    assert client[0] != "6.6.6.6"


@pytest.mark.parametrize("hop", ["\xe9", "<script>", "a b", '"', "x" * 300, "[]"])
def test_a_client_that_is_not_understood_is_somebody_and_not_the_proxy(hop: str) -> None:
    """An application may trust the proxy's own address."""
    assert TrustedHops("10.0.0.1").client_of(f"6.6.6.6, {hop}") == ("unknown", 0)
    assert TrustedHops("*").client_of(f"{hop}, 6.6.6.6") == ("unknown", 0)


def test_a_name_that_is_trusted_is_no_help_for_what_is_not_understood() -> None:
    assert TrustedHops("unknown").client_of("6.6.6.6, \xe9") == ("unknown", 0)
    assert TrustedHops("unknown").client_of("6.6.6.6, unknown") == ("6.6.6.6", 0)


def test_a_trusted_address_with_a_zone_is_a_name() -> None:
    """RFC 4007: a zone means something only where it was given."""
    hops = TrustedHops("fe80::1%eth0,fe80::2")
    assert hops.trusts("fe80::1%eth0")
    assert not hops.trusts("fe80::1%eth1")
    assert not hops.trusts("fe80::2%eth0")


ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
INSIDE = st.ip_addresses(network="10.0.0.0/8").map(str)
OUTSIDE = ADDRESSES.filter(lambda address: address not in ipaddress.ip_network("10.0.0.0/8")).map(str)
ANYTHING = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40)


@given(ANYTHING, OUTSIDE, st.lists(INSIDE, max_size=4))
def test_whatever_a_client_sends_it_is_whom_the_first_trusted_proxy_saw(
    made_up: str, client: str, proxies: list[str]
) -> None:
    """Each proxy appends the address that it saw; what stood there before changes nothing."""
    seen = TrustedHops("10.0.0.0/8").client_of(", ".join([made_up, client, *proxies]))
    assert seen is not None
    assert ipaddress.ip_address(seen[0]) in {
        ipaddress.ip_address(client),
        getattr(ipaddress.ip_address(client), "ipv4_mapped", None),
    }


@given(ANYTHING, st.sampled_from(["10.0.0.0/8", "*", "", "unix:"]))
def test_any_text_gives_a_client_that_can_be_shown_or_none(text: str, trusted: str) -> None:
    client = TrustedHops(trusted).client_of(text)
    assert client is None or (client[0].isascii() and client[0].isprintable() and " " not in client[0])
    assert client is None or 0 <= client[1] <= 65535
