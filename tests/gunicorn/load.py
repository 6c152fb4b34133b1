"""Clients that keep asking over connections that they keep open, and count every answer that doesn't come.

They never retry: a request that was sent and not answered in full is lost, whatever the reason.
"""

import contextlib
import threading
from collections.abc import Iterator

from tests.process.asking import Client
from tests.process.serving import until


class Load:
    """Some clients, each in a thread and on a connection of its own.

    Arguments:
        port: the server's.
        clients: how many.

    Attributes:
        answers: the bodies, in the order of their arrival.
        failures: what happened to requests that weren't answered.
    """

    def __init__(self, port: int, clients: int) -> None:
        self.answers: list[str] = []
        self.failures: list[str] = []
        self._port = port
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]

    def _ask(self) -> None:
        with Client(self._port) as client:
            while not self._over.is_set():
                try:
                    self.answers.append(client.ask("/"))
                except OSError as error:
                    self.failures.append(repr(error))
                    client.close()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait_for_more(self, answers: int) -> None:
        """Wait until so many more requests were answered."""
        enough = len(self.answers) + answers
        until(lambda: len(self.answers) >= enough, f"{answers} answers more")

    def stop(self) -> None:
        """Let the requests under way be answered, and ask no more."""
        self._over.set()
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def under_load(port: int, clients: int = 8) -> Iterator[Load]:
    """Ask a server all the time; at the end, no client is at work any more."""
    load = Load(port, clients)
    load.start()
    try:
        yield load
    finally:
        load.stop()
