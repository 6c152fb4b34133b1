"""Protocol classes of the user's own, made for the incumbent's interface."""

import threading
from typing import Any

import pytest

from monoceros.asgi import Receive, Scope, Send
from monoceros.protocol.context import NEVER, Context
from monoceros.server.foreign import Guests, ServerState
from monoceros.wire.h11_parser import H11Parser
from monoceros.wire.response import default_fields
from tests.doubles.loop import ManualLoop
from tests.doubles.served import PATIENCE, read_all, read_answer, serving, until

DEFAULTS = default_fields("Mon, 23 Nov 2026 00:00:00 GMT", "monoceros")


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


class Guest:
    """A connection of a protocol of the user's own."""

    def __init__(self, state: ServerState) -> None:
        self.state = state
        self.transport = self
        self.told: list[str] = []
        state.connections.add(self)

    def shutdown(self) -> None:
        self.told.append("shutdown")

    def abort(self) -> None:
        self.told.append("abort")
        self.state.connections.discard(self)


@pytest.mark.parametrize("protocol", ["h11_impl:H11Protocol", "httptools_impl:HttpToolsProtocol"])
def test_a_protocol_written_for_the_incumbent_serves_and_stops(protocol: str) -> None:
    with serving(hello, http=f"uvicorn.protocols.http.{protocol}") as served:
        answer = served.get()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nserver: monoceros\r\n" in answer
        assert b"\r\ndate: " in answer
        assert served.server.server_state.total_requests == 1


@pytest.mark.parametrize("protocol", ["h11_impl:H11Protocol", "httptools_impl:HttpToolsProtocol"])
def test_its_idle_connections_survive_the_seconds_and_end_with_the_server(
    protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(hello, http=f"uvicorn.protocols.http.{protocol}", timeout_keep_alive=60) as served:
        with served.connect() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_answer(sock)[1] == b"hello"
            for _ in range(2):
                rendered = served.server.server_state.default_headers
                until(lambda: served.server.server_state.default_headers is not rendered, "a second has passed")  # noqa: B023
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_answer(sock)[1] == b"hello"
            served.server.should_exit = True
            assert sock.recv(1) == b""
        served.join()
    assert served.failure is None
    assert not [record for record in caplog.records if record.exc_info]


def test_its_running_requests_are_waited_for() -> None:
    entered, opened = threading.Event(), threading.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        import asyncio

        entered.set()
        await asyncio.to_thread(opened.wait, PATIENCE)
        await hello(scope, receive, send)

    with serving(slow, http="uvicorn.protocols.http.h11_impl:H11Protocol") as served, served.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert entered.wait(PATIENCE)
        served.server.drain()
        opened.set()
        assert read_all(sock).endswith(b"hello")
        served.join()


def test_guests_are_asked_to_leave_and_cut_off_when_they_stay() -> None:
    state = ServerState()
    guest = Guest(state)
    guests = Guests(state, NEVER, lambda: None)
    assert guests.present
    guests.shut_down()
    assert guest.told == ["shutdown"]
    guests.cut_off()
    assert guest.told == ["shutdown", "abort"]
    assert not guests.present


def test_each_guest_is_asked_once_and_one_that_comes_later_too() -> None:
    """The incumbent asks once, and a protocol may not be ready to be asked again."""
    state = ServerState()
    guests = Guests(state, NEVER, lambda: None)
    both = [Guest(state)]
    guests.shut_down()
    both.append(Guest(state))
    guests.shut_down()
    guests.shut_down()
    assert [guest.told for guest in both] == [["shutdown"], ["shutdown"]]


def test_their_requests_count_towards_the_limit_which_is_told_once() -> None:
    told: list[str] = []
    state = ServerState()
    guests = Guests(state, 2, lambda: told.append("limit"))
    for _ in range(3):
        state.total_requests += 1
        guests.tick(DEFAULTS)
    assert told == ["limit"]


def test_default_fields_are_rendered_for_them() -> None:
    state = ServerState()
    Guests(state, NEVER, lambda: None).tick(DEFAULTS)
    assert state.default_headers == [(b"date", b"Mon, 23 Nov 2026 00:00:00 GMT"), (b"server", b"monoceros")]


def test_programs_see_our_own_connections_in_the_state() -> None:
    state = ServerState()
    loop = ManualLoop()
    context: Any = Context(hello, loop, make_parser=H11Parser, defaults=DEFAULTS)
    state.show(context)
    context.requests = 3
    assert state.total_requests == 3
    assert state.connections is context.connections
    loop.close()
