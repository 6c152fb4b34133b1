"""How large a request may be (RFC 9110, sections 15.5.14 and 15.5.15; RFC 6585, section 5)."""

import pytest

from monoceros.wire.limits import SMALL_HEAD, RequestLimits

MEASURED = ("line", "fields", "field_size", "head")


@pytest.mark.parametrize("limits", [RequestLimits(), RequestLimits(line=400, fields=100, field_size=400, head=400)])
def test_limits_at_least_as_large_as_a_plain_head_allow_it(limits: RequestLimits) -> None:
    assert limits.allows_small()


@pytest.mark.parametrize("name", MEASURED)
def test_a_limit_below_the_plain_size_makes_every_head_be_measured(name: str) -> None:
    smaller = 99 if name == "fields" else SMALL_HEAD - 1
    assert not RequestLimits(**{name: smaller}).allows_small()


def test_a_limit_of_the_content_says_nothing_about_heads() -> None:
    assert RequestLimits(body=1).allows_small()


def test_content_has_no_limit_unless_one_is_given() -> None:
    assert RequestLimits().body is None
