"""The run: a process for each mutant, which gets it instead of the module and runs the tests. See the package."""

import argparse
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutants.rules import Mutant, mutants

ROOT = Path(__file__).parents[2]
WIRE = ROOT / "monoceros" / "wire"
MODULES = ["framing", "grammar", "body", "reader", "limits", "target"]

# What is fast and kills most comes first.
QUICK = ["framing", "grammar", "body", "reader", "limits", "target", "fields"]
THOROUGH = ["left_out", "corpus", "budgets", "spellings", "mutations"]

# Without these the tests see no difference, for there is none: the reason stands beside each.
EQUIVALENT: dict[str, str] = {}


class Instead(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Gives a mutant to whoever imports the module.

    Arguments:
        name: of the module.
        path: where it stands.
        source: the mutant.
    """

    def __init__(self, name: str, path: Path, source: str) -> None:
        self._name = name
        self._path = path
        self._source = source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(self._path))

    def get_source(self, fullname: str) -> str:
        return self._source


def read_mutants(name: str) -> list[Mutant]:
    """Return the mutants of a module of the wire layer."""
    module = importlib.import_module(f"monoceros.wire.{name}")
    patterns = {key: value for key, value in vars(module).items() if isinstance(value, re.Pattern)}
    return list(mutants((WIRE / f"{name}.py").read_text(), patterns))


def notice(name: str, mutant: Mutant, seconds: int) -> bool:
    """Run the tests with a mutant in a process of its own. Return whether one of them failed."""
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        signal.alarm(seconds)  # a mutant may go on for ever: that is noticed, too
        for loaded in [each for each in sys.modules if each.startswith(("monoceros", "tests."))]:
            del sys.modules[loaded]
        sys.meta_path.insert(0, Instead(f"monoceros.wire.{name}", WIRE / f"{name}.py", mutant.source))
        for tests in (QUICK, THOROUGH):
            files = [str(ROOT / "tests" / "wire" / f"test_{each}.py") for each in tests]
            if pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT), *files]):
                os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return status != 0


def main() -> int:
    """Print the rules that nobody would miss. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Tests the tests of the wire layer.")
    parser.add_argument("--only", choices=MODULES, action="append", help="a module; may be given several times")
    parser.add_argument("--list", action="store_true", help="show the rules, run nothing")
    parser.add_argument("--seconds", type=int, default=300, help="after which a run counts as failed (%(default)s)")
    arguments = parser.parse_args()
    survivors = total = 0
    for name in arguments.only or MODULES:
        for mutant in read_mutants(name):
            total += 1
            where = f"wire/{name}.py:{mutant.line}: {mutant.rule}"
            if arguments.list:
                sys.stdout.write(where + "\n")
            elif where.partition(": ")[2] not in EQUIVALENT and not notice(name, mutant, arguments.seconds):
                survivors += 1
                sys.stdout.write(f"nobody misses {where}\n")
                sys.stdout.flush()
    sys.stdout.write(f"{total} rules, {survivors} of which nobody would miss\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
