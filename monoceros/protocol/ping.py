"""WebSocket keep-alive: pings sent at an interval, and the pong each must get (RFC 6455, sections 5.5.2 and 5.5.3).

The one timer beside the server's tick: an interval may be a fraction of a second.
"""

import asyncio
import random
from collections.abc import Callable


class PingTimer:
    """Sends pings until it is stopped.

    Arguments:
        loop: the event loop.
        interval: seconds from the handshake or a pong to the next ping; None or 0 for no pings.
        timeout: seconds to wait for the pong; None not to wait.
        send: sends a ping with a payload.
        missed: called when a pong didn't come in time.
    """

    __slots__ = ("_interval", "_loop", "_missed", "_payload", "_send", "_timeout", "_timer")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        interval: float | None,
        timeout: float | None,
        send: Callable[[bytes], None],
        missed: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._interval = interval
        self._timeout = timeout
        self._send = send
        self._missed = missed
        self._payload = b""
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Send the next ping an interval from now."""
        if self._interval:
            self._timer = self._loop.call_later(self._interval, self._due)

    def stop(self) -> None:
        """Send no more pings and wait for no pong."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._payload = b""

    def end(self) -> None:
        """Stop for good, and forget whom to tell."""
        self.stop()
        self._send, self._missed = _ignore, _do_nothing

    def restart(self) -> None:
        """Wait for no pong, and send the next ping an interval from now."""
        self.stop()
        self.start()

    def pong_received(self, payload: bytes) -> None:
        """Take a pong; one that doesn't answer the last ping counts for nothing."""
        if self._payload and payload == self._payload:
            self._payload = b""
            if self._timeout is not None:
                self.restart()

    def _due(self) -> None:
        self._payload = random.randbytes(4)
        self._send(self._payload)
        if self._timeout is None:
            self.start()
        else:
            self._timer = self._loop.call_later(self._timeout, self._missed)


def _ignore(payload: bytes) -> None:
    pass


def _do_nothing() -> None:
    pass
