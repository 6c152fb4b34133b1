"""A start and a stop without service."""

import asyncio
from typing import Any

import pytest

from monoceros.config import Config
from monoceros.errors import StartupError
from monoceros.server.rehearsal import rehearse

LIVED: list[str] = []


async def well(scope: Any, receive: Any, send: Any) -> None:
    """An application that starts and stops."""
    for word in ("startup", "shutdown"):
        assert (await receive())["type"] == f"lifespan.{word}"
        LIVED.append(word)
        await send({"type": f"lifespan.{word}.complete"})


async def unready(scope: Any, receive: Any, send: Any) -> None:
    """An application whose start-up fails."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


async def untidy(scope: Any, receive: Any, send: Any) -> None:
    """An application whose shutdown fails."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    raise RuntimeError("can't close")


def test_an_application_is_started_and_stopped() -> None:
    LIVED.clear()
    rehearse(Config(well, log_config=None))
    assert LIVED == ["startup", "shutdown"]
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


@pytest.mark.parametrize(("app", "why"), [(unready, "no database"), (untidy, "shutdown failed")])
def test_one_that_can_not_live_fails(app: Any, why: str) -> None:
    with pytest.raises(StartupError, match=why):
        rehearse(Config(app, log_config=None))


def test_one_that_can_not_be_imported_ends_with_the_code_of_a_failed_start() -> None:
    with pytest.raises(SystemExit) as ended:
        rehearse(Config("nowhere:app", log_config=None))
    assert ended.value.code == 3
