"""A set that tells when it has become smaller."""

import pytest

from monoceros.server.crowd import Crowd


def test_whoever_leaves_is_told_after_it_has_left() -> None:
    sizes: list[int] = []
    crowd = Crowd(lambda: sizes.append(len(crowd)))
    crowd.add("a")
    crowd.add("b")
    assert sizes == []
    crowd.discard("a")
    crowd.remove("b")
    assert sizes == [1, 0]


def test_who_was_never_there_cannot_be_removed() -> None:
    sizes: list[int] = []
    crowd = Crowd(lambda: sizes.append(len(crowd)))
    with pytest.raises(KeyError):
        crowd.remove("a")
    assert sizes == []
