"""From a Config to the Context of its connections: the one place where options turn into slots."""

import asyncio
import contextvars
import importlib
import logging
import math
from collections.abc import Callable, Sequence
from email.utils import formatdate
from socket import socket
from typing import Any

from monoceros.asgi import Application
from monoceros.config import Config
from monoceros.errors import StartupError, UsageError
from monoceros.logs.access import AccessLog
from monoceros.logs.formatted import FormattedLog
from monoceros.logs.formatters import TRACE_LOG_LEVEL
from monoceros.logs.lines import websocket_accepted, websocket_refused
from monoceros.protocol.context import Context, WebSocketOptions
from monoceros.resources.field_policy import FieldPolicy, Underscores
from monoceros.resources.forwarded import ForwardedFields
from monoceros.resources.proxy import TrustedHops
from monoceros.server.acceptor import TLS_SHUTDOWN_TIMEOUT, Acceptor
from monoceros.server.crowd import Crowd
from monoceros.server.fair_share import FairShare
from monoceros.server.foreign import ServerState
from monoceros.server.pressure import Pressure
from monoceros.server.proxied import ProxyHeaders
from monoceros.server.trace import traced
from monoceros.server.unread import has_vanished, holds_unread
from monoceros.server.unsent import hand_over, holds_unsent, unsent
from monoceros.server.witness import Witness, observer_of
from monoceros.service.descriptors import affordable_connections
from monoceros.wire.engine import EngineOptions, FrameEngine
from monoceros.wire.limits import RequestLimits
from monoceros.wire.proxy_protocol import Accepted
from monoceros.wire.reader import FieldParser
from monoceros.wire.response import DefaultFields, default_fields

logger = logging.getLogger("monoceros.error")

FOR_EVER = 3e8
"""Seconds: ten years. The loops know no handshake without a deadline."""

# Where the optional and the heavy parts are, and the library that each needs: imported once they are asked for.
_PARSERS = {
    "httptools": ("monoceros.wire.httptools_parser", "HttptoolsParser", "httptools"),
    "h11": ("monoceros.wire.h11_parser", "H11Parser", "h11"),
}
_ENGINES = {
    "auto": ("monoceros.wire.websockets_engine", "WebsocketsEngine", "websockets"),
    "websockets": ("monoceros.wire.websockets_engine", "WebsocketsEngine", "websockets"),
    "websockets-sansio": ("monoceros.wire.websockets_engine", "WebsocketsEngine", "websockets"),
    "wsproto": ("monoceros.wire.wsproto_engine", "WsprotoEngine", "wsproto"),
}


def application_of(config: Config) -> Application:
    """Return the loaded application, traced if the log is that fine."""
    app: Application = config.loaded_app
    return traced(app) if logger.getEffectiveLevel() <= TRACE_LOG_LEVEL else app


def build_context(
    config: Config,
    app: Application,
    loop: asyncio.AbstractEventLoop,
    access_log: AccessLog | FormattedLog | None,
    witness: Witness,
) -> Context:
    """Return the context that the connections of one server share.

    Arguments:
        config: the options.
        app: the application, ASGI 3.
        loop: the event loop.
        access_log: the access log, or None.
        witness: what else is to be told of requests.

    Raises:
        StartupError: a library that an option asks for isn't installed.
    """
    context = Context(
        app,
        loop,
        make_parser=_parser_maker(config.http),
        defaults=render_defaults(config),
        create_task=_fresh_task_maker(loop) if config.reset_contextvars else None,
        websocket=_websocket_options(config),
        limits=RequestLimits(
            config.limit_request_line,
            config.limit_request_fields,
            config.limit_request_field_size,
            config.limit_request_head,
            config.limit_request_body,
        ),
    )
    context.root_path = config.root_path
    # A deadline of n seconds may pass up to one late, never early: hence the tick more.
    context.keep_alive = math.ceil(config.timeout_keep_alive) + 1 if config.timeout_keep_alive else 0
    context.lasting = context.keep_alive > 0
    context.body_timeout = config.timeout_request_body or math.inf
    context.write_timeout = config.timeout_write or math.inf
    context.request_timeout = config.timeout_request
    context.head_timeout = math.ceil(config.timeout_request_header) + 1 if config.timeout_request_header else 0
    context.limit_concurrency = config.limit_concurrency
    if isinstance(access_log, AccessLog):
        context.access_log = access_log.log
    context.observer = observer_of(access_log, witness)
    context.websocket_log = _log_websocket
    context.hand_over = hand_over
    context.has_vanished = has_vanished
    context.holds_unread = holds_unread
    context.holds_unsent = holds_unsent
    context.unsent = unsent
    policy = _field_policy(config)
    context.rewriter, context.name_filter = policy.rewriter, policy.name_filter
    return context


def build_proxy_headers(config: Config) -> ProxyHeaders | None:
    """Return what reads the PROXY headers of connections, or None if there are none to read.

    Raises:
        UsageError: an option's value has no place here.
    """
    if config.proxy_protocol == "off":
        return None
    if config.http_protocol_class is not None:
        raise UsageError(
            f"--proxy-protocol {config.proxy_protocol}: the protocol class of --http can't be told the client's "
            "address; choose --http auto, or --proxy-protocol off"
        )
    balancers = TrustedHops(config.proxy_allow_ips, "--proxy-allow-ips")
    return ProxyHeaders(Accepted(config.proxy_protocol), balancers.trusts)


