"""The signs of life of a worker that starts: a thread, because the import of an application blocks everything else.

Knows a function that beats, and nothing of Gunicorn or of the server. The rule it keeps: it ends when the event loop
takes over. A thread that went on would keep a blocked loop alive.
"""

import threading
import time
from collections.abc import Callable


class StartupHeartbeat:
    """Beats from `start` to `stop`.

    Arguments:
        beat: called at the beginning and then at each interval, from the thread.
        interval: seconds.
        patience: seconds after which a start that isn't over is given up, so that the arbiter ends it; 0 for never.
    """

    def __init__(self, beat: Callable[[], None], *, interval: float, patience: float) -> None:
        self._beat = beat
        self._interval = interval
        self._patience = patience
        self._over = threading.Event()

    def start(self) -> None:
        """Begin. Only after the fork: a thread doesn't survive one."""
        threading.Thread(target=self._run, name="monoceros-starting", daemon=True).start()

    def stop(self) -> None:
        """The event loop beats from now on."""
        self._over.set()

    def _run(self) -> None:
        begun = time.monotonic()
        while not (self._patience and time.monotonic() - begun > self._patience):
            try:
                self._beat()
            except (OSError, ValueError):
                return  # the process is ending, and the file of its beats is closed
            if self._over.wait(self._interval):
                return
