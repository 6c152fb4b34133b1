"""What holds for all masters here."""

import pytest

from monoceros.service import cpus


@pytest.fixture(autouse=True)
def many_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine has CPUs for all workers, whatever it is: no story is about their number."""
    monkeypatch.setattr(cpus, "usable_cpus", lambda: 64)
