"""The application that stands for one which can't be imported."""

import asyncio
from typing import Any

import pytest

from monoceros.workers.failing import failing_application


async def nothing() -> dict[str, Any]:
    raise AssertionError("it has nothing to receive")


def test_each_request_is_answered_with_the_error() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(_call(failing_application(SyntaxError("odd")), {"type": "http"}, send))
    start, body = sent
    assert start["status"] == 500
    assert body["body"] == b"SyntaxError: odd\n"
    assert dict(start["headers"])[b"content-length"] == b"17"


def test_it_speaks_no_lifespan() -> None:
    with pytest.raises(NotImplementedError):
        asyncio.run(_call(failing_application(SyntaxError("odd")), {"type": "lifespan"}, None))


async def _call(application: Any, scope: dict[str, Any], send: Any) -> None:
    await application(scope, nothing, send)
