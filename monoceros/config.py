"""The configuration of a server: the values of all options, settable until it is loaded, frozen after.

Knows the option table and what a server is made of before it runs; no protocol, no event loop, no server. The rule it
keeps: it names an option only where it does something with it. Which there are, and what they accept, is the table's.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from socket import socket
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import TYPE_CHECKING, Any, Self, Unpack

from monoceros.errors import EXIT_STARTUP, StartupError, UsageError
from monoceros.logs import setup
from monoceros.logs.lines import running_on
from monoceros.logs.setup import LOG_LEVELS, LOGGING_CONFIG
from monoceros.options.keywords import Attributes, Keywords
from monoceros.options.option import BuiltIn, Origin, Source
from monoceros.options.signature import signed
from monoceros.options.sources import Settings, fall_back, from_keywords, settle
from monoceros.options.system_kinds import Address
from monoceros.options.table import KEYWORDS, POSITIONAL
from monoceros.options.watched import resolve
from monoceros.service import cpus

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["LOGGING_CONFIG", "LOG_LEVELS", "SSL_PROTOCOL_VERSION", "STARTUP_FAILURE", "Config"]

STARTUP_FAILURE = EXIT_STARTUP
SSL_PROTOCOL_VERSION = int(PROTOCOL_TLS_SERVER)

BUILT_IN = {BuiltIn.LOGGING: LOGGING_CONFIG}

logger = logging.getLogger("monoceros.error")


class Config(Attributes):
    """The values of all options.

    Arguments:
        app: the application, or "module:attribute".
        args: the options of the incumbent's, in its order.
        options: any option, by its name; docs/settings.md describes each.

    Attributes:
        sources: where each option's value came from: "default", "keyword", "command line --port",
            "environment MONOCEROS_PORT", a file's name, or "attribute".
        loaded: `load` was called, and the options are frozen.
        loaded_app: the application as an ASGI 3 callable, once loaded.
        ssl: the TLS context once loaded, or None.
        encoded_headers: the response headers that options ask for, without Date, once loaded.
        http_protocol_class: the user's own protocol class once loaded, or None for ours.
        ws_protocol_class: the same for WebSocket.
        reload_dirs_excludes: the directories that are not watched for changes.
        from_env_file: the environment variables that `env_file` has set.

    Raises:
        UsageError: a value is not accepted.
        TypeError: there is no option of the name.
    """

    app: Any
    sources: dict[str, str]
    reload_dirs_excludes: list[Path]
    from_env_file: dict[str, str]
    _counted: bool = False
    loaded: bool = False
    loaded_app: Any = None
    ssl: SSLContext | None = None
    encoded_headers: list[tuple[bytes, bytes]]
    http_protocol_class: type | None = None
    ws_protocol_class: type | None = None

    @signed("self", "app", built_in=BUILT_IN)
    def __init__(self, app: Any, *args: Any, **options: Unpack[Keywords]) -> None:
        self._set_up(app, settle(from_keywords(_by_name(args, dict(options)))))

    @classmethod
    def from_settings(cls, app: Any, settings: Settings) -> Self:
        """Make a Config of settings that were gathered from several sources; warnings about them are logged.

        Arguments:
            app: the application, or "module:attribute".
            settings: what `monoceros.options.sources.gather` or `settle` returned.
        """
        config = cls.__new__(cls)
        config._set_up(app, settings)
        return config

    def _set_up(self, app: Any, settings: Settings) -> None:
        self.app = app
        self.sources = dict(settings.sources)
        self.encoded_headers = []
        for name in KEYWORDS:
            value = settings.values[name]
            self.__dict__[name] = BUILT_IN[value] if isinstance(value, BuiltIn) else value
        self.__dict__["headers"] = self.headers or []
        self.__dict__["bind"] = self.bind or []
        if self.access_log_file is not None:
            self.__dict__["access_log_file"] = os.path.abspath(os.path.join(self.chdir or "", self.access_log_file))
        self.configure_logging()
        for warning in settings.warnings:
            logger.warning(warning)
        self._resolve_reload()
        self.from_env_file = {}
        if self.env_file is not None:
            self.from_env_file = _load_environment(self.env_file)
        self._fall_back()
        if self.reload and self.workers > 1:
            logger.warning("workers has no effect while reload is on: there is one worker")
        if (self.ssl_ca_certs or self.ssl_cert_reqs) and not self.is_ssl:
            logger.warning("ssl_ca_certs and ssl_cert_reqs have no effect without ssl_certfile: TLS is not served")

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute; that of an option is checked as a keyword argument would be.

        Raises:
            RuntimeError: it is an option's, and the Config is loaded.
            UsageError: the value is not accepted.
        """
        option = KEYWORDS.get(name)
        if self.loaded and (option is not None or name == "app"):
            raise RuntimeError(f"Config.{name} was set after load(): the options are frozen then; set it before")
        if option is None:
            super().__setattr__(name, value)
            return
        source = Source(Origin.ATTRIBUTE, name)
        checked = option.read(value, source)
        for target in (name, option.implies) if checked is not None else (name,):
            if target:
                self.__dict__[target] = option.otherwise if checked is None else checked
                self.sources[target] = str(source)

    @property
    def asgi_version(self) -> str:
        """The version of ASGI that the application speaks, "2.0" or "3.0"."""
        return "2.0" if self.interface == "asgi2" else "3.0"

    @property
    def is_ssl(self) -> bool:
        """TLS is served."""
        return bool(self.ssl_keyfile or self.ssl_certfile or self.ssl_context_factory)

    @property
    def use_subprocess(self) -> bool:
        """Processes other than this one serve. One worker, too, has a master if the number was found out here."""
        return self.reload or self.workers > 1 or self._counted

    @property
    def should_reload(self) -> bool:
        """Changes of the source restart the server; it takes an import string to load the application anew."""
        return isinstance(self.app, str) and self.reload

    def configure_logging(self) -> None:
        """Configure Python's logging as the options say.

        Raises:
            UsageError: `log_config` can't be used.
        """
        setup.configure(
            self.log_config,
            log_level=self.log_level,
            use_colors=self.use_colors,
            access_log=self.access_log,
            access_log_file=self.access_log_file,
            access_log_format=self.access_log_format,
        )

    def check(self) -> None:
        """Check what one option asks of another.

        Raises:
            UsageError: names the options.
        """
        if self.ssl_keyfile and not self.ssl_certfile and self.ssl_context_factory is None:
            raise UsageError("ssl_keyfile is given without ssl_certfile: TLS needs the certificate of the key, too")

    def load(self) -> None:
        """Make what a server needs of the options, and freeze them. A second call does nothing.

        Raises:
            SystemExit: 3: the application or the certificate can't be loaded; the reason is logged.
            UsageError: options contradict each other.
        """
        if self.loaded:
            return
        self.load_tls()
        self.encoded_headers = self._encode_headers()
        with _failures_logged():
            self.http_protocol_class = _custom_class("http", self.http)
            self.ws_protocol_class = _custom_class("ws", self.ws)
        self.loaded_app = self.load_app()
        if self.interface == "wsgi":
            self.ws_protocol_class = None
        self.loaded = True

    def load_tls(self) -> None:
        """Read the certificate and its key, which may be root's alone. A second call does nothing.

        Raises:
            SystemExit: 3: they can't be used; the reason is logged.
            UsageError: options contradict each other.
        """
        if self.ssl is None:
            self.check()
            with _failures_logged(traceback=False):
                self.ssl = self._make_ssl_context()

    def load_app(self) -> Any:
        """Import the application, call its factory, and return it as an ASGI 3 callable; `interface` becomes known.

        Raises:
            SystemExit: 3: it can't be imported or is no application; the reason is logged.
        """
        from monoceros.resources import loading

        with _failures_logged():
            found = loading.load_application(self.app, factory=self.factory, interface=self.interface)
        self.__dict__["interface"] = found.interface
        return found.application

    def bind_socket(self) -> socket:
        """Return a socket that is bound to the address, inheritable by child processes.

        Raises:
            SystemExit: 3: the address can't be bound; the reason is logged.
        """
        from monoceros.resources import listeners

        with _failures_logged(traceback=False):
            first, *others = listeners.bind(
                host=self.host, port=self.port, uds=self.uds, fd=self.fd, backlog=self.backlog
            )
        for other in others:
            other.close()
        running_on(logger, listeners.address(first, tls=self.is_ssl))
        first.set_inheritable(True)
        return first

    def open_listeners(self) -> list[socket]:
        """Return listening sockets: those that systemd passed to this process, else those of the addresses.

        Raises:
            StartupError: an address can't be bound. None stays open then.
        """
        from monoceros.resources import activation, listeners

        passed = activation.take_passed(os.environ, os.getpid())
        if passed:
            given = [name for name in ("bind", "host", "port", "uds") if self.sources[name] != "default"]
            if given:
                logger.warning("%s: ignored, for the service manager has passed sockets (LISTEN_FDS)", ", ".join(given))
            return listeners.adopt_passed(passed, backlog=self.backlog)
        return listeners.bind_places(
            self.bind or [Address(self.host, self.port, self.uds, self.fd)],
            backlog=self.backlog,
            uds_permissions=self.uds_permissions,
            reuse_port=self.reuse_port,
        )

    def get_loop_factory(self) -> "Callable[[], asyncio.AbstractEventLoop] | None":
        """Return what makes the event loop, or None for asyncio's default.

        Raises:
            SystemExit: 3: it can't be imported; the reason is logged.
        """
        from monoceros.resources import loops

        with _failures_logged(traceback=":" in self.loop):
            return loops.loop_factory(self.loop)

    def _resolve_reload(self) -> None:
        """Make directories and patterns to watch of what the user wrote; nothing, if nothing is watched."""
        given = (self.reload_dirs or [], self.reload_includes or [], self.reload_excludes or [])
        self.__dict__.update(reload_dirs=[], reload_includes=[], reload_excludes=[], reload_dirs_excludes=[])
        if not self.should_reload:
            if any(given):
                logger.warning("The reload options have no effect: it takes reload, and APP as an import string")
            return
        watched = resolve(*given, Path.cwd())
        self.__dict__.update(
            reload_dirs=watched.directories,
            reload_includes=watched.includes,
            reload_excludes=watched.excludes,
            reload_dirs_excludes=watched.excluded,
        )
        if watched.fell_back:
            logger.warning("None of the directories %s can be watched: watching the current one", given[0])
        logger.info("Will watch for changes in these directories: %s", sorted(map(str, watched.directories)))

    def _fall_back(self) -> None:
        for option in KEYWORDS.values():
            if option.otherwise is not None and self.__dict__[option.name] is None:
                self.__dict__[option.name], self.sources[option.name] = fall_back(option, os.environ)
        workers: object = self.workers
        self._counted = workers == "auto"
        self.__dict__["workers"] = cpus.usable_cpus() if self._counted else workers or 1

    def _encode_headers(self) -> list[tuple[bytes, bytes]]:
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]
        if self.server_header and b"server" not in dict(encoded):
            encoded.insert(0, (b"server", b"monoceros"))
        return encoded

    def _make_ssl_context(self) -> SSLContext | None:
        if self.ssl_context_factory is None:
            return self._default_ssl_context() if self.is_ssl else None
        context: object = self.ssl_context_factory(self, self._default_ssl_context)
        if not isinstance(context, SSLContext):
            raise TypeError(f"ssl_context_factory returned {context!r}: it has to return an ssl.SSLContext")
        return context

    def _default_ssl_context(self) -> SSLContext:
        from monoceros.resources import tls

        if not self.ssl_certfile:
            raise RuntimeError("The default TLS context needs ssl_certfile: give it, or make a context without")
        return tls.make_context(
            certfile=self.ssl_certfile,
            keyfile=self.ssl_keyfile,
            password=self.ssl_keyfile_password,
            version=self.ssl_version,
            cert_reqs=self.ssl_cert_reqs,
            ca_certs=self.ssl_ca_certs,
            ciphers=self.ssl_ciphers,
        )


