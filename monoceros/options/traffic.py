"""The second part of the option table: what is answered, proxies, and TLS; of the limits, those the incumbent has.

Declarations only. The rule it keeps: the first tuple goes on in the order of the incumbent's `Config`, whose options
may be given by position; the second holds ours, which can't.
"""

import ssl

from monoceros.options import field_kinds, kinds
from monoceros.options.option import Option, Place, Section

# In Python only: what they take can't be written in text.
_CALLBACK = "Callable[..., Awaitable[None]] | None"
_CONTEXT_FACTORY = "Callable[[Any, Callable[[], ssl.SSLContext]], ssl.SSLContext] | None"

TRAFFIC_OPTIONS: tuple[Option, ...] = (
    Option(
        name="proxy_headers",
        kind=kinds.switch(),
        default=True,
        help="Take the client's address and scheme, and what else `forwarded_headers` names, from the fields of "
        "trusted proxies.",
        section=Section.PROXY,
    ),
    Option(
        name="server_header",
        kind=kinds.switch(),
        default=True,
        help="Send a Server header.",
        section=Section.RESPONSE,
    ),
    Option(
        name="date_header",
        kind=kinds.switch(),
        default=True,
        help="Send a Date header.",
        section=Section.RESPONSE,
    ),
    Option(
        name="forwarded_allow_ips",
        kind=kinds.trusted(),
        default=None,
        fallback="FORWARDED_ALLOW_IPS",
        otherwise="127.0.0.1,::1",
        help="The proxies to trust: addresses and networks separated by commas; `unix:` is the peers of a unix socket, "
        "`*` trusts every peer. Unset: $FORWARDED_ALLOW_IPS, else 127.0.0.1,::1.",
        section=Section.PROXY,
        attribute="list[str] | str",
    ),
    Option(
        name="root_path",
        kind=kinds.text(empty=True, metavar="PATH"),
        default="",
        help="The URL path below which a proxy serves this application: ASGI's `root_path`.",
        section=Section.PROXY,
    ),
    Option(
        name="limit_concurrency",
        kind=kinds.integer(1, optional=True),
        default=None,
        help="Requests that run at once in a worker; more are answered with 503.",
        section=Section.LIMITS,
        difference="Counts running requests and WebSockets, and admits exactly so many; idle connections don't count.",
    ),
    Option(
        name="limit_max_requests",
        kind=kinds.limit(),
        default=None,
        flags=("--limit-max-requests", "--max-requests"),
        help="Replace a worker after so many requests. 0 or none: never.",
        section=Section.LIMITS,
        difference="The replacement is ready before the worker goes. 0 is no limit.",
    ),
    Option(
        name="limit_max_requests_jitter",
        kind=kinds.integer(0),
        default=0,
        flags=("--limit-max-requests-jitter", "--max-requests-jitter"),
        help="Add a random number of up to so many requests to that, so that workers aren't replaced all at once.",
        section=Section.LIMITS,
    ),
    Option(
        name="backlog",
        kind=kinds.integer(0),
        default=2048,
        help="Connections that the system holds until they are accepted.",
        section=Section.LIMITS,
    ),
    Option(
        name="timeout_keep_alive",
        kind=kinds.seconds(),
        default=5,
        help="Seconds that an idle connection waits for its next request. Behind a load balancer, longer than the "
        "balancer's own, or its clients see 502. 0: each connection serves one request.",
        section=Section.TIMEOUTS,
    ),
    Option(
        name="timeout_notify",
        kind=kinds.seconds(),
        default=30,
        help="Seconds between two calls of `callback_notify`.",
        section=Section.APPLICATION,
        places=Place.KEYWORD,
    ),
    Option(
        name="timeout_graceful_shutdown",
        kind=kinds.seconds(optional=True),
        default=30,
        flags=("--timeout-graceful-shutdown", "--graceful-timeout"),
        help="Seconds that requests have to finish when the server stops. none: for ever. 0: no time.",
        section=Section.TIMEOUTS,
        difference="30 seconds instead of for ever; `none` waits for ever.",
    ),
    Option(
        name="timeout_worker_healthcheck",
        kind=kinds.seconds(),
        default=5,
        help="Another name of timeout_worker, which it sets when it is given.",
        section=Section.TIMEOUTS,
        implies="timeout_worker",
        difference="The default is not used: timeout_worker has its own. The event loop itself is watched, not a "
        "thread beside it.",
    ),
    Option(
        name="callback_notify",
        kind=kinds.function(_CALLBACK),
        default=None,
        help="An async function to call every `timeout_notify` seconds.",
        section=Section.APPLICATION,
        places=Place.KEYWORD,
    ),
    Option(
        name="ssl_keyfile",
        kind=kinds.path(),
        default=None,
        help="The private key, if it isn't in the certificate's file. PEM.",
        section=Section.TLS,
    ),
    Option(
        name="ssl_certfile",
        kind=kinds.path(),
        default=None,
        help="The certificate, followed by those that lead to its root. PEM. With it, TLS is served.",
        section=Section.TLS,
    ),
    Option(
        name="ssl_keyfile_password",
        kind=kinds.text(optional=True),
        default=None,
        help="The password of the private key. Better in the environment or in a file than in a command line, which "
        "other users can read.",
        section=Section.TLS,
        secret=True,
    ),
    Option(
        name="ssl_version",
        kind=kinds.integer(0),
        default=int(ssl.PROTOCOL_TLS_SERVER),
        help="A PROTOCOL_ constant of Python's ssl module, as a number.",
        section=Section.TLS,
    ),
    Option(
        name="ssl_cert_reqs",
        kind=kinds.integer(0, 2),
        default=int(ssl.CERT_NONE),
        help="Whether clients need a certificate. 0: no. 1: they may have one. 2: yes.",
        section=Section.TLS,
    ),
    Option(
        name="ssl_ca_certs",
        kind=kinds.path(),
        default=None,
        help="The certificates of those who may sign a client's. PEM.",
        section=Section.TLS,
    ),
    Option(
        name="ssl_ciphers",
        kind=kinds.text(optional=True),
        default=None,
        help="The ciphers of TLS 1.2, in OpenSSL's notation. Unset: OpenSSL's own safe list.",
        section=Section.TLS,
    ),
    Option(
        name="ssl_context_factory",
        kind=kinds.function(_CONTEXT_FACTORY),
        default=None,
        help="A function that makes the TLS context: called with the Config and a function that makes the usual one.",
        section=Section.TLS,
        places=Place.KEYWORD,
    ),
    Option(
        name="headers",
        kind=field_kinds.fields(),
        default=None,
        flags=("--header",),
        help="Send this header with each response.",
        section=Section.RESPONSE,
        attribute="list[tuple[str, str]]",
        difference="A name or a value that HTTP doesn't allow is refused.",
    ),
    Option(
        name="factory",
        kind=kinds.switch(),
        default=False,
        help="APP is a function without arguments that returns the application.",
        section=Section.APPLICATION,
    ),
    Option(
        name="h11_max_incomplete_event_size",
        kind=kinds.integer(1, optional=True, metavar="BYTES"),
        default=None,
        help="Another name of limit_request_head, which it sets when it is given.",
        section=Section.LIMITS,
        implies="limit_request_head",
        difference="Holds for every parser.",
    ),
    Option(
        name="reset_contextvars",
        kind=kinds.switch(),
        default=False,
        help="Run each request in a context of its own, without the context variables set in the lifespan.",
        section=Section.APPLICATION,
    ),
)

