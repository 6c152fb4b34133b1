"""A configuration as production has it: each setting, and the effect by which one can tell that it counts."""

import os
import pwd
import re
import shutil
import signal
import socket
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config as GunicornConfig

from tests.doubles.websocket_client import WebSocketClient
from tests.gunicorn.production import ELSEWHERE, account, exchange, seen_by_application, write_production
from tests.gunicorn.running import Gunicorn, gunicorn
from tests.process.serving import until

INSTALLED = GunicornConfig().settings
STARTED = "Started server process"  # there is no lifespan to be complete


@dataclass
class Production:
    """The running Gunicorn.

    Attributes:
        server: it.
        top: the directory of all its files.
        port: its TCP port.
        seen: what the application saw of a first request.
        syslog: what the system's log would be sent.
    """

    server: Gunicorn
    top: Path
    port: int
    seen: dict[str, Any]
    syslog: socket.socket

    def read(self, name: str) -> str:
        return (self.top / name).read_text()


@pytest.fixture(scope="module")
def production() -> Iterator[Production]:
    top = Path(tempfile.mkdtemp())
    binds = ("--bind", "127.0.0.1:0", "--bind", f"unix:{top}/server.sock")
    with socket.socket(type=socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(30)
        configuration = write_production(top, syslog.getsockname()[1])
        with gunicorn(top, "--config", str(configuration), *binds, ready=0, app="") as server:
            log = top / "error.log"
            try:
                until(lambda: log.exists() and log.read_text().count(STARTED) == 2, "two workers")
            except AssertionError as error:
                raise AssertionError(f"{error}\n{server.output}\n{log.read_text() if log.exists() else ''}") from None
            found = re.search(r"Listening at: http://127.0.0.1:(\d+)", log.read_text())
            assert found
            yield Production(server, top, int(found[1]), seen_by_application(int(found[1])), syslog)
    shutil.rmtree(top)


def field(size: int) -> bytes:
    """A header field of a size."""
    return b"x: " + b"v" * (size - 3) + b"\r\n"


def head(*fields: bytes, path: bytes = b"/api/") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nhost: a\r\nconnection: close\r\n" + b"".join(fields) + b"\r\n"


def test_chdir_pythonpath_and_raw_env_are_those_of_the_application(production: Production) -> None:
    assert production.seen["directory"] == str(production.top / "code")
    assert production.seen["raw_env"] == "yes"


def test_workers_serve_as_the_user_and_group_and_their_arbiter_stays_who_it_was(production: Production) -> None:
    assert (production.seen["user"], production.seen["group"]) == account()
    if os.getuid() == 0:
        assert production.seen["groups"] == os.getgrouplist(pwd.getpwuid(account()[0]).pw_name, account()[1])
    assert production.seen["parent"] == production.server.pid
    assert Path(f"/proc/{production.server.pid}").stat().st_uid == os.getuid()


def test_preload_app_imports_the_application_once_in_the_arbiter(production: Production) -> None:
    assert production.read("error.log").count("imported by") == 1
    assert f"imported by {production.server.pid} as {os.getuid()}" in production.read("error.log")


def test_proc_name_is_the_title_and_pidfile_holds_the_arbiter(production: Production) -> None:
    assert production.read("gunicorn.pid").strip() == str(production.server.pid)
    assert production.seen["title"] == "gunicorn: worker [production]"


def test_umask_is_for_unix_sockets(production: Production) -> None:
    assert stat.S_IMODE((production.top / "server.sock").stat().st_mode) == 0o750


def test_the_loop_and_the_parser_are_those_of_the_settings(production: Production) -> None:
    if "asgi_loop" in INSTALLED:
        assert production.seen["loop"] == "asyncio.unix_events"
        assert production.seen["parsers"] == ["H11Parser"]
    else:
        assert production.seen["loop"] == "uvloop"
        assert production.seen["parsers"] == ["HttptoolsParser"]


def test_the_lifespan_is_off_and_root_path_is_given(production: Production) -> None:
    assert ("the lifespan is spoken" in production.read("error.log")) == ("asgi_lifespan" not in INSTALLED)
    assert production.seen["root_path"] == ("/api" if "root_path" in INSTALLED else "")


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (head(path=b"/api/" + b"a" * 170), 200),
        (head(path=b"/api/" + b"a" * 200), 414),
        (head(*[field(20)] * 6), 200),
        (head(*[field(20)] * 7), 431),
        (head(field(298)), 200),
        (head(field(310)), 431),
    ],
    ids=["line", "long line", "fields", "many fields", "field", "long field"],
)
def test_the_limits_of_a_head_hold(production: Production, request_head: bytes, status: int) -> None:
    assert exchange(production.port, request_head).startswith(f"HTTP/1.1 {status} ")


