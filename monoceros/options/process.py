"""The first part of the option table: where a process listens, what it runs, and how it logs.

Declarations only. The rule it keeps: the order is that of the incumbent's `Config`, whose options may be given by
position.
"""

from monoceros.options import kinds, system_kinds
from monoceros.options.option import BuiltIn, Option, Place, Section

LOG_LEVELS = ("critical", "error", "warning", "info", "debug", "trace")

HTTP2_REASON = "HTTP/2 is not served yet: leave it off, and let a proxy in front of this server speak it"

PROCESS_OPTIONS: tuple[Option, ...] = (
    Option(
        name="host",
        kind=kinds.text(empty=True, metavar="HOST"),
        default="127.0.0.1",
        help="Listen on this address, or on all those of this name. Empty: on every address of this machine.",
        section=Section.ADDRESS,
    ),
    Option(
        name="port",
        kind=kinds.integer(0, 65535, noun="a port", metavar="PORT"),
        default=8000,
        help="Listen on this TCP port. 0: on a free one.",
        section=Section.ADDRESS,
    ),
    Option(
        name="uds",
        kind=kinds.text(optional=True, metavar="PATH"),
        default=None,
        help="Listen on a unix socket at this path, instead of a TCP port.",
        section=Section.ADDRESS,
    ),
    Option(
        name="fd",
        kind=kinds.integer(0, optional=True, noun="a file descriptor"),
        default=None,
        help="Listen on the socket of this open file descriptor.",
        section=Section.ADDRESS,
    ),
    Option(
        name="loop",
        kind=kinds.implementation(
            ("auto", "asyncio", "uvloop", "none"),
            custom="module:factory",
            refused={"zuvloop": "use uvloop"},
        ),
        default="auto",
        help="The event loop. auto: uvloop if it is installed. none: asyncio's default.",
        section=Section.PROTOCOL,
        difference="zuvloop is refused: use uvloop.",
    ),
    Option(
        name="http",
        kind=kinds.implementation(
            ("auto", "h11", "httptools"),
            custom="module:Class",
            classes=True,
            refused={"zttp": "use auto, h11 or httptools"},
        ),
        default="auto",
        help="The HTTP/1.1 parser. auto: httptools if it is installed. A class is used as the protocol of connections.",
        section=Section.PROTOCOL,
        difference="zttp is refused: use auto, h11 or httptools. All parsers accept and refuse the same requests.",
    ),
    Option(
        name="http2",
        kind=kinds.unsupported_switch(HTTP2_REASON),
        default=False,
        help="Serve HTTP/2. It may only stay off as yet.",
        section=Section.PROTOCOL,
        difference="Refused when on: let a proxy in front of this server speak HTTP/2.",
    ),
    Option(
        name="ws",
        kind=kinds.implementation(
            ("auto", "none", "websockets", "websockets-sansio", "wsproto"),
            custom="module:Class",
            classes=True,
            none=True,
        ),
        default="auto",
        help="The WebSocket library. auto: websockets. none: WebSocket requests are served as plain HTTP.",
        section=Section.WEBSOCKET,
        difference="websockets and websockets-sansio are the same engine here. A class of the user's own is refused: a "
        "WebSocket runs over the connection that its handshake came on.",
    ),
    Option(
        name="ws_max_size",
        kind=kinds.integer(1, metavar="BYTES"),
        default=16 * 1024 * 1024,
        help="The size of the largest WebSocket message taken, in bytes.",
        section=Section.WEBSOCKET,
    ),
    Option(
        name="ws_max_queue",
        kind=kinds.integer(1),
        default=32,
        help="Messages of a WebSocket that wait for the application before its connection isn't read any more; it "
        "isn't with 64 KiB of them, either.",
        section=Section.WEBSOCKET,
    ),
    Option(
        name="ws_ping_interval",
        kind=kinds.seconds(optional=True),
        default=20.0,
        help="Seconds between two pings. 0 or none: no pings.",
        section=Section.WEBSOCKET,
    ),
    Option(
        name="ws_ping_timeout",
        kind=kinds.seconds(optional=True),
        default=20.0,
        help="Seconds to wait for the answer to a ping before the connection is closed. none: for ever.",
        section=Section.WEBSOCKET,
    ),
    Option(
        name="ws_per_message_deflate",
        kind=kinds.switch(value=True),
        default=True,
        help="Compress WebSocket messages if the client can.",
        section=Section.WEBSOCKET,
    ),
    Option(
        name="lifespan",
        kind=kinds.choice("auto", "on", "off"),
        default="auto",
        help="Tell the application when the server starts and stops. auto: if it wants to know.",
        section=Section.APPLICATION,
    ),
    Option(
        name="env_file",
        kind=kinds.path(),
        default=None,
        help="A file of environment variables to set before the application is imported. Needs `monoceros[env]`.",
        section=Section.APPLICATION,
        must_exist=True,
        difference="A file that is missing is an error also in Python. Variables `MONOCEROS_*` in it come too late to "
        "be read as options.",
    ),
    Option(
        name="log_config",
        kind=kinds.log_config(BuiltIn.LOGGING),
        default=BuiltIn.LOGGING,
        help="A file that configures logging: .json, .yaml, .toml, else ini. In Python also a dict, or None to leave "
        "the logging as it is.",
        section=Section.LOGGING,
        must_exist=True,
    ),
    Option(
        name="log_level",
        kind=kinds.log_level(LOG_LEVELS),
        default=None,
        help="The least level that is logged, in any case. Unset: that of the logging configuration, which is info.",
        section=Section.LOGGING,
    ),
    Option(
        name="access_log",
        kind=kinds.switch(),
        default=True,
        help="Log each request.",
        section=Section.LOGGING,
    ),
    Option(
        name="use_colors",
        kind=kinds.switch(optional=True),
        default=None,
        help="Colour the log. Unset: if it goes to a terminal.",
        section=Section.LOGGING,
    ),
    Option(
        name="interface",
        kind=kinds.choice("auto", "asgi3", "asgi2", "wsgi"),
        default="auto",
        help="The application's interface. auto: asgi3 or asgi2, whichever it looks like.",
        section=Section.APPLICATION,
    ),
    Option(
        name="reload",
        kind=kinds.switch(),
        default=False,
        help="Restart when the source changes. For development.",
        section=Section.RELOAD,
    ),
    Option(
        name="reload_dirs",
        kind=kinds.paths(),
        default=None,
        flags=("--reload-dir",),
        help="Watch this directory. Unset: the current one.",
        section=Section.RELOAD,
        must_exist=True,
        attribute="list[Path]",
    ),
    Option(
        name="reload_delay",
        kind=kinds.seconds(),
        default=0.25,
        help="Seconds between two looks for changes.",
        section=Section.RELOAD,
    ),
    Option(
        name="reload_includes",
        kind=kinds.patterns(),
        default=None,
        flags=("--reload-include",),
        help="Watch files of this pattern, or this directory, too; `*.py` is watched unless it is excluded.",
        section=Section.RELOAD,
        attribute="list[str]",
    ),
    Option(
        name="reload_excludes",
        kind=kinds.patterns(),
        default=None,
        flags=("--reload-exclude",),
        help="Don't watch files of this pattern, or this directory; `.*`, `.py[cod]`, `.sw.*` and `~*` are not watched "
        "unless they are included.",
        section=Section.RELOAD,
        attribute="list[str]",
    ),
    Option(
        name="workers",
        kind=system_kinds.worker_count(),
        default=None,
        fallback="WEB_CONCURRENCY",
        otherwise=1,
        help="Worker processes. auto: as many as this process may use CPUs, by its affinity and its control group. "
        "Unset: $WEB_CONCURRENCY, else 1. Not together with reload.",
        section=Section.PROCESSES,
        attribute="int",
        difference="A worker is replaced before it goes, and no request is dropped meanwhile.",
    ),
)

