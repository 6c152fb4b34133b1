"""Requests as Gunicorn's hooks and loggers know them."""

import logging
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gunicorn.config import Config as GunicornConfig
from gunicorn.glogging import Logger
from gunicorn.instrument.statsd import Statsd

from monoceros.logs.atoms import compile_format
from monoceros.logs.told import environ_of
from monoceros.server.witness import Witness
from monoceros.workers.requests import Endpoint, Reporter, Request, Response, witness_of
from tests.doubles.told import FakeTold, unknown


class Told(FakeTold):
    """What a server tells, with what is ours besides."""

    note: Any = None
    peer = ("10.0.0.1", 4000)
    ends: tuple[Endpoint, Endpoint] | None = None
    refused = False


class Log:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, object]] = []
        self.accesses: list[tuple[Any, ...]] = []

    def exception(self, message: str, *args: object, exc_info: BaseException) -> None:
        self.said.append((message % args, exc_info))

    def access(self, *args: object) -> None:
        self.accesses.append(args)


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Gunicorn's loggers are left as they were."""
    found = [logging.getLogger(name) for name in ("gunicorn.error", "gunicorn.access")]
    kept = [(logger.handlers, logger.level, logger.propagate) for logger in found]
    yield
    for logger, (handlers, level, propagate) in zip(found, kept, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def worker(log: object = None, text: str | None = None, **settings: Any) -> Any:
    cfg = GunicornConfig()
    for name, value in settings.items():
        cfg.set(name, value)
    text = cfg.access_log_format if text is None else text
    return SimpleNamespace(cfg=cfg, log=log or Log(), config=SimpleNamespace(access_log_format=text))


def parts_of(what: object) -> dict[str, object]:
    """All there is to read of it."""
    return {name: getattr(what, name) for name in dir(what) if not name.startswith("_")}


def test_a_request_has_what_hooks_read() -> None:
    request = Request(Told(fields=[(b"host", b"a"), (b"x-y", b"\xff")]))
    assert parts_of(request) == {
        "method": "GET",
        "uri": "/items/a%20b?q=1",
        "path": "/items/a%20b",
        "query": "q=1",
        "fragment": "",
        "version": (1, 1),
        "headers": [("HOST", "a"), ("X-Y", "\xff")],
        "trailers": [],
        "scheme": "https",
        "peer_addr": ("10.0.0.1", 4000),
        "remote_addr": ("127.0.0.1", 5000),
        "proxy_protocol_info": None,
    }
    assert Request(Told(version="1.0", client=None)).version == (1, 0)
    assert Request(Told(client=None)).remote_addr == ""


def test_a_response_has_what_loggers_read() -> None:
    assert parts_of(Response(Told(response_fields=[(b"content-length", b"13")]))) == {
        "status": "200 OK",
        "status_code": 200,
        "headers": [("content-length", "13")],
        "sent": 13,
        "response_length": 13,
        "chunked": False,
        "headers_sent": True,
    }
    streamed = Response(Told(status=599, response_fields=[(b"transfer-encoding", b"chunked")]))
    assert (streamed.status, streamed.response_length, streamed.chunked) == ("599 Unknown", None, True)
    unanswered = Response(Told(status=499, response_fields=[]))
    assert (unanswered.status, unanswered.headers_sent) == ("499 Client Closed Request", False)


def told_to(hook: Callable[..., object]) -> Told:
    """What a server told, after a post_request hook was called."""
    witness, told = witness_of(worker(SimpleNamespace(), post_request=hook)), Told()
    assert witness.ended is not None
    witness.ended(cast("Any", told))
    return told


def test_what_a_hook_does_not_read_is_not_made() -> None:
    at_hand = {"method": 1, "status": 1, "octets": 1}
    assert told_to(lambda worker, req: None).asked == at_hand
    assert told_to(lambda worker, req: (req.path, req.path)).asked == at_hand | {"path": 1}


def test_an_environ_is_made_for_a_hook_that_takes_it() -> None:
    """Gunicorn gives none to a hook of two arguments."""
    assert told_to(lambda worker, req, environ: None).asked["fields"] == 1
    assert told_to(lambda worker, req, environ, resp: environ["HTTP_HOST"]).asked["fields"] == 1


def test_what_a_hook_changes_it_finds_changed() -> None:
    request = Request(Told())
    request.headers.append(("X-OWN", "kept"))
    request.path = "/rewritten"
    assert (request.headers[-1], request.path) == (("X-OWN", "kept"), "/rewritten")


ENDS: dict[str, tuple[Endpoint, Endpoint]] = {
    "TCP4": (("203.0.113.7", 4000), ("198.51.100.1", 443)),
    "TCP6": (("2001:db8::7", 4000), ("2001:db8::1", 443)),
    "UNIX": ("/run/client", "/run/server"),
}


@pytest.mark.parametrize("kind", ENDS)
def test_what_a_proxy_header_says_is_there_as_gunicorn_shows_it(kind: str) -> None:
    given: list[tuple[Any, ...]] = []
    told = Told()
    told.ends = ENDS[kind]
    Reporter(worker(), None, lambda *args: given.append(args)).ended(told)
    ((_, request, environ, _),) = given
    addresses = [(end, None) if isinstance(end, str) else end for end in told.ends]
    assert request.proxy_protocol_info == {
        "proxy_protocol": kind,
        "client_addr": addresses[0][0],
        "client_port": addresses[0][1],
        "proxy_addr": addresses[1][0],
        "proxy_port": addresses[1][1],
    }
    shown = [environ[name] for name in ("PROXY_PROTOCOL", "PROXY_ADDR", "PROXY_PORT")]
    assert shown == [kind, addresses[1][0], str(addresses[1][1])]


def test_hooks_and_logger_are_given_the_same_request() -> None:
    given: list[tuple[Any, ...]] = []
    pre_request: Callable[..., object] = lambda worker, request: given.append((worker, request))  # noqa: E731
    post_request: Callable[..., object] = lambda *args: given.append(args)  # noqa: E731
    who = worker()
    reporter, told = Reporter(who, pre_request, post_request, who.log.access), Told()
    reporter.began(told)
    reporter.ended(told)
    ((_, request), (_, again, environ, response)) = given
    assert request is again
    assert told.note is None
    ((logged, same, that, duration),) = who.log.accesses
    assert (logged, same, that) == (response, request, environ)
    assert duration == timedelta(seconds=1.234567)
    assert (environ["PATH_INFO"], environ["HTTP_HOST"]) == ("/items/a b", "a.example")
    assert (environ["wsgi.url_scheme"], environ["wsgi.multiprocess"]) == ("https", False)


@pytest.mark.parametrize("arity", [2, 3, 4])
def test_a_post_request_of_each_arity_is_called_as_gunicorn_calls_it(arity: int) -> None:
    given: list[tuple[Any, ...]] = []
    hooks: dict[int, Callable[..., object]] = {
        2: lambda worker, req: given.append((worker, req)),
        3: lambda worker, req, environ: given.append((worker, req, environ)),
        4: lambda worker, req, environ, resp: given.append((worker, req, environ, resp)),
    }
    who = worker(post_request=hooks[arity])
    witness = witness_of(who)
    assert witness.began is None
    assert witness.ended is not None
    witness.ended(cast("Any", Told()))
    kinds = [SimpleNamespace, Request, dict, Response][:arity]
    assert [type(each) for each in given[0]] == kinds


@pytest.mark.parametrize("name", ["pre_request", "post_request"])
def test_a_hook_that_raises_is_logged_with_its_name_and_its_own_traceback(name: str) -> None:
    def broken(*args: object) -> None:
        raise ValueError("broken")

    who = worker()
    reporter = Reporter(who, **{name: broken})
    told = Told(request_line=b"GET /\x1b HTTP/1.1")
    reporter.began(told)
    reporter.ended(told)
    ((message, exc),) = who.log.said
    assert message == f'The hook {name} raised, and "GET /\\x1b HTTP/1.1" goes on'
    assert isinstance(exc, ValueError)
    assert exc.__traceback__ is not None
    assert exc.__traceback__.tb_frame.f_code is broken.__code__


def test_a_logger_that_raises_does_not_keep_the_hook_from_its_request() -> None:
    def broken(*args: object) -> None:
        raise ValueError("broken")

    given: list[tuple[Any, ...]] = []
    who = worker()
    Reporter(who, None, lambda *args: given.append(args), broken).ended(Told())
    assert [message for message, _ in who.log.said] == [
        'The logger\'s access() raised, and "GET /items/a%20b?q=1 HTTP/1.1" goes on'
    ]
    assert len(given) == 1


def test_a_refused_head_is_logged_but_no_request_for_a_hook() -> None:
    given: list[tuple[Any, ...]] = []
    who, told = worker(), Told()
    told.refused = True
    Reporter(who, None, lambda *args: given.append(args), who.log.access).ended(told)
    assert given == []
    assert len(who.log.accesses) == 1


class OwnAccess(Logger):  # type: ignore[misc]
    def access(self, *args: object) -> None:
        """Whatever a user does here."""


class OwnAtoms(Logger):  # type: ignore[misc]
    def atoms(self, *args: object) -> dict[str, object]:
        """Whatever a user does here."""
        return {}


class OtherErrors(Logger):  # type: ignore[misc]
    def error(self, *args: object, **kwargs: object) -> None:
        """No concern of the access log's."""


def told_parts(witness: Witness) -> set[str]:
    return {name for name in ("began", "ended", "relay") if getattr(witness, name) is not None}


def test_gunicorns_own_logger_and_default_hooks_want_to_know_nothing() -> None:
    """Only lines that aren't fast go through it."""
    who = worker(Logger(GunicornConfig()))
    assert told_parts(witness_of(who)) == {"relay"}
    assert witness_of(who).access_logger is logging.getLogger("gunicorn.access")
    assert told_parts(witness_of(worker(OtherErrors(GunicornConfig())))) == {"relay"}


class OwnCounts(Statsd):  # type: ignore[misc]
    """Keeps its metrics; its base's `access` makes them."""

    def __init__(self) -> None:
        Logger.__init__(self, GunicornConfig())  # not its own, which opens a socket
        self.sent: list[str] = []
        self.prefix = "shop."

    def _sock_send(self, msg: str) -> None:
        self.sent.append(msg)


class OwnAccessAndCounts(OwnCounts):
    def access(self, *args: object) -> None:
        """Whatever a user does here, counting included."""


@pytest.mark.parametrize("kind", [OwnAccess, OwnAtoms, OwnAccessAndCounts])
def test_a_logger_with_a_hand_in_accesses_is_told_of_each(kind: Any) -> None:
    log = kind.__new__(kind)  # one that is made opens sockets
    assert told_parts(witness_of(worker(log))) == {"ended"}


@pytest.mark.parametrize("text", [None, "json", "%(h)s"], ids=["Gunicorn's format", "json", "ours"])
def test_a_statsd_logger_counts_what_is_logged_here(text: str | None) -> None:
    """Its lines are made as any other logger's; its metrics are those that its own `access` sends."""
    log = OwnCounts()
    witness = witness_of(worker(log, text))
    assert told_parts(witness) == ({"ended", "relay"} if text is None else {"ended"})
    assert witness.ended is not None
    witness.ended(cast("Any", Told(seconds=1.5, status=404)))
    counted, log.sent = log.sent, []
    log.access(Response(Told(status=404)), [], environ_of(Told()), timedelta(seconds=1.5))
    assert counted == log.sent == [
        "shop.gunicorn.request.duration:1500.0|ms",
        "shop.gunicorn.requests:1|c|@1.0",
        "shop.gunicorn.request.status.404:1|c|@1.0",
    ]  # fmt: skip


def test_a_relayed_line_is_not_counted_twice() -> None:
    log = OwnCounts()
    witness = witness_of(worker(log))
    assert witness.relay is not None
    witness.relay(Told())
    assert log.sent == []


def test_counting_that_fails_is_logged_and_the_hook_is_called_all_the_same() -> None:
    def broken(status: int, seconds: float) -> None:
        raise ValueError("broken")

    given: list[tuple[Any, ...]] = []
    who = worker()
    Reporter(who, post_request=lambda *args: given.append(args), count=broken).ended(Told())
    assert [message for message, _ in who.log.said] == [
        'The logger\'s counting raised, and "GET /items/a%20b?q=1 HTTP/1.1" goes on'
    ]
    assert len(given) == 1


def test_a_method_of_an_instance_is_a_hand_in_it_as_well() -> None:
    log = Logger(GunicornConfig())
    log.access = lambda *args: None
    assert told_parts(witness_of(worker(log))) == {"ended"}


@pytest.mark.parametrize("text", ["json", "%(s)s"])
def test_a_format_that_gunicorns_logger_does_not_have_is_not_left_to_it(text: str) -> None:
    assert told_parts(witness_of(worker(Logger(GunicornConfig()), text=text))) == set()
    assert told_parts(witness_of(worker(Logger(GunicornConfig()), access_log_format="json"))) == set()


def test_a_format_that_cuts_is_not_left_to_gunicorns_logger() -> None:
    """It cuts what is escaped, and half an escape ends the quotes."""
    assert told_parts(witness_of(worker(Logger(GunicornConfig()), access_log_format='"%(a).80s"'))) == set()


def test_a_logger_that_only_quacks_is_left_alone() -> None:
    assert told_parts(witness_of(worker(SimpleNamespace()))) == set()


@pytest.fixture
def relayed(caplog: pytest.LogCaptureFixture) -> Callable[[str, FakeTold], str]:
    """Makes the line of a request in a format as Gunicorn's logger shows it, and sees that ours is the same."""

    def line(text: str, told: FakeTold) -> str:
        log = Logger(GunicornConfig())
        who = worker(log, access_log_format=text)
        log.cfg = who.cfg
        log.access_log.addHandler(caplog.handler)
        caplog.clear()
        relay = witness_of(who).relay
        assert relay is not None
        relay(told)
        log.access_log.removeHandler(caplog.handler)
        assert caplog.messages == [compile_format(text)(told)]
        return caplog.messages[0]

    return line


Relayed = Callable[[str, FakeTold], str]


def test_what_goes_through_gunicorns_own_logger_is_escaped_before(relayed: Relayed) -> None:
    fields = [(b"user-agent", b'\x9b"')]
    told = Told(fields=fields, path=b"/%0a", response_fields=[(b"x", b"\xff")])
    text = '"%(a)s" %(U)s %({x}o)s %(u)s %(s)s %(D)s'
    assert relayed(text, told) == '"\\x9b\\"" /\\x0a \\xff - 200 1234567'


@pytest.mark.parametrize("atom", ["%(a)s", "%(f)s", "%({user-agent}i)s", "%({http_user_agent}e)s", "%({x}o)s"])
def test_a_backslash_of_a_clients_does_not_end_the_quotes(relayed: Relayed, atom: str) -> None:
    hostile = b'a\\" 200 "b'
    told = Told(fields=[(b"user-agent", hostile), (b"referer", hostile)], response_fields=[(b"x", hostile)])
    assert relayed(f'"{atom}"', told) == '"a\\\\\\" 200 \\"b"'


@pytest.mark.parametrize(
    ("values", "user"),
    [
        ([b"Basic " + b64encode(b"jo:secret")], "jo"),
        ([b"Basic " + b64encode(b"jo:\xff")], "jo"),
        ([b"Basic " + b64encode(b'e\n1.2.3.4 "\\:x')], 'e\\x0a1.2.3.4 \\"\\\\'),
        ([b"Basicx " + b64encode(b"evil\nline:x")], "-"),
        ([b"Basic " + b64encode(b"evil\nline"), b"Basic " + b64encode(b"jo:x")], "jo"),
        ([b"Basic " + b64encode(b"\xff:x")], "-"),
    ],
)
def test_no_name_of_a_client_breaks_a_relayed_line(relayed: Relayed, values: list[bytes], user: str) -> None:
    told = Told(fields=[(b"authorization", value) for value in values])
    assert relayed("%(u)s|", told) == user + "|"


def test_a_relayed_line_knows_of_unix_peers_and_refused_heads_what_ours_does(relayed: Relayed) -> None:
    text = '%(h)s "%(r)s" %(m)s %(U)s %(q)s %(H)s %(f)s %(a)s %(b)s'
    assert relayed(text, Told(client=None, fields=[])).startswith('- "GET /items/a%20b?q=1 HTTP/1.1" GET')
    assert relayed(text, unknown()) == '- "-" - -  - - - 12'
    assert '"BAD \\x1b"' in relayed(text, FakeTold(method="", version="", path=b"", request_line=b"BAD \x1b"))
