"""Every server is told the same, and what is missing is known."""

from pathlib import Path

import pytest

from benchmarks.contenders import CONTENDERS, OURS, Contender, Setting
from benchmarks.machine import processor
from benchmarks.peers import REQUIREMENTS, requirements

SERVERS = [contender for contender in CONTENDERS if not contender.floor]
TLS = (Path("certificate.pem"), Path("key.pem"))


@pytest.mark.parametrize("contender", SERVERS, ids=lambda contender: contender.name)
def test_each_is_told_the_application_the_workers_and_the_certificate(contender: Contender) -> None:
    command = contender.command(Setting(app="some:app", workers=4, tls=TLS), 8123)
    assert {"some:app", "4", "certificate.pem", "key.pem"} <= set(command)
    assert any("8123" in word for word in command)


@pytest.mark.parametrize("contender", SERVERS, ids=lambda contender: contender.name)
def test_the_access_log_makes_a_difference_to_each(contender: Contender) -> None:
    assert contender.command(Setting(access_log=True), 1) != contender.command(Setting(), 1)


def test_ours_keeps_its_defaults() -> None:
    """No limit is lifted, no check left out: what is measured is what users get."""
    command = next(contender for contender in SERVERS if contender.name == OURS).command(Setting(access_log=True), 1)
    assert [word for word in command if word.startswith("--")] == ["--port", "--workers"]


def test_a_missing_module_is_named() -> None:
    contender = Contender("peer", ("sys", "no_such_module", "no_such.module"), (), lambda _setting, _port: [])
    assert contender.missing() == "no_such_module, no_such.module"


def test_a_version_that_is_not_there_is_not_told() -> None:
    assert Contender("peer", (), ("no-such-distribution",), lambda _setting, _port: []).version() == ""


def test_requirements_are_read_by_name() -> None:
    assert requirements("# why\na>=1  # b\n\nc[d]==2\n") == {"a": "a>=1", "c": "c[d]==2"}


def test_what_the_servers_need_is_required() -> None:
    required = {name.lower() for name in requirements(REQUIREMENTS.read_text())}
    for contender in SERVERS:
        if contender.name != OURS:
            assert contender.distributions[0] in required


def test_the_processor_is_named() -> None:
    assert processor("processor\t: 0\nmodel name\t: Quick One\n") == "Quick One"
    assert processor("") == "unknown"
