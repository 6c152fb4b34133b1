"""Each fuzz target for a few seconds: the inputs it begins with, and a fixed number of seeded mutations of them.

Without libFuzzer, so that it is the same each time, everywhere, and a failure has its traceback. What libFuzzer has
found stands among the inputs. That the targets do run under it is tried where it can be had.
"""

import importlib
import importlib.util
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.running import LONGEST, TARGETS, inputs, module_name

SPICE = [
    *(bytes([octet]) for octet in b'\0\t\n\r ",:;=\\\x7f\x80\xff0'),
    *(b"\r\n", b"\r\n\r\n", b"chunked", b"Content-Length: 5\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
]
MUTATIONS = 500
"""For a target that doesn't say how many of its own take about four seconds."""

ROOT = Path(__file__).parents[2]


def mutated(data: bytes, other: bytes, choice: random.Random) -> bytes:
    """Return an input with a few octets put in, taken out, changed, doubled, or exchanged for those of another one."""
    octets = bytearray(data)
    for _ in range(choice.randrange(1, 5)):
        at = choice.randrange(len(octets) + 1)
        match choice.randrange(5):
            case 0:
                octets[at:at] = choice.choice(SPICE)
            case 1:
                del octets[at : at + choice.choice((1, 1, 2, 20))]
            case 2:
                octets[at : at + 1] = bytes([choice.randrange(256)])
            case 3:
                octets[at:] = other[choice.randrange(len(other) + 1) :]
            case 4:
                octets[at:at] = octets[at : at + choice.choice((1, 8, 40))]
    return bytes(octets[:LONGEST])


@pytest.mark.parametrize("name", TARGETS)
def test_the_invariant_of_a_target_holds_for_what_it_begins_with_and_for_mutations_of_that(name: str) -> None:
    module = importlib.import_module(module_name(name))
    assert module.__doc__
    known = list(inputs(module))
    assert known
    for data in known:
        module.check(data)
    choice = random.Random(name)
    for _ in range(getattr(module, "MUTATIONS", MUTATIONS)):
        data = mutated(choice.choice(known), choice.choice(known), choice)
        try:
            module.check(data)
        except BaseException as error:
            error.add_note(f"the input is {data!r}")
            raise


def run(module: str, work: Path, *arguments: str, path: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Run a module under libFuzzer, with a seed that makes its choices the same each time."""
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris isn't installed: it has no wheel for this platform")
    command = [sys.executable, "-m", "tests.fuzz.running", module, "--work", str(work), "-seed=1", *arguments]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{path}", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_runs_under_libfuzzer_which_sees_our_code(name: str, tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(next(inputs(importlib.import_module(module_name(name)))))
    done = run(module_name(name), tmp_path, str(path))
    assert done.returncode == 0, done.stderr
    assert "Instrumenting monoceros." in done.stderr
    assert f"Executed {path} in" in done.stderr


BROKEN = """
from pathlib import Path
CORPUS = Path(__file__).parent / "corpus"

def check(data):
    if data.startswith(b"a"):
        raise LookupError("found")
"""


def test_what_libfuzzer_finds_is_kept_and_ends_it_with_an_error(tmp_path: Path) -> None:
    (tmp_path / "fuzz_broken.py").write_text(BROKEN)
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "good").write_bytes(b"b")
    done = run("fuzz_broken", tmp_path, "-runs=100000", path=tmp_path)
    assert done.returncode != 0
    assert "LookupError: found" in done.stdout + done.stderr
    (kept,) = tmp_path.rglob("found-*")
    assert kept.read_bytes().startswith(b"a")
