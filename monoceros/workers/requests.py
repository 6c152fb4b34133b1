"""Requests as Gunicorn's hooks and loggers know them.

Knows Gunicorn's configuration and logger by their shape only, and of a request what a server tells. The rules it keeps:
what nobody set costs nothing, Gunicorn's own default hooks included, and what a hook doesn't read isn't made; what a
user's hook or logger raises is logged with its name, and the request goes on.
"""

import inspect
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cached_property
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


Endpoint = tuple[str, int] | str
"""Host and port, or the path of a unix socket."""


class Witnessed(Told, Protocol):
    """What a server tells, besides.

    Attributes:
        note: for our own use: the Request, from the hook before it to its end.
    """

    note: Any

    @property
    def peer(self) -> tuple[Any, ...] | None:
        """The address at the other end of the connection."""

    @property
    def ends(self) -> tuple[Endpoint, Endpoint] | None:
        """Source and destination of the connection that a PROXY header names."""

    @property
    def refused(self) -> bool:
        """Its head was refused, and no application was asked."""


class Request:
    """What hooks and loggers read of a request. A hook may keep attributes of its own on it until the request is over.

    What has to be made is made when it is first read.

    Attributes:
        method: as received.
        fragment: always "", for a client keeps it for itself.
    """

    fragment = ""

    def __init__(self, told: Witnessed) -> None:
        self._told = told
        self.method = told.method

    @cached_property
    def uri(self) -> str:
        """The target, as received."""
        return self._told.target.decode("latin-1")

    @cached_property
    def path(self) -> str:
        """That of the target, encoded; "/" at least."""
        return self._told.path.decode("latin-1")

    @cached_property
    def query(self) -> str:
        """That of the target, as received."""
        return self._told.query.decode("latin-1")

    @cached_property
    def version(self) -> tuple[int, int]:
        """(1, 1) or (1, 0)."""
        return (1, 0) if self._told.version == "1.0" else (1, 1)

    @cached_property
    def headers(self) -> list[tuple[str, str]]:
        """Pairs of a name in upper case and a value."""
        return [(name.decode("latin-1").upper(), value.decode("latin-1")) for name, value in self._told.fields]

    @cached_property
    def trailers(self) -> list[tuple[str, str]]:
        """Always empty."""
        return []

    @cached_property
    def scheme(self) -> str:
        """ "http" or "https"."""
        return self._told.scheme

    @cached_property
    def peer_addr(self) -> tuple[Any, ...] | str:
        """Address and port at the other end of the connection, "" for a unix socket."""
        return self._told.peer or ""

    @cached_property
    def remote_addr(self) -> tuple[Any, ...] | str:
        """Those of the client, as a trusted proxy names it."""
        return self._told.client or ""

    @cached_property
    def proxy_protocol_info(self) -> dict[str, Any] | None:
        """What the connection's PROXY header says; None if there was none, or it named nobody."""
        return None if self._told.ends is None else _proxy_info(*self._told.ends)


class Response:
    """What they read of a response. What has to be made is made when it is first read.

    Attributes:
        status_code: the number.
        sent: octets of content that were written; what is known not to have reached the client doesn't count.
    """

    def __init__(self, told: Told) -> None:
        self._told = told
        self.status_code = told.status
        self.sent = told.octets

    @cached_property
    def status(self) -> str:
        """Such as "200 OK"."""
        return f"{self.status_code} {_phrase(self.status_code)}"

    @cached_property
    def headers(self) -> list[tuple[str, str]]:
        """Pairs of a name and a value, as sent: the server's own are among them, and names are in lower case."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._fields]

    @cached_property
    def response_length(self) -> int | None:
        """What was declared, or None."""
        length = last_value(self._fields, b"content-length")
        return None if length is None else int(length)

    @cached_property
    def chunked(self) -> bool:
        """The content went out in chunks."""
        return last_value(self._fields, b"transfer-encoding") is not None

    @cached_property
    def headers_sent(self) -> bool:
        """There was a response."""
        return bool(self._fields)

    @cached_property
    def _fields(self) -> Sequence[tuple[bytes, bytes]]:
        return self._told.response_fields


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
        self._wants_environ = access is not None or (post_request is not None and _reads_environ(post_request))

    def began(self, told: Witnessed) -> None:
        """Call pre_request."""
        told.note = Request(told)
        if self._pre_request is not None:
            self._call("hook pre_request", self._pre_request, told, self._worker, told.note)

    def ended(self, told: Witnessed) -> None:
        """Count or log the access, and call post_request for what an application may have been asked."""
        request, told.note = told.note, None  # each refers to the other, which would leave both to the collector
        if self._count is not None:
            self._call("logger's counting", self._count, told, told.status, told.seconds)
        post_request = None if told.refused else self._post_request
        if self._access is None and post_request is None:
            return
        environ = self._environ(told) if self._wants_environ else {}
        request, response = request or Request(told), Response(told)
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

    def _environ(self, told: Witnessed) -> dict[str, Any]:
        """What Gunicorn's own workers give, but for what only a WSGI application reads."""
        environ = {
            "wsgi.version": (1, 0),
            "wsgi.multithread": False,
            "wsgi.multiprocess": self._worker.cfg.workers > 1,
            "wsgi.run_once": False,
            **environ_of(told),
        }
        if told.ends is not None:
            info = _proxy_info(*told.ends)
            environ["PROXY_PROTOCOL"] = info["proxy_protocol"]
            environ["PROXY_ADDR"] = info["proxy_addr"]
            environ["PROXY_PORT"] = str(info["proxy_port"])
        return environ

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
        ended=None if pre_request is post_request is access is count is None else reporter.ended,
        relay=reporter.relay if relays else None,
        access_logger=getattr(log, "access_log", None),
    )


def _proxy_info(source: Endpoint, destination: Endpoint) -> dict[str, Any]:
    """A PROXY header as Gunicorn shows it, which knows no unix sockets in one."""
    client_addr, client_port = (source, None) if isinstance(source, str) else source
    proxy_addr, proxy_port = (destination, None) if isinstance(destination, str) else destination
    kind = "UNIX" if client_port is None else "TCP6" if ":" in client_addr else "TCP4"
    return {
        "proxy_protocol": kind,
        "client_addr": client_addr,
        "client_port": client_port,
        "proxy_addr": proxy_addr,
        "proxy_port": proxy_port,
    }


def _reads_environ(post_request: Callable[..., object]) -> bool:
    """Tell whether a hook is given the environ: Gunicorn wraps one of two arguments by one that drops the others."""
    if post_request.__module__ != "gunicorn.config":
        return True
    return not list(inspect.signature(post_request).parameters)[2].startswith("_")


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
