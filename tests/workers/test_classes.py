"""The names that users write after -k."""

import inspect

import pytest
import uvicorn_worker
from gunicorn.util import load_class

from monoceros import workers
from monoceros.config import Config
from monoceros.workers.base import MonocerosWorker


@pytest.mark.parametrize(
    ("name", "loop", "http"),
    [
        ("UvicornWorker", "auto", "auto"),
        ("AsyncioWorker", "asyncio", "httptools"),
        ("UvicornH11Worker", "asyncio", "h11"),
    ],
)
def test_gunicorn_finds_each_class_with_its_loop_and_parser(name: str, loop: str, http: str) -> None:
    found = load_class(f"monoceros.workers.{name}")
    assert issubclass(found, MonocerosWorker)
    config = Config(None, **found.CONFIG_KWARGS)
    assert (config.loop, config.http) == (loop, http)


def test_the_classes_of_the_incumbent_are_here_under_their_names() -> None:
    theirs = [name for name, _ in inspect.getmembers(uvicorn_worker, inspect.isclass)]
    assert [name for name in theirs if not hasattr(workers, name)] == []