OWN_OPTIONS: tuple[Option, ...] = (
    Option(
        name="forwarded_headers",
        kind=kinds.choices(
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-host",
            "x-forwarded-port",
            "x-forwarded-prefix",
            "forwarded",
        ),
        default=None,
        otherwise=["x-forwarded-for", "x-forwarded-proto"],
        help="The fields of trusted proxies that count. Name those that your proxy sets or removes in every request, "
        "for any other is the client's own. X-Forwarded-Host replaces the Host field, X-Forwarded-Prefix `root_path`. "
        "`forwarded` (RFC 7239) stands alone. docs/proxies.md tells which to name.",
        section=Section.PROXY,
        attribute="list[str]",
    ),
    Option(
        name="proxy_protocol",
        kind=kinds.choice("off", "v1", "v2", "auto"),
        default="off",
        help="Take the client's address from the PROXY header that a load balancer puts at the beginning of each "
        "connection, before TLS if that is served; without one a connection is refused. Whether forwarded headers are "
        "believed is then decided by the address it names.",
        section=Section.PROXY,
    ),
    Option(
        name="proxy_allow_ips",
        kind=kinds.trusted(),
        default=None,
        otherwise="127.0.0.1,::1",
        help="The load balancers that may send PROXY headers, written as forwarded_allow_ips is; `unix:` is the peers "
        "of a unix socket. Other connections are refused while proxy_protocol is on.",
        section=Section.PROXY,
        attribute="list[str] | str",
    ),
    Option(
        name="secure_scheme_headers",
        kind=field_kinds.field_values(),
        default=None,
        help="Request fields by which trusted proxies tell the scheme, each with the value that means https; any other "
        "value means http, and a request whose fields contradict each other is refused. Unset: X-Forwarded-Proto has "
        "the scheme itself.",
        section=Section.PROXY,
        places=Place.KEYWORD,
    ),
    Option(
        name="header_map",
        kind=kinds.choice("drop", "refuse", "dangerous"),
        default="dangerous",
        help="What becomes of request fields with an underscore in their names, which applications may take for others "
        "with a hyphen: `drop` leaves them out, `refuse` answers with 400, `dangerous` passes them on.",
        section=Section.PROXY,
        places=Place.KEYWORD,
    ),
    Option(
        name="forwarder_headers",
        kind=field_kinds.field_names(),
        default=None,
        help="Fields with an underscore that trusted proxies may send whatever header_map says; `*` is all.",
        section=Section.PROXY,
        places=Place.KEYWORD,
        attribute="list[str] | None",
    ),
)
