"""Requests as Gunicorn's hooks and loggers know them.

Knows Gunicorn's configuration and logger by their shape only, and of a request what a server tells. The rules it keeps:
what nobody set costs nothing, Gunicorn's own default hooks included; what a user's hook or logger raises is logged with
its name, and the request goes on.
"""

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Protocol

from monoceros.errors import beheaded
from monoceros.logs.atoms import JSON, cuts, texts_of
from monoceros.logs.lines import escape
from monoceros.logs.told import Told, environ_of, last_value
from monoceros.server.witness import Witness
from monoceros.workers.logs import counter_of, logs_plainly

# What HTTPStatus doesn't have: see the status of a request whose client left.
_PHRASES = {499: "Client Closed Request"}


class Witnessed(Told, Protocol):
    """What a server tells, besides.

    Attributes:
        note: for our own use: the Request, once a hook was given it.
    """

    note: Any

    @property
    def peer(self) -> tuple[Any, ...] | None:
        """The address at the other end of the connection."""

    @property
    def refused(self) -> bool:
        """Its head was refused, and no application was asked."""


class Request:
    """What hooks and loggers read of a request. A hook may keep attributes of its own on it until the request is over.

    Attributes:
        method, uri, path, query, fragment: as received; the path is encoded, and "/" at least.
        version: (1, 1) or (1, 0).
        headers: pairs of a name in upper case and a value.
        trailers: always empty.
        scheme: "http" or "https".
        peer_addr: address and port at the other end of the connection, "" for a unix socket.
        remote_addr: those of the client, as a trusted proxy names it.
        proxy_protocol_info: None.
    """

    def __init__(self, told: Witnessed) -> None:
        self.method = told.method
        self.uri = told.target.decode("latin-1")
        self.path = told.path.decode("latin-1")
        self.query = told.query.decode("latin-1")
        self.fragment = ""
        self.version = (1, 0) if told.version == "1.0" else (1, 1)
        self.headers = [(name.decode("latin-1").upper(), value.decode("latin-1")) for name, value in told.fields]
        self.trailers: list[tuple[str, str]] = []
        self.scheme = told.scheme
        self.peer_addr = told.peer or ""
        self.remote_addr = told.client or ""
        self.proxy_protocol_info = None


class Response:
    """What they read of a response.

    Attributes:
        status: such as "200 OK".
        status_code: the number.
        headers: pairs of a name and a value, as sent: the server's own are among them, and names are in lower case.
        sent: octets of content that were written.
        response_length: what was declared, or None.
        chunked: the content went out in chunks.
        headers_sent: there was a response.
    """

    def __init__(self, told: Told) -> None:
        self.status_code = told.status
        self.status = f"{told.status} {_phrase(told.status)}"
        fields = told.response_fields
        self.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]
        self.sent = told.octets
        length = last_value(fields, b"content-length")
        self.response_length = None if length is None else int(length)
        self.chunked = last_value(fields, b"transfer-encoding") is not None
        self.headers_sent = bool(fields)


class Reporter:
    """Calls a user's hooks and logger.

    Arguments:
        worker: handed to hooks; its `log` is told what they raise.
        pre_request, post_request: the hooks, or None if they aren't set.
        access: `access` of a logger that does more than Gunicorn's own, or None.
        count: given the status and the seconds of each request, or None.
    """

    def __init__(
        self,
        worker: Any,
        pre_request: Callable[..., object] | None = None,
        post_request: Callable[..., object] | None = None,
        access: Callable[..., object] | None = None,
        count: Callable[[int, float], object] | None = None,
    ) -> None:
        self._worker = worker
        self._pre_request = pre_request
        self._post_request = post_request
        self._access = access
        self._count = count

    def began(self, told: Witnessed) -> None:
        """Call pre_request."""
        told.note = Request(told)
        if self._pre_request is not None:
            self._call("hook pre_request", self._pre_request, told, self._worker, told.note)

    def ended(self, told: Witnessed) -> None:
        """Count or log the access, and call post_request for what an application may have been asked."""
        if self._count is not None:
            self._call("logger's counting", self._count, told, told.status, told.seconds)
        post_request = None if told.refused else self._post_request
        if self._access is None and post_request is None:
            return
        request, environ, response = told.note or Request(told), self._environ(told), Response(told)
        if self._access is not None:
            duration = timedelta(seconds=told.seconds)
            self._call("logger's access()", self._access, told, response, request, environ, duration)
        if post_request is not None:
            self._call("hook post_request", post_request, told, self._worker, request, environ, response)

    def relay(self, told: Told) -> None:
        """Log an access as Gunicorn's own logger does, so that its records are what they always were.

        That logger escapes quotes and nothing else, so all else is escaped before. Texts that it would make otherwise
        than ours are replaced by ours: those of a refused head, or of a peer without an address.
        """
        log = self._worker.log
        environ = {name: _escaped(value) for name, value in environ_of(told).items()}
        environ.pop("HTTP_AUTHORIZATION", None)  # the name in it would be decoded after this
        response = Response(told)
        response.headers = [(name, _escaped(value)) for name, value in response.headers]
        # It takes the fields of a request in place of one.
        fields = [(name.decode("latin-1"), _escaped(value.decode("latin-1"))) for name, value in told.fields]
        atoms = log.atoms(response, fields, environ, timedelta(seconds=told.seconds))
        atoms |= {name: _escaped(value) for name, value in texts_of(told).items()}
        log.access_log.info(log.cfg.access_log_format, log.atoms_wrapper_class(atoms))

    def _environ(self, told: Told) -> dict[str, Any]:
        several = self._worker.cfg.workers > 1
        return {
            "wsgi.version": (1, 0),
            "wsgi.multithread": False,
            "wsgi.multiprocess": several,
            "wsgi.run_once": False,
            **environ_of(told),
        }

    def _call(self, name: str, function: Callable[..., object], told: Told, *args: object) -> None:
        try:
            function(*args)
        except Exception as exc:  # it is the user's code
            line = escape(told.request_line.decode("latin-1"))
            self._worker.log.exception('The %s raised, and "%s" goes on', name, line, exc_info=beheaded(exc))


def witness_of(worker: Any) -> Witness:
    """Return what a worker wants to know of its requests.

    Arguments:
        worker: has Gunicorn's `cfg` and `log`, and our `config`.
    """
    log, cfg, text = worker.log, worker.cfg, worker.config.access_log_format
    plain = logs_plainly(log)
    pre_request, post_request = _given(cfg, "pre_request"), _given(cfg, "post_request")
    access = None if plain else log.access
    count = counter_of(log)
    reporter = Reporter(worker, pre_request, post_request, access, count)
    # A record of Gunicorn's shows Gunicorn's format, whatever ours is, and cuts what is escaped.
    relays = plain and hasattr(log, "access") and text == cfg.access_log_format and text != JSON and not cuts(text)
    return Witness(
        began=reporter.began if pre_request is not None else None,
        ended=None if access is post_request is count is None else reporter.ended,
        relay=reporter.relay if relays else None,
        access_logger=getattr(log, "access_log", None),
    )


def _given(cfg: Any, name: str) -> Callable[..., object] | None:
    """A hook that isn't Gunicorn's default one."""
    setting = cfg.settings[name]
    found: Callable[..., object] | None = setting.get()
    return None if found == type(setting)().get() else found


def _escaped(text: str) -> str:
    """Text as our own lines show it, but for its quotes: a backslash before one must not undo the escape of it."""
    return escape(text.replace("\\", "\\\\"))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return _PHRASES.get(status, "Unknown")
