"""The command line, and `run`: from arguments to a process that serves.

Knows the option table, `Config`, and who serves: this process, or the supervisor's. The rule it keeps: it declares no
option and no default of its own, and decides nothing but who serves and which exit code that gives.
"""

import contextlib
import inspect
import logging
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, Unpack

import click
from click.core import ParameterSource

from monoceros import __version__
from monoceros.config import BUILT_IN, STARTUP_FAILURE, Config
from monoceros.errors import EXIT_USAGE, StartupError, UsageError
from monoceros.options.option import Option, Place, Section, display
from monoceros.options.signature import signed
from monoceros.options.sources import ARGUMENTS, FLAGS, Settings, gather
from monoceros.options.table import OPTIONS
from monoceros.service import identity
from monoceros.service.pidfile import PidFile
from monoceros.supervisor.start import Start, starting_directory

if TYPE_CHECKING:
    from monoceros.options.keywords import Keywords

logger = logging.getLogger("monoceros.error")


class SingleServer(Protocol):
    """What is asked of a server that runs in this process."""

    started: bool

    def run(self) -> None: ...


class Master(Protocol):
    """What is asked of a supervisor."""

    def run(self) -> int: ...


def make_server(config: Config) -> SingleServer:
    """Return the server for this process."""
    from monoceros.server.server import Server

    return Server(config)


def make_master(config: Config, *, read: Callable[[], Config] | None, pid_file: PidFile | None, start: Start) -> Master:
    """Return the supervisor of worker processes."""
    from monoceros.supervisor.arbiter import Arbiter

    return Arbiter(config, read=read, pid_file=pid_file, start=start)


_APP_DIR = inspect.Parameter("app_dir", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="str | None")


@signed("app", built_in=BUILT_IN, keyword_only=True, extra=[_APP_DIR])
def run(app: Any, *, app_dir: str | None = None, **options: "Unpack[Keywords]") -> None:
    """Serve an application until stopped.

    Arguments:
        app: the application, or "module:attribute", which `reload` and `workers` need.
        app_dir: a directory to look for the module in first.
        options: those of `Config`.

    Raises:
        UsageError: a value is not accepted.
        SystemExit: the server couldn't start (3), or the supervisor ended with another code than 0.
    """
    if app_dir is not None:
        sys.path.insert(0, os.path.abspath(app_dir))
    serve(Config(app, **options))


def serve(
    config: Config,
    *,
    read: Callable[[], Config] | None = None,
    make_server: Callable[[Config], SingleServer] = make_server,
    make_master: Callable[..., Master] = make_master,
) -> None:
    """Serve as a Config says, in this process or in workers, until stopped. Returns if that went well.

    Arguments:
        config: the options, not loaded.
        read: gathers the options again, for a reload; None if they can't change.
        make_server: makes the server for this process.
        make_master: makes the supervisor.

    Raises:
        UsageError: options contradict each other.
        SystemExit: as for `run`.
    """
    try:
        start = Start.of(os.environ)
    except StartupError as exc:
        logger.error("%s", exc)
        sys.exit(STARTUP_FAILURE)
    config.check()
    if config.use_subprocess and not isinstance(config.app, str):
        logger.error(
            "reload and workers load the application anew in each process: give it as an import string, "
            "'module:attribute', not as an object"
        )
        sys.exit(STARTUP_FAILURE)
    identity.resolve(config.user, config.group)
    identity.enter(config.chdir, config.umask)
    if start.trial is not None:
        from monoceros.supervisor.trial import undergo

        undergo(config, start.trial)
    try:
        with _named_by(config.pid_file, start) as pid_file:
            if config.use_subprocess or start.luggage is not None:
                code = make_master(config, read=read, pid_file=pid_file, start=start).run()
            else:
                code = _serve_here(make_server(config))
    except StartupError as exc:
        logger.error("%s", exc)
        sys.exit(STARTUP_FAILURE)
    if code:
        sys.exit(code)


@contextlib.contextmanager
def _named_by(path: str | os.PathLike[str] | None, start: Start) -> Iterator[PidFile | None]:
    """Let a file name this process, if it shall. A master that has workers already does without, rather than end."""
    if path is None:
        yield None
        return
    pid_file = PidFile(path)
    try:
        pid_file.claim()
    except UsageError as exc:
        if start.luggage is None or not start.luggage.passengers:
            raise
        logger.error("%s. This service goes on without", exc)
        yield None
        return
    try:
        yield pid_file
    finally:
        pid_file.release()


def _serve_here(server: SingleServer) -> int:
    # Whoever presses Ctrl+C knows why the program ended.
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    return 0 if server.started else STARTUP_FAILURE


