"""Applications of five frameworks, run in every way: they answer as they should, and as under the incumbent."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.frameworks.questions import QUESTIONS, Conversing, Question
from tests.frameworks.ways import INCUMBENT, WAYS, all_ways, port_of
from tests.process.serving import Serving


@dataclass(frozen=True)
class Framework:
    """One application.

    Arguments:
        name: its module's.
        lacks: the questions it isn't asked.
    """

    name: str
    lacks: frozenset[str] = frozenset()


FRAMEWORKS = (
    # Their file uploads need a library more.
    Framework("fastapi", frozenset({"upload"})),
    Framework("starlette", frozenset({"upload"})),
    # It speaks neither lifespan nor WebSocket.
    Framework("django", frozenset({"state", "websocket"})),
    Framework("litestar"),
    Framework("quart"),
)

CASES = [
    pytest.param(framework.name, way, question, id=f"{framework.name}-{way}-{question.name}")
    for framework in FRAMEWORKS
    for way in WAYS
    for question in QUESTIONS
    if question.name not in framework.lacks
]


class Servers:
    """The servers of one framework at a time, for all of them at once would not fit a small machine."""

    def __init__(self) -> None:
        self._framework = ""
        self._ways: dict[str, Serving] = {}
        self._running = contextlib.ExitStack()

    def port(self, framework: str, way: str) -> int:
        """Return where a framework's application answers."""
        if framework != self._framework:
            self.end()
            self._ways = self._running.enter_context(all_ways(f"tests.frameworks.apps.{framework}_app:app"))
            self._framework = framework
        return port_of(self._ways[way])

    def end(self) -> None:
        self._framework = ""
        self._running.close()


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    running = Servers()
    yield running
    running.end()


@pytest.mark.parametrize(("framework", "way", "question"), CASES)
def test_an_application_answers_as_under_the_incumbent(
    servers: Servers, framework: str, way: str, question: Question | Conversing
) -> None:
    answer = question.ask(servers.port(framework, way))
    question.check(answer)
    assert answer == question.ask(servers.port(framework, INCUMBENT))
