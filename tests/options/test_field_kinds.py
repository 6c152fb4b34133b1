"""What each kind of option that is a header field accepts, from text and from Python, and what it refuses."""

import pytest

from monoceros.options import field_kinds
from monoceros.options.option import Kind, Refused

FIELDS = field_kinds.fields()
FIELD_NAMES = field_kinds.field_names()
FIELD_VALUES = field_kinds.field_values()


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (["X-A: b:c ", ("X-D", "")], [("X-A", "b:c"), ("X-D", "")]),
        ([["X-A", "é"]], [("X-A", "é")]),
        ({"X-A": "1"}, [("X-A", "1")]),
        ("X-A:1", [("X-A", "1")]),
        (None, []),
    ],
)
def test_fields_come_in_several_shapes(given: object, value: object) -> None:
    assert FIELDS.convert(given) == value


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (FIELDS, "X-A"),
        (FIELDS, ":x"),
        (FIELDS, ["a b: c"]),
        (FIELDS, [("X-A", "b\r\nX-C: d")]),
        (FIELDS, [("X-A", "\0")]),
        (FIELDS, [("X-A", "\N{EURO SIGN}")]),
        (FIELDS, [("X-A",)]),
        (FIELDS, [("X-A", "b", "c")]),
        (FIELDS, [5]),
        (FIELD_NAMES, "A,B C"),
        (FIELD_NAMES, "A,,B"),
        (FIELD_NAMES, ["A", 5]),
        (FIELD_VALUES, "X: a"),
        (FIELD_VALUES, {"X Y": "a"}),
        (FIELD_VALUES, {"X": 5}),
        (FIELDS, [("X-A", "\x1b[2J")]),
        (FIELDS, [("X-A", "\x7f")]),
    ],
)
def test_what_is_no_field_is_refused(kind: Kind, given: object) -> None:
    """RFC 9110, section 5.5: a value has no control but the tab."""
    with pytest.raises((ValueError, TypeError)):
        kind.convert(given)


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding"])
def test_what_frames_a_response_is_not_sent_with_every_one(name: str) -> None:
    """RFC 9112, section 6.3: two lengths make two responses of one."""
    with pytest.raises(Refused, match=f"^{name} can't be sent with every response: the server says how long each is$"):
        FIELDS.convert([(name, "5")])


def test_fields_stand_on_lines_of_their_own_in_a_variable() -> None:
    assert FIELDS.split("X-A: 1\nX-B: 2 3") == ["X-A: 1", "X-B: 2 3"]


@pytest.mark.parametrize("given", ["SCRIPT_NAME, PATH_INFO", ["SCRIPT_NAME", "PATH_INFO"]])
def test_names_of_fields_are_separated_by_commas(given: object) -> None:
    assert FIELD_NAMES.convert(given) == ["SCRIPT_NAME", "PATH_INFO"]


@pytest.mark.parametrize("given", [None, "", []])
def test_no_names_of_fields_are_an_empty_list(given: object) -> None:
    assert FIELD_NAMES.convert(given) == []


def test_an_empty_table_of_fields_is_another_thing_than_none() -> None:
    assert FIELD_VALUES.convert(None) is None
    assert FIELD_VALUES.convert({}) == {}
    assert FIELD_VALUES.convert({"X-Forwarded-Ssl": " on "}) == {"X-Forwarded-Ssl": "on"}
