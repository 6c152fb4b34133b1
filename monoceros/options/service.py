"""The third part of the option table: what a server needs to be a good service for months.

Declarations only: sockets, recycling, what a stop waits for, and how the processes present themselves.
"""

from monoceros.options import kinds, system_kinds
from monoceros.options.option import Option, Section

SERVICE_OPTIONS: tuple[Option, ...] = (
    Option(
        name="bind",
        kind=system_kinds.addresses(),
        default=None,
        help="Listen on this address instead of host, port, uds and fd: `HOST:PORT`, `[::]:PORT`, `unix:PATH` or "
        "`fd://N`. Sockets that systemd passes (LISTEN_FDS) are taken by themselves, and no other is opened then.",
        section=Section.ADDRESS,
        attribute="list[Any]",
    ),
    Option(
        name="uds_permissions",
        kind=system_kinds.mode(),
        default=None,
        help="The mode of unix sockets, in octal. Unset: that of the socket replaced, else 0666.",
        section=Section.ADDRESS,
        attribute="int | None",
    ),
    Option(
        name="reuse_port",
        kind=kinds.switch(),
        default=False,
        help="Open one TCP socket for each worker (SO_REUSEPORT), so that the system spreads connections evenly. The "
        "master keeps the sockets; that of a worker which is not ready is served by another.",
        section=Section.ADDRESS,
    ),
    Option(
        name="worker_max_rss",
        kind=kinds.limit(metavar="MIB"),
        default=None,
        help="Replace a worker whose memory (resident set, pages shared with the master included) exceeds so many MiB. "
        "0 or none: never.",
        section=Section.LIMITS,
    ),
    Option(
        name="worker_lifetime",
        kind=kinds.seconds(optional=True, zero=None),
        default=None,
        help="Replace a worker after so many seconds, and a random tenth more at most, so that workers aren't replaced "
        "all at once. 0 or none: never.",
        section=Section.LIMITS,
    ),
    Option(
        name="preload",
        kind=kinds.switch(),
        default=False,
        help="Import the application in the master, before the workers are forked: they start at once and share its "
        "memory. A reload (HUP) starts the master anew, in the same process.",
        section=Section.PROCESSES,
    ),
    Option(
        name="drain_delay",
        kind=kinds.seconds(),
        default=0,
        help="Seconds for which TERM is answered by going on: new connections are accepted while load balancers learn "
        "that this server leaves. Then the graceful stop begins.",
        section=Section.TIMEOUTS,
    ),
    Option(
        name="access_log_file",
        kind=kinds.path(),
        default=None,
        help="Append the access log to this file, instead of standard output. Opened anew on USR1.",
        section=Section.LOGGING,
    ),
    Option(
        name="access_log_format",
        kind=kinds.text(optional=True, metavar="FORMAT"),
        default=None,
        help="The format of the access log: text with Gunicorn's atoms, such as `%(h)s %(r)s %(s)s %({user-agent}i)s`, "
        "or `json`: one JSON object a line. A line is written when its request is over. Unset: client, request line "
        "and status.",
        section=Section.LOGGING,
    ),
    Option(
        name="pid_file",
        kind=kinds.path(),
        default=None,
        help="Write the process number of the master, or of the single process, to this file. A second server on the "
        "same file is refused while the first lives.",
        section=Section.SERVICE,
    ),
    Option(
        name="user",
        kind=system_kinds.account("a user"),
        default=None,
        help="Serve as this user: workers change to it before they import the application. The master stays who it is, "
        "for it has to open sockets, keys and logs again.",
        section=Section.SERVICE,
    ),
    Option(
        name="group",
        kind=system_kinds.account("a group"),
        default=None,
        help="Serve as this group. Unset: with a user, that user's own groups.",
        section=Section.SERVICE,
    ),
    Option(
        name="umask",
        kind=system_kinds.mode(),
        default=None,
        help="The file mode creation mask of all processes, in octal. Unset: as inherited.",
        section=Section.SERVICE,
        attribute="int | None",
    ),
    Option(
        name="chdir",
        kind=kinds.path(),
        default=None,
        help="Change to this directory before the application is imported; the other paths are relative to it, but for "
        "those of option files, env_file and log_config, which are read before.",
        section=Section.SERVICE,
    ),
    Option(
        name="proc_name",
        kind=kinds.text(optional=True, metavar="NAME"),
        default=None,
        help="The name that `ps` shows for the service. Unset: that of the application.",
        section=Section.SERVICE,
    ),
)
