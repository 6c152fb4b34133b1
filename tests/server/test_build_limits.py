"""How many connections a server holds: what the options say, and what the limit on open files leaves."""

import asyncio
import logging
from typing import Any

import pytest

from monoceros.config import Config
from monoceros.protocol.context import Context
from monoceros.server import build
from monoceros.server.build import build_acceptor, build_context
from monoceros.server.foreign import ServerState
from monoceros.server.witness import Witness
from tests.doubles.applications import hello


def built(monkeypatch: pytest.MonkeyPatch, affordable: int | None, **options: Any) -> tuple[Any, Context]:
    """Return acceptor and context of a server with some options."""
    monkeypatch.setattr(build, "affordable_connections", lambda: affordable)
    config = Config(hello, log_config=None, **options)
    config.load()
    loop = asyncio.new_event_loop()
    try:
        context = build_context(config, hello, loop, None, Witness())
        return build_acceptor(config, context, ServerState(), [], lambda: None, None), context  # type: ignore[arg-type, return-value]
    finally:
        loop.close()


@pytest.mark.parametrize(
    ("affordable", "wanted", "held"), [(940, None, 940), (940, 100, 100), (940, 2000, 940), (None, None, None)]
)
def test_the_lesser_of_what_is_wanted_and_what_can_be_had_counts(
    monkeypatch: pytest.MonkeyPatch, affordable: int | None, wanted: int | None, held: int | None
) -> None:
    acceptor, _ = built(monkeypatch, affordable, limit_connections=wanted)
    assert acceptor.limit == held


def test_what_cannot_be_had_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "monoceros.error"):
        built(monkeypatch, 940, limit_connections=2000)
    assert [record.message for record in caplog.records] == [
        "--limit-connections 2000: the limit on open files leaves room for 940 only; raise it (ulimit -n, LimitNOFILE=)"
    ]


def test_the_times_of_slow_clients_are_those_of_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    _, context = built(monkeypatch, None, timeout_request_body=7, timeout_write=8, timeout_request=9)
    assert (context.body_timeout, context.write_timeout, context.request_timeout) == (7, 8, 9)
    _, context = built(monkeypatch, None, timeout_request_body=0, timeout_write=0, timeout_request=0)
    assert (context.body_timeout, context.write_timeout, context.request_timeout) == (float("inf"), float("inf"), None)
