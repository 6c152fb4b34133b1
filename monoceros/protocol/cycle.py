"""One HTTP request and its response: the only `receive` and `send` of ASGI's http in the code base.

Knows neither transport nor HTTP version: those are behind its `ResponseSink`. The rules it keeps: a response head is
held until its first content, so that a simple response is one write; nothing an application does wrong goes unsaid, and
nothing it raises goes unlogged.
"""

import asyncio
import logging
from enum import Enum
from typing import Any

from monoceros.asgi import Headers, Message, Scope
from monoceros.errors import beheaded
from monoceros.logs.lines import excerpt
from monoceros.protocol.context import NEVER, Context
from monoceros.protocol.messages import checked_bytes, checked_headers, checked_status, extension_note
from monoceros.protocol.outbox import LARGE
from monoceros.protocol.scope import path_label
from monoceros.protocol.sink import ResponseSink
from monoceros.wire.response import BODILESS

logger = logging.getLogger("monoceros.error")

HIGH_WATER = 65536
"""Octets of a request body held for the application before reading pauses."""

TURN = 256
"""Messages of content after which others get their turn; a large one counts for several. An application that awaits
nothing but `send` may never have to wait: its peer takes all at once, or is gone, which a transport of TLS needn't say
before the loop tells."""

FAILURE_HEADERS = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
FAILURE_BODY = b"Internal Server Error"
OVERDUE_BODY = b"Service Unavailable"


class Response(Enum):
    """How far a response is."""

    UNSTARTED = "the application hasn't sent http.response.start"
    HELD = "it has, but the head waits for the first content"
    STREAMING = "the head is written, and more content must come"
    COMPLETE = "all is written"


class Notice(Enum):
    """Why an application hears `http.disconnect` though the peer is there."""

    PEER_ENDED = "the peer will send no more; most who say so are gone, some still read"
    DRAIN = "the server stops, and an event stream wouldn't end by itself"


_UNSTARTED, _HELD, _STREAMING, _COMPLETE = Response.UNSTARTED, Response.HELD, Response.STREAMING, Response.COMPLETE


