"""The long proof: every scenario over every transport, a minute each: `make soak`, or `python -m tests.soak --help`.

It prints a line for each trial when it is over, and exits with 1 if anything was lost or went wrong otherwise.
"""

import argparse
import math
import shutil
import sys
import tempfile
from pathlib import Path

from tests.soak.scenarios import SCENARIOS
from tests.soak.transports import TRANSPORTS
from tests.soak.trial import Outcome, attempt

ROW = "{:12} {:12} {:>10} {:>6} {:>9} {:>9} {:>14}"


def main() -> int:
    """Run what was asked for, and return the exit code."""
    options = _options()
    transports = options.transport or list(TRANSPORTS)
    share = math.ceil(options.requests / len(transports))
    say(ROW.format("scenario", "transport", "requests", "lost", "workers", "masters", "disturbances"))
    failed = False
    for scenario in options.scenario or SCENARIOS:
        for transport in transports:
            verdict = _try(scenario, transport, share, options)
            failed = failed or verdict
    return 1 if failed else 0


def say(line: str) -> None:
    """Print a line at once: the next one may take minutes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _try(scenario: str, transport: str, requests: int, options: argparse.Namespace) -> bool:
    """Make one trial, print what it has shown, and tell whether anything went wrong."""
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        try:
            outcome = attempt(
                SCENARIOS[scenario],
                TRANSPORTS[transport],
                Path(directory),
                requests=requests,
                seconds=options.seconds,
                python=options.python,
            )
        except AssertionError as error:
            outcome = Outcome(scenario, transport, faults=[str(error)])
    done = len(outcome.disturbances)
    row = (scenario, transport, outcome.requests, outcome.lost, outcome.workers, outcome.masters, done)
    say(ROW.format(*row))
    if outcome.verdict():
        say(outcome.verdict())
    return bool(outcome.verdict())


def _interpreter(name: str) -> str:
    """Return the path of a program, which is started in another directory."""
    found = shutil.which(name)
    if found is None:
        raise argparse.ArgumentTypeError(f"{name!r} isn't a program: give the path of a Python interpreter")
    return str(Path(found).absolute())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only this one; may be repeated")
    parser.add_argument("--transport", action="append", choices=TRANSPORTS, help="only this one; may be repeated")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each trial, at least (default: 60)")
    parser.add_argument(
        "--requests",
        type=int,
        default=200_000,
        help="of each scenario, over all transports, at least (default: 200000)",
    )
    parser.add_argument(
        "--python", default=sys.executable, type=_interpreter, help="run the servers with this interpreter"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
