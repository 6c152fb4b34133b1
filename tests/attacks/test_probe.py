"""What the witness of an attack concludes from what it saw."""

from pathlib import Path

import pytest

from tests.attacks.__main__ import judge, unavailable
from tests.attacks.probe import GIVEN_UP, INTERVAL, Probed, Witness, longest_gap

OK, LATE, NEVER = 0.1, 3.5, None


def probes(*took: float | None) -> list[Probed]:
    """Attempts, one a second."""
    return [Probed(float(at), each) for at, each in enumerate(took)]


@pytest.mark.parametrize(
    ("took", "gap"),
    [
        ([], 0.0),
        ([OK, OK, OK], 0.0),
        ([OK, LATE, OK], 1.0),
        ([OK, NEVER, LATE, NEVER, OK, NEVER, OK], 3.0),
        ([NEVER, OK, OK, NEVER, NEVER], 1.0 + INTERVAL),
        ([NEVER], INTERVAL),
    ],
)
def test_a_server_is_gone_from_the_first_attempt_without_an_answer_to_the_next_one_with(
    took: list[float | None], gap: float
) -> None:
    assert longest_gap(probes(*took)) == gap


def test_the_worst_answer_counts_as_given_up_if_it_never_came() -> None:
    assert Witness(probes(OK, LATE)).worst == LATE
    assert Witness(probes(OK, NEVER)).worst == GIVEN_UP
    assert Witness(probes(OK, LATE, NEVER)).failures == 2


def test_a_server_must_live_answer_and_stay_small() -> None:
    good = Witness(probes(OK, *[NEVER] * 4, OK), memory=199 << 20)
    assert judge(good, alive=True) == ""
    assert judge(good, alive=False) == "the server has ended"
    assert judge(Witness(probes(*[NEVER] * 6, OK)), alive=True) == "no answer for 6.0 s"
    assert judge(Witness(memory=200 << 20), alive=True) == "200 MiB"


def test_the_report_of_slowhttptest_counts_the_seconds_without_service(tmp_path: Path) -> None:
    report = tmp_path / "attack.csv"
    assert unavailable(report) == "no report"
    report.write_text("Seconds,Closed,Pending,Connected,Service Available\n0,0,1,0,1200\n1,0,0,9,0\n2,0,0,9,0\n")
    assert unavailable(report) == "2"
