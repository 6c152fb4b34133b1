"""A trial that can't fail proves nothing: a disturbance that does lose requests shows that they are counted."""

import os
import signal
from pathlib import Path

from tests.soak.masters import WORKERS, Masters
from tests.soak.scenarios import Scenario
from tests.soak.transports import TRANSPORTS
from tests.soak.trial import attempt


def kill(masters: Masters, _turn: int) -> None:
    """KILL to all workers at once: their connections break, idle or not."""
    before = masters.ready
    for pid in masters.workers:
        os.kill(pid, signal.SIGKILL)
    masters.wait(lambda: masters.ready >= before + WORKERS, "other workers")


def stop(masters: Masters, _turn: int) -> None:
    """TERM to the only master."""
    os.kill(masters.living[0], signal.SIGTERM)
    masters.wait(lambda: False, "nothing")


def test_what_killed_workers_lose_is_counted(tmp_path: Path) -> None:
    """And the others are answered, by other workers."""
    outcome = attempt(Scenario("killing", kill, rest=0.3), TRANSPORTS["tcp"], tmp_path, requests=2000)
    assert outcome.workers == WORKERS * 2
    assert outcome.lost > 0
    assert outcome.report["ok"] > 0
    assert "requests lost" in outcome.verdict()
    assert "disturbed at" in outcome.verdict()


def test_a_server_that_ends_is_a_fault_and_its_losses_are_told(tmp_path: Path) -> None:
    """It doesn't matter that it ended as it was told to."""
    outcome = attempt(Scenario("ending", stop, rest=0.3), TRANSPORTS["unix"], tmp_path, requests=2000)
    assert "all masters ended instead of nothing" in outcome.verdict()
    assert outcome.report["ok"] > 0
