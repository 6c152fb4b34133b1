"""Slow peers by the thousand: slowhttptest's four modes against a server with few descriptors, beside those who ask.

`make attacks`, or `python -m tests.attacks --help`. It prints a line for each mode and exits with 1 if others weren't
answered: within 3 s all along, but for at most 5 s around the moment the descriptors run out; or if the server took
more than 200 MiB.
"""

import argparse
import asyncio
import csv
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from tests.attacks.attackers import ATTACKS, Attack, attackers
from tests.attacks.probe import Witness, watch
from tests.attacks.victim import OURS, Victim, attacked

GONE = 5.0  # seconds
MEMORY = 200 << 20  # octets
LINES = 12  # of the server's log, in the report of a failure
AFTERWARDS = 3.0  # seconds: a server must be there again once the attack is over

ROW = "{:8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>12}  {}"


def main() -> int:
    """Attack as asked for, and return the exit code."""
    options = _options()
    own = options.own or shutil.which("slowhttptest") is None
    say(f"{' '.join(options.server)}; {options.connections} connections, {options.descriptors} descriptors")
    if own:
        say("with attackers of our own" + ("" if options.own else ", for slowhttptest isn't installed"))
    say(ROW.format("mode", "probes", "failed", "worst s", "gone s", "RSS MiB", "tool's gone s", "verdict"))
    failed = False
    for mode in options.mode or ATTACKS:
        verdict = _try(mode, options, own)
        failed = failed or bool(verdict)
    return 1 if failed else 0


def say(line: str) -> None:
    """Print a line at once: the next one takes a while."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _try(mode: str, options: argparse.Namespace, own: bool) -> str:
    """Attack once, print what was seen, and return what is wrong with it."""
    with attacked(options.server, options.option, options.descriptors) as victim:
        witness, told = asyncio.run(_attack(ATTACKS[mode], victim, options, own))
        verdict = judge(witness, victim.alive)
        said = "".join(victim.output.splitlines(keepends=True)[-LINES:])
    memory = f"{witness.memory / (1 << 20):.0f}"
    row = (mode, len(witness.probes), witness.failures, f"{witness.worst:.2f}", f"{witness.gone:.2f}", memory, told)
    say(ROW.format(*row, verdict or "ok"))
    if verdict:
        say(f"the server said last:\n{said}")
    return verdict


def judge(witness: Witness, alive: bool) -> str:
    """Return what is wrong, "" for nothing."""
    faults = []
    if not alive:
        faults.append("the server has ended")
    if witness.gone > GONE:
        faults.append(f"no answer for {witness.gone:.1f} s")
    if witness.memory >= MEMORY:
        faults.append(f"{witness.memory >> 20} MiB")
    return "; ".join(faults)


async def _attack(attack: Attack, victim: Victim, options: argparse.Namespace, own: bool) -> tuple[Witness, str]:
    """Attack, and give what was seen, and the seconds for which slowhttptest called the service unavailable."""
    over = asyncio.Event()
    watching = asyncio.ensure_future(watch(victim.port, victim.memory, over))
    told = "-"
    if own:
        async with attackers(attack, victim.port, options.connections, options.rate):
            await asyncio.sleep(options.seconds)
    else:
        told = await _slowhttptest(attack, victim.port, options)
    await asyncio.sleep(AFTERWARDS)
    over.set()
    return await watching, told


async def _slowhttptest(attack: Attack, port: int, options: argparse.Namespace) -> str:
    path = "/large" if attack.letter == "X" else "/"
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        command = [
            *("slowhttptest", f"-{attack.letter}", "-u", f"http://127.0.0.1:{port}{path}"),
            *("-c", str(options.connections), "-r", str(options.rate), "-l", str(options.seconds)),
            *("-i", "5", "-x", "24", "-p", "3", "-w", "256", "-y", "512", "-n", "5", "-z", "32", "-k", "3"),
            *("-v", "1", "-g", "-o", f"{folder}/attack"),
        ]
        silent = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(*command, stdin=silent, stdout=silent, stderr=silent)
        try:
            async with asyncio.timeout(options.seconds + 30):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return unavailable(Path(folder) / "attack.csv")


def unavailable(report: Path) -> str:
    """Return for how many seconds slowhttptest had no answer; it writes a line for each."""
    if not report.exists():
        return "no report"
    with report.open(newline="") as file:
        return str(sum(line.get("Service Available", "").strip() == "0" for line in csv.DictReader(file)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=__doc__)
    parser.add_argument(
        "--server", type=shlex.split, default=OURS, help='runs another one, e.g. "uvicorn"; it must know --port'
    )
    parser.add_argument("--option", action="append", default=[], help="of the server; may be repeated")
    parser.add_argument("--mode", action="append", choices=ATTACKS, help="only this one; may be repeated")
    parser.add_argument("--connections", type=int, default=1200, help="slow ones at once (default: 1200)")
    parser.add_argument("--rate", type=int, default=200, help="opened a second (default: 200)")
    parser.add_argument("--seconds", type=int, default=40, help="of each attack (default: 40)")
    parser.add_argument("--descriptors", type=int, default=1024, help="that the server may have (default: 1024)")
    parser.add_argument("--own", action="store_true", help="attack without slowhttptest")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