class HTTPCycle:
    """Serves one request.

    Attributes:
        response: how far its response is.
        status: the status of the response, once it was started.
        disconnected: the peer is gone.
        due: the tick by which the response must be complete.

    Arguments:
        sink: where the response goes.
        context: what all requests share.
        scope: the connection scope.
        body_ended: the request has no content, or all of it is there.
        expects_continue: the peer waits for `100 Continue`.
        content: what is there of it already.
    """

    __slots__ = (
        "_body",
        "_body_ended",
        "_body_size",
        "_context",
        "_delivered",
        "_headers",
        "_left",
        "_notice",
        "_scope",
        "_sink",
        "_turns",
        "_waiter",
        "disconnected",
        "due",
        "expects_continue",
        "response",
        "status",
        "task",
    )

    def __init__(
        self,
        sink: ResponseSink,
        context: Context,
        scope: Scope,
        body_ended: bool,
        expects_continue: bool,
        content: bytes = b"",
    ) -> None:
        self._sink = sink
        self._context = context
        self._scope = scope
        self._body: list[bytes] = [content] if content else []
        self._body_size = 0  # of what came since: reading goes on once it is taken
        self._body_ended = body_ended
        self._delivered = False
        self.due = context.request_deadline
        self._notice: Notice | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.expects_continue = expects_continue and not body_ended
        self.response = _UNSTARTED
        self.disconnected = False
        self.task: asyncio.Task[None] | None = None

    @property
    def awaits_content(self) -> bool:
        """The application waits for content of the request."""
        return self._waiter is not None and not self._body_ended

    async def run(self) -> None:
        """Call the application, and see that its response comes to an end."""
        context = self._context
        app = context.app
        try:
            result: Any = await app(self._scope, self.receive, self.send)  # type: ignore[func-returns-value]
        except BaseException as exc:  # noqa: BLE001 - whatever it raises is logged and answered
            self._application_raised(exc)
        else:
            if self.response is not _COMPLETE and not self.disconnected:
                self._application_returned_early()
            elif result is not None:
                logger.error("%s: the application returned %r; ASGI asks for None", self.describe(), result)
        finally:
            context.running.discard(self)

    # What the application calls.

    async def receive(self) -> Message:
        """Return the next `http.request`, or `http.disconnect` once there is nothing more to wait for."""
        while not (self.disconnected or self._notice or self.response is _COMPLETE):
            if self._body or (self._body_ended and not self._delivered):
                return self._take_body()
            if self.expects_continue:
                self.expects_continue = False
                if self.response is _UNSTARTED or self.response is _HELD:
                    self._sink.write_continue()
            waiter = self._waiter
            if waiter is None:
                waiter = self._waiter = self._context.loop.create_future()
            # Shielded, for two tasks of an application may wait, and one be cancelled.
            await asyncio.shield(waiter)
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take `http.response.start` or `http.response.body`.

        Raises:
            RuntimeError: the message isn't what ASGI asks for now, or can't be sent; says what the application did.
        """
        if self.disconnected:
            await asyncio.sleep(0)  # who sends without an end, and awaits nothing else, would keep all others from work
            return
        kind = message.get("type")
        response = self.response
        if response is _UNSTARTED:
            if kind != "http.response.start":
                raise RuntimeError(_unexpected(kind, response))
            status = message.get("status")
            if type(status) is not int or not 200 <= status <= 599:
                status = checked_status(status)
            headers = message.get("headers", ())
            # Copied, for it is held, and an application may use its list again.
            self._headers: Headers = headers.copy() if type(headers) is list else checked_headers(headers)
            self.status = status
            self.response = _HELD
            if self._sink.write_paused:
                await self._sink.drain()  # a peer that pipelines requests must also read the responses
            return
        if kind != "http.response.body":
            raise RuntimeError(_unexpected(kind, response))
        body = message.get("body", b"")
        if type(body) is not bytes:
            body = checked_bytes(body, "body")
        more = message.get("more_body", False)
        if response is _HELD:
            left = self._sink.write_response(self.status, self._headers, body, more)
            if not more:
                self.response = _COMPLETE
                if self._waiter is not None:
                    self._wake()
                return
            self._left = left
            self._turns = 0
            self.response = _STREAMING
        elif response is _STREAMING:
            self._stream(body, more)
        else:
            raise RuntimeError(_unexpected(kind, response))
        if not more:
            return
        if self._sink.write_paused:
            await self._sink.drain()
        self._turns += 1 if len(body) < LARGE else 4
        if self._turns >= TURN:
            self._turns = 0
            await asyncio.sleep(0)

    # What the connection and the server call.

    def body_received(self, data: bytes) -> None:
        """Content of the request came."""
        self.expects_continue = False
        self._body.append(data)
        self._body_size += len(data)
        if self._body_size > HIGH_WATER:
            self._sink.pause_reading()
        self._wake()

    def body_ended(self) -> None:
        """The content of the request is complete."""
        self.expects_continue = False
        self._body_ended = True
        self._wake()

    def disconnect(self) -> None:
        """The peer is gone, or what it sends can't be served."""
        self.disconnected = True
        self._wake()

    def half_close(self) -> None:
        """The peer will send no more, which is how most say that they are gone; yet it may still be reading."""
        if self._body_ended:
            self._notice = Notice.PEER_ENDED
            self._wake()

    def tick(self) -> None:
        """Write a head that is held: an event stream that starts and waits must open within a second."""
        if self.due <= self._context.tick:
            self._expire()
        if self.response is _HELD and not self.disconnected:
            try:
                self._left = self._sink.write_response(self.status, self._headers, b"", True)
                self._turns = 0
            except RuntimeError:
                return  # the application's next send raises it, where it belongs
            self.response = _STREAMING

    def notify_drain(self) -> None:
        """Tell an event stream that it should end; it is the one response that never ends by itself."""
        self.tick()
        if self.response is _STREAMING and _is_event_stream(self._headers):
            self._notice = Notice.DRAIN
            self._wake()

    def cut_off(self) -> None:
        """End an event stream that didn't listen."""
        if self._notice is Notice.DRAIN and self.task is not None:
            self.task.cancel("the server is stopping")

    def describe(self) -> str:
        """Return method and path, for the log."""
        return f"{self._scope['method']} {excerpt(path_label(self._scope))}"

    def _expire(self) -> None:
        """The request has taken longer than it may: answer 503, or break its response off, and end the application.

        Its peer may be gone already: then it only holds a place.
        """
        self.due = NEVER
        logger.error("%s: not served within %g s; ending it", self.describe(), self._context.request_timeout or 0)
        self._fail(503, OVERDUE_BODY)
        self.disconnect()
        if self.task is not None:
            self.task.cancel("the request has taken longer than it may")

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def _take_body(self) -> Message:
        pieces = self._body
        if len(pieces) == 1:
            body = pieces[0]
            self._body = []
        elif pieces:
            body = b"".join(pieces)
            self._body = []
        else:
            body = b""
        if self._body_size > HIGH_WATER:
            self._sink.resume_reading()
        self._body_size = 0
        self._delivered = self._body_ended
        return {"type": "http.request", "body": body, "more_body": not self._body_ended}

    def _stream(self, body: bytes, more: bool) -> None:
        left = self._left
        if self.status in BODILESS or self._scope["method"] == "HEAD":
            body = b""
        elif left is not None:
            left -= len(body)
            if left < 0:
                raise RuntimeError(f"the application sent {-left} octets of content more than it declared")
            if left and not more:
                raise RuntimeError(f"the application sent {left} octets of content less than it declared")
            self._left = left
        if not more:
            self.response = _COMPLETE
            self._wake()
        self._sink.write_body(body, more)

    def _application_raised(self, exc: BaseException) -> None:
        if isinstance(exc, asyncio.CancelledError) and (self.disconnected or self._notice):
            self._finish_notified()
            return
        if isinstance(exc, asyncio.CancelledError):
            logger.error("%s: cancelled before its response was complete", self.describe())
        else:
            logger.error("Exception in ASGI application: %s\n", self.describe(), exc_info=beheaded(exc))
        self._fail()

    def _application_returned_early(self) -> None:
        if self._notice and self.response is _STREAMING:
            self._finish_notified()
            return
        done = "starting" if self.response is _UNSTARTED else "completing"
        logger.error("%s: the application returned without %s its response", self.describe(), done)
        self._fail()

    def _finish_notified(self) -> None:
        """End a stream whose application left because it was told to: that is no failure.

        An event stream is complete wherever it ends. Anything else isn't, and a peer that still reads must see that.
        """
        drained = self._notice is Notice.DRAIN and self.response is _STREAMING
        if drained and not self.disconnected and self._left is None:
            self.response = _COMPLETE
            self._sink.write_body(b"", False)
        else:
            self._fail()

    def _fail(self, status: int = 500, body: bytes = FAILURE_BODY) -> None:
        """Answer, if nothing was written yet; otherwise let the peer see that the response broke off."""
        if self.disconnected or self.response is _COMPLETE:
            return
        written = self.response is _STREAMING
        self.response = _COMPLETE
        self._wake()
        if written:
            self._sink.break_off()
        else:
            self._sink.write_response(status, FAILURE_HEADERS, body, False)


def _unexpected(kind: object, response: Response) -> str:
    note = extension_note(kind)
    if response is _UNSTARTED:
        return f"the application sent {kind!r} first; ASGI asks for 'http.response.start'{note}"
    if response is _COMPLETE:
        return f"the application sent {kind!r} after its response was complete{note}"
    return f"the application sent {kind!r}; ASGI asks for 'http.response.body' after 'http.response.start'{note}"


def _is_event_stream(headers: Headers) -> bool:
    return any(
        bytes(name).lower() == b"content-type" and bytes(value).lower().startswith(b"text/event-stream")
        for name, value in headers
    )
