"""The exceptions of Monoceros. Each says whose fault it is and what the answer is.

    MonocerosError
    |-- UsageError            the user's: an option or a file is wrong; exit code 2
    |-- StartupError          the user's: the server can't start (port, certificate, application); exit code 3
    |-- RequestError          the peer's: carries the HTTP status to answer with; the connection closes after it
    `-- FrameError            the peer's: carries the WebSocket close code to fail the connection with

What an application does wrong is a RuntimeError, raised where it did it. A peer that is gone raises
`ClientDisconnected`, an OSError as the ASGI specification asks for.
"""

EXIT_USAGE = 2
EXIT_STARTUP = 3


class MonocerosError(Exception):
    """The root of all exceptions this package raises on purpose."""


class UsageError(MonocerosError):
    """An option has a value that can't be used. The message names the option, the value and what is accepted."""

    exit_code = EXIT_USAGE


class StartupError(MonocerosError):
    """The server can't start. The message says what failed, where, and what to change."""

    exit_code = EXIT_STARTUP


class RequestError(MonocerosError):
    """A request that must not be served (RFC 9110, section 15.5).

    Arguments:
        status: the HTTP status code of the refusal.
        reason: what is wrong, in words for the log and for the body of the refusal.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class FrameError(MonocerosError):
    """WebSocket data that fails the connection (RFC 6455, section 7.1.7).

    Arguments:
        code: the close code to send.
        reason: what is wrong, at most 123 bytes of UTF-8.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class ClientDisconnected(OSError):
    """The peer is gone: raised by a WebSocket `send` after the connection was lost or closed."""


def beheaded(exc: BaseException) -> BaseException:
    """Return an exception of the application's without the first frame of its traceback: that is our call of it."""
    traceback = exc.__traceback__
    return exc.with_traceback(traceback.tb_next if traceback is not None else None)
