"""Choosing an event loop by name."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from monoceros.errors import StartupError, UsageError
from monoceros.resources.loops import loop_factory

uvloop = pytest.importorskip("uvloop")


def kind_of_loop(name: str) -> type:
    factory = loop_factory(name)
    assert factory is not None
    loop = factory()
    loop.close()
    return type(loop)


@pytest.mark.parametrize("name", ["auto", "uvloop"])
def test_uvloop_is_used_where_it_is_installed(name: str) -> None:
    assert kind_of_loop(name) is uvloop.Loop


def test_asyncio_is_used_when_asked_for() -> None:
    assert issubclass(kind_of_loop("asyncio"), asyncio.SelectorEventLoop)


def test_auto_is_asyncio_without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert issubclass(kind_of_loop("auto"), asyncio.SelectorEventLoop)


def test_uvloop_is_named_when_it_is_asked_for_and_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with pytest.raises(StartupError, match="pip install uvloop"):
        loop_factory("uvloop")


def test_none_leaves_the_choice_to_asyncio() -> None:
    assert loop_factory("none") is None


def test_a_factory_may_be_given_by_reference() -> None:
    assert kind_of_loop("asyncio:SelectorEventLoop") is asyncio.SelectorEventLoop


def test_an_unknown_name_is_answered_with_those_that_exist() -> None:
    with pytest.raises(UsageError, match="'uvlop'.*auto, asyncio, uvloop, none, or 'module:factory'"):
        loop_factory("uvlop")


def test_a_reference_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(StartupError, match=r"--loop sys:path isn't callable.*list"):
        loop_factory("sys:path")


def test_a_reference_that_cannot_be_imported_is_refused() -> None:
    with pytest.raises(StartupError, match="^--loop no_such_module:factory: Module 'no_such_module' can't be found"):
        loop_factory("no_such_module:factory")


def test_a_factory_that_makes_something_else_is_refused_when_it_did() -> None:
    factory = loop_factory("builtins:dict")
    assert factory is not None
    with pytest.raises(StartupError, match="--loop builtins:dict returned no event loop"):
        factory()


@pytest.mark.parametrize("module", ["loops", "loading", "listeners"])
def test_a_master_that_imports_the_module_loads_no_event_loop(module: str) -> None:
    root = Path(__file__).parents[2]
    source = f"import sys, monoceros.resources.{module}; print('asyncio' in sys.modules, 'uvloop' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", source], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
