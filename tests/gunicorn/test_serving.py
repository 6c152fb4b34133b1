"""What the worker classes serve under the real Gunicorn, and which of its settings they keep."""

import re
import socket
import ssl
import struct
from pathlib import Path

import pytest
import trustme

from tests.doubles.websocket_client import WebSocketClient
from tests.gunicorn.running import WORKER, gunicorn
from tests.process.asking import Client, ask
from tests.process.serving import until

EXAMPLE = Path(__file__).parents[2] / "examples" / "gunicorn.conf.py"
CLASSES = [
    (WORKER, "uvloop"),
    ("monoceros.workers.AsyncioWorker", "asyncio.unix_events"),
    ("monoceros.workers.UvicornH11Worker", "asyncio.unix_events"),
]


@pytest.mark.parametrize(("worker", "loop"), CLASSES, ids=[worker.rpartition(".")[2] for worker, _ in CLASSES])
def test_each_worker_class_serves_http_and_websocket_on_its_loop(directory: Path, worker: str, loop: str) -> None:
    with gunicorn(directory, worker=worker) as server:
        assert ask(server.port, "/loop") == loop
        with WebSocketClient.connect("127.0.0.1", server.port) as session:
            session.send_text("héllo")
            assert session.recv_message() == "héllo"
            session.close()


def test_both_logs_go_where_gunicorn_logs(directory: Path) -> None:
    logs = ("--error-logfile", "error.log", "--access-logfile", "access.log")
    with gunicorn(directory, *logs, ready=0) as server:
        error, access = directory / "error.log", directory / "access.log"
        until(lambda: error.exists() and "startup complete" in error.read_text(), "the start")
        port = int(error.read_text().partition("http://127.0.0.1:")[2].split()[0])
        ask(port, "/there?a=b")
        until(lambda: access.exists() and access.read_text(), "an access line")
        line = access.read_text()
        assert re.fullmatch(r'127\.0\.0\.1:\d+ - "GET /there\?a=b HTTP/1\.1" 200\n', line)
        assert "[INFO] Started server process" in error.read_text()
        assert server.output == ""


def test_without_an_access_log_of_gunicorns_there_is_none(directory: Path) -> None:
    with gunicorn(directory) as server:
        ask(server.port, "/there")
        server.stop()
        assert "/there" not in server.output