class GroupedCommand(click.Command):
    """A command whose help shows the options in the sections of the table."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        for section in Section:
            rows = [_help_row(option) for option in OPTIONS if option.section is section and option.spellings]
            if section is Section.COMMAND:
                rows.append(("--help", "Show this text, and exit."))
            with formatter.section(section.value):
                formatter.write_dl(rows)


def _help_row(option: Option) -> tuple[str, str]:
    notes = [f"default: {option.default_text}"] if option.default_text and not option.acts_at_once else []
    notes += ["may be repeated"] if option.kind.multiple else []
    return ", ".join(option.usages), option.help + (f"  [{'; '.join(notes)}]" if notes else "")


def _parameters() -> Iterator[click.Parameter]:
    """Make click's parameters. It only takes the line apart: values are converted and checked by the table's kinds."""
    for word in ARGUMENTS:
        yield click.Argument([_parameter_name(word)], required=False, metavar=word)
    for flag, option in FLAGS.items():
        name = _parameter_name(flag)
        if option.name == "version":
            yield click.Option([flag, name], is_flag=True, is_eager=True, expose_value=False, callback=_print_version)
        elif option.acts_at_once:
            yield click.Option([flag, name], is_flag=True)
        elif option.kind.metavar:
            yield click.Option([flag, name], type=str, multiple=option.kind.multiple)
        else:
            yield click.Option([f"{flag}/--no-{flag.removeprefix('--')}", name], is_flag=True, default=None)


def _parameter_name(word: str) -> str:
    return word.removeprefix("--").replace("-", "_").lower()


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        interpreter = f"{platform.python_implementation()} {platform.python_version()}"
        click.echo(f"Running monoceros {__version__} with {interpreter} on {platform.system()}")
        context.exit()


@click.pass_context
def _command(context: click.Context, /, **parameters: object) -> None:
    given = {
        word: parameters[_parameter_name(word)]
        for word in FLAGS | ARGUMENTS
        if context.get_parameter_source(_parameter_name(word)) is ParameterSource.COMMANDLINE
    }
    here = Path.cwd()

    def read() -> Settings:
        return gather(given, os.environ, here)

    try:
        _act(read)
    except UsageError as exc:
        _refuse(str(exc))


def _act(read: Callable[[], Settings]) -> None:
    """Serve, or only check or print the settings."""

    def make_config() -> Config:
        settings = read()
        return Config.from_settings(settings.values["app"], settings)

    settings = read()
    umask = settings.values["umask"]
    if isinstance(umask, int):
        os.umask(umask)  # before the first log file is made
    config = Config.from_settings(settings.values["app"], settings)
    if settings.values["print_config"]:
        _print_config(config)
        return
    if config.app is None:
        raise UsageError("APP is missing: name the application as module:attribute, or set MONOCEROS_APP")
    _search_in(str(settings.values["app_dir"]), config.chdir)
    if settings.values["check_config"]:
        _check_config(config)
        return
    serve(config, read=make_config)


def _search_in(app_dir: str, chdir: str | os.PathLike[str] | None) -> None:
    """Let modules be searched for in a directory first; it is relative to the one that is changed to.

    It goes by its name, with the links in it: after a deployment the name leads to another directory.
    """
    sys.path.insert(0, os.path.normpath(os.path.join(starting_directory(), chdir or "", app_dir)))


def _check_config(config: Config) -> None:
    from monoceros.server.build import check

    who = identity.resolve(config.user, config.group)
    identity.enter(config.chdir, config.umask)
    if who is not None and not config.preload:
        config.load_tls()
        who.assume()
    config.load()
    config.get_loop_factory()
    check(config)
    click.echo(f"The configuration is good, and {config.app} can be served")


def _print_config(config: Config) -> None:
    """Print each value and where it came from, with secrets masked, in columns."""
    rows = [("app", display(config.app), config.sources["app"])]
    for option in OPTIONS:
        if Place.KEYWORD in option.places and Place.FLAG in option.places:
            value = getattr(config, option.name)
            shown = "the built-in one" if value in BUILT_IN.values() else display(value)
            rows.append((option.name, "********" if option.secret and value else shown, config.sources[option.name]))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, shown, source in rows:
        click.echo(f"{name:{widths[0]}}  {shown:{widths[1]}}  {source}")


def _refuse(message: str) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    sys.exit(EXIT_USAGE)


main = GroupedCommand(
    "monoceros-serve",
    params=list(_parameters()),
    callback=_command,
    help="Serve the ASGI application APP, given as module:attribute.",
    epilog="Each option may also be set by an environment variable MONOCEROS_<NAME>, or in monoceros.toml.",
)
