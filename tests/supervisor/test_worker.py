"""The child's two sides: what it reports, and whom it obeys. Its whole life is tested in tests/process."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from socket import create_server, socket

import pytest

from monoceros.config import Config
from monoceros.supervisor.channel import LAST, Message, Word, channel_pair
from monoceros.supervisor.scoreboard import Record, Scoreboard, Stage
from monoceros.supervisor.worker import Orders, Reporter


@dataclass
class FakeState:
    total_requests: int = 0
    connections: Sequence[object] = (1, 2, 3)
    tasks: Sequence[object] = (1,)
    loop_lag: float = 0.25


@dataclass
class FakeServer:
    """A server that notes what it is told."""

    server_state: FakeState = field(default_factory=FakeState)
    loop: object = None
    told: list[str] = field(default_factory=list)
    covered: list[socket] = field(default_factory=list)

    def run_worker(self, sockets: Sequence[socket], *, host: Reporter, crew: Record | None) -> int:
        raise AssertionError("not run here")

    def drain(self, *, hurry: bool = False, replaced: bool = False) -> None:
        self.told.append(f"{'hurry' if hurry else 'drain'}{', replaced' if replaced else ''}")

    def stop(self) -> None:
        self.told.append("stop")

    def serve_also(self, sock: socket) -> None:
        self.told.append(f"serve also {sock.fileno()}")
        self.covered.append(sock)

    def serve_no_longer(self, sock: socket) -> None:
        self.told.append(f"serve no longer {sock.fileno()}")
        sock.close()


class NoWatch:
    """A watch that never has to write anything."""

    def put_off(self) -> None:
        """Nothing is watched."""

    def end(self) -> None:
        """Nothing is watched."""


async def application(scope: object, receive: object, send: object) -> None:
    """Never called."""


class Setting:
    """A worker without its process: both ends of its line, its record, its server."""

    def __init__(self) -> None:
        self.master, self.line = channel_pair()
        self.record: Record = Scoreboard().take()
        self.server = FakeServer()
        self.config = Config(application, log_config=None)
        self.config.load()
        self.shown: list[str] = []
        self.reporter = Reporter(self.line, self.record, self.server, self.shown.append, NoWatch())
        self.orders = Orders(self.line, self.config, self.server, self.reporter)

    def said(self) -> list[Message]:
        return self.master.receive()


@pytest.fixture
def setting() -> Iterator[Setting]:
    made = Setting()
    yield made
    made.master.close()
    made.line.close()


def test_readiness_is_a_word_and_a_stage(setting: Setting) -> None:
    stages = [setting.record.stage]
    setting.reporter.server_ready()
    assert setting.said() == [Message(Word.READY)]
    assert [*stages, setting.record.stage] == [Stage.STARTING, Stage.SERVING]


def test_a_beat_writes_the_time_and_how_the_server_is(setting: Setting) -> None:
    setting.server.server_state.total_requests = 42
    before = time.monotonic()
    setting.reporter.beat()
    record = setting.record
    assert before <= record.beat <= time.monotonic()
    assert (record.requests, record.connections, record.in_flight, record.lag) == (42, 3, 1, 0.25)
    assert record.rss > 1 << 20


def test_a_limit_is_reported_with_its_reason(setting: Setting) -> None:
    setting.reporter.limit_reached("it has served 1000 requests")
    assert setting.said() == [Message(Word.LIMIT, "it has served 1000 requests")]


def test_the_starting_thread_ends_when_the_loop_beats(setting: Setting) -> None:
    thread = threading.Thread(target=setting.reporter.beat_for_the_loop)
    thread.start()
    setting.reporter.beat()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([(Word.DRAIN, "")], ["drain, replaced"]),
        ([(Word.DRAIN, LAST)], ["drain"]),
        ([(Word.HURRY, "")], ["hurry, replaced"]),
        ([(Word.STOP, "")], ["stop"]),
        ([(Word.DRAIN, ""), (Word.HURRY, LAST), (Word.STOP, "")], ["drain, replaced", "hurry", "stop"]),
    ],
)
def test_orders_are_obeyed_and_the_end_of_the_master_is_an_order_to_drain(
    setting: Setting, words: list[tuple[Word, str]], told: list[str]
) -> None:
    for word, text in words:
        setting.master.send(word, text)
    setting.master.close()
    setting.orders.listen()
    assert setting.server.told == [*told, "drain"]


def test_a_worker_shows_its_stage(setting: Setting) -> None:
    setting.reporter.server_ready()
    setting.orders.drain()
    assert setting.record.stage is Stage.DRAINING
    assert setting.shown == ["serving", "draining"]


def test_the_listeners_of_another_slot_are_served_until_they_are_taken_back(setting: Setting) -> None:
    with create_server(("127.0.0.1", 0)) as first, create_server(("127.0.0.1", 0)) as second:
        for slot, sockets in (("3", [first, second]), ("4", [first])):
            setting.master.send(Word.COVER, slot, [sock.fileno() for sock in sockets])
        setting.master.send(Word.UNCOVER, "3")
        setting.master.send(Word.UNCOVER, "9")
        setting.master.close()
        setting.orders.listen()
        told = [entry.rpartition(" ")[0] for entry in setting.server.told]
        assert told == ["serve also"] * 3 + ["serve no longer"] * 2 + [""]
        assert [sock.fileno() == -1 for sock in setting.server.covered] == [True, True, False]
        assert setting.server.covered[2].getsockname() == first.getsockname()
        setting.server.covered[2].close()


def test_a_worker_that_leaves_tells_its_master_first(setting: Setting) -> None:
    setting.orders.leave()
    assert setting.said() == [Message(Word.LEAVING)]
    assert setting.server.told == ["drain, replaced"]


def test_a_dead_master_makes_no_report_fail() -> None:
    master, line = channel_pair()
    master.close()
    reporter = Reporter(line, Scoreboard().take(), FakeServer(), lambda _: None, NoWatch())
    reporter.server_ready()
    reporter.limit_reached("")
    line.close()


PROVIDING = """
import gc, sys
from monoceros.config import Config
from monoceros.supervisor.worker import provide
sys.modules[{missing!r}] = None
provide(Config("nowhere:app", http={http!r}, loop={loop!r}, log_config=None))
print(bool(gc.get_freeze_count()), *(name for name in {names} if sys.modules.get(name)))
"""


def provided(names: list[str], *, missing: str = "", http: str = "auto", loop: str = "auto") -> str:
    """What of these modules is in a master that has provided for its workers."""
    program = PROVIDING.format(missing=missing, http=http, loop=loop, names=names)
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


def test_a_master_has_for_its_workers_what_each_of_them_needs_and_nothing_of_the_applications() -> None:
    names = ["monoceros.server.server", "httptools", "uvloop", "websockets", "nowhere"]
    assert provided(names) == "True monoceros.server.server httptools uvloop"


@pytest.mark.parametrize("options", [{"http": "httptools", "missing": "httptools"}, {"loop": "nowhere:make_loop"}])
def test_what_a_master_cannot_provide_is_left_to_its_workers(options: dict[str, str]) -> None:
    assert provided(["monoceros.server.server", "httptools", "nowhere"], **options).startswith("True monoceros.server")
