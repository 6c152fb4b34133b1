"""What a run found, as it is written to JSON, and the arithmetic on it: medians, spreads, ratios. Measures nothing.

No ratio is made against nothing: where a server has no figure, there is None.
"""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

NOISY = 0.25
"""Spread between rounds, relative to their median, above which a figure is called noisy."""


@dataclass(frozen=True)
class Ratio:
    """Our figure by a peer's.

    Attributes:
        value: of the medians.
        low: the least of the rounds' own ratios.
        high: the greatest of them.
    """

    value: float
    low: float
    high: float


@dataclass
class CaseResult:
    """One case.

    Attributes:
        name: for options and file names.
        title: for people.
        figure: which of the measures counts: "cpu_us" (microseconds of CPU time for each answer), "bytes" (for each
            connection), "ms" and "cpu_ms" (milliseconds), "mib" (MiB).
        figures: by server, then by measure, one value a round.
        missing: by server, why it has no figures.
    """

    name: str
    title: str
    figure: str = "cpu_us"
    figures: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, server: str, **measures: float) -> None:
        """Take the measures of one round.

        Arguments:
            server: which.
            measures: by name; the same ones in each round.
        """
        for name, value in measures.items():
            self.figures.setdefault(server, {}).setdefault(name, []).append(value)

    def drop(self, server: str, reason: str) -> None:
        """Say why a server has no figures, and forget those it has.

        Arguments:
            server: which.
            reason: in a few words.
        """
        self.figures.pop(server, None)
        self.missing[server] = reason

    def values(self, server: str, measure: str | None = None) -> list[float]:
        """Return the rounds of a server; none if it wasn't measured.

        Arguments:
            server: which.
            measure: which; None for the one that counts.
        """
        return self.figures.get(server, {}).get(measure or self.figure, [])

    def median(self, server: str, measure: str | None = None) -> float | None:
        """Return the median of a server's rounds, or None.

        Arguments:
            server: which.
            measure: which; None for the one that counts.
        """
        values = self.values(server, measure)
        return statistics.median(values) if values else None

    def noisy(self) -> list[str]:
        """Return the servers whose rounds are too far apart."""
        return [server for server in self.figures if spread(self.values(server)) > NOISY]

    def ratio(self, ours: str, peer: str) -> Ratio | None:
        """Return how one server's figure compares with another's, or None if either has none.

        Arguments:
            ours: the dividend.
            peer: the divisor.
        """
        mine, theirs = self.values(ours), self.values(peer)
        if not mine or not theirs or min(theirs) <= 0:
            return None
        rounds = [one / other for one, other in zip(mine, theirs, strict=False)]
        return Ratio(statistics.median(mine) / statistics.median(theirs), min(rounds), max(rounds))

    def best(self, servers: Sequence[str]) -> str | None:
        """Return the server with the least figure, or None.

        Arguments:
            servers: to choose from.
        """
        measured = [(median, server) for server in servers if (median := self.median(server)) is not None]
        return min(measured)[1] if measured else None


@dataclass
class Run:
    """All of it.

    Attributes:
        machine: what it ran on, by label.
        rounds: of each case.
        seconds: of load, a round.
        servers: by name, their versions.
        floors: which of them are none, but what servers are measured from.
        missing: by server or tool, why it was left out altogether.
        cases: what was found.
    """

    machine: dict[str, str]
    rounds: int
    seconds: float
    servers: dict[str, str] = field(default_factory=dict)
    floors: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    cases: list[CaseResult] = field(default_factory=list)

    def noisy(self) -> bool:
        """Return whether any case has a noisy figure."""
        return any(case.noisy() for case in self.cases)

    def encoded(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), indent=1) + "\n"


def decoded(text: str) -> Run:
    """Return a run from its JSON.

    Arguments:
        text: as `Run.encoded` gave it.

    Raises:
        ValueError: it isn't JSON.
        TypeError: it has other attributes than a run.
    """
    data = json.loads(text)
    data["cases"] = [CaseResult(**case) for case in data["cases"]]
    return Run(**data)


def spread(values: Sequence[float]) -> float:
    """Return the distance of the extremes, relative to the median; 0 for fewer than two values.

    Arguments:
        values: one a round.
    """
    if len(values) < 2:
        return 0.0
    median = statistics.median(values)
    return (max(values) - min(values)) / median if median else 0.0
