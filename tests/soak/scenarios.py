"""What is done to the servers while they serve: recycling, reloads, scaling, upgrades, socket activation.

It may not know the load nor the way it comes. The rule it keeps: a disturbance is over when its effect is seen in the
processes, not when some time has passed. To kill a process isn't among them: that may lose requests.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from tests.process.serving import alive
from tests.soak.masters import WORKERS, Masters


@dataclass(frozen=True)
class Scenario:
    """One kind of disturbance.

    Attributes:
        name: on the command line and in the table.
        disturb: does it once, and waits until it has happened. Its second argument counts, from 0.
        rest: seconds from one to the next, in a long run.
        options: of the servers.
        masters: how many are started at first.
        activated: they are given their socket, as systemd gives it.
    """

    name: str
    disturb: Callable[[Masters, int], None]
    rest: float
    options: tuple[str, ...] = ()
    masters: int = 1
    activated: bool = False


def recycle(masters: Masters, _turn: int) -> None:
    """Wait until a worker has been replaced, which happens by itself."""
    before = len(masters.started)
    masters.wait(lambda: len(masters.started) > before, "another worker")


def reload(masters: Masters, _turn: int) -> None:
    """HUP: all workers are replaced, one by one."""
    before = set(masters.started)
    os.kill(masters.living[-1], signal.SIGHUP)
    masters.wait(
        lambda: len(masters.workers) == WORKERS and before.isdisjoint(masters.workers), "a new generation of workers"
    )


def scale(masters: Masters, turn: int) -> None:
    """TTIN and TTOU in turn: a worker more, a worker less."""
    number, workers = (signal.SIGTTOU, WORKERS) if turn % 2 else (signal.SIGTTIN, WORKERS + 1)
    os.kill(masters.living[-1], number)
    masters.wait(lambda: len(masters.workers) == workers, f"{workers} workers after {number.name}")


def spread(masters: Masters, turn: int) -> None:
    """A worker more, one fewer, all of them new: sockets of their own come, are covered, and are taken back."""
    if turn % 3 == 2:
        reload(masters, turn)
    else:
        scale(masters, turn % 3)


def upgrade(masters: Masters, _turn: int) -> None:
    """USR2: a second master on the same sockets. Once its workers are ready, TERM to the first."""
    old, before, ready = masters.living[-1], set(masters.pids), masters.ready
    os.kill(old, signal.SIGUSR2)
    masters.wait(lambda: not before.issuperset(masters.pids), "a second master")
    masters.wait(lambda: masters.ready >= ready + WORKERS, "the workers of the second master")
    os.kill(old, signal.SIGTERM)
    masters.wait(lambda: not alive(old), "the end of the first master")


def take_turns(masters: Masters, _turn: int) -> None:
    """TERM to the older of two masters; once it has ended, another one is started."""
    old = masters.living[0]
    os.kill(old, signal.SIGTERM)
    masters.wait(lambda: not alive(old), "the end of the older master")
    masters.start()


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "recycling",
            recycle,
            rest=0.0,
            options=("--limit-max-requests", "1000", "--limit-max-requests-jitter", "100"),
        ),
        Scenario("reload", reload, rest=2.0),
        Scenario("renewal", reload, rest=2.0, options=("--preload",)),
        Scenario("scaling", scale, rest=1.0),
        Scenario("spreading", spread, rest=1.0, options=("--reuse-port",)),
        Scenario("upgrade", upgrade, rest=1.0),
        Scenario("activation", take_turns, rest=1.0, masters=2, activated=True),
    )
}
