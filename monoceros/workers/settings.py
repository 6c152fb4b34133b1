"""Gunicorn's settings, all of them, and what becomes of each here. One table; a line more honours a setting more.

Knows Gunicorn's configuration by its shape only, and nothing of processes or servers: what a line says of the arbiter
or the worker is told to the reader, and done by them. The rule it keeps: no setting is passed over in silence. It
becomes an option of ours, or the worker or the arbiter acts on it, or it is refused with the reason.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

SKIP: Final = object()
"""What a conversion returns if the option is to stay as it is."""

UNLIMITED = 1 << 30  # octets, or fields: Gunicorn's 0
USUAL_HEAD = 65536  # octets: the default of limit_request_head
SLOWEST_CUT = 3.0  # seconds kept back of a long graceful timeout
SLOWEST_END = 1.0  # seconds of these that are left for the process to end in
UNIX_PEERS = "unix:"  # as an entry of trusted addresses
PARSERS = {"fast": "httptools", "python": "h11"}  # the compiled one and the other, there and here


class Fate(enum.Enum):
    """What becomes of a setting; the value is its heading in the documentation."""

    OPTION = "Become an option of the worker"
    WORKER = "Are acted on by the worker"
    ARBITER = "Are Gunicorn's own affair, and work as ever"
    REFUSED = "Are refused"


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table.

    Arguments:
        name: Gunicorn's name.
        fate: what becomes of it.
        remark: what else a reader should know; the reason, if it is refused. A sentence without its capital and full
            stop.
        option: ours, for `Fate.OPTION`.
        convert: makes our value of Gunicorn's; it is given that value and the whole configuration.
        always: Gunicorn's default counts as well; else only a value that was given.
    """

    name: str
    fate: Fate
    remark: str = ""
    option: str = ""
    convert: Callable[[Any, Any], Any] = lambda value, _cfg: value
    always: bool = False


def drain_seconds(graceful_timeout: float) -> float:
    """How long requests may run on in a drain, of all the time until the arbiter kills.

    Its clock starts before the worker hears of the stop, and after the requests the lifespan has to end, too.
    """
    return graceful_timeout - min(SLOWEST_CUT, 0.3 * graceful_timeout)


def last_seconds(graceful_timeout: float) -> float:
    """When a drain, lifespan included, is over at the latest."""
    return graceful_timeout - min(SLOWEST_END, 0.15 * graceful_timeout)


def _or_unlimited(value: Any, cfg: Any) -> Any:
    return value or UNLIMITED


def _head_with(value: Any, cfg: Any) -> Any:
    """A line or a field that may be long has to fit into the whole head, too."""
    return SKIP if 0 < value <= USUAL_HEAD // 2 else (value or UNLIMITED) + USUAL_HEAD


def _drain_seconds(value: Any, cfg: Any) -> Any:
    return drain_seconds(value)


def _with_unix_peers(value: Any, cfg: Any) -> Any:
    """Gunicorn's lists of addresses aren't about peers that have none: it trusts those."""
    addresses = value.split(",") if isinstance(value, str) else value
    return [*(address.strip() for address in addresses), UNIX_PEERS]


def _versions(value: Any, cfg: Any) -> Any:
    """It was a switch before it named versions."""
    return {True: "auto", False: "off"}.get(value, value)


def _parser(value: Any, cfg: Any) -> Any:
    return PARSERS.get(value, value)


def _if_tls(value: Any, cfg: Any) -> Any:
    return value if cfg.is_ssl else SKIP


def _context_hook(value: Any, cfg: Any) -> Any:
    """Gunicorn's hook gets Gunicorn's configuration, ours gets ours."""
    return (lambda _config, default: value(cfg, default)) if cfg.is_ssl else SKIP


def _option(
    name: str, option: str, convert: Callable[[Any, Any], Any] | None = None, *, always: bool = False, remark: str = ""
) -> Setting:
    if convert is None:
        return Setting(name, Fate.OPTION, remark, option, always=always)
    return Setting(name, Fate.OPTION, remark, option, convert, always)


def _worker(name: str, remark: str) -> Setting:
    return Setting(name, Fate.WORKER, remark)


def _arbiter(name: str, remark: str) -> Setting:
    return Setting(name, Fate.ARBITER, remark)


def _refused(name: str, reason: str) -> Setting:
    return Setting(name, Fate.REFUSED, reason)


_NO_LIMIT = "0, which is no limit to Gunicorn, is 1 GiB here"
_UNIX_PEERS = "peers of a unix socket, which have no address, are trusted, too, as Gunicorn has it"
_HTTP2 = "HTTP/2 isn't served; a proxy in front may speak it with the clients"
_SMUGGLING = "what isn't certainly one message is refused, for it lets requests be smuggled past a proxy"
_DIRTY = "a process of the arbiter's own, which the application reaches by Gunicorn's client"
_LOGGER = "the worker logs through Gunicorn's logger"
_STATSD = "the worker reports each request to Gunicorn's statsd logger, with or without an access log"
_SYSLOG = "Gunicorn's logger sends both logs there"

