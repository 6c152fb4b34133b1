"""How many requests each worker serves of those that come on many connections, which are kept."""

import contextlib
from collections import Counter
from functools import partial

from monoceros.server.collector import YOUNG_GENERATION
from tests.process.asking import Client
from tests.process.serving import until

CONNECTIONS = 64
REQUESTS = 5  # on each connection

APP = """
import gc, os

async def app(scope, receive, send):
    assert scope["type"] == "http"
    body = b"%d %d" % (os.getpid(), gc.get_threshold()[0])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
"""
"""Answers with its pid, and how rarely the collector runs."""


def requests_by_worker(port: int, *, at_once: bool) -> Counter[int]:
    """Ask on all connections, and return how many answers came from whom.

    Of two workers, one is ready before the other. And soon after its start each stands still for as long as the
    collector needs, which is long on a busy machine. Both is over before most of the connections are opened.

    Arguments:
        port: where two workers serve APP.
        at_once: open the connections without waiting for any answer; otherwise each after the answer to the one before.
    """
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(Client(port)) for _ in range(CONNECTIONS)]
        rest = iter(clients)
        first: dict[int, Client] = {}
        while len(first) < 2:
            client = next(rest)
            first.setdefault(_pid(client.ask()), client)
        for pid, client in first.items():
            until(partial(_has_settled, client), f"the collector of {pid}")
        late = list(rest)
        if at_once:
            for client in late:
                client.send("/")
            for client in late:
                client.read()
        else:
            for client in late:
                client.ask()
        return Counter(_pid(client.ask()) for _ in range(REQUESTS) for client in clients)


def _has_settled(client: Client) -> bool:
    return int(client.ask().split()[1]) == YOUNG_GENERATION


def _pid(answer: str) -> int:
    return int(answer.split()[0])
