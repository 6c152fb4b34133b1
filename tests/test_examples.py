"""Each example is started as its reader would start it, asked, and ended with Ctrl+C: at once, quietly, with code 0."""

import contextlib
import json
import re
import signal
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.doubles.websocket_client import HandshakeRefused, WebSocketClient
from tests.process.serving import ROOT, Serving, serving

FOLDER = ROOT / "examples"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem.isidentifier() and path.stem != "__init__")

COMMAND = Path(sysconfig.get_path("scripts"), "monoceros-serve")

PROMPTLY = 5.0  # seconds; it takes a fraction of one, on a machine that has nothing else to do


@contextlib.contextmanager
def running(example: str) -> Iterator[int]:
    """Serve an example, and end it at the end, whatever is still connected then. Returns the port."""
    with serving(ROOT, command=[str(COMMAND), f"examples.{example}:app", "--port", "0"], ready=0) as server:
        server.wait_for("Monoceros running on http://127.0.0.1:")
        yield server.port
        interrupt(server)


def interrupt(server: Serving) -> None:
    """Press Ctrl+C."""
    begun = time.monotonic()
    server.send(signal.SIGINT)
    assert server.exit_code() == 0, server.output
    assert time.monotonic() - begun < PROMPTLY, server.output
    odd = [line for line in server.output.splitlines() if not line.startswith("INFO:     ")]
    assert not odd, server.output


def url(port: int, path: str) -> str:
    return f"http://127.0.0.1:{port}{path}"


def join(port: int, name: str) -> WebSocketClient:
    """Enter the chat room."""
    return WebSocketClient.connect("127.0.0.1", port, f"/ws?name={name}")


def told(member: WebSocketClient, kind: str) -> dict[str, Any]:
    """Return what a member of the chat room is told next, which should be of this kind."""
    message = member.recv_message()
    told: dict[str, Any] = json.loads(message)
    assert told["kind"] == kind
    return told


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_has_a_test_and_a_line_in_the_readme(example: str) -> None:
    assert any(name.startswith(f"test_{example}_") for name in globals())
    assert f"`monoceros-serve examples.{example}:app`" in (FOLDER / "README.md").read_text()
    assert f"\nmonoceros-serve examples.{example}:app\n" in (FOLDER / f"{example}.py").read_text()


def test_hello_answers_every_path_with_the_same_text() -> None:
    with running("hello") as port:
        for path in ("/", "/elsewhere?x=1"):
            assert httpx.get(url(port, path)).text == "Hello, world!\n"


def test_streaming_sends_a_countdown_in_chunks() -> None:
    with running("streaming") as port, httpx.stream("GET", url(port, "/countdown")) as response:
        assert response.headers["transfer-encoding"] == "chunked"
        assert list(response.iter_lines()) == [*map(str, range(10, 0, -1)), "Lift-off"]


def test_streaming_serves_a_page_and_knows_no_other() -> None:
    with running("streaming") as port:
        assert "EventSource" in httpx.get(url(port, "/")).text
        assert httpx.get(url(port, "/elsewhere")).status_code == 404


