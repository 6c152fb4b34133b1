"""The rules of a module: each refusal, each condition, each part of a regular expression; and the module without one.

A rule is taken out of the source, never put in. What is taken out of a regular expression is an alternative, a look
around, an item of a class, or the upper bound of a repetition.
"""

import ast
import itertools
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Mutant(NamedTuple):
    """A module without one of its rules.

    Attributes:
        line: where the rule stands.
        rule: what was taken out.
        source: the module without it.
    """

    line: int
    rule: str
    source: str


def mutants(source: str, patterns: dict[str, "re.Pattern[bytes]"]) -> Iterator[Mutant]:
    """Yield a module without each of its rules in turn.

    Arguments:
        source: the module.
        patterns: its regular expressions, by the name they are assigned to.
    """
    tree = ast.parse(source)
    for number, node in enumerate(ast.walk(tree)):
        for rule, change in _changes(node, patterns):
            changed = ast.parse(source)
            change(_nth(changed, number))
            yield Mutant(getattr(node, "lineno", 0), rule, ast.unparse(ast.fix_missing_locations(changed)))


def _nth(tree: ast.AST, number: int) -> ast.AST:
    return next(node for at, node in enumerate(ast.walk(tree)) if at == number)


Change = Callable[[ast.AST], None]


def _changes(node: ast.AST, patterns: dict[str, "re.Pattern[bytes]"]) -> Iterator[tuple[str, Change]]:
    """Yield the ways to take something out of a node, each with its name."""
    if isinstance(node, (ast.If, ast.While, ast.IfExp)):
        condition = ast.unparse(node.test)
        yield f"never: {condition}", lambda found: _set(found, "test", ast.Constant(False))
        if isinstance(node, ast.If):
            yield f"always: {condition}", lambda found: _set(found, "test", ast.Constant(True))
    elif isinstance(node, ast.BoolOp):
        for at, value in enumerate(node.values):
            yield f"without: {ast.unparse(value)}", lambda found, at=at: found.values.pop(at)  # type: ignore[misc]
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Gt, ast.Lt, ast.LtE, ast.GtE)):
        other = {ast.Gt: ast.GtE, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.GtE: ast.Gt}[type(node.ops[0])]
        yield f"bound: {ast.unparse(node)}", lambda found: _set(found, "ops", [other()])
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in patterns:
        pattern = patterns[node.targets[0].id]
        for part, shorter in without_parts(pattern.pattern):
            try:
                re.compile(shorter, pattern.flags)
            except re.error:
                continue
            value = ast.parse(f"re.compile({shorter!r}, {pattern.flags})", mode="eval").body
            yield f"{node.targets[0].id} without {part!r}", lambda found, value=value: _set(found, "value", value)  # type: ignore[misc]


def _set(node: ast.AST, name: str, value: object) -> None:
    setattr(node, name, value)


# The parts of an expression that are never cut in two.
_ATOM = re.compile(rb"\\x..|\\.|\[\^?\]?(?:\\x..|\\.|[^\]\\])*\]|\(\?[a-z]+:|\(\?<?[:=!]|.", re.DOTALL)
_ITEM = re.compile(rb"(?:\\x..|\\.|[^\\])-(?:\\x..|\\.|[^\\\]])|\\x..|\\.|[^\\]", re.DOTALL)
_BOUNDED = re.compile(rb"\{(\d+),\d+\}")


def without_parts(pattern: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield each part that can be taken out of a regular expression, and the expression without it."""
    for bounded in _BOUNDED.finditer(pattern):
        yield bounded[0], pattern[: bounded.start()] + b"{%b,}" % bounded[1] + pattern[bounded.end() :]
    opened: list[list[int]] = [[0]]
    for atom in _ATOM.finditer(pattern):
        text = atom[0]
        if text[:1] == b"[":
            yield from _without_items(pattern, atom.start(), text)
        elif text[:1] == b"(":
            opened.append([atom.start(), atom.end()])
        elif text == b"|":
            opened[-1].append(atom.end())
        elif text == b")":
            start, *branches = opened.pop()
            yield from _without_group(pattern, start, branches, atom.start())
    if len(opened[0]) > 1:
        yield from _without_group(pattern, 0, opened[0], len(pattern))


def _without_group(pattern: bytes, start: int, branches: list[int], end: int) -> Iterator[tuple[bytes, bytes]]:
    if re.match(rb"\(\?<?[=!]", pattern[start:]):
        yield pattern[start : end + 1], pattern[:start] + pattern[end + 1 :]
    if len(branches) > 1:
        bounds = [*branches, end + 1]
        parts = [pattern[a : b - 1] for a, b in itertools.pairwise(bounds)]
        for at, part in enumerate(parts):
            rest = b"|".join(parts[:at] + parts[at + 1 :])
            yield part, pattern[: branches[0]] + rest + pattern[end:]


def _without_items(pattern: bytes, start: int, text: bytes) -> Iterator[tuple[bytes, bytes]]:
    opening = 2 if text[1:2] == b"^" else 1
    inside = text[opening:-1]
    items = list(_ITEM.finditer(inside))
    if len(items) < 2:
        return
    for item in items:
        rest = inside[: item.start()] + inside[item.end() :]
        shorter = text[:opening] + rest + b"]"
        yield item[0] + b" of " + text, pattern[:start] + shorter + pattern[start + len(text) :]
