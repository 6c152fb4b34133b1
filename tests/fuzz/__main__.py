"""Every target under libFuzzer, for some minutes each: `make fuzz`, or `python -m tests.fuzz --help`.

It goes on from the inputs that earlier runs kept in `.fuzz`. It says what was found and where the input is, and exits
with 1 then.
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.running import TARGETS, WORK, module_name

FOUND = "found-*"


def main() -> int:
    """Run what was asked for, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--target", action="append", choices=TARGETS, help="only this one; may be repeated")
    parser.add_argument("--seconds", type=int, default=600, help="for each target (default: 600)")
    options = parser.parse_args()
    say(f"{options.seconds} s for each target; what libFuzzer says is in {WORK}/*/log")
    with ThreadPoolExecutor(os.cpu_count()) as both:
        codes = list(both.map(lambda name: fuzz(name, options.seconds), options.target or TARGETS))
    return 1 if any(codes) else 0


def fuzz(name: str, seconds: int) -> int:
    """Run one target and say how it ended. Return libFuzzer's exit code."""
    folder = WORK / name
    folder.mkdir(parents=True, exist_ok=True)
    before = set(folder.glob(FOUND))
    arguments = [f"-max_total_time={seconds}", "-print_final_stats=1"]
    command = [sys.executable, "-m", "tests.fuzz.running", module_name(name), *arguments]
    with (folder / "log").open("w") as log:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT).returncode
    if code == 0:
        say(f"{name}: nothing found in {_runs(folder / 'log')} runs")
        return 0
    for path in sorted(set(folder.glob(FOUND)) - before):
        say(f"{name}: found {path}; again with: python -m tests.fuzz.fuzz_{name} {path}")
    say(f"{name}: libFuzzer ended with {code}:\n{_ending(folder / 'log')}")
    return code


def say(line: str) -> None:
    """Print a line at once: the next one may take minutes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _runs(log: Path) -> str:
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith("stat::number_of_executed_units:"):
            return line.split()[1]
    return "unknown"


def _ending(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


if __name__ == "__main__":
    sys.exit(main())