def test_only_peers_of_the_unix_socket_and_trusted_addresses_speak_for_the_client(production: Production) -> None:
    forwarded = head(b"x-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: https\r\n")
    assert ELSEWHERE != "127.0.0.1"
    assert '"scheme": "http", "client": ["127.0.0.1", ' in exchange(production.port, forwarded)
    over_unix = exchange(str(production.top / "server.sock"), forwarded)
    assert '"scheme": "https", "client": ["203.0.113.7", 0]' in over_unix


def test_fields_with_an_underscore_are_dropped_as_gunicorn_does_unless_it_is_told_otherwise(
    production: Production,
) -> None:
    answer = exchange(production.port, head(b"x-some-thing: 1\r\nx_some_thing: 2\r\n"))
    assert "x-some-thing" in answer
    assert "x_some_thing" not in answer


def test_a_message_over_the_limit_closes_the_websocket(production: Production) -> None:
    with WebSocketClient.connect("127.0.0.1", production.port) as session:
        session.send_text("x" * 1000)
        assert session.recv_message() == "x" * 1000
        session.send_text("x" * 1001)
        if "websocket_max_message_size" in INSTALLED:
            assert session.recv_close()[0] == 1009
        else:
            assert session.recv_message() == "x" * 1001


def test_an_idle_connection_ends_after_keepalive(production: Production) -> None:
    with socket.create_connection(("127.0.0.1", production.port), 30) as idle:
        idle.sendall(b"GET /api/ HTTP/1.1\r\nhost: a\r\n\r\n")
        assert b" 200 " in idle.recv(65536)
        assert idle.recv(65536) == b""


def test_logs_go_to_their_files_with_what_the_application_prints(production: Production) -> None:
    assert production.server.output == ""
    errors = production.read("error.log")
    assert "[DEBUG]" in errors
    assert re.search(r"^ +graceful_timeout: 9$", errors, re.MULTILINE)
    assert re.search(r"^imported by \d+", errors, re.MULTILINE)
    until(lambda: "GET /api/ HTTP/1.1" in production.read("access.log"), "an access line")


def test_syslog_gets_lines_with_the_prefix_and_the_facility(production: Production) -> None:
    """local3 is 19, a debugging line's severity 7: RFC 3164, section 4.1.1."""
    datagram = production.syslog.recv(65536).decode()
    assert datagram.startswith(f"<{19 * 8 + 7}>")
    assert "gunicorn.shop.error" in datagram


def test_each_refused_setting_is_named_once_with_its_value_and_a_reason(production: Production) -> None:
    named = re.findall(r"\[WARNING\] Gunicorn's (\w+) = (.*) has no effect: .", production.read("error.log"))
    expected = [
        ("threads", "4"),
        ("tmp_upload_dir", repr(str(production.top))),
        ("permit_obsolete_folding", "True"),
        ("asgi_disconnect_grace_period", "60"),
    ]
    assert named == [(name, value) for name, value in expected if name in INSTALLED]


def test_the_worker_keeps_its_files_where_worker_tmp_dir_says(production: Production) -> None:
    descriptors = Path(f"/proc/{production.server.pid}/fd")
    targets = [os.readlink(path) for path in descriptors.iterdir()]
    made = {Path(target).name[:10] for target in targets if target.startswith(str(production.top / "tmp"))}
    assert made == {"monoceros-", "wgunicorn-"}


def test_hooks_are_called_once_each_at_their_time_and_a_broken_one_is_logged_by_name(production: Production) -> None:
    """The last test of this server: it ends it."""
    lines = production.read("hooks.log").splitlines()
    assert [line for line in lines if line in ("on_starting", "when_ready")] == ["on_starting", "when_ready"]
    assert lines.index("when_ready") < lines.index("pre_fork")
    assert "nworkers_changed 2" in lines
    assert lines.count("pre_fork") == 2
    pids = sorted(re.findall(r"^post_fork (\d+)$", "\n".join(lines), re.MULTILINE))
    assert len(pids) == 2
    assert sorted(re.findall(r"^post_worker_init (\d+) \1$", "\n".join(lines), re.MULTILINE)) == pids
    # As a terminal's Ctrl+C does it: the workers hear of it from both.
    for pid in pids:
        os.kill(int(pid), signal.SIGINT)
    production.server.send(signal.SIGINT)
    assert production.server.exit_code() == 0
    lines = production.read("hooks.log").splitlines()
    assert sorted(line for line in lines if line.startswith("worker_int")) == [f"worker_int {pid}" for pid in pids]
    assert sorted(line for line in lines if line.startswith("worker_exit")) == [f"worker_exit {pid}" for pid in pids]
    assert lines.count("child_exit") == 2
    assert lines[-1] == "on_exit"
    errors = production.read("error.log")
    assert errors.count("[ERROR] The hook worker_int raised: worker ") == 2
    assert "RuntimeError: worker_int is broken" in errors
