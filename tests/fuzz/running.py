"""Runs one target under atheris, which is libFuzzer for Python: coverage of our code guides the mutations.

The package must be imported while atheris instruments it. So a target that is started as a program starts this one
instead, in its own place: `python -m tests.fuzz.running MODULE [--work FOLDER] [arguments of libFuzzer]`.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NoReturn

HERE = Path(__file__).parent
WORK = HERE.parents[1] / ".fuzz"
"""What libFuzzer writes: for each target `corpus`, the inputs that reached something new, and what it found."""

LONGEST = 4096
"""Octets of an input."""

TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.py"))


def run_module(file: str) -> NoReturn:
    """Run the target in a file, with the arguments of this program."""
    command = [sys.executable, "-m", "tests.fuzz.running", module_name(Path(file).stem.removeprefix("fuzz_"))]
    os.execv(command[0], [*command, *sys.argv[1:]])


def module_name(target: str) -> str:
    """Return the module of a target."""
    return f"tests.fuzz.fuzz_{target}"


def inputs(module: ModuleType) -> Iterator[bytes]:
    """Yield the inputs that a target begins with."""
    for path in sorted(module.CORPUS.iterdir()):
        if path.is_file():
            yield path.read_bytes()
    yield from getattr(module, "seeds", list)()


def _written(inputs: Iterable[bytes], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(inputs):
        (folder / f"{number:04}").write_bytes(data)


def main(name: str, work: Path, arguments: list[str]) -> None:
    """Run a target until libFuzzer ends, which ends the process: with 0, or with another code for a finding.

    Arguments:
        name: of the module.
        work: the folder for what libFuzzer writes.
        arguments: libFuzzer's; with names of files it runs those inputs and no others.
    """
    import atheris  # here, for who asks for the targets needn't have it

    with atheris.instrument_imports(include=["monoceros"]):
        module = importlib.import_module(name)
    folder = work / name.rpartition(".fuzz_")[2]
    _written(inputs(module), folder / "seeds")
    (folder / "corpus").mkdir(exist_ok=True)
    own = [f"-max_len={LONGEST}", "-timeout=20", f"-artifact_prefix={folder}/found-"]
    folders = [] if any(Path(argument).is_file() for argument in arguments) else [folder / "corpus", folder / "seeds"]
    atheris.Setup([name, *own, *arguments, *map(str, folders)], module.check)
    atheris.Fuzz()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.running", description=__doc__, allow_abbrev=False)
    parser.add_argument("module", help="that of the target")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for what libFuzzer writes")
    chosen, rest = parser.parse_known_args()
    main(chosen.module, chosen.work, rest)