def events(response: httpx.Response) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read an event stream: the id of each event, and its data."""
    number = 0
    for line in response.iter_lines():
        field, _, value = line.partition(": ")
        if field == "id":
            number = int(value)
        elif field == "data":
            yield number, json.loads(value)


def test_streaming_sends_events_and_goes_on_where_a_client_was() -> None:
    with running("streaming") as port:
        for headers, numbers in (({}, (1, 2)), ({"Last-Event-ID": "2"}, (3, 4))):
            with httpx.stream("GET", url(port, "/events"), headers=headers) as response:
                assert response.headers["content-type"] == "text/event-stream"
                stream = events(response)
                for number in numbers:
                    event = next(stream)
                    assert event[0] == event[1]["number"] == number


def test_streaming_ends_its_event_streams_when_the_server_stops() -> None:
    with contextlib.ExitStack() as clients:
        with running("streaming") as port:
            streams = [
                events(clients.enter_context(httpx.stream("GET", url(port, "/events"), timeout=PROMPTLY)))
                for _ in range(3)
            ]
            for stream in streams:
                assert next(stream)[0] == 1
        for stream in streams:
            assert len(list(stream)) < 100  # a response that is cut off, and not ended, would raise


def test_chat_serves_its_page_and_knows_no_other() -> None:
    with running("chat") as port:
        page = httpx.get(url(port, "/"))
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.content == (FOLDER / "chat.html").read_bytes()
        assert httpx.get(url(port, "/elsewhere")).status_code == 404
        with pytest.raises(HandshakeRefused) as refusal:
            WebSocketClient.connect("127.0.0.1", port, "/elsewhere")
        assert refusal.value.status == 403


def test_chat_tells_everybody_who_is_there_and_what_is_said() -> None:
    with running("chat") as port, join(port, "Ada") as ada:
        assert told(ada, "welcome") == {"kind": "welcome", "name": "Ada", "people": ["Ada"], "said": []}
        with join(port, "Ada") as other:
            assert told(other, "welcome")["name"] == "Ada 2"
            assert told(ada, "joined") == {"kind": "joined", "name": "Ada 2", "people": ["Ada", "Ada 2"]}
            other.send_text("  Good morning!  ")
            said = told(ada, "said")
            assert (said["name"], said["text"]) == ("Ada 2", "Good morning!")
            assert told(other, "said") == said
            other.close()
        assert told(ada, "left") == {"kind": "left", "name": "Ada 2", "people": ["Ada"]}


def test_chat_shows_newcomers_what_was_said() -> None:
    with running("chat") as port, join(port, "Ada") as ada:
        told(ada, "welcome")
        ada.send_text("   ")
        ada.send_text("x" * 3000)
        said = told(ada, "said")
        assert said["text"] == "x" * 2000
        with join(port, "") as guest:
            welcome = told(guest, "welcome")
            assert welcome["name"] == "Guest"
            assert [{"kind": "said", **message} for message in welcome["said"]] == [said]


def test_chat_ends_with_the_server_however_many_are_connected() -> None:
    with contextlib.ExitStack() as clients:
        with running("chat") as port:
            room = f"ws://127.0.0.1:{port}/ws"
            members = [clients.enter_context(connect(f"{room}?name={name}", proxy=None)) for name in ("Ada", "Bob")]
            for member in members:
                assert '"kind": "welcome"' in str(member.recv())
        for member in members:
            with pytest.raises(ConnectionClosed) as closed:
                list(member)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012, "service restart: the page connects again"


def test_chat_ends_with_the_server_though_a_browser_sleeps() -> None:
    with contextlib.ExitStack() as clients, running("chat") as port:
        told(clients.enter_context(join(port, "Ada")), "welcome")  # who won't answer the server's close


def test_lifespan_state_is_shared_by_the_requests() -> None:
    with running("lifespan_state") as port:
        visits = [httpx.get(url(port, path)).json()["visits"] for path in ("/a", "/b", "/a", "/a")]
        assert visits == [1, 1, 2, 3]


def test_fastapi_app_validates_stores_and_echoes() -> None:
    with running("fastapi_app") as port:
        made = httpx.post(url(port, "/items"), json={"name": "horn", "price": 9.5})
        assert made.status_code == 201
        assert made.json() == {"name": "horn", "price": 9.5, "id": 1}
        assert httpx.get(url(port, "/items/1")).json() == made.json()
        assert httpx.get(url(port, "/items/2")).status_code == 404
        assert httpx.post(url(port, "/items"), json={"name": "", "price": -1}).status_code == 422
        with WebSocketClient.connect("127.0.0.1", port, "/echo") as client:
            client.send_text("h\u00e9llo")
            assert client.recv_message() == "h\u00e9llo"


def test_django_app_serves_views_of_both_kinds() -> None:
    with running("django_app") as port:
        assert re.fullmatch(r"Hello from Django, 127\.0\.0\.1!\n", httpx.get(url(port, "/")).text)
        assert httpx.get(url(port, "/gather/")).json() == {"waited": [0.1, 0.2, 0.3]}
