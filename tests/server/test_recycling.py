"""When a process is due: by its memory, by its age."""

import socket
import threading

import pytest

from monoceros.config import Config
from monoceros.server.recycling import MEBIBYTE, Recycling
from monoceros.server.server import Server
from tests.doubles.applications import hello
from tests.doubles.host import Host
from tests.doubles.served import PATIENCE, until


class Measured:
    """A process whose age and memory a test sets."""

    def __init__(self) -> None:
        self.now = 100.0
        self.resident = 0

    def limits(
        self, max_rss: int | None = None, lifetime: float | None = None, share: float = 0.0, *, replaced: bool = True
    ) -> Recycling:
        return Recycling(
            max_rss,
            lifetime,
            replaced=replaced,
            memory=lambda: self.resident,
            clock=lambda: self.now,
            random_share=lambda: share,
        )


def test_without_limits_no_process_is_ever_due() -> None:
    process = Measured()
    limits = process.limits()
    process.now, process.resident = 1e9, 1 << 40
    assert limits.look() is None


def test_a_process_whose_memory_exceeds_its_limit_is_due_and_both_are_named() -> None:
    process = Measured()
    limits = process.limits(max_rss=200)
    process.resident = 200 * MEBIBYTE
    assert limits.look() is None
    process.resident = 213 * MEBIBYTE
    assert limits.look() == "Memory limit of 200 MiB exceeded: 213 MiB resident"


@pytest.mark.parametrize(("share", "end"), [(0.0, 3600), (0.5, 3780), (1.0, 3960)])
def test_a_lifetime_is_over_after_a_random_tenth_more_at_most(share: float, end: float) -> None:
    process = Measured()
    limits = process.limits(lifetime=3600, share=share)
    process.now += end - 1
    assert limits.look() is None
    process.now += 2
    assert limits.look() == "Lifetime of 3600 s is over"


def test_by_itself_it_measures_this_process() -> None:
    limits = Recycling(1, None, clock=iter([0.0, 0.0, 10.0, 10.0]).__next__)
    assert limits.look() is None
    assert limits.look() is not None
    assert Recycling(1 << 30, None).look() is None


def test_a_process_that_is_too_large_from_the_start_serves_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """Its replacement will be no smaller: they must not follow each other as fast as they can start."""
    process = Measured()
    limits = process.limits(max_rss=200)
    process.resident = 213 * MEBIBYTE
    assert limits.look() is None
    assert "worker_max_rss is 200 MiB, and this process has 213 MiB resident from the start" in caplog.text
    process.now += 9
    assert limits.look() is None
    process.now += 1
    assert limits.look() == "Memory limit of 200 MiB exceeded: 213 MiB resident"


def test_a_process_that_nobody_replaces_is_not_ended_for_what_it_was_from_the_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It would be started again, be as large, and end again, for ever. Once it was smaller, the limit holds."""
    process = Measured()
    limits = process.limits(max_rss=200, replaced=False)
    process.resident = 213 * MEBIBYTE
    for _ in range(100):
        assert limits.look() is None
        process.now += 1
    (record,) = caplog.records
    assert record.getMessage().endswith("raise the limit, which isn't acted upon in a process without a master")
    process.resident = 199 * MEBIBYTE
    assert limits.look() is None
    process.resident = 213 * MEBIBYTE
    assert limits.look() == "Memory limit of 200 MiB exceeded: 213 MiB resident"


def test_a_host_hears_of_the_first_limit_alone_and_not_before_the_server_is_ready() -> None:
    """The process is over its age from the start, and later over another limit, too."""
    host = Host()
    config = Config(hello, log_config=None, lifespan="off", worker_max_rss=1, worker_lifetime=0.001, access_log=False)
    server = Server(config)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        thread = threading.Thread(target=server.run_worker, args=([sock],), kwargs={"host": host}, daemon=True)
        thread.start()
        until(lambda: host.told.count("beat") >= 4, "it has looked several times")
        server.drain(hurry=True)
        thread.join(PATIENCE)
    limits = [(index, word) for index, word in enumerate(host.told) if word not in ("ready", "beat", "stopped")]
    assert [word for _, word in limits] == ["Lifetime of 0.001 s is over"]
    assert limits[0][0] > host.told.index("ready")
    assert host.told[-1] == "stopped"
