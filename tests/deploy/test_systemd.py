"""The units of deploy/systemd, judged by systemd itself, and their figures compared with ours."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monoceros.errors import EXIT_USAGE
from monoceros.options.table import OPTIONS
from monoceros.server.blocked import IN_C
from monoceros.supervisor.rules import DRAIN_MARGIN, LAST_MOMENT
from tests.process.serving import PATIENCE, ROOT

FOLDER = ROOT / "deploy" / "systemd"
UNITS = ("monoceros.service", "monoceros.socket")
PROGRAM = "/srv/app/.venv/bin/monoceros-serve"

EXPOSURE = 20  # tenths; systemd calls up to 20 "OK". The internet, which a server needs, makes 10 of our 16

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed: Debian's systemd has it"
)


class Unit(configparser.RawConfigParser):
    """A unit as systemd reads it: names in their case, a key may be repeated (then we see its last value)."""

    def __init__(self, name: str) -> None:
        super().__init__(strict=False, delimiters=("=",), comment_prefixes=("#", ";"), interpolation=None)
        self.read(FOLDER / name)

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def arguments() -> list[str]:
    """What the service runs, without the program."""
    program, *arguments = Unit("monoceros.service")["Service"]["ExecStart"].split()
    assert program == PROGRAM
    return arguments


def default(name: str) -> float:
    """The default of one of our options."""
    (value,) = (option.default for option in OPTIONS if option.name == name)
    assert isinstance(value, int | float)
    return value


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """Copies of both units with a program that exists, which systemd checks."""
    for name in UNITS:
        text = (FOLDER / name).read_text()
        (tmp_path / name).write_text(text.replace(PROGRAM, sys.executable))
    return [tmp_path / name for name in UNITS]


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
    )


def complaints(units: list[Path]) -> list[str]:
    """What systemd has to say about our units. Others of the machine, which ours pull in, are not our affair."""
    said = analyze("verify", "--man=no", *units)
    return [line for line in said.stdout.splitlines() if "monoceros" in line] or said.returncode * [said.stdout]


@needs_systemd
def test_systemd_has_nothing_to_say_against_the_units(units: list[Path]) -> None:
    assert complaints(units) == []


@needs_systemd
def test_systemd_would_tell_of_a_wrong_line(units: list[Path]) -> None:
    """Else the test above would say nothing."""
    units[0].write_text(units[0].read_text().replace("KillMode=mixed", "KillMode=politely"))
    assert any("politely" in line for line in complaints(units))


@needs_systemd
def test_the_service_is_hardly_exposed(units: list[Path]) -> None:
    """`security` reads a unit that isn't installed since version 250."""
    judged = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", units[0])
    assert "Overall exposure level" in judged.stdout
    assert judged.returncode == 0, judged.stdout


def test_the_command_of_the_service_is_accepted() -> None:
    app, *options = arguments()
    assert app == "app:app"
    checked = subprocess.run(
        [sys.executable, "-m", "monoceros", "examples.hello:app", *options, "--check-config"],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
    )
    assert checked.returncode == 0, checked.stdout
    assert "The configuration is good" in checked.stdout


def test_systemd_waits_longer_than_a_graceful_stop_may_take() -> None:
    longest = default("drain_delay") + default("timeout_graceful_shutdown") + DRAIN_MARGIN + LAST_MOMENT
    assert float(Unit("monoceros.service")["Service"]["TimeoutStopSec"]) > longest


def test_a_loop_that_blocks_writes_its_stacks_before_systemd_ends_all_of_it() -> None:
    assert float(Unit("monoceros.service")["Service"]["WatchdogSec"]) > default("timeout_worker") + IN_C + LAST_MOMENT


def test_the_service_is_started_again_however_it_ends_but_not_for_a_wrong_option() -> None:
    """A limit that is reached ends a process without a master well, with 0."""
    service = Unit("monoceros.service")["Service"]
    assert service["Restart"] == "always"
    assert service["RestartPreventExitStatus"].split() == [str(EXIT_USAGE)]


def test_a_second_master_may_say_that_it_is_the_main_process() -> None:
    service = Unit("monoceros.service")["Service"]
    assert (service["Type"], service["NotifyAccess"]) == ("notify", "all")


def test_the_socket_outlives_the_directory_that_goes_with_the_service() -> None:
    path = Path(Unit("monoceros.socket")["Socket"]["ListenStream"])
    directory = Unit("monoceros.service")["Service"]["RuntimeDirectory"]
    assert path.parent != Path("/run", directory)
    assert Unit("monoceros.service")["Unit"]["Requires"] == "monoceros.socket"


def test_the_proxy_asks_where_the_socket_is() -> None:
    path = Unit("monoceros.socket")["Socket"]["ListenStream"]
    assert f"server unix:{path} " in (ROOT / "deploy" / "nginx" / "monoceros.conf").read_text()