WHOLE_PROGRAM = Place.VARIABLE | Place.FILE

PROGRAM_OPTIONS: tuple[Option, ...] = (
    Option(
        name="app",
        kind=kinds.text(optional=True, metavar="APP"),
        default=None,
        help="The application, as `module:attribute`: the argument of the command.",
        section=Section.APPLICATION,
        places=WHOLE_PROGRAM,
    ),
    Option(
        name="app_dir",
        kind=kinds.text(empty=True, metavar="PATH"),
        default="",
        help="Look for the application's module in this directory first. Empty: in the current one. In Python it is an "
        "argument of `run`, not of `Config`.",
        section=Section.APPLICATION,
        places=WHOLE_PROGRAM | Place.FLAG,
    ),
    Option(
        name="config",
        kind=kinds.path(),
        default=None,
        help="Read the options from this TOML file. Unset: `monoceros.toml`, else `[tool.monoceros]` of "
        "`pyproject.toml`, both in the current directory.",
        section=Section.COMMAND,
        places=Place.FLAG | Place.VARIABLE,
    ),
    Option(
        name="check_config",
        kind=kinds.switch(),
        default=False,
        help="Check the options and the files they name, import the application, and exit without serving.",
        section=Section.COMMAND,
        places=Place.FLAG,
    ),
    Option(
        name="print_config",
        kind=kinds.switch(),
        default=False,
        help="Print each value and where it came from, and exit.",
        section=Section.COMMAND,
        places=Place.FLAG,
    ),
    Option(
        name="version",
        kind=kinds.switch(),
        default=False,
        help="Print the versions of Monoceros, Python and the system, and exit.",
        section=Section.COMMAND,
        places=Place.FLAG,
    ),
)
