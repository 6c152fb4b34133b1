"""Floods of what peers do wrong, on real sockets: the log stays short, and all of it is accounted for."""

import errno
import re
from typing import Any

import pytest

from monoceros.protocol.complaints import AT_ONCE, Complaints
from monoceros.server.acceptor import Acceptor
from tests.doubles.applications import hello
from tests.doubles.served import Served, serving

FLOOD = 6 * AT_ONCE


def counted(lines: list[str]) -> int:
    """How many were told of by their number."""
    found = [re.match(r"(\d+) more like this in the last second: ", line) for line in lines]
    return sum(int(each[1]) for each in found if each)


def flood(served: Served, request: bytes) -> None:
    for _ in range(FLOOD):
        served.ask(request)


def test_each_malformed_request_is_told_or_counted_also_at_the_end_of_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serving(hello) as served:
        flood(served, b"nonsense\r\n\r\n")
    told = [line for line in caplog.messages if line.startswith("Invalid HTTP request received from 127.0.0.1:")]
    assert len(told) >= AT_ONCE
    assert len(told) + counted(caplog.messages) == FLOOD


def test_each_connection_without_its_proxy_header_is_told_or_counted(caplog: pytest.LogCaptureFixture) -> None:
    with serving(hello, proxy_protocol="v1", proxy_allow_ips="127.0.0.1") as served:
        flood(served, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    told = [line for line in caplog.messages if line.startswith("A connection from 127.0.0.1:")]
    assert len(told) >= AT_ONCE
    assert len(told) + counted(caplog.messages) == FLOOD


def test_tracebacks_of_the_application_are_never_counted_only(caplog: pytest.LogCaptureFixture) -> None:
    async def fails(scope: object, receive: object, send: object) -> None:
        raise ValueError("mine")

    with serving(fails) as served:
        for _ in range(2 * AT_ONCE):
            served.get()
    assert len([record for record in caplog.records if record.exc_info]) == 2 * AT_ONCE
    assert counted(caplog.messages) == 0


class ForbiddenListener:
    """A listener whose connections a firewall forbids: accept(2) says so again and again."""

    def fileno(self) -> int:
        return 3

    def accept(self) -> Any:
        raise OSError(errno.EPERM, "Operation not permitted")


class Reading:
    """What an acceptor asks of its loop: to look at listeners."""

    def add_reader(self, fd: int, callback: Any, *arguments: Any) -> None:
        self.turn = lambda: callback(*arguments)


def test_connections_that_the_system_refuses_are_told_or_counted(caplog: pytest.LogCaptureFixture) -> None:
    loop: Any = Reading()
    listener: Any = ForbiddenListener()
    complaints = Complaints()
    acceptor = Acceptor(loop, [listener], lambda: pytest.fail("nobody was accepted"), complaints=complaints)
    acceptor.start()
    for _ in range(FLOOD):
        loop.turn()
    complaints.tick()
    assert caplog.messages[0] == "Accepting a connection failed: [Errno 1] Operation not permitted"
    assert len(caplog.messages) == AT_ONCE + 1
    assert counted(caplog.messages) == FLOOD - AT_ONCE