def test_an_idle_connection_is_kept_as_long_as_keepalive_says(directory: Path) -> None:
    with (
        gunicorn(directory, "--keep-alive", "1") as server,
        socket.create_connection(("127.0.0.1", server.port)) as idle,
    ):
        idle.settimeout(30)
        for _ in range(2):
            idle.sendall(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n")
            assert b" 200 " in idle.recv(4096)
        assert idle.recv(4096) == b""


def test_several_addresses_and_a_unix_socket_are_served_at_once(directory: Path) -> None:
    path = str(directory / "server.sock")
    with gunicorn(directory, "--bind", "127.0.0.1:0", "--bind", f"unix:{path}", "--workers", "2", ready=2) as server:
        assert int(ask(server.port)) in server.workers
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            client.sendall(b"GET /scope HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
            assert client.makefile().read().endswith("http None ")


def test_an_inherited_socket_is_served_with_the_backlog_given(directory: Path) -> None:
    """Linux tells the backlog of a listening socket as tcpi_sacked, after 28 octets of tcp_info."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        bind = ("--bind", f"fd://{listener.fileno()}")
        with gunicorn(directory, *bind, "--backlog", "77", pass_fds=[listener.fileno()]) as server:
            assert int(ask(server.port)) in server.workers
            information = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64)
            assert struct.unpack_from("I", information, 28)[0] == 77


def test_with_reuse_port_all_workers_serve_a_port_that_another_socket_holds_too(directory: Path) -> None:
    """Each on sockets of its own, in releases of Gunicorn that open them after the fork."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with gunicorn(directory, "--reuse-port", "--bind", f"127.0.0.1:{port}", "--workers", "2", ready=2) as server:
            until(lambda: {int(ask(port)) for _ in range(20)} == server.workers, "answers of both")


def test_tls_is_served_with_gunicorns_certificate_and_its_hook(directory: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    (directory / "gunicorn.conf.py").write_text(
        "import ssl\n"
        "def ssl_context(conf, make_default):\n"
        "    context = make_default()\n"
        "    context.minimum_version = ssl.TLSVersion.TLSv1_3\n"
        "    return context\n"
    )
    client = ssl.create_default_context()
    authority.configure_trust(client)
    options = ("--certfile", "cert.pem", "--keyfile", "key.pem")
    with gunicorn(directory, *options) as server:
        with (
            socket.create_connection(("127.0.0.1", server.port), 30) as plain,
            client.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            tls.sendall(b"GET /scope HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
            assert tls.makefile().read().rpartition("\n")[2].startswith("https ")
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection(("127.0.0.1", server.port), 30) as plain, pytest.raises(ssl.SSLError):
            client.wrap_socket(plain, server_hostname="localhost")


def test_clients_need_a_certificate_and_a_cipher_if_gunicorn_says_so(directory: Path) -> None:
    authority = trustme.CA()
    certificate, identity = authority.issue_cert("localhost"), authority.issue_cert("me@example.org")
    certificate.private_key_and_cert_chain_pem.write_to_path(directory / "cert.pem")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    cipher = "ECDHE-ECDSA-AES256-GCM-SHA384"
    client = ssl.create_default_context()
    authority.configure_trust(client)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    options = ("--certfile", "cert.pem", "--ca-certs", "ca.pem", "--cert-reqs", "2", "--ciphers", cipher)
    with gunicorn(directory, *options) as server:
        with socket.create_connection(("127.0.0.1", server.port), 30) as plain, pytest.raises(ssl.SSLError):
            client.wrap_socket(plain, server_hostname="localhost")
        identity.configure_cert(client)
        with (
            socket.create_connection(("127.0.0.1", server.port), 30) as plain,
            client.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            assert tls.cipher() == (cipher, "TLSv1.2", 256)
        client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        with socket.create_connection(("127.0.0.1", server.port), 30) as plain, pytest.raises(ssl.SSLError):
            client.wrap_socket(plain, server_hostname="localhost")


@pytest.mark.parametrize(
    ("trusted", "seen"), [("10.0.0.1,127.0.0.1", "https ('203.0.113.7', 0) "), ("10.0.0.1", "http (")]
)
def test_the_proxies_that_gunicorn_trusts_speak_for_the_client(directory: Path, trusted: str, seen: str) -> None:
    with (
        gunicorn(directory, "--forwarded-allow-ips", trusted) as server,
        socket.create_connection(("127.0.0.1", server.port), 30) as client,
    ):
        client.sendall(
            b"GET /scope HTTP/1.1\r\nhost: test\r\nx-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: https\r\n"
            b"connection: close\r\n\r\n"
        )
        assert client.makefile().read().rpartition("\n")[2].startswith(seen)


def test_a_subclass_is_configured_by_config_kwargs(directory: Path) -> None:
    (directory / "custom.py").write_text(
        "from monoceros.workers import UvicornWorker\n"
        "class Custom(UvicornWorker):\n"
        '    CONFIG_KWARGS = {"loop": "asyncio", "limit_request_line": 100, "headers": [("x-from", "kwargs")]}\n'
    )
    options = ("--limit-request-line", "10")
    with gunicorn(directory, *options, worker="custom.Custom") as server, Client(server.port) as client:
        assert client.ask("/loop") == "asyncio.unix_events"
        client.send("/")
        assert "x-from: kwargs" in client.read_until("\r\n\r\n")


def test_our_own_options_come_from_the_environment_and_the_file(directory: Path) -> None:
    (directory / "monoceros.toml").write_text('root_path = "/file"\nloop = "asyncio"\nport = 1\n')
    with gunicorn(directory, environ={"MONOCEROS_ROOT_PATH": "/variable"}) as server:
        assert ask(server.port, "/loop") == "asyncio.unix_events"
        assert ask(server.port, "/scope").endswith(" /variable")
        assert "port (monoceros.toml) is not read: under Gunicorn, that is Gunicorn's affair" in server.output


def test_a_preloaded_application_is_served(directory: Path) -> None:
    with gunicorn(directory, "--preload", "--workers", "2", ready=2) as server:
        assert int(ask(server.port)) in server.workers


def test_limits_of_gunicorns_hold(directory: Path) -> None:
    with gunicorn(directory, "--limit-request-line", "100") as server, Client(server.port) as client:
        client.send("/" + "a" * 100)
        assert client.read_until("\r\n").startswith("HTTP/1.1 414 ")


def test_the_example_of_a_configuration_is_valid_and_explains_each_line(directory: Path) -> None:
    lines = EXAMPLE.read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\w+ = ", line):
            before = lines[number - 1]
            assert before.startswith("# ") or re.match(r"\w+ = ", before), f"{line} isn't explained"
    with gunicorn(directory, "--check-config", "--config", str(EXAMPLE), ready=0) as server:
        assert server.exit_code() == 0, server.output


def test_the_example_of_a_configuration_runs(directory: Path) -> None:
    with gunicorn(directory, "--config", str(EXAMPLE), ready=2, environ={"WEB_CONCURRENCY": "2"}) as server:
        assert int(ask(server.port)) in server.workers
        until(lambda: '"GET / HTTP/1.1" 200' in server.output, "an access line")
        assert "has no effect" not in server.output