def _by_name(args: tuple[object, ...], options: dict[str, object]) -> dict[str, object]:
    """Name the positional arguments, as Python itself would."""
    if len(args) > len(POSITIONAL):
        raise TypeError(f"Config takes at most {len(POSITIONAL)} options by position, and {len(args)} were given")
    for option, value in zip(POSITIONAL, args, strict=False):
        if option.name in options:
            raise TypeError(f"Config got two values for {option.name}: one by position, one by name")
        options[option.name] = value
    return options


def _custom_class(name: str, value: object) -> type | None:
    """Return the class of the user's own that `http` or `ws` names, or None if it names one of ours."""
    if not isinstance(value, str):
        return value if isinstance(value, type) else None
    if ":" not in value:
        return None
    from monoceros.resources import loading

    try:
        found = loading.import_object(value)
    except StartupError as exc:
        raise StartupError(f"{name}: {exc}") from exc.__cause__
    if not isinstance(found, type):
        raise StartupError(f"{name}: {value} is {found!r}, not a class")
    return found


def _load_environment(path: str | os.PathLike[str]) -> dict[str, str]:
    """Set the environment variables of a file, and return those; what is set already stays as it is."""
    former = set(os.environ)
    try:
        from dotenv import load_dotenv
    except ImportError:
        raise UsageError("env_file needs python-dotenv: pip install 'monoceros[env]'") from None
    logger.info("Loading environment from '%s'", path)
    try:
        with open(path, encoding="utf-8") as stream:
            load_dotenv(stream=stream)
        return {name: value for name, value in os.environ.items() if name not in former}
    except OSError as exc:
        raise UsageError(f"env_file: {path} can't be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise UsageError(f"env_file: {path} is not UTF-8 text: {exc}") from exc


@contextlib.contextmanager
def _failures_logged(*, traceback: bool = True) -> Iterator[None]:
    """Log a StartupError and end the program.

    Arguments:
        traceback: with what caused it, for the cause may lie in the user's code. Elsewhere the message says it all.
    """
    try:
        yield
    except StartupError as exc:
        logger.error("%s", exc, exc_info=exc.__cause__ if traceback else None)
        sys.exit(STARTUP_FAILURE)
