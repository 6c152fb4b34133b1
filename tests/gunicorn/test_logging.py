"""Gunicorn's logging settings, each by its effect under the real Gunicorn."""

import base64
import json
import re
import socket
import struct
from pathlib import Path

import pytest

from tests.doubles.served import UNACKNOWLEDGED
from tests.doubles.websocket_client import WebSocketClient
from tests.gunicorn.running import Gunicorn, gunicorn
from tests.process.asking import ask
from tests.process.serving import until

ATOMS = (
    '%(h)s|%(l)s|%(u)s|%(t)s|"%(r)s"|%(m)s|%(U)s|%(q)s|%(H)s|%(s)s|%(B)s|%(b)s|%(f)s|%(a)s|%(T)s|%(D)d|%(M)s|%(L)s|'
    "%(p)s|%({host}i)s|%({X-None}i)s|%({content-length}o)s|%({remote_addr}e)s|%%"
)
REQUEST = (
    b'%b /a%%20b?x=1 HTTP/1.1\r\nHost: a.example\r\nReferer: http://b/\r\nUser-Agent: one "two"\r\n'
    b"Authorization: Basic " + base64.b64encode(b"jo:secret") + b"\r\nConnection: close\r\n\r\n"
)

LOGGER = """
from gunicorn.glogging import Logger

class Own(Logger):
    def access(self, resp, req, environ, request_time):
        self.info(
            "own access: %s %s %s %s %s %s %s",
            resp.status, resp.status_code, resp.sent, resp.response_length, dict(resp.headers)["content-length"],
            request_time.total_seconds() < 30, self.cfg.access_log_format,
        )
        self.info(
            "own request: %s %s %s %s %s %s", req.method, req.path, req.uri, req.query, req.version,
            dict(req.headers)["HOST"],
        )
        names = "REMOTE_ADDR REQUEST_METHOD RAW_URI PATH_INFO QUERY_STRING SERVER_PROTOCOL HTTP_HOST wsgi.url_scheme"
        self.info("own environ: %s", [environ[name] for name in names.split()])

class Tagged(Logger):
    def atoms(self, resp, req, environ, request_time):
        return {**super().atoms(resp, req, environ, request_time), "tag": "mine"}
"""
LARGE = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(50_000_000)})
"""


def send(port: int, request: bytes) -> bytes:
    """Send a request and return all that comes, until the server closes."""
    with socket.create_connection(("127.0.0.1", port), 30) as sock:
        sock.sendall(request)
        data = b""
        while piece := sock.recv(65536):
            data += piece
    return data


def lines_of(path: Path, count: int = 1) -> list[str]:
    """Wait for so many lines in a file."""
    until(lambda: path.exists() and path.read_text().count("\n") >= count, f"{count} lines in {path.name}")
    return path.read_text().splitlines()


def configured(directory: Path, text: str) -> tuple[str, ...]:
    """Write a configuration file, and return the options that name it."""
    (directory / "conf.py").write_text(text)
    return ("--config", "conf.py")


def test_each_atom_shows_what_it_is_for(directory: Path) -> None:
    with gunicorn(directory, "--access-logfile", "access.log", "--access-logformat", ATOMS) as server:
        body = send(server.port, REQUEST % b"GET").partition(b"\r\n\r\n")[2]
        (line,) = lines_of(directory / "access.log")
        assert line.count("\n") == 0
        parts = line.split("|")
        date, seconds, micro, milli, decimal = parts[3], parts[14], parts[15], parts[16], parts[17]
        assert re.fullmatch(r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]", date)
        assert int(milli) == int(micro) // 1000
        assert float(decimal) == int(micro) / 1_000_000
        assert int(seconds) == int(micro) // 1_000_000
        size = str(len(body))
        assert parts[:3] == ["127.0.0.1", "-", "jo"]
        assert parts[4:14] == [
            '"GET /a%20b?x=1 HTTP/1.1"', "GET", "/a b", "x=1", "HTTP/1.1", "200", size, size, "http://b/",
            'one \\"two\\"',
        ]  # fmt: skip
        assert parts[18:] == [f"<{server.booted[0]}>", "a.example", "-", size, "127.0.0.1", "%"]


def test_what_is_no_simple_answer_is_logged_with_what_was_sent(directory: Path) -> None:
    with gunicorn(directory, "--access-logfile", "access.log", "--access-logformat", "%(m)s %(s)s %(B)s") as server:
        log = directory / "access.log"
        send(server.port, REQUEST % b"HEAD")
        assert lines_of(log)[-1] == "HEAD 200 0"
        refusal = send(server.port, b"nonsense\r\n\r\n").partition(b"\r\n\r\n")[2]
        assert lines_of(log, 2)[-1] == f"- 400 {len(refusal)}"
        with WebSocketClient.connect("127.0.0.1", server.port) as session:
            session.send_text("hello")
            assert session.recv_message() == "hello"
            session.close()
        assert re.fullmatch(r"GET 101 \d+", lines_of(log, 3)[-1])
        with socket.create_connection(("127.0.0.1", server.port), 30) as sock:
            sock.sendall(b"GET /hang HTTP/1.1\r\nhost: a\r\n\r\n")
            server.wait_for("hang begins")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # its close is a reset
        assert lines_of(log, 4)[-1] == "GET 499 0"


def test_json_is_a_format_here_as_well(directory: Path) -> None:
    with gunicorn(directory, "--access-logfile", "access.log", "--access-logformat", "json") as server:
        ask(server.port, "/there")
        (line,) = lines_of(directory / "access.log")
        assert json.loads(line)["path"] == "/there"


def test_a_format_of_ours_in_the_environment_gives_way_to_one_of_gunicorns_that_was_given(directory: Path) -> None:
    environ = {"MONOCEROS_ACCESS_LOG_FORMAT": "ours %(m)s"}
    access = ("--access-logfile", "access.log")
    with gunicorn(directory, *access, environ=environ) as server:
        ask(server.port)
        assert lines_of(directory / "access.log") == ["ours GET"]
    with gunicorn(directory, *access, "--access-logformat", "theirs %(m)s", environ=environ) as server:
        ask(server.port)
        assert lines_of(directory / "access.log", 2)[-1] == "theirs GET"


def test_a_format_that_can_not_be_compiled_ends_the_start_with_the_atom_named(directory: Path) -> None:
    with gunicorn(directory, "--access-logfile", "-", "--access-logformat", "%(h)s %(tt)s", ready=0) as server:
        assert server.exit_code() != 0
        assert "there is no atom %(tt)s. There are: a, B, b," in server.output
        assert "Started server process" not in server.output


def test_an_access_of_a_loggers_own_is_called_without_an_access_log_as_well(directory: Path) -> None:
    (directory / "loggers.py").write_text(LOGGER)
    with gunicorn(directory, "--logger-class", "loggers.Own", "--access-logformat", "%(any)s") as server:
        body = send(server.port, REQUEST % b"GET").partition(b"\r\n\r\n")[2].decode()
        server.wait_for("own environ")
        size = len(body)
        assert f"own access: 200 OK 200 {size} {size} {size} True %(any)s\n" in server.output
        assert "own request: GET /a%20b /a%20b?x=1 x=1 (1, 1) a.example\n" in server.output
        environ = ["127.0.0.1", "GET", "/a%20b?x=1", "/a b", "x=1", "HTTP/1.1", "a.example", "http"]
        assert f"own environ: {environ}\n" in server.output


def test_what_a_logger_with_an_access_of_its_own_makes_ineffective_is_named_at_the_start(directory: Path) -> None:
    (directory / "loggers.py").write_text(LOGGER)
    environ = {"MONOCEROS_ACCESS_LOG_FORMAT": "json"}
    with gunicorn(directory, "--logger-class", "loggers.Own", environ=environ) as server:
        warning = (
            "[WARNING] MONOCEROS_ACCESS_LOG_FORMAT (environment MONOCEROS_ACCESS_LOG_FORMAT) is not read: "
            "the logger class loggers.Own has an access() of its own, which is told of each request instead\n"
        )
        assert server.output.count(warning) == 1


def test_a_client_that_leaves_in_the_middle_of_one_large_write_is_logged_with_what_it_got(directory: Path) -> None:
    (directory / "app.py").write_text(LARGE)
    access = ("--access-logfile", "access.log", "--access-logformat", "%(s)s %(B)s %(T)s")
    with gunicorn(directory, *access, ready=0) as server:
        server.wait_for("Started server process")
        with socket.create_connection(("127.0.0.1", server.port), 30) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            got = 0
            while got < 1_000_000:
                got += len(sock.recv(65536))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # its close is a reset
        status, octets, _ = lines_of(directory / "access.log")[0].split()
        assert status == "200"
        # Its kernel held a few megabytes more, which it had acknowledged.
        assert got - UNACKNOWLEDGED < int(octets) < got + 10_000_000


def test_atoms_of_a_loggers_own_may_be_named(directory: Path) -> None:
    (directory / "loggers.py").write_text(LOGGER)
    access = ("--access-logfile", "access.log", "--access-logformat", "%(tag)s %(m)s %(U)s")
    with gunicorn(directory, "--logger-class", "loggers.Tagged", *access) as server:
        ask(server.port, "/there")
        assert lines_of(directory / "access.log") == ["mine GET /there"]


CONFIGURED = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"own": {"format": "%(name)s %(levelname)s %(message)s"}},
    "handlers": {"own": {"class": "logging.FileHandler", "filename": "own.log", "formatter": "own"}},
    "root": {"level": "INFO", "handlers": []},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["own"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["own"], "propagate": False},
    },
}
INI = """
[loggers]
keys=root, error, access
[handlers]
keys=own
[formatters]
keys=own
[logger_root]
level=INFO
handlers=
[logger_error]
level=INFO
handlers=own
propagate=0
qualname=gunicorn.error
[logger_access]
level=INFO
handlers=own
propagate=0
qualname=gunicorn.access
[handler_own]
class=FileHandler
args=("own.log",)
formatter=own
[formatter_own]
format=%(name)s %(levelname)s %(message)s
"""


@pytest.mark.parametrize("way", ["logconfig", "logconfig_dict", "logconfig_json"])
def test_a_logging_configuration_of_gunicorns_counts_for_both_logs(directory: Path, way: str) -> None:
    (directory / "own.ini").write_text(INI)
    (directory / "own.json").write_text(json.dumps(CONFIGURED))
    values = {"logconfig": "own.ini", "logconfig_dict": CONFIGURED, "logconfig_json": "own.json"}
    text = f"{way} = {values[way]!r}\naccess_log_format = '%(m)s %(U)s %(s)s'\n"
    with gunicorn(directory, *configured(directory, text), ready=0) as server:
        log = directory / "own.log"
        until(lambda: log.exists() and "startup complete" in log.read_text(), "the start")
        port = int(log.read_text().partition("http://127.0.0.1:")[2].split()[0])
        ask(port, "/there")
        until(lambda: "GET" in log.read_text(), "an access line")
        assert "gunicorn.access INFO GET /there 200\n" in log.read_text()
        assert server.process.poll() is None


@pytest.mark.parametrize("redirected", [True, False])
def test_syslog_gets_accesses_unless_they_are_kept_from_it(directory: Path, redirected: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(30)
        address = ("--log-syslog", "--log-syslog-to", f"udp://127.0.0.1:{syslog.getsockname()[1]}")
        kept = () if redirected else ("--disable-redirect-access-to-syslog",)
        options = (*address, *kept, "--access-logformat", "%(m)s %(U)s", "--access-logfile", "access.log")
        with gunicorn(directory, *options) as server:
            ask(server.port, "/there")
            assert lines_of(directory / "access.log") == ["GET /there"]
            end(server)
            said = received(syslog)
        assert any("Shutting down" in line for line in said)
        assert any("GET /there" in line for line in said) is redirected


def end(server: Gunicorn) -> None:
    """Stop it gracefully."""
    server.process.terminate()
    assert server.exit_code() == 0


def received(sock: socket.socket) -> list[str]:
    """All datagrams that have come."""
    sock.setblocking(False)
    found = []
    try:
        while True:
            found.append(sock.recv(65536).decode())
    except BlockingIOError:
        return found


@pytest.mark.parametrize("access", [(), ("--access-logfile", "access.log")], ids=["without a log", "with a log"])
def test_statsd_gets_counters_and_durations(directory: Path, access: tuple[str, ...]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        host = ("--statsd-host", f"127.0.0.1:{statsd.getsockname()[1]}", "--statsd-prefix", "shop")
        with gunicorn(directory, *access, *host, "--dogstatsd-tags", "env:test") as server:
            ask(server.port, "/there")
            send(server.port, b"nonsense\r\n\r\n")
            end(server)
        metrics = received(statsd)
    assert metrics.count("shop.gunicorn.requests:1|c|@1.0|#env:test") == 2
    assert "shop.gunicorn.request.status.200:1|c|@1.0|#env:test" in metrics
    assert "shop.gunicorn.request.status.400:1|c|@1.0|#env:test" in metrics
    durations = [metric for metric in metrics if metric.startswith("shop.gunicorn.request.duration:")]
    assert len(durations) == 2
    assert all(re.fullmatch(r"[^:]+:[0-9.]+\|ms\|#env:test", metric) for metric in durations)
    if access:
        assert '"GET /there HTTP/1.1" 200' in lines_of(directory / "access.log")[0]


FORGED = (
    b'GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: a\\" 200 \x9b\r\nAuthorization: Basic %b\r\nConnection: close\r\n\r\n'
)


@pytest.mark.parametrize("way", ["file", "statsd", "syslog"])
def test_no_client_forges_a_line_whatever_else_is_told_of_it(directory: Path, way: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{sink.getsockname()[1]}"
        also = {
            "file": (),
            "statsd": ("--statsd-host", host),
            "syslog": ("--log-syslog", "--log-syslog-to", f"udp://{host}"),
        }[way]
        access = ("--access-logfile", "access.log", "--access-logformat", '%(u)s "%(r)s" %(s)s "%(a)s"')
        with gunicorn(directory, *access, *also) as server:
            send(server.port, FORGED % base64.b64encode(b'e\n1.2.3.4 "\\:\xff'))
            send(server.port, b"NONSENSE\x1b\r\n\r\n")
            assert lines_of(directory / "access.log", 2) == [
                'e\\x0a1.2.3.4 \\"\\\\ "GET / HTTP/1.1" 200 "a\\\\\\" 200 \\x9b"',
                '- "NONSENSE\\x1b" 400 "-"',
            ]


def test_a_format_of_ours_counts_with_statsd_as_well(directory: Path) -> None:
    environ = {"MONOCEROS_ACCESS_LOG_FORMAT": "json"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        host = ("--statsd-host", f"127.0.0.1:{statsd.getsockname()[1]}")
        with gunicorn(directory, "--access-logfile", "access.log", *host, environ=environ) as server:
            ask(server.port, "/there")
            (line,) = lines_of(directory / "access.log")
    assert json.loads(line)["path"] == "/there"
