"""What a run of the load says at its end, as one line of JSON."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Report:
    """One round.

    Attributes:
        answers: requests answered, messages echoed, or connections served.
        seconds: how long it took, until the last answer.
        p50_us: the median latency, in microseconds.
        p99_us: the latency that one in a hundred exceeds.
        busy: the share of the time for which the load was running: near 1, it was the limit of the rate.
    """

    answers: int
    seconds: float
    p50_us: float
    p99_us: float
    busy: float

    def encoded(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self))


def report(latencies: list[float], seconds: float, cpu_seconds: float) -> Report:
    """Return the report of a round.

    Arguments:
        latencies: in seconds, one for each answer, in any order.
        seconds: how long the round took.
        cpu_seconds: what the load cost itself.

    Raises:
        ValueError: there was no answer at all.
    """
    if not latencies:
        raise ValueError("no answer came")
    latencies.sort()
    return Report(
        answers=len(latencies),
        seconds=seconds,
        p50_us=latencies[len(latencies) // 2] * 1e6,
        p99_us=latencies[len(latencies) * 99 // 100] * 1e6,
        busy=cpu_seconds / seconds,
    )
