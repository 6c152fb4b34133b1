"""pre_request and post_request under the real Gunicorn."""

import socket
from pathlib import Path

from tests.gunicorn.running import gunicorn
from tests.process.asking import ask

HOOKS = """
import time

def pre_request(worker, req):
    req.began = time.monotonic()
    worker.log.info("before: %s %s %s %s %s", req.method, req.path, req.query, req.remote_addr[0], req.peer_addr[0])
    worker.log.info("headers: %s", dict(req.headers)["HOST"])

def post_request(worker, req, environ, resp):
    worker.log.info("after: %s %s %s", resp.status, resp.sent, environ["PATH_INFO"])
    worker.log.info("same: %s %s", time.monotonic() >= req.began, worker.pid)
"""
TWO = """
def post_request(worker, req):
    worker.log.info("after: %s %s", req.method, req.uri)
"""
PROXIED = """
proxy_protocol = True

def pre_request(worker, req):
    worker.log.info("before: %s %s", req.proxy_protocol_info, req.peer_addr[0])

def post_request(worker, req, environ, resp):
    worker.log.info("after: %s", [environ[name] for name in ("PROXY_PROTOCOL", "REMOTE_ADDR", "PROXY_PORT")])
"""
BROKEN = """
def pre_request(worker, req):
    raise ValueError("the first is broken")

def post_request(worker, req, environ):
    raise ValueError("the second is broken")
"""


def configured(directory: Path, text: str) -> tuple[str, str]:
    (directory / "conf.py").write_text(text)
    return ("--config", "conf.py")


def test_hooks_see_the_request_before_the_application_and_after_it(directory: Path) -> None:
    with gunicorn(directory, *configured(directory, HOOKS), "--forwarded-allow-ips", "127.0.0.1") as server:
        with socket.create_connection(("127.0.0.1", server.port), 30) as sock:
            sock.sendall(b"GET /slow?x=1 HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n")
            server.wait_for("same: True")
            assert sock.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        (pid,) = server.booted
        assert "before: GET /slow x=1 203.0.113.7 127.0.0.1\n" in server.output
        assert "headers: a.example\n" in server.output
        assert f"after: 200 OK {len(str(pid))} /slow\n" in server.output
        assert f"same: True {pid}\n" in server.output
        order = [server.output.index(text) for text in ("before:", "slow begins", "after:")]
        assert order == sorted(order)


def test_a_hook_with_two_arguments_is_called_with_two(directory: Path) -> None:
    with gunicorn(directory, *configured(directory, TWO)) as server:
        ask(server.port, "/there")
        server.wait_for("after: GET /there\n")


def test_hooks_are_told_what_a_proxy_header_says_at_each_request_of_its_connection(directory: Path) -> None:
    with gunicorn(directory, *configured(directory, PROXIED)) as server:
        with socket.create_connection(("127.0.0.1", server.port), 30) as sock:
            sock.sendall(b"PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n")
            for count in (1, 2):
                sock.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
                server.wait_for("after: ['TCP4', '203.0.113.7', '443']\n", count)
        info = {
            "proxy_protocol": "TCP4",
            "client_addr": "203.0.113.7",
            "client_port": 5000,
            "proxy_addr": "192.0.2.1",
            "proxy_port": 443,
        }
        assert server.output.count(f"before: {info} 127.0.0.1\n") == 2


def test_a_hook_that_raises_is_logged_by_name_and_the_request_goes_on(directory: Path) -> None:
    with gunicorn(directory, *configured(directory, BROKEN)) as server:
        for _ in range(2):
            assert int(ask(server.port, "/there")) == server.booted[0]
        server.wait_for("ValueError: the second is broken", 2)
        assert server.output.count('The hook pre_request raised, and "GET /there HTTP/1.1" goes on\n') == 2
        assert server.output.count('The hook post_request raised, and "GET /there HTTP/1.1" goes on\n') == 2
        assert server.output.count("ValueError: the first is broken") == 2
