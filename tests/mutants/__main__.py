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
MODULES = ["framing", "grammar", "plain", "body", "reader", "limits", "target"]

# What is fast and kills most comes first.
QUICK = [
    "grammar",
    "framing",
    "plain",
    "partial_head",
    "body",
    "reader",
    "repeated_fields",
    "limits",
    "target",
    "fields",
]
THOROUGH = ["left_out", "corpus", "budgets", "spellings", "mutations"]

# Without these nothing is different, as the reason beside each says.
EQUIVALENT = {
    "_HOST without b'A-F of": "the head is in lower case there; the grammar is that of targets, too",
    '_HOST without b"A-Z of': "the same",
    "always: size > SMALL_HEAD or": "it spares small heads a look that finds nothing",
    "always: target[0] != 47 or": "it spares usual targets a look that finds nothing",
    "never: len(_good_hosts) < _CACHED_HOSTS": "nothing is remembered, and all is looked at again",
    "always: lower.count(b'\\ncontent-type:') > 1": "one field doesn't differ from itself",
    "bound: lower.count(b'\\ncontent-type:') > 1": "the same",
    "always: value not in _good_hosts": "nothing is remembered, and all is looked at again",
    "never: value == b'keep-alive'": "the usual value is understood without a search, and with one",
    "bound: end < 4": "no head is that short",
    "bound: end <= self._plain_size": "the longest plain head is judged by the rules, to the same effect",
    "never: data.endswith(END_OF_HEAD)": "the end is found by a search, too",
    "never: traits is PLAIN and end == len(data)": "it takes the way of one with content, to the same effect",
    "without: length > self._limits.body": "a head with content is judged by the rules, to the same effect",
    "bound: length > self._limits.body": "the same",
    "always: self._misses < _TRIES": "what is known is compared with every head",
    "bound: self._misses < _TRIES": "with one more, or one less",
    "bound: self._misses <= _TRIES": "one more is remembered, or one less",
    "without: self._buffer": "nothing that waits is read again",
    "always: not judged": "a line that was let pass is let pass again",
    "always: judged < complete": "lines that were let pass are let pass again",
    "bound: judged < complete": "the same",
    "bound: line < 0": "an empty line was refused already",
    "never: all(fields)": "lines that are known are gone through one by one, to the same effect",
    "without: _host_lines.get(lines[1])": "what is remembered is judged again",
    "always: deciding is None": "the same",
    "always: rest": "no octets are no input",
}


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


def corpus_notices() -> bool:
    """Feed each file of the corpus whole, which takes no time, and return whether one is judged otherwise."""
    corpus = importlib.import_module("tests.wire.test_corpus")
    for kind, names in (("accept", corpus.ACCEPTED), ("reject", corpus.REFUSED)):
        for name in names:
            data, verdict = corpus.read(kind, name)
            for make in corpus.PARSERS.values():
                held = corpus.Conversation(make()).send([data])
                requests = len(verdict["request"]) if kind == "accept" else verdict.get("after", 0)
                if held.status != verdict.get("status") or len(held.sink.requests) != requests:
                    return True
    return False


def run_tests(names: list[str]) -> int:
    """Run tests of the wire layer up to the first that fails. Return the exit code."""
    files = [str(ROOT / "tests" / "wire" / f"test_{name}.py") for name in names]
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT), *files]))


def notice(name: str, mutant: Mutant, seconds: int) -> bool:
    """Run the tests with a mutant in a process of its own. Return whether one of them failed."""
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        # A mutant may go on for ever: that is noticed, too.
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        for loaded in [each for each in sys.modules if each.startswith(("monoceros", "tests."))]:
            del sys.modules[loaded]
        sys.meta_path.insert(0, Instead(f"monoceros.wire.{name}", WIRE / f"{name}.py", mutant.source))
        if corpus_notices() or run_tests(QUICK):
            os._exit(1)
        signal.setitimer(signal.ITIMER_VIRTUAL, 10 * seconds)
        os._exit(run_tests(THOROUGH))
    _, status = os.waitpid(child, 0)
    return status != 0


def main() -> int:
    """Print the rules that nobody would miss. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Tests the tests of the wire layer.")
    parser.add_argument("--only", choices=MODULES, action="append", help="a module; may be given several times")
    parser.add_argument("--list", action="store_true", help="show the rules, run nothing")
    parser.add_argument(
        "--seconds",
        type=int,
        default=15,
        help="of CPU time for the quick tests, of which a mutant may need more (%(default)s)",
    )
    parser.add_argument("--part", type=int, default=0, help="of the rules, only every OFth, from this one on")
    parser.add_argument("--of", type=int, default=1, help="see --part; for several runs side by side")
    arguments = parser.parse_args()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # none is needed, and loading them takes time
    survivors = total = 0
    for name in arguments.only or MODULES:
        for mutant in read_mutants(name):
            total += 1
            if total % arguments.of != arguments.part:
                continue
            where = f"wire/{name}.py:{mutant.line}: {mutant.rule}"
            if arguments.list:
                sys.stdout.write(where + "\n")
            elif not mutant.rule.startswith(tuple(EQUIVALENT)) and not notice(name, mutant, arguments.seconds):
                survivors += 1
                sys.stdout.write(f"nobody misses {where}\n")
                sys.stdout.flush()
    sys.stdout.write(f"{total} rules, {survivors} of which nobody would miss\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
