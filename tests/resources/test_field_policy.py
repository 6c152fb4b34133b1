"""Fields that applications may take for others, and who may send them."""

import pytest

from monoceros.asgi import Scope
from monoceros.errors import RequestError
from monoceros.resources.field_policy import FieldPolicy, Underscores
from monoceros.resources.forwarded import ForwardedFields
from monoceros.resources.proxy import TrustedHops

PROXY, STRANGER = "127.0.0.1", "203.0.113.9"
HOPS = TrustedHops(PROXY)
FIELDS = [
    (b"host", b"a"),
    (b"x_user", b"root"),
    (b"x-forwarded-for", b"198.51.100.1"),
    (b"script_name", b"/a"),
    (b"x-user", b"me"),
]


def request() -> Scope:
    return {"type": "http", "scheme": "http", "client": ("192.0.2.1", 5), "headers": list(FIELDS)}


def names_left(policy: FieldPolicy, host: str | None) -> list[bytes]:
    """The fields that the application sees of a peer's request."""
    filter_names = policy.name_filter(host)
    fields = list(FIELDS)
    if filter_names is not None:
        filter_names(fields)
    return [name for name, _ in fields]


def test_nothing_is_done_for_a_stranger_unless_it_is_asked_for() -> None:
    policy = FieldPolicy(HOPS, ForwardedFields(HOPS))
    for host in (STRANGER, None):
        assert policy.rewriter(host) is None
        assert policy.name_filter(host) is None


def test_a_trusted_peer_speaks_for_its_client() -> None:
    rewrite = FieldPolicy(HOPS, ForwardedFields(HOPS)).rewriter(PROXY)
    assert rewrite is not None
    scope = request()
    rewrite(scope)
    assert scope["client"] == ("198.51.100.1", 0)
    assert scope["headers"] == FIELDS


def test_what_trusted_peers_say_counts_only_where_it_is_read() -> None:
    assert FieldPolicy(TrustedHops("*"), None).rewriter(PROXY) is None


@pytest.mark.parametrize(
    ("spared", "host", "left"),
    [
        ([], STRANGER, {b"x-user"}),
        ([], PROXY, {b"x-user"}),
        (["SCRIPT_NAME", "PATH_INFO"], STRANGER, {b"x-user"}),
        (["SCRIPT_NAME", "PATH_INFO"], PROXY, {b"x-user", b"script_name"}),
        (["*"], STRANGER, {b"x-user"}),
        (["*"], PROXY, {b"x-user", b"script_name", b"x_user"}),
    ],
)
def test_fields_with_an_underscore_are_dropped_unless_a_trusted_peer_may_send_them(
    spared: list[str], host: str, left: set[bytes]
) -> None:
    policy = FieldPolicy(HOPS, ForwardedFields(HOPS), underscores=Underscores.DROP, spared=spared)
    assert set(names_left(policy, host)) == left | {b"host", b"x-forwarded-for"}


def test_a_trusted_peer_speaks_for_its_client_also_where_fields_are_dropped() -> None:
    rewrite = FieldPolicy(HOPS, ForwardedFields(HOPS), underscores=Underscores.DROP).rewriter(PROXY)
    assert rewrite is not None
    scope = request()
    rewrite(scope)
    assert scope["client"] == ("198.51.100.1", 0)


def test_a_request_with_such_a_field_can_be_refused() -> None:
    policy = FieldPolicy(HOPS, ForwardedFields(HOPS), underscores=Underscores.REFUSE, spared=["X_USER"])
    with pytest.raises(RequestError, match="with an underscore in its name: x_user") as caught:
        names_left(policy, STRANGER)
    assert caught.value.status == 400
    with pytest.raises(RequestError, match="with an underscore in its name: script_name"):
        names_left(policy, PROXY)


def test_a_request_without_such_a_field_is_left_alone() -> None:
    filter_names = FieldPolicy(HOPS, ForwardedFields(HOPS), underscores=Underscores.REFUSE).name_filter(STRANGER)
    assert filter_names is not None
    fields = [(b"host", b"a")]
    filter_names(fields)
    assert fields == [(b"host", b"a")]