SETTINGS: tuple[Setting, ...] = (
    # What the worker is told as options.
    _option("backlog", "backlog", always=True, remark="the number given, whatever the event loop's default is"),
    _option(
        "worker_connections",
        "limit_connections",
        remark="once given: idle connections make room for new ones, or these wait in the backlog",
    ),
    _option("keepalive", "timeout_keep_alive", always=True),
    _option("timeout", "timeout_worker", always=True, remark="the event loop beats; a slow start is no blocked loop"),
    _option(
        "graceful_timeout",
        "timeout_graceful_shutdown",
        _drain_seconds,
        always=True,
        remark="less three seconds (30 %, if it is short), for the worker has to be gone before Gunicorn kills it",
    ),
    _option("max_requests", "limit_max_requests", remark="workers that are spent leave one at a time"),
    _option("max_requests_jitter", "limit_max_requests_jitter"),
    _option("limit_request_line", "limit_request_line", _or_unlimited, remark=_NO_LIMIT),
    _option("limit_request_fields", "limit_request_fields", _or_unlimited, remark="0 is no limit"),
    _option("limit_request_field_size", "limit_request_field_size", _or_unlimited, remark=_NO_LIMIT),
    _option("limit_request_field_size", "limit_request_head", _head_with, remark="if a field may exceed 32 KiB"),
    _option("forwarded_allow_ips", "forwarded_allow_ips", _with_unix_peers, always=True, remark=_UNIX_PEERS),
    _option("secure_scheme_headers", "secure_scheme_headers", remark="unless given, X-Forwarded-Proto has the scheme"),
    _option("forwarder_headers", "forwarder_headers", always=True),
    _option("header_map", "header_map", always=True, remark="for fields with an underscore, in ASGI's list of headers"),
    _option("proxy_protocol", "proxy_protocol", _versions),
    _option("proxy_allow_ips", "proxy_allow_ips", _with_unix_peers, always=True, remark=_UNIX_PEERS),
    _option("root_path", "root_path"),
    _option("asgi_loop", "loop", remark="but AsyncioWorker and UvicornH11Worker keep asyncio's loop"),
    _option("asgi_lifespan", "lifespan"),
    _option("http_parser", "http", _parser, remark="fast is httptools, python is h11; UvicornH11Worker keeps h11"),
    _option("websocket_max_message_size", "ws_max_size", _or_unlimited, remark=_NO_LIMIT),
    _option("certfile", "ssl_certfile", _if_tls),
    _option("keyfile", "ssl_keyfile", _if_tls),
    _option("ca_certs", "ssl_ca_certs", _if_tls),
    _option("cert_reqs", "ssl_cert_reqs", _if_tls),
    _option("ciphers", "ssl_ciphers", _if_tls),
    _option("ssl_context", "ssl_context_factory", _context_hook, remark="called with Gunicorn's configuration"),
    # What the worker class acts on.
    _worker("reload", "a changed source ends the worker in a hurry; one that can't be imported answers with the error"),
    _worker("reload_engine", "Gunicorn's engines watch inside the worker"),
    _worker("reload_extra_files", "watched like the sources"),
    _worker("preload_app", "the arbiter imports the application, and the worker serves it"),
    _worker("user", "the worker changes to it before it imports the application; certificates are read as this user"),
    _worker("group", "with user"),
    _worker("initgroups", "the groups of user, and group itself, which Gunicorn alone would leave as it was"),
    _worker("raw_env", "set in the arbiter and the worker, before the application is imported"),
    _worker("reuse_port", "each worker accepts on sockets of its own, where Gunicorn opens them after the fork"),
    _worker("accesslog", "each request is logged there"),
    _worker("access_log_format", "with all of Gunicorn's atoms; what a format doesn't name costs nothing"),
    _worker("errorlog", f"{_LOGGER}; USR1 opens the files again"),
    _worker("loglevel", "counts for the worker's lines, too"),
    _worker("logger_class", f"{_LOGGER}, of whatever class; an access() of its own is called for each request"),
    _worker("logconfig", _LOGGER),
    _worker("logconfig_dict", _LOGGER),
    _worker("logconfig_json", _LOGGER),
    _worker("syslog", _SYSLOG),
    _worker("syslog_addr", _SYSLOG),
    _worker("syslog_prefix", _SYSLOG),
    _worker("syslog_facility", _SYSLOG),
    _worker("disable_redirect_access_to_syslog", "with syslog"),
    _worker("capture_output", "what the application prints goes to errorlog, also after USR1"),
    _worker("statsd_host", _STATSD),
    _worker("statsd_prefix", _STATSD),
    _worker("dogstatsd_tags", _STATSD),
    _worker("post_worker_init", "called when the application is imported, before its lifespan starts"),
    _worker("worker_int", "called once, at the first INT or QUIT, or when a changed source ends the worker"),
    _worker("worker_abort", "called on ABRT, after the stacks of threads and tasks are logged"),
    _worker("pre_request", "called with a request that has what such hooks read"),
    _worker("post_request", "called when the response is over"),
    _worker("do_handshake_on_connect", "always so: the handshake is made as soon as a connection is accepted"),
    # What Gunicorn does by itself.
    _arbiter("config", "the file is read by Gunicorn"),
    _arbiter("wsgi_app", "the application, as module:attribute or module:factory()"),
    _arbiter("bind", "TCP, unix and inherited sockets, as many as are named; the arbiter opens them"),
    _arbiter("workers", "how many the arbiter forks"),
    _arbiter("worker_class", "one of ours, or a subclass"),
    _arbiter("spew", "a trace function that the workers inherit"),
    _arbiter("check_config", "the command checks and exits"),
    _arbiter("print_config", "the command prints and exits"),
    _arbiter("chdir", "before the application is imported; monoceros.toml is looked for there"),
    _arbiter("daemon", "before the first worker is forked"),
    _arbiter("pidfile", "of the arbiter"),
    _arbiter("worker_tmp_dir", "of the heartbeat's file, and of the lock by which workers leave in turn"),
    _arbiter("umask", "the modes of unix sockets and of Gunicorn's own files"),
    _arbiter("enable_stdio_inheritance", "with daemon"),
    _arbiter("enable_backlog_metric", "the arbiter measures its listening sockets"),
    _arbiter("proc_name", "the titles of arbiter and workers"),
    _arbiter("default_proc_name", "the same, if proc_name isn't set"),
    _arbiter("pythonpath", "before the application is imported"),
    _arbiter("paste", "loads a WSGI application: serve it with MONOCEROS_INTERFACE=wsgi"),
    _arbiter("raw_paste_global_conf", "with paste"),
    _arbiter("on_starting", "called in the arbiter"),
    _arbiter("on_reload", "called in the arbiter"),
    _arbiter("when_ready", "called in the arbiter, when it listens; workers may still start"),
    _arbiter("pre_fork", "called in the arbiter"),
    _arbiter("post_fork", "called in the worker, by the arbiter's code, before the worker begins"),
    _arbiter("pre_exec", "called in the new arbiter of USR2"),
    _arbiter("child_exit", "called in the arbiter"),
    _arbiter("worker_exit", "called in the worker, by the arbiter's code, after its lifespan has ended"),
    _arbiter("nworkers_changed", "called in the arbiter"),
    _arbiter("on_exit", "called in the arbiter"),
    _arbiter("dirty_apps", _DIRTY),
    _arbiter("dirty_workers", _DIRTY),
    _arbiter("dirty_timeout", _DIRTY),
    _arbiter("dirty_threads", _DIRTY),
    _arbiter("dirty_graceful_timeout", _DIRTY),
    _arbiter("on_dirty_starting", _DIRTY),
    _arbiter("dirty_post_fork", _DIRTY),
    _arbiter("dirty_worker_init", _DIRTY),
    _arbiter("dirty_worker_exit", _DIRTY),
    _arbiter("control_socket", "of the arbiter"),
    _arbiter("control_socket_mode", "of the arbiter"),
    _arbiter("control_socket_disable", "of the arbiter"),
    # What has no effect, and says so when it is given.
    _refused("threads", "a worker serves on one event loop; frameworks run blocking functions in threads of their own"),
    _refused("sendfile", "an ASGI application sends its answer as bytes; it has no way to name a file instead"),
    _refused("tmp_upload_dir", "a body is given to the application as it comes, and never written to a file"),
    _refused("protocol", "only HTTP is served: use proxy_pass instead of uwsgi_pass"),
    _refused("uwsgi_allow_ips", "the uwsgi protocol isn't served"),
    _refused("ssl_version", "Gunicorn itself ignores it: choose versions in the ssl_context hook"),
    _refused("suppress_ragged_eofs", "a TLS connection that ends without notice always ends as any other does"),
    _refused("http_protocols", _HTTP2),
    _refused("http2_cleartext", _HTTP2),
    _refused("http2_max_concurrent_streams", _HTTP2),
    _refused("http2_initial_window_size", _HTTP2),
    _refused("http2_max_frame_size", _HTTP2),
    _refused("http2_max_header_list_size", _HTTP2),
    _refused("permit_obsolete_folding", _SMUGGLING),
    _refused("strip_header_spaces", _SMUGGLING),
    _refused("permit_unconventional_http_method", "methods are those of the IANA registry; others get 501"),
    _refused("permit_unconventional_http_version", "versions are HTTP/1.0 and 1.1; others are answered with 505"),
    _refused("casefold_http_method", "methods are case-sensitive (RFC 9110, section 9.1)"),
    _refused(
        "asgi_disconnect_grace_period", "a request whose client is gone is told so by http.disconnect, not cancelled"
    ),
)
