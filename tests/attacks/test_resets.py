"""Connections that are reset at every stage of their life: nothing of them stays, over both loops.

The collector is off while they live and die. What then waits for it is as good as held: it comes late, for our objects
are few and what they hold, as the buffers of TLS, is large.
"""

import gc
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from tests.attacks.app import app
from tests.attacks.resets import KINDS, PASSING, Kind, opened, reset
from tests.doubles.served import Served, serving, until

NUMBER = 20
OURS = "monoceros."


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def plain(loop: str) -> Iterator[Served]:
    with serving(app, loop=loop) as served:
        yield served


@pytest.fixture(scope="module")
def encrypted(loop: str, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    path: Path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
    with serving(app, loop=loop, ssl_certfile=str(path)) as served:
        yield served


@pytest.fixture
def collecting_is_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def living() -> Counter[str]:
    """Return how many objects of ours there are, by type, without those that come and go each second."""
    kinds = (type(each) for each in gc.get_objects())
    names = (str(kind.__qualname__) for kind in kinds if str(kind.__module__).startswith(OURS))
    return Counter(name for name in names if not name.endswith(PASSING))


def reset_some(served: Served, kind: Kind, trust: ssl.SSLContext) -> None:
    """Open connections, and reset them once the server has seen all of them."""
    port = served.address[1]
    state = served.server.server_state
    with ExitStack() as stack:
        for _ in range(NUMBER):
            stack.callback(reset, opened(kind, port, trust if kind.tls else None))
        if kind.tls is not None:
            until(lambda: len(state.connections) >= NUMBER, "the server has all connections")
    until(lambda: not state.connections, "the server has seen all resets")


@pytest.mark.usefixtures("collecting_is_off")
@pytest.mark.parametrize("name", KINDS)
def test_nothing_of_a_connection_stays_once_it_was_reset(
    plain: Served, encrypted: Served, trust: ssl.SSLContext, name: str
) -> None:
    kind = KINDS[name]
    served = plain if kind.tls is False else encrypted
    reset_some(served, kind, trust)
    before = living()

    def stays() -> Counter[str]:
        return living() - before

    reset_some(served, kind, trust)
    until(lambda: not stays(), f"nothing of it stays but {stays()}")
