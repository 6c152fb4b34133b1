"""The third part of the option table: how much is taken, and how long is waited. None of it is the incumbent's.

Declarations only. The rule it keeps: a limit is on by default, or its help says what then bounds the server.
"""

from monoceros.options import kinds
from monoceros.options.option import Option, Section

LIMIT_OPTIONS: tuple[Option, ...] = (
    Option(
        name="drain_notice",
        kind=kinds.seconds(),
        default=5,
        help="Seconds into a stop after which WebSockets and event streams are told of it. Other responses run until "
        "timeout_graceful_shutdown.",
        section=Section.TIMEOUTS,
    ),
    Option(
        name="timeout_worker",
        kind=kinds.seconds(),
        default=60,
        help="Seconds that a worker's event loop may be blocked before its stacks are logged and it is replaced. A "
        "single process logs them and ends with code 1: whoever started it starts it again. 0: for ever.",
        section=Section.TIMEOUTS,
    ),
    Option(
        name="timeout_worker_start",
        kind=kinds.seconds(),
        default=600,
        help="Seconds that a worker has to import the application and get ready. 0: for ever.",
        section=Section.TIMEOUTS,
    ),
    Option(
        name="timeout_request_header",
        kind=kinds.seconds(),
        default=30,
        help="Seconds that a client has to send the head of a request; then 408. 0: for ever.",
        section=Section.TIMEOUTS,
    ),
    Option(
        name="timeout_request_body",
        kind=kinds.seconds(),
        default=30,
        help="Seconds in which a client may send nothing of a body that is due; then 408. On the average it must send "
        "240 bytes a second: each second takes one off its time, and each 240 bytes give one back. Time in which the "
        "application takes nothing doesn't count. 0: for ever.",
        section=Section.TIMEOUTS,
    ),
    Option(
        name="timeout_request",
        kind=kinds.seconds(optional=True, zero=None),
        default=None,
        help="Seconds that an application has to complete a response, or to answer a WebSocket handshake; then it is "
        "cancelled, and the client gets 503, or sees the response break off. 0 or none: for ever.",
        section=Section.TIMEOUTS,
    ),
    Option(
        name="timeout_write",
        kind=kinds.seconds(),
        default=60,
        help="Seconds in which a client may take nothing of what is written to it; then its connection is closed. As "
        "with bodies, it must take 240 bytes a second on the average. 0: for ever.",
        section=Section.TIMEOUTS,
    ),
    Option(
        name="timeout_tls_handshake",
        kind=kinds.seconds(),
        default=10,
        help="Seconds that a TLS handshake may take; then the connection is closed. 0: for ever.",
        section=Section.TIMEOUTS,
    ),
    Option(
        name="limit_request_line",
        kind=kinds.integer(1, metavar="BYTES"),
        default=8190,
        help="The longest request line taken, in bytes; then 414.",
        section=Section.LIMITS,
    ),
    Option(
        name="limit_request_fields",
        kind=kinds.integer(1),
        default=100,
        help="The most header fields of a request; then 431.",
        section=Section.LIMITS,
    ),
    Option(
        name="limit_request_field_size",
        kind=kinds.integer(1, metavar="BYTES"),
        default=32768,
        help="The longest header field of a request, in bytes; then 431. Room for tokens and Kerberos tickets.",
        section=Section.LIMITS,
    ),
    Option(
        name="limit_request_head",
        kind=kinds.integer(1, metavar="BYTES"),
        default=65536,
        help="The largest head of a request, in bytes; then 431.",
        section=Section.LIMITS,
    ),
    Option(
        name="limit_request_body",
        kind=kinds.limit(metavar="BYTES"),
        default=None,
        help="The largest content of a request, in bytes; then 413: before the application is called if the length is "
        "announced, otherwise as soon as there is more. 0 or none: any size.",
        section=Section.LIMITS,
    ),
    Option(
        name="limit_connections",
        kind=kinds.limit(),
        default=None,
        help="Connections that a worker holds at once, idle ones included. When it is reached, those make room that "
        "have waited longest for their clients: idle ones first, then unfinished heads, then bodies and responses that "
        "are stalled. If all are being served, more wait in the backlog. 0 or none: as many as the limit on open files "
        "leaves, less a reserve for the application's own.",
        section=Section.LIMITS,
    ),
    Option(
        name="ws_max_fragments",
        kind=kinds.integer(1),
        default=131072,
        help="The largest number of frames in one WebSocket message: each costs work, though it may be empty.",
        section=Section.WEBSOCKET,
    ),
)