def build_acceptor(
    config: Config,
    context: Context,
    state: ServerState,
    sockets: Sequence[socket],
    make_protocol: Callable[..., asyncio.BaseProtocol],
    proxied: ProxyHeaders | None,
    share: FairShare | None = None,
) -> Acceptor:
    """Return the acceptor of a server.

    Arguments:
        config: the options.
        context: what the connections share; it is given the set of those that are open, if they are counted.
        state: the same for those of a protocol class of the user's own.
        sockets: the first listeners.
        make_protocol: makes the protocol of one connection.
        proxied: what `build_proxy_headers` returned.
        share: what it may take beside other workers, or None if there are none.
    """
    own = config.http_protocol_class is None
    limit = _connections(config.limit_connections)
    pressure = Pressure(limit, lambda: context.connections, context.complaints) if limit else None
    acceptor = Acceptor(
        context.loop,
        sockets,
        make_protocol,
        config.ssl,
        config.timeout_tls_handshake or FOR_EVER,
        TLS_SHUTDOWN_TIMEOUT if own else None,
        complaints=context.complaints,
        proxied=proxied,
        limit=limit,
        held=lambda: len(state.connections),
        relieve=pressure.relieve if own and pressure is not None else int,
        share=share,
    )
    if limit is not None or share is not None:
        state.connections = Crowd(acceptor.make_room)
        if own:
            context.connections = state.connections
    return acceptor


def _connections(wanted: int | None) -> int | None:
    """Return how many connections may be held: as many as wanted, if there are descriptors for them."""
    affordable = affordable_connections()
    if wanted is None or affordable is None or wanted <= affordable:
        return wanted or affordable
    logger.warning(
        "--limit-connections %d: the limit on open files leaves room for %d only; raise it (ulimit -n, LimitNOFILE=)",
        wanted,
        affordable,
    )
    return affordable


def render_defaults(config: Config) -> DefaultFields:
    """Return the default response fields as they are this second."""
    date = formatdate(usegmt=True) if config.date_header else None
    return default_fields(date, None, config.encoded_headers)


def check(config: Config) -> None:
    """Find what only shows when the options of a loaded Config turn into objects.

    Raises:
        StartupError: a library that an option asks for isn't installed.
        UsageError: an option's value has no place here.
    """
    _parser_maker(config.http)
    _websocket_options(config)
    _field_policy(config)
    build_proxy_headers(config)


def provide_parser(config: Config) -> None:
    """Import the parser of a Config, which needn't be loaded.

    Raises:
        StartupError: its library isn't installed.
    """
    _parser_maker(config.http)


def _field_policy(config: Config) -> FieldPolicy:
    hops = TrustedHops(config.forwarded_allow_ips)
    return FieldPolicy(
        hops,
        ForwardedFields(hops, config.forwarded_headers, config.secure_scheme_headers) if config.proxy_headers else None,
        underscores=Underscores(config.header_map),
        spared=config.forwarder_headers or (),
    )


def _parser_maker(http: object) -> Callable[[], FieldParser]:
    name = str(http) if http in _PARSERS else "auto"
    if name == "auto":
        try:
            name = "httptools"
            importlib.import_module("httptools")
        except ImportError:
            name = "h11"
    maker: Callable[[], FieldParser] = _import(name, _PARSERS)
    return maker


def _websocket_options(config: Config) -> WebSocketOptions | None:
    if config.ws == "none" or config.interface == "wsgi":
        return None
    if config.ws not in _ENGINES:
        raise UsageError(
            f"--ws {config.ws}: a protocol class of one's own has no place here, for a WebSocket runs over "
            "the connection that its handshake came on; choose auto, none, websockets or wsproto"
        )
    engine: Callable[[EngineOptions], FrameEngine] = _import(str(config.ws), _ENGINES)
    options = EngineOptions(config.ws_max_size, config.ws_max_fragments, config.ws_per_message_deflate)
    return WebSocketOptions(
        make_engine=lambda: engine(options),
        max_queue=config.ws_max_queue,
        ping_interval=config.ws_ping_interval,
        ping_timeout=config.ws_ping_timeout,
    )


def _import(name: str, table: dict[str, tuple[str, str, str]]) -> Any:
    module, attribute, library = table[name]
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError as exc:
        option = "--http" if table is _PARSERS else "--ws"
        if isinstance(exc, ModuleNotFoundError) and exc.name == library:
            extra = "'monoceros[wsproto]'" if library == "wsproto" else library
            raise StartupError(
                f"{option} {name} needs {library}, which isn't installed. `pip install {extra}`, or choose another"
            ) from None
        raise StartupError(f"{option} {name}: {exc}") from exc


def _fresh_task_maker(loop: asyncio.AbstractEventLoop) -> Callable[[Any], asyncio.Task[None]]:
    """Tasks that see no context variable of the lifespan or of another request."""

    def create_task(coroutine: Any) -> asyncio.Task[None]:
        return loop.create_task(coroutine, context=contextvars.Context())

    return create_task


def _log_websocket(client: str, path: str, status: int | None) -> None:
    if status is None:
        websocket_accepted(logger, client, path)
    else:
        websocket_refused(logger, client, path, status)
