"""SECURITY.md is true: each option has the default it says there, and each test it names exists."""

import ast
import re
from pathlib import Path

import pytest

from monoceros.options.table import KEYWORDS

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
ATTACKS = re.findall(r"^## (.+)\n((?:(?!^#).*\n)+)", TEXT.partition("# Slow clients")[2], re.MULTILINE)
OPTION = re.compile(r"^- \*\*Option\*\*: `(?:--)?([a-z-_]+)`.*, default `(.+)`$", re.MULTILINE)
SHOWN = re.compile(r"^- \*\*Test\*\*: `(tests/[\w/]+\.py)::(\w+)`$", re.MULTILINE)


def shown(value: object) -> str:
    return "none" if value is None else str(value)


@pytest.mark.parametrize(("attack", "section"), ATTACKS, ids=[attack for attack, _ in ATTACKS])
def test_each_attack_has_what_stops_it_and_a_test(attack: str, section: str) -> None:
    options = OPTION.findall(section)
    assert options or "- **Option**: none; it can't be turned off" in section
    for name, default in options:
        option = KEYWORDS[name.replace("-", "_")]
        assert default in (shown(option.default), option.otherwise), name
        assert "- **Why**: " in section
    assert "- **Then**: " in section
    tests = SHOWN.findall(section)
    assert tests
    for file, name in tests:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert any(isinstance(node, ast.FunctionDef) and node.name == name for node in tree.body), f"{file}::{name}"


def test_every_limit_on_what_clients_do_is_there() -> None:
    named = {name.replace("-", "_") for name, _ in OPTION.findall(TEXT)}
    limits = {name for name in KEYWORDS if name.startswith(("limit_request_", "timeout_request", "timeout_write"))}
    assert limits | {"timeout_tls_handshake", "limit_connections", "limit_concurrency"} <= named
    assert {name for name in KEYWORDS if name.startswith("ws_max_")} <= named
