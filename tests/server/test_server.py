"""A server from its start to its exit code, on real sockets."""

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monoceros.asgi import Message, Receive, Scope, Send
from monoceros.config import Config
from monoceros.server.server import Server
from tests.doubles.host import Host
from tests.doubles.served import PATIENCE, read_all, read_answer, run, serving, until

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello"})


class Gate:
    """An application that answers when it is told to."""

    def __init__(self, content_type: bytes = b"text/plain") -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.messages: list[Message] = []
        self._content_type = content_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", self._content_type)]})
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        self.messages.append(await receive())
        self.entered.set()
        if self._content_type == b"text/event-stream":
            self.messages.append(await receive())
        while not self.opened.is_set():
            await asyncio.sleep(0.005)
        await send({"type": "http.response.body", "body": b"last"})


@pytest.mark.parametrize("http", ["httptools", "h11"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_requests_are_answered_on_every_loop_with_every_parser(loop: str, http: str) -> None:
    with serving(hello, loop=loop, http=http) as served:
        answer = served.get()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nserver: monoceros\r\n" in answer
    assert b"\r\ndate: " in answer
    assert answer.endswith(b"\r\n\r\nhello")


def test_port_0_picks_one_and_servers_tell_which() -> None:
    with serving(hello) as served:
        assert served.server.servers[0].sockets[0].getsockname()[1] > 0


def test_sockets_of_the_callers_are_used_and_closed_at_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        with serving(hello, sockets=[sock]) as served:
            assert served.get().endswith(b"hello")
        assert sock.fileno() == -1


def test_a_unix_socket_is_served_and_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "server.sock"
    with serving(hello, uds=str(path)), socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(str(path))
        sock.sendall(GET)
        assert read_answer(sock)[1] == b"hello"
    assert not path.exists()


def test_an_idle_connection_is_answered_once_more_during_a_drain() -> None:
    """Closing it at once would race with the request that is on its way."""
    with serving(hello) as served, served.connect() as sock:
        sock.sendall(GET)
        assert b"connection: close" not in read_answer(sock)[0]
        served.server.should_exit = True
        until(lambda: not served.server.servers[0].sockets[0].fileno() > 0, "accepting has ended")
        sock.sendall(GET)
        assert b"connection: close" in read_answer(sock)[0]
        served.join()


def test_a_request_that_runs_when_the_drain_begins_is_answered_whole() -> None:
    gate = Gate()
    with serving(gate, timeout_keep_alive=1) as served, served.connect() as sock:
        sock.sendall(GET)
        assert gate.entered.wait(PATIENCE)
        served.server.drain()
        gate.opened.set()
        answer = read_all(sock)
        assert answer.endswith(b"4\r\nlast\r\n0\r\n\r\n")
        served.join()


def test_what_waits_in_the_backlog_is_served_before_the_listener_closes() -> None:
    """Nobody else would accept it, and closing would reset it."""

    class Stuck:
        def __init__(self) -> None:
            self.entered = threading.Event()
            self.opened = threading.Event()

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/block":
                self.entered.set()
                self.opened.wait(PATIENCE)
            await hello(scope, receive, send)

    stuck = Stuck()
    with serving(stuck, timeout_keep_alive=1) as served, served.connect() as blocking:
        blocking.sendall(b"GET /block HTTP/1.1\r\nHost: test\r\n\r\n")
        assert stuck.entered.wait(PATIENCE)
        waiting = [served.connect() for _ in range(40)]
        for sock in waiting:
            sock.sendall(GET)
        served.server.drain()
        stuck.opened.set()
        for sock in waiting:
            assert read_answer(sock)[1] == b"hello"
            sock.close()
        served.join()


def test_the_graceful_timeout_ends_what_hangs(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    with serving(gate, timeout_graceful_shutdown=0) as served, served.connect() as sock:
        sock.sendall(GET)
        assert gate.entered.wait(PATIENCE)
        served.server.drain()
        served.join()
        assert not read_all(sock).endswith(b"0\r\n\r\n")
    assert "GET /: cancelled before its response was complete" in caplog.text


def test_an_event_stream_is_told_when_the_notice_period_is_over() -> None:
    gate = Gate(b"text/event-stream")
    gate.opened.set()
    with serving(gate, drain_notice=0, timeout_keep_alive=1) as served, served.connect() as sock:
        sock.sendall(GET)
        assert gate.entered.wait(PATIENCE)
        served.server.drain()
        assert read_all(sock).endswith(b"0\r\n\r\n")
        served.join()
    assert gate.messages[-1] == {"type": "http.disconnect"}


def test_an_event_stream_that_does_not_listen_does_not_hold_up_somebody_in_a_hurry() -> None:
    entered = threading.Event()

    async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        entered.set()
        await asyncio.Event().wait()

    with serving(deaf) as served, served.connect() as sock:
        sock.sendall(GET)
        assert entered.wait(PATIENCE)
        served.server.drain(hurry=True)
        served.join()


def test_force_exit_waits_for_nothing() -> None:
    gate = Gate()
    with serving(gate, timeout_graceful_shutdown=None) as served, served.connect() as sock:
        sock.sendall(GET)
        assert gate.entered.wait(PATIENCE)
        served.server.should_exit = True
        served.server.force_exit = True
        served.join()


def test_the_request_limit_ends_a_server_on_its_own_after_the_answer() -> None:
    with serving(hello, limit_max_requests=2) as served, served.connect() as sock:
        sock.sendall(GET)
        read_answer(sock)
        assert not served.server.should_exit
        sock.sendall(GET)
        assert read_answer(sock)[1] == b"hello"
        until(lambda: served.server.should_exit, "the limit has been noticed")
        served.server.drain(hurry=True)
        served.join()
        assert served.server.server_state.total_requests == 2


def test_state_of_the_lifespan_reaches_requests_as_copies() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            scope["state"]["count"] = 7
            for _ in range(2):
                await send({"type": (await receive())["type"] + ".complete"})
            return
        body = str(scope["state"]["count"]).encode()
        scope["state"]["count"] += 1
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": body})

    with serving(app, lifespan="on") as served:
        assert served.get().endswith(b"7")
        assert served.get().endswith(b"7")


def test_a_failed_start_up_exits_with_3_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise ConnectionError("no database")

    with pytest.raises(SystemExit) as caught, serving(app, lifespan="auto"):
        pass
    assert caught.value.code == 3
    assert "Application startup failed: ConnectionError: no database" in caplog.text


def test_a_port_in_use_exits_with_3_and_names_it(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(SystemExit) as caught, serving(hello, port=port):
            pass
    assert caught.value.code == 3
    assert str(port) in caplog.text


def test_serve_runs_inside_a_loop_of_the_users_and_should_exit_ends_it() -> None:
    async def main() -> bytes:
        server = Server(Config(hello, port=0, log_config=None, lifespan="off"))
        task = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.sleep(0.005)
        host, port = server.servers[0].sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        answer = await reader.read()
        writer.close()
        server.should_exit = True
        await task
        return answer

    assert run(main()).endswith(b"hello")


def test_serve_raises_signals_again_that_came_meanwhile() -> None:
    """Whoever embeds a server has handlers of their own, which must hear of a signal as well."""
    heard: list[int] = []
    original = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))

    async def main() -> None:
        server = Server(Config(hello, port=0, log_config=None, lifespan="off"))
        task = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.sleep(0.005)
        signal.raise_signal(signal.SIGTERM)
        await task

    try:
        run(main())
    finally:
        signal.signal(signal.SIGTERM, original)
    assert heard == [signal.SIGTERM]


def test_a_cancelled_serve_stops_accepting_and_shuts_the_application_down() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(2):
            seen.append((await receive())["type"])
            await send({"type": seen[-1] + ".complete"})

    async def main() -> int:
        server = Server(Config(app, port=0, log_config=None))
        task = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return server.servers[0].sockets[0].fileno()

    assert run(main()) == -1
    assert seen == ["lifespan.startup", "lifespan.shutdown"]


def test_a_stop_need_not_wait_for_a_start_up_that_never_ends() -> None:
    entered = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        entered.set()
        await asyncio.Event().wait()

    server = Server(Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert entered.wait(PATIENCE)
    server.drain()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert not server.started


def test_callback_notify_is_called_in_its_interval() -> None:
    called = threading.Event()

    async def notify() -> None:
        called.set()

    with serving(hello, callback_notify=notify, timeout_notify=0):
        assert called.wait(PATIENCE)


def in_worker(app: Any, during: Callable[[Server, Host, tuple[str, int]], None], **options: Any) -> tuple[int, Host]:
    """Run a server as a worker process would, and return its exit code."""
    host = Host()
    server = Server(Config(app, log_config=None, lifespan="off", access_log=False, **options))
    codes: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as sock:
        thread = threading.Thread(target=lambda: codes.append(server.run_worker([sock], host=host)), daemon=True)
        thread.start()
        until(lambda: server.started, "the server has started")
        during(server, host, sock.getsockname())
        server.drain(hurry=True)
        thread.join(PATIENCE)
        assert sock.fileno() == -1, "a copy left open lets clients wait where nobody accepts"
    return codes[0], host


def test_a_worker_tells_its_host_that_it_is_ready_and_that_it_lives() -> None:
    code, host = in_worker(hello, lambda server, host, address: until(lambda: "beat" in host.told, "it beats"))
    assert code == 0
    assert "ready" in host.told


def test_a_worker_at_its_request_limit_goes_on_serving_until_it_is_told_to_drain() -> None:
    def during(server: Server, host: Host, address: tuple[str, int]) -> None:
        with socket.create_connection(address, PATIENCE) as sock:
            for _ in range(3):
                sock.sendall(GET)
                assert b"connection: close" not in read_answer(sock)[0]

    _, host = in_worker(hello, during, limit_max_requests=2)
    assert [word for word in host.told if "limit" in word] == ["Maximum request limit of 2 reached"]


def test_a_worker_that_fails_to_start_returns_3() -> None:
    server = Server(Config("no.such.module:app", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as sock:
        assert server.run_worker([sock], host=Host()) == 3


def test_messages_have_the_look_that_people_know(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "monoceros.error"), serving(hello) as served:
        host, port = served.address
    assert "Started server process [" in caplog.text
    assert f"Monoceros running on http://{host}:{port} (Press CTRL+C to quit)" in caplog.text
    assert "Shutting down" in caplog.text
    assert "Finished server process [" in caplog.text
