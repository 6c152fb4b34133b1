"""CPU time per request under Gunicorn, our worker class beside uvicorn-worker's: `python -m benchmarks.gunicorn`.

The same Gunicorn, the same application, one worker each, uvloop and httptools; measured in turns as `python -m
benchmarks` does. The arbiter, which does little meanwhile, is counted. The access log is in each worker's own format
or in Gunicorn's, as its users have it.
"""

import argparse
from pathlib import Path

from benchmarks.cases import GROUPS, chosen
from benchmarks.contenders import OURS, Contender, enlist, gunicorn
from benchmarks.machine import LOAD_CORES, described
from benchmarks.processes import on_cores
from benchmarks.report import told
from benchmarks.results import Run
from benchmarks.rounds import group_results

CASES = ("get-few", "get-many", "get-new", "log")
CONTENDERS = [
    Contender(OURS, ("gunicorn",), ("gunicorn", "monoceros"), gunicorn("monoceros.workers.UvicornWorker")),
    Contender(
        "uvicorn-worker", ("gunicorn", "uvicorn_worker"), ("uvicorn-worker",), gunicorn("uvicorn_worker.UvicornWorker")
    ),
]


def main() -> None:
    """Measure the small GET without an access log, and with one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gunicorn", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args()
    run = Run(described(), options.rounds, options.seconds)
    contenders = enlist(run, CONTENDERS)
    with on_cores(LOAD_CORES):
        for group in chosen(GROUPS, quick=False, names=CASES):
            for case in group_results(group, contenders, options.rounds, options.seconds, None):
                run.cases.append(case)
                print(told(run, case), flush=True)
    if options.json is not None:
        options.json.write_text(run.encoded())


if __name__ == "__main__":
    main()
