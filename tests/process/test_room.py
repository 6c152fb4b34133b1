"""That no depth is a dear one, neither for the application's import nor for its requests, wherever the loop is ours."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.doubles.depths import CALLS
from tests.gunicorn.running import gunicorn
from tests.process.asking import ask
from tests.process.serving import Serving, serving

APP = """
from tests.doubles.depths import worst

AT_IMPORT = worst()

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    body = b"%d %d" % (AT_IMPORT, worst())
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.mark.parametrize(
    ("start", "options"),
    [
        (serving, ()),
        (serving, ("--loop", "asyncio")),
        (serving, ("--workers", "1", "--preload")),
        (serving, ("--workers", "2")),
        (serving, ("--workers", "2", "--preload")),
        (gunicorn, ()),
    ],
)
def test_no_depth_is_a_dear_one(
    tmp_path: Path, start: Callable[..., AbstractContextManager[Serving]], options: tuple[str, ...]
) -> None:
    (tmp_path / "app.py").write_text(APP)
    with start(tmp_path, *options) as server:
        at_import, at_request = ask(server.port).split()
    assert int(at_import) < CALLS / 2
    assert int(at_request) < CALLS / 2
