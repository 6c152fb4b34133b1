"""Options that ask for a library: what is said if it isn't there."""

import asyncio
import importlib.abc
import sys
from typing import Any

import pytest

from monoceros.config import Config
from monoceros.errors import FrameError, StartupError
from monoceros.server.build import build_context, check
from monoceros.server.witness import Witness
from tests.doubles.applications import hello
from tests.doubles.websocket_client import CONTINUATION, TEXT, frame


class Missing(importlib.abc.MetaPathFinder):
    """Has Python find no module of a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == self.name:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def refused(monkeypatch: pytest.MonkeyPatch, missing: str, module: str, **options: Any) -> StartupError:
    """Return what is said of options if the module they lead to imports one that isn't there."""
    for name in [name for name in sys.modules if name in (missing, module) or name.startswith(f"{missing}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing(missing), *sys.meta_path])
    with pytest.raises(StartupError) as caught:
        check(Config(hello, log_config=None, **options))
    return caught.value


@pytest.mark.parametrize(
    ("library", "module", "options", "advice"),
    [
        ("websockets", "monoceros.wire.websockets_engine", {"ws": "auto"}, "`pip install websockets`"),
        ("wsproto", "monoceros.wire.wsproto_engine", {"ws": "wsproto"}, "`pip install 'monoceros[wsproto]'`"),
        ("h11", "monoceros.wire.h11_parser", {"http": "h11"}, "`pip install h11`"),
        ("httptools", "monoceros.wire.httptools_parser", {"http": "httptools"}, "`pip install httptools`"),
    ],
)
def test_a_library_that_is_missing_is_named_whatever_the_options_value(
    library: str, module: str, options: dict[str, str], advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((option, value),) = options.items()
    message = str(refused(monkeypatch, library, module, **options))
    assert message == f"--{option} {value} needs {library}, which isn't installed. {advice}, or choose another"


def test_an_import_that_fails_for_another_reason_is_reported_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that may not read the interpreter's own modules has no need of `pip install`."""
    error = refused(monkeypatch, "monoceros.wire.gate", "monoceros.wire.websockets_engine", ws="auto")
    assert "monoceros.wire.gate" in str(error)
    assert "pip install" not in str(error)
    assert isinstance(error.__cause__, ImportError)


@pytest.mark.parametrize("ws", ["websockets", "wsproto"])
def test_the_limits_of_a_websocket_are_those_of_the_options(ws: str) -> None:
    config = Config(hello, log_config=None, ws=ws, ws_max_size=3, ws_max_fragments=2, ws_max_queue=7)
    config.load()
    loop = asyncio.new_event_loop()
    websocket = build_context(config, hello, loop, None, Witness()).websocket
    loop.close()
    assert websocket is not None
    assert websocket.max_queue == 7
    for frames, reason in (
        (frame(TEXT, b"1234"), "the message has more than 3 bytes"),
        (frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 2, "the message has more than 2 fragments"),
    ):
        with pytest.raises(FrameError, match=reason):
            websocket.make_engine().feed(frames)
