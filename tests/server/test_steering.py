"""What a running server is told from other threads. Signals are sent in tests/process/test_single.py."""

import asyncio
import logging
import threading
from pathlib import Path

import pytest

from monoceros.asgi import Receive, Scope, Send
from monoceros.config import Config
from monoceros.server.server import Server
from tests.doubles.applications import hello
from tests.doubles.served import PATIENCE, read_all, serving

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


def test_its_loop_is_known_once_it_starts() -> None:
    assert Server(Config(hello, log_config=None)).loop is None
    with serving(hello, loop="asyncio") as served:
        assert served.server.loop is not None
        assert served.server.loop.is_running()
    assert served.server.loop.is_closed()


@pytest.mark.parametrize("limit", [None, 3600])
def test_a_drain_may_have_less_time_than_the_options_say(limit: float | None) -> None:
    entered = threading.Event()

    async def hang(scope: Scope, receive: Receive, send: Send) -> None:
        entered.set()
        await asyncio.Event().wait()

    with serving(hang, timeout_graceful_shutdown=limit) as served, served.connect() as sock:
        sock.sendall(GET)
        assert entered.wait(PATIENCE)
        served.server.drain(within=0)
        served.join()
        assert read_all(sock).startswith(b"HTTP/1.1 500 ")


def test_a_server_that_has_ended_may_be_told_to_end() -> None:
    with serving(hello) as served:
        pass
    served.server.drain()
    served.server.stop()
    served.server.serve_no_longer(3)


def test_log_files_are_opened_again_and_named(tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    handler = logging.FileHandler(path)
    logging.getLogger("tests.steering").addHandler(handler)
    try:
        path.rename(tmp_path / "rotated.log")
        assert str(path) in Server(Config(hello, log_config=None)).reopen_logs()
        assert path.exists()
    finally:
        logging.getLogger("tests.steering").removeHandler(handler)
        handler.close()
