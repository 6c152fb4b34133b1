"""Monoceros beside its peers, in one run: `python -m benchmarks [--quick] [--rounds N] [--seconds N] [--case NAME]`.

All servers of a case run at once, on one core, and are loaded in turns from another; the figure that counts is the CPU
time of a server's processes for each answer, the median of the rounds. Absolute times mean little on a shared machine;
ratios hold.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.cases import GROUPS, chosen
from benchmarks.contenders import CONTENDERS, OURS, Contender, enlist
from benchmarks.machine import LOAD_CORES, described
from benchmarks.processes import on_cores
from benchmarks.report import told
from benchmarks.results import CaseResult, Run
from benchmarks.rounds import group_results
from benchmarks.standing import open_files, standing_results

RESULTS = Path(__file__).with_name("results")
PART = RESULTS / "part.json"


def measured(run: Run, options: argparse.Namespace, contenders: Sequence[Contender]) -> Iterator[CaseResult]:
    """Yield the result of each case.

    Arguments:
        run: to which it is added what is left out.
        options: of the command line.
        contenders: those that are there.
    """
    files = open_files()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        tls = None
        if find_spec("cryptography") is not None:
            from benchmarks.certificate import made

            tls = made(Path(directory))
        for group in chosen(GROUPS, options.quick, options.case):
            if group.tls and tls is None:
                run.missing["TLS"] = "no certificate can be made without `cryptography`"
                continue
            yield from group_results(group, contenders, options.rounds, options.seconds, tls)
    if not options.quick and (not options.case or "standing" in options.case):
        yield from standing_results(contenders, options.rounds, files)


def main() -> None:
    """Measure, tell each case as it is done, and write it all to benchmarks/results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases and rounds: under 3 minutes")
    parser.add_argument("--rounds", type=int, help="of each case (default: 5; quick: 3)")
    parser.add_argument("--seconds", type=float, help="of load, a round (default: 2; quick: 0.5)")
    parser.add_argument("--case", action="append", default=[], help="only this one; `standing`: those without load")
    parser.add_argument("--server", action="append", default=[], help="only this one; may be repeated")
    parser.add_argument("--json", type=Path, help="write the results here instead of benchmarks/results")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.seconds = options.seconds or (0.5 if options.quick else 2.0)
    begun = time.monotonic()
    run = Run(described(), options.rounds, options.seconds)
    asked = [each for each in CONTENDERS if not options.server or each.name in options.server]
    contenders = enlist(run, asked)
    with on_cores(LOAD_CORES):
        for case in measured(run, options, contenders):
            run.cases.append(case)
            print(told(run, case), flush=True)
            # The last full run stays until there is another one.
            _write(run, PART)
    if run.noisy():
        print("\nNOISY: this machine did other things, too. Rounds of figures so marked differ by more than 25 %.")
    if any(OURS in case.missing for case in run.cases):
        raise SystemExit(f"{OURS} failed in a case. {PART} has the rest.")
    partial = bool(options.case or options.server)
    path = options.json or (PART if partial else RESULTS / ("quick.json" if options.quick else "full.json"))
    _write(run, path)
    print(f"\n{time.monotonic() - begun:.0f} s. {path}")


def _write(run: Run, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(run.encoded())


if __name__ == "__main__":
    main()
