"""What systemd is told of the service: the protocol of sd_notify(3), one datagram for each message.

Knows the socket and its words, and nothing of what the service does. The rules it keeps: telling never blocks and never
raises, for a service manager that doesn't listen is no reason to serve worse; and a word that the manager acts upon
isn't forgotten until it was sent.
"""

import contextlib
import logging
import os
import re
import socket
import time
from collections.abc import Mapping, MutableMapping
from typing import Self

logger = logging.getLogger("monoceros.error")

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_LONGEST_STATUS = 1000  # characters, at most 4000 bytes: systemd reads no datagram of more than 4096


class _Announcement:
    """A word that the manager acts upon, with a status if that is a new one, and what else belongs to it."""

    def __init__(self, word: str, status: str = "", *others: str) -> None:
        self.kind = word.partition("=")[0]
        self.word = word
        self.status = status
        self.others = others


class Notifier:
    """Speaks to the service manager, if there is one.

    It keeps one socket, so that the watchdog is fed also while the process has no descriptor left. A word that couldn't
    be sent, for the manager's queue was full, is sent again before whatever is said next, or by `retry`: the last of
    each kind, in their order.

    Arguments:
        address: of the manager's socket: an absolute path, or a name after `@` in the abstract namespace. With
            anything else the notifier does nothing.
        watchdog: microseconds after which the manager misses a sign of life; None if it waits for none.
    """

    def __init__(self, address: str = "", *, watchdog: int | None = None) -> None:
        self._address = b""
        if address.startswith("/"):
            self._address = os.fsencode(address)
        elif address.startswith("@"):
            self._address = b"\0" + os.fsencode(address[1:])
        self._watchdog = watchdog if self._address else None
        self._socket: socket.socket | None = None
        self._status = ""
        self._pending: dict[str, _Announcement] = {}
        self._complained = False
        with contextlib.suppress(OSError):  # then it is tried again with the first message
            self._open()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], pid: int) -> Self:
        """The notifier that a service manager has asked for; the variables stay, for a process executed anew.

        Arguments:
            environ: the environment variables. NOTIFY_SOCKET has the address. WATCHDOG_USEC counts if WATCHDOG_PID
                names this process, or nobody.
            pid: this process.
        """
        microseconds = environ.get("WATCHDOG_USEC", "")
        meant = environ.get("WATCHDOG_PID", "") in ("", str(pid))
        wanted = meant and microseconds.isascii() and microseconds.isdigit() and int(microseconds) > 0
        return cls(environ.get("NOTIFY_SOCKET", ""), watchdog=int(microseconds) if wanted else None)

    @property
    def watchdog_interval(self) -> float | None:
        """Seconds between two calls of `watchdog`, half of what the manager waits; None if it doesn't ask for any."""
        return None if self._watchdog is None else self._watchdog / 2 / 1_000_000

    @property
    def pending(self) -> bool:
        """A word couldn't be sent yet: `retry` is to be called now and then."""
        return bool(self._pending)

    def retry(self) -> None:
        """Send again what couldn't be sent."""
        self._send_pending()

    def ready(self, status: str = "") -> None:
        """Say that the service serves, or serves again after `reloading`. A status that is empty changes nothing."""
        self._announce(_Announcement("READY=1", status))

    def reloading(self, status: str = "") -> None:
        """Say that the service takes a new configuration; `ready` ends it. A status that is empty changes nothing."""
        # Type=notify-reload tells this reload from one before by the time, which has to be in the same datagram.
        moment = f"MONOTONIC_USEC={time.monotonic_ns() // 1000}"
        self._announce(_Announcement("RELOADING=1", status, moment))

    def stopping(self, status: str = "") -> None:
        """Say that the service begins to stop. A status that is empty changes nothing."""
        self._announce(_Announcement("STOPPING=1", status))

    def status(self, text: str) -> None:
        """Show a line in `systemctl status`; the same one again isn't sent. Control characters become blanks."""
        text = _clean(text)
        # A status that overtook a word would be overwritten by that word's own.
        if self._send_pending() is None and text != self._status and self._send(f"STATUS={text}") is None:
            self._status = text

    def main_pid(self, pid: int) -> None:
        """Say which process is the service's main one from now on."""
        self._announce(_Announcement(f"MAINPID={pid}"))

    def extend_start(self, seconds: float) -> None:
        """Ask for so many seconds from now on, for starting, reloading or stopping, before the manager gives up.

        Arguments:
            seconds: finite, at least 0.
        """
        self._send_pending()
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def watchdog(self) -> None:
        """Give a sign of life."""
        self._send_pending()
        self._send("WATCHDOG=1")

    def expect_silence(self, seconds: float) -> None:
        """Have the watchdog wait for so long, because this process can't speak meanwhile; `end_silence` ends it.

        Arguments:
            seconds: finite, more than 0.
        """
        if self._watchdog is not None:
            self._send(f"WATCHDOG_USEC={int(seconds * 1_000_000)}")

    def end_silence(self) -> None:
        """Have the watchdog wait as long as the manager wanted at first."""
        if self._watchdog is not None:
            self._send(f"WATCHDOG_USEC={self._watchdog}")

    def close(self) -> None:
        """Say nothing more."""
        self._address = b""
        self._pending.clear()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _announce(self, announcement: "_Announcement") -> None:
        """Send what the manager acts upon, after what it hasn't heard yet."""
        # Once more of the same kind: the later one counts, and comes later.
        self._pending.pop(announcement.kind, None)
        self._pending[announcement.kind] = announcement
        error = self._send_pending()
        if error is not None and not self._complained:
            self._complained = True
            logger.warning(
                "The service manager couldn't be told %s on NOTIFY_SOCKET (%s). It will be told again, and may think "
                "until then that this service hangs. See that the socket it named can be reached.",
                announcement.word,
                error.strerror or error,
            )

    def _send_pending(self) -> OSError | None:
        """Send the words that the manager hasn't heard yet, and return what kept one from being sent."""
        for kind, announcement in list(self._pending.items()):
            text = _clean(announcement.status)
            shown = [f"STATUS={text}"] if text and text != self._status else []
            error = self._send(announcement.word, *announcement.others, *shown)
            if error is not None:
                return error
            del self._pending[kind]
            self._status = text or self._status
        return None

    def _send(self, *lines: str) -> OSError | None:
        """Send one datagram, and return what kept it from being sent."""
        message = "\n".join(lines).encode("utf-8", "replace")
        try:
            speaker = self._open()
            if speaker is not None:
                speaker.sendto(message, socket.MSG_DONTWAIT, self._address)
        except OSError as error:
            return error
        return None

    def _open(self) -> socket.socket | None:
        if self._socket is None and self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            # Else MSG_DONTWAIT would wait all the same, if an application has set a default timeout.
            self._socket.setblocking(False)
        return self._socket


def strip(environ: MutableMapping[str, str]) -> None:
    """Remove the variables of a service manager, so that programs started from here don't speak for the service.

    Arguments:
        environ: changed in place.
    """
    for variable in VARIABLES:
        environ.pop(variable, None)


def _clean(text: str) -> str:
    """A status on one line: what ends the line would begin the next variable."""
    return _CONTROL.sub(" ", text)[:_LONGEST_STATUS]
