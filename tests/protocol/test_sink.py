"""The seam between a cycle or a session and what carries it."""

import inspect

import pytest

from monoceros.protocol.http1 import HTTP1Connection
from monoceros.protocol.sink import ResponseSink, WebSocketSink
from tests.doubles.stage import Stage


def test_a_connection_is_a_sink_of_both_kinds(stage: Stage) -> None:
    """The type checker holds the assignments; running them holds the type checker to it."""
    connection = HTTP1Connection(stage.context)
    response: ResponseSink = connection
    session: WebSocketSink = connection
    assert response is session
    assert response.write_paused is False


@pytest.mark.parametrize("seam", [ResponseSink, WebSocketSink])
def test_a_connection_takes_what_the_seam_says(seam: type) -> None:
    names = [name for name, value in vars(seam).items() if inspect.isfunction(value) and not name.startswith("_")]
    assert names
    for name in names:
        promised = inspect.signature(getattr(seam, name))
        kept = inspect.signature(getattr(HTTP1Connection, name))
        assert list(kept.parameters) == list(promised.parameters), name
