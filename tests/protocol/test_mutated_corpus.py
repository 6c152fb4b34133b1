"""The requests of the corpus, spoilt and cut up, on a whole connection.

The invariant: nothing but a response or a close comes of any bytes. No exception leaves the connection or its loop;
once the peer is gone no task is left, no future pends, no timer runs, and the server knows of nothing any more.
"""

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monoceros.asgi import Application, Receive, Scope, Send
from tests.doubles.applications import PLAIN, echo, hello
from tests.doubles.stage import GET, PARSERS, Peer, Stage

CORPUS = Path(__file__).parents[1] / "corpus" / "http1"
REQUESTS = [path.read_bytes() for path in sorted(CORPUS.rglob("*.http")) if path.stat().st_size < 4096]
SPICE = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b'"',
    b"#",
    b"\x7f",
    b"\xff",
    b"-",
    b"_",
    b"0",
    b"F",
]


async def trickle(scope: Scope, receive: Receive, send: Send) -> None:
    """Begin to answer at once, take the body as it comes, and end when the peer does."""
    await send({"type": "http.response.start", "status": 200, "headers": PLAIN})
    while (message := await receive())["type"] == "http.request":
        await send({"type": "http.response.body", "body": message["body"], "more_body": message["more_body"]})
        if not message["more_body"]:
            return


async def give_up(scope: Scope, receive: Receive, send: Send) -> None:
    """Look at the body, and raise."""
    await receive()
    raise LookupError("the application gives up")


APPLICATIONS: list[Application] = [hello, echo, trickle, give_up]

changes = st.tuples(
    st.sampled_from(["insert", "delete", "replace", "repeat", "truncate"]), st.floats(0, 1), st.sampled_from(SPICE)
)


def spoilt(data: bytes, edits: list[tuple[str, float, bytes]]) -> bytes:
    for kind, place, octets in edits:
        at = int(place * len(data))
        match kind:
            case "insert":
                data = data[:at] + octets + data[at:]
            case "delete":
                data = data[:at] + data[at + 1 :]
            case "replace":
                data = data[:at] + octets + data[at + 1 :]
            case "repeat":
                data = data[:at] + data[at : at + 20] + data[at:]
            case "truncate":
                data = data[:at]
    return data


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """What a peer sends: a few requests of the corpus, spoilt, in pieces."""
    requests = draw(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=3))
    data = spoilt(b"".join(requests), draw(st.lists(changes, max_size=4)))
    cuts = sorted(int(place * len(data)) for place in draw(st.lists(st.floats(0, 1), max_size=5)))
    bounds = [0, *cuts, len(data)]
    return [data[start:end] for start, end in itertools.pairwise(bounds) if start < end]


def act(peer: Peer, stage: Stage, pieces: list[bytes], between: str, end: str) -> None:
    for piece in pieces:
        peer.send(piece)
        if between == "a second passes":
            stage.tick()
    match end:
        case "a last request":
            peer.send(GET)
        case "the end of what it sends":
            peer.end()
        case "silence":
            stage.tick(70)
    if not peer.transport.gone:
        peer.vanish()


@pytest.mark.parametrize("parser", PARSERS)
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    pieces=streams(),
    app=st.sampled_from(APPLICATIONS),
    tls=st.booleans(),
    body=st.sampled_from([None, 4]),
    between=st.sampled_from(["nothing", "a second passes"]),
    end=st.sampled_from(["a reset", "a last request", "the end of what it sends", "silence"]),
)
def test_any_bytes_give_responses_or_a_close_and_leave_nothing_behind(
    parser: str, pieces: list[bytes], app: Application, tls: bool, body: int | None, between: str, end: str
) -> None:
    """RFC 9112, section 2.2."""
    stage = Stage(parser, app=app)
    stage.context.limits = stage.context.limits._replace(body=body)
    futures: list[asyncio.Future[Any]] = []
    create_future = stage.loop.create_future

    def recorded() -> asyncio.Future[Any]:
        futures.append(create_future())
        return futures[-1]

    stage.loop.create_future = recorded  # type: ignore[method-assign]
    peer = stage.connect(tls=tls)
    act(peer, stage, pieces, between, end)
    written = b"".join(peer.transport.writes)
    assert written == b"" or written.startswith(b"HTTP/1.1 ")
    assert not asyncio.all_tasks(stage.loop)
    assert all(future.done() for future in futures)
    assert not stage.loop.timers
    assert not stage.context.connections
    assert not stage.context.running
    stage.close()
