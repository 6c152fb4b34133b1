"""`--reload` with a real watcher, real edits and open streams."""

import signal
import sys
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.process.asking import Client, ask
from tests.process.serving import Serving, serving, until

APP = """
import asyncio
from part import TEXT

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": TEXT})
        return
    body = TEXT.encode()
    if scope["path"] == "/events":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"data: " + body + b"\\n\\n", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "part.py").write_text("TEXT = 'one'\n")
    return tmp_path


def ready_for_edits(server: Serving) -> None:
    server.wait_for("Started reloader process [")


def test_an_edit_of_an_imported_module_is_served(directory: Path) -> None:
    with serving(directory, "--reload") as server:
        ready_for_edits(server)
        assert ask(server.port) == "one"
        (directory / "part.py").write_text("TEXT = 'two'\n")
        server.wait_for("detected changes in 'part.py'. Reloading...")
        until(lambda: ask(server.port) == "two", "the new code")
        server.send(signal.SIGINT)
        assert server.exit_code() == 0
        assert f"Stopping reloader process [{server.pid}]" in server.output


def test_a_program_that_runs_its_own_server_reloads_the_modules_it_imported(directory: Path) -> None:
    program = "import part, sys\nif __name__ == '__main__':\n    import monoceros\n"
    program += "    monoceros.run('app:app', port=0, reload=True)\n    print('after the server', flush=True)\n"
    (directory / "main.py").write_text(program)
    with serving(directory, command=[sys.executable, "main.py"]) as server:
        ready_for_edits(server)
        assert ask(server.port) == "one"
        (directory / "part.py").write_text("TEXT = 'two'\n")
        until(lambda: ask(server.port) == "two", "the new code")
        server.send(signal.SIGINT)
        assert server.exit_code() == 0
        assert "after the server" in server.output


def test_a_request_during_a_reload_waits_for_the_new_code(directory: Path) -> None:
    with serving(directory, "--reload") as server:
        ready_for_edits(server)
        (directory / "part.py").write_text("import time; time.sleep(1)\nTEXT = 'two'\n")
        server.wait_for("Finished server process")
        assert ask(server.port) == "two"


def test_open_streams_and_websockets_do_not_hold_up_a_reload(directory: Path) -> None:
    with serving(directory, "--reload") as server, Client(server.port) as events, Client(server.port) as idle:
        ready_for_edits(server)
        assert idle.ask() == "one"
        events.send("/events")
        assert "data: one" in events.read_until("\n\n")
        with connect(f"ws://127.0.0.1:{server.port}/") as websocket:
            websocket.send("?")
            assert websocket.recv(10) == "one"
            (directory / "part.py").write_text("TEXT = 'two'\n")
            with pytest.raises(ConnectionClosed) as closed:
                websocket.recv(10)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
        events.read_to_the_end()
        assert ask(server.port) == "two"


def test_a_syntax_error_waits_for_its_correction(directory: Path) -> None:
    with serving(directory, "--reload") as server:
        ready_for_edits(server)
        (directory / "part.py").write_text("TEXT = 'tw\n")
        server.wait_for("Waiting for the next change of its files.")
        assert "part.py" in server.output
        (directory / "part.py").write_text("TEXT = 'two'\n")
        server.wait_for("Application startup complete.", 2)
        assert ask(server.port) == "two"


def test_an_application_that_cannot_start_at_first_waits_for_its_correction(directory: Path) -> None:
    (directory / "part.py").write_text("TEXT = undefined\n")
    with serving(directory, "--reload", ready=0) as server:
        ready_for_edits(server)
        server.wait_for("Waiting for the next change of its files.")
        (directory / "part.py").write_text("TEXT = 'one'\n")
        server.wait_for("Application startup complete.")
        assert ask(server.port) == "one"


def test_an_edit_during_a_slow_start_is_not_missed(directory: Path) -> None:
    with serving(directory, "--reload") as server:
        ready_for_edits(server)
        (directory / "part.py").write_text("print('slowly', flush=True)\nimport time; time.sleep(60)\nTEXT = 'two'\n")
        server.wait_for("slowly")
        (directory / "part.py").write_text("TEXT = 'three'\n")
        server.wait_for("Application startup complete.", 2)
        assert ask(server.port) == "three"


def test_the_watcher_ends_with_a_killed_master(directory: Path) -> None:
    with serving(directory, "--reload") as server:
        ready_for_edits(server)
        children = {int(pid) for pid in _children(server.pid)}
        assert len(children) == 2
        server.send(signal.SIGKILL)
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "the end of watcher and worker")


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
