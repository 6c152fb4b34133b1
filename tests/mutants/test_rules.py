"""What counts as a rule."""

import re

import pytest

from tests.mutants.rules import mutants, without_parts

SOURCE = """
PATTERN = re.compile(b"a|b")

def check(size, limit):
    if size > limit and not known:
        raise ValueError("too large")
    return size or 0
"""


def test_each_condition_bound_and_alternative_is_taken_out_in_turn() -> None:
    found = {(each.line, each.rule) for each in mutants(SOURCE, {"PATTERN": re.compile(b"a|b")})}
    assert found == {
        (2, "PATTERN without b'a'"),
        (2, "PATTERN without b'b'"),
        (5, "never: size > limit and (not known)"),
        (5, "always: size > limit and (not known)"),
        (5, "without: size > limit"),
        (5, "without: not known"),
        (5, "bound: size > limit"),
        (7, "without: size"),
        (7, "without: 0"),
    }


def test_a_mutant_is_the_module_but_for_the_rule() -> None:
    sources = {each.rule: each.source for each in mutants(SOURCE, {"PATTERN": re.compile(b"a|b")})}
    assert "if size > limit:" in sources["without: not known"]
    assert "if size >= limit and (not known):" in sources["bound: size > limit"]
    assert "PATTERN = re.compile(b'b', 0)" in sources["PATTERN without b'a'"]
    assert len(set(sources.values())) == len(sources)


@pytest.mark.parametrize(
    ("pattern", "shorter"),
    [
        (rb"a(?!b)c", [rb"ac"]),
        (rb"a(?<![ \t])", [rb"a(?<![\t])", rb"a(?<![ ])", rb"a"]),
        (rb"[^\x00-\x08\r]", [rb"[^\r]", rb"[^\x00-\x08]"]),
        (rb"(?:[a-z]|x\|y)", [rb"(?:x\|y)", rb"(?:[a-z])"]),
        (rb"a{1,3}", [rb"a{1,}"]),
        (rb"a|b", [rb"b", rb"a"]),
        (rb"abc+", []),
    ],
)
def test_the_parts_of_an_expression_are_its_alternatives_looks_items_and_bounds(
    pattern: bytes, shorter: list[bytes]
) -> None:
    assert [rest for _, rest in without_parts(pattern)] == shorter
