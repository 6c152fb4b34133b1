"""Autobahn's cases for a WebSocket server (RFC 6455, RFC 7692), against the real one: every engine, with and without
compression. `python -m tests.conformance.autobahn --help`.

It needs `wstest` of the package autobahntestsuite, which runs on Python 2.7 alone. A case passes if what the server did
is OK, not strict, or of interest only; the first that doesn't makes the exit code 1.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.doubles.stage import ENGINES
from tests.process.serving import serving

PASSED = {"OK", "NON-STRICT", "INFORMATIONAL"}
COMPRESSED = ("12.", "13.")
"""The cases about permessage-deflate: what no server implements that doesn't compress."""


class Case(NamedTuple):
    """A case, and what the suite thinks of the server's part in it."""

    number: str
    behavior: str
    closing: str

    def passed(self, compression: bool) -> bool:
        """Tell whether the server did what it should."""
        if not compression and self.number.startswith(COMPRESSED):
            return self.behavior == "UNIMPLEMENTED"
        return self.behavior in PASSED and self.closing in PASSED


def main() -> int:
    """Run what was asked for, and return the exit code."""
    options = _options()
    if shutil.which(options.wstest) is None:
        sys.stderr.write(f"--wstest {options.wstest}: there is no such program; CONTRIBUTING.md says how to get it\n")
        return 2
    failed = False
    for engine in options.engine or ENGINES:
        for compression in {"both": (False, True), "on": (True,), "off": (False,)}[options.compression]:
            cases = list(_run(options, engine, compression))
            missed = [case for case in cases if not case.passed(compression)]
            counts = ", ".join(f"{count} {name}" for name, count in Counter(case.behavior for case in cases).items())
            _say(f"{engine}, compression {'on' if compression else 'off'}: {len(cases)} cases: {counts}")
            for case in missed:
                _say(f"  {case.number}: {case.behavior}, closing {case.closing}")
            failed = failed or bool(missed) or not cases
    return 1 if failed else 0


def _run(options: argparse.Namespace, engine: str, compression: bool) -> Iterator[Case]:
    """Let the suite ask one server, and return what it found."""
    switches = ("--ws", engine, "--ws-per-message-deflate", str(compression).lower(), "--no-access-log")
    with tempfile.TemporaryDirectory(prefix="autobahn-") as name:
        directory = Path(name)
        app = "tests.doubles.applications:echo"
        with serving(directory, *switches, app=app) as server:
            plan = {
                "outdir": str(directory / "reports"),
                "servers": [{"agent": "monoceros", "url": f"ws://127.0.0.1:{server.port}"}],
                "cases": options.case or ["*"],
                "exclude-cases": options.exclude,
                "exclude-agent-cases": {},
            }
            (directory / "plan.json").write_text(json.dumps(plan))
            command = [options.wstest, "--mode", "fuzzingclient", "--spec", str(directory / "plan.json")]
            with (directory / "log").open("w") as log:
                subprocess.run(command, cwd=directory, stdout=log, stderr=log, timeout=options.timeout, check=True)
        if options.keep is not None:
            kept = options.keep / f"{engine}-{'on' if compression else 'off'}"
            shutil.copytree(directory / "reports", kept, dirs_exist_ok=True)
        found = json.loads((directory / "reports" / "index.json").read_text())["monoceros"]
    for number in sorted(found, key=lambda number: [int(part) for part in number.split(".")]):
        yield Case(number, found[number]["behavior"], found[number]["behaviorClose"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.autobahn", description=__doc__)
    parser.add_argument("--wstest", default="wstest", help="the suite's program (on the PATH, or its path)")
    parser.add_argument("--engine", action="append", choices=sorted(ENGINES), help="repeat; all if none is named")
    parser.add_argument("--compression", choices=("both", "on", "off"), default="both")
    parser.add_argument("--case", action="append", help="such as 1.* or 9.4.1; repeat; all if none is named")
    parser.add_argument("--exclude", action="append", default=[], help="cases to leave out; repeat")
    parser.add_argument("--timeout", type=float, default=7200, help="seconds for one run of the suite")
    parser.add_argument("--keep", type=Path, help="a directory for the suite's reports")
    return parser.parse_args()


def _say(line: str) -> None:
    """Print a line at once: the next one may take long."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
