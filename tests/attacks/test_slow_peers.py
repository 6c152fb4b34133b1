"""More slow peers than a server has descriptors for, and somebody who asks beside them.

The numbers are small, and no test depends on how fast the machine is: `python -m tests.attacks` measures that.
"""

import asyncio
from collections.abc import Callable

import pytest

from tests.attacks.attackers import ATTACKS, attackers
from tests.attacks.probe import Probed, ask
from tests.attacks.victim import OURS, PATIENCE, Victim, attacked

DESCRIPTORS = 128
SLOW = 160
ASKED = 4
SMALL = 100 << 20  # octets, for a server of 35 MiB


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition; only a failing test waits until the end."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited in vain for {what}") from None


async def asked_under(mode: str, victim: Victim) -> list[Probed]:
    """Return what came of some requests while the server has no descriptor left for all who want one."""
    async with attackers(ATTACKS[mode], victim.port, SLOW, rate=400) as held:
        # More connections are made than the server can hold: the others are in its backlog, and so is who asks next.
        await until(lambda: held() > DESCRIPTORS, "the attackers' connections")
        probes = []
        for _ in range(ASKED):
            probe = Probed(0.0)
            await ask(victim.port, probe)
            probes.append(probe)
        return probes


@pytest.mark.parametrize("mode", ATTACKS)
def test_who_asks_beside_more_slow_peers_than_there_are_descriptors_is_answered(mode: str) -> None:
    with attacked(OURS, descriptors=DESCRIPTORS) as victim:
        probes = asyncio.run(asked_under(mode, victim))
        assert all(probe.took is not None for probe in probes), victim.output
        assert victim.alive
        assert victim.memory() < SMALL
