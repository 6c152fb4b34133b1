"""The load is believed when it says that nothing was lost, so it has to notice everything: a false server shows it."""

import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.process.serving import PATIENCE, ROOT
from tests.soak.connection import Kind

REQUESTS = 20


def answer(path: str, *, status: str = "200 OK", fields: str = "") -> bytes:
    """Return what the application of a trial answers to a GET."""
    body = f"1 {path}"
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{fields}\r\n{body}".encode()


def reset(peer: socket.socket) -> None:
    """Close with a reset instead of an end."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextlib.contextmanager
def false_server(misbehave: Callable[[socket.socket, str], bytes]) -> Iterator[str]:
    """Serve each connection one GET; what else is asked is answered wrongly or not at all.

    Arguments:
        misbehave: gets the connection and the path, and returns what to send before the connection is closed.
    """

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), peer:
                peer.settimeout(PATIENCE)
                path = peer.recv(1 << 20).decode(errors="replace").split(" ")[1]
                peer.sendall(misbehave(peer, path))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE)


def report_of(address: str) -> dict[str, Any]:
    """Run a small load and return its report."""
    command = [sys.executable, "-m", "tests.soak.client", address, "--json", "--connections", "1"]
    ran = subprocess.run(
        [*command, "--requests", str(REQUESTS)], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    report: dict[str, Any] = json.loads(ran.stdout)
    return report


def nothing(_peer: socket.socket, _path: str) -> bytes:
    return b""


def half_an_answer(_peer: socket.socket, path: str) -> bytes:
    return answer(path)[:-1]


def a_reset(peer: socket.socket, _path: str) -> bytes:
    reset(peer)
    return b""


def an_error(_peer: socket.socket, path: str) -> bytes:
    return answer(path, status="503 Service Unavailable")


def the_answer_of_another(_peer: socket.socket, path: str) -> bytes:
    return answer(f"{path}0")


def more_than_an_answer(_peer: socket.socket, path: str) -> bytes:
    return answer(path) + b"x"


def no_http(_peer: socket.socket, _path: str) -> bytes:
    return b"hello\r\n\r\n"


@pytest.mark.parametrize(
    ("misbehave", "kind"),
    [
        (nothing, Kind.UNANSWERED),
        (half_an_answer, Kind.CUT),
        (a_reset, Kind.RESET),
        (an_error, Kind.STATUS),
        (the_answer_of_another, Kind.BODY),
        (more_than_an_answer, Kind.MALFORMED),
        (no_http, Kind.MALFORMED),
    ],
)
def test_whatever_is_no_complete_and_right_answer_is_a_loss(
    misbehave: Callable[[socket.socket, str], bytes], kind: Kind
) -> None:
    """A POST that comes in two pieces may find its connection reset for the second: that is a loss as well."""
    with false_server(misbehave) as address:
        report = report_of(address)
    assert report["ok"] == 0
    assert sum(report["kinds"].values()) == report["requests"] == REQUESTS
    assert report["kinds"][kind] > 0
    assert report["losses"][0]["request"] == 1


def test_a_connection_refused_is_a_loss() -> None:
    """The load goes on, and loses the others, too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    report = report_of(f"127.0.0.1:{port}")
    assert report["kinds"] == {Kind.REFUSED: REQUESTS}
    assert {loss["doing"] for loss in report["losses"]} == {"connecting"}


def test_a_connection_that_ends_between_two_requests_without_notice_is_a_loss() -> None:
    """A request may have been on its way."""

    def end(peer: socket.socket, path: str) -> bytes:
        peer.sendall(answer(path))
        return b""

    with false_server(end) as address:
        report = report_of(address)
    assert report["ok"] > 0
    assert report["kinds"][Kind.IDLE] > 0


def test_an_answer_with_connection_close_ends_the_connection_and_loses_nothing() -> None:
    """Only the GET are answered rightly here."""

    def last(_peer: socket.socket, path: str) -> bytes:
        return answer(path, fields="connection: close\r\n")

    with false_server(last) as address:
        report = report_of(address)
    assert report["told_to_close"] == report["ok"] > 0
    assert report["opened"] == REQUESTS
    assert {loss["name"][:4] for loss in report["losses"]} == {"POST"}


def test_told_that_the_time_is_up_the_load_finishes_what_is_under_way() -> None:
    """TERM: the answer that is being waited for is still taken, and no other request is sent."""
    asked, told = threading.Event(), threading.Event()

    def slow(_peer: socket.socket, path: str) -> bytes:
        asked.set()
        told.wait(PATIENCE)
        return answer(path)

    with false_server(slow) as address:
        command = [sys.executable, "-m", "tests.soak.client", address, "--json", "--connections", "1"]
        with subprocess.Popen([*command, "--seconds", "3600"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as load:
            assert asked.wait(PATIENCE)
            load.terminate()
            told.set()
            printed, _ = load.communicate(timeout=PATIENCE)
    report = json.loads(printed)
    assert set(report["kinds"]) <= {Kind.BODY}
    assert report["requests"] == 1
