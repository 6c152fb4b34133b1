"""Where a worker's options come from, under Gunicorn: its settings, the environment, the file, the worker class.

Knows the tables of both sides, and Gunicorn's configuration by its shape only: it is handed in, and settings that a
release of Gunicorn doesn't have are passed over. The rule it keeps: what a user wrote counts, wherever it was written,
and what doesn't count is named. What two places say of one option is settled in this order, the first winning:

    CONFIG_KWARGS of the worker class
    a setting of Gunicorn's that was given
    MONOCEROS_* in the environment
    monoceros.toml, or [tool.monoceros] in pyproject.toml
    Gunicorn's default, where the table says that it counts
    our default
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from monoceros.options.option import Place
from monoceros.options.sources import Given, from_environment, from_file, settle
from monoceros.workers.settings import SETTINGS, SKIP, Fate

# Options of ours that are Gunicorn's affair, and the setting of Gunicorn's that says the same.
ARBITERS = {
    "access_log_file": "accesslog",
    "app": "wsgi_app",
    "app_dir": "pythonpath",
    "bind": "bind",
    "chdir": "chdir",
    "factory": "wsgi_app, as module:factory()",
    "fd": "bind, as fd://N",
    "group": "group",
    "host": "bind",
    "log_config": "logconfig",
    "pid_file": "pidfile",
    "port": "bind",
    "preload": "preload_app",
    "proc_name": "proc_name",
    "reload": "reload",
    "reload_delay": "reload_engine",
    "reload_dirs": "reload_extra_files",
    "reload_excludes": "reload_extra_files",
    "reload_includes": "reload_extra_files",
    "reuse_port": "reuse_port",
    "timeout_worker": "timeout",
    "timeout_worker_healthcheck": "timeout",
    "uds": "bind, as unix:PATH",
    "uds_permissions": "umask",
    "umask": "umask",
    "use_colors": "logconfig",
    "user": "user",
    "workers": "workers",
}

# Options that the settings of Gunicorn's logger win over; `workers/logs.py` makes them of these.
_OF_LOGGER: dict[str, tuple[str, Callable[[Any], object]]] = {
    "access_log": ("accesslog", lambda path: True),
    "access_log_format": ("access_log_format", lambda text: text),
}

_OWN_ACCESS = "the logger class {} has an access() of its own, which is told of each request instead"


def config_options(
    cfg: Any,
    overrides: Mapping[str, Any],
    environ: Mapping[str, str],
    directory: Path,
    logger: str | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Return the keyword arguments of a worker's Config, and what the user should know about them.

    Arguments:
        cfg: Gunicorn's configuration.
        overrides: `CONFIG_KWARGS` of the worker class.
        environ: the environment.
        directory: where monoceros.toml and pyproject.toml are looked for.
        logger: the logger class that has the access log for itself; None if there is none.

    Raises:
        UsageError: a variable, the file or a key of it can't be used.
    """
    written, warnings = _written(environ, directory)
    warnings += refusals(cfg)
    options: dict[str, Any] = {"workers": 1, "log_config": None}
    lines = [line for line in SETTINGS if line.fate is Fate.OPTION and line.name in cfg.settings]
    settings = {line: cfg.settings[line.name] for line in lines}
    for line, setting in settings.items():
        if line.always:
            options[line.option] = line.convert(setting.get(), cfg)
    for name, each in written.items():
        if name in ARBITERS or Place.KEYWORD not in each.option.places:
            its = f", and set by {ARBITERS[name]}" if name in ARBITERS else ""
            warnings.append(
                f"{each.source.name} ({each.source}) is not read: under Gunicorn, that is Gunicorn's affair{its}"
            )
        elif name in _OF_LOGGER and logger is not None:
            warnings.append(f"{each.source.name} ({each.source}) is not read: {_OWN_ACCESS.format(logger)}")
        elif name in _OF_LOGGER and was_given(cfg.settings[_OF_LOGGER[name][0]]):
            its_name, convert = _OF_LOGGER[name]
            if each.value != convert(cfg.settings[its_name].get()):
                warnings.append(_loses(each, its_name))
        else:
            options[name] = each.value
    for line, setting in settings.items():
        value = line.convert(setting.get(), cfg) if was_given(setting) else SKIP
        if value is SKIP:
            continue
        other = written.get(line.option)
        if other is not None and other.value != value:
            warnings.append(_loses(other, line.name))
        options[line.option] = value
    if logger is not None:
        lost = sorted(_OF_LOGGER.keys() & overrides)
        warnings += [f"{name} of CONFIG_KWARGS is not read: {_OWN_ACCESS.format(logger)}" for name in lost]
    options.update(overrides)
    return options, warnings


def refusals(cfg: Any) -> list[str]:
    """Return a warning for each setting of Gunicorn's that was given and has no effect.

    Arguments:
        cfg: Gunicorn's configuration.
    """
    return [
        f"Gunicorn's {line.name} = {cfg.settings[line.name].get()!r} has no effect: {line.remark}"
        for line in SETTINGS
        if line.fate is Fate.REFUSED and line.name in cfg.settings and was_given(cfg.settings[line.name])
    ]


def was_given(setting: Any) -> bool:
    """Whether a setting of Gunicorn's has another value than its default."""
    return bool(setting.get() != type(setting)().get())


def _loses(given: Given, name: str) -> str:
    return f"{given.source.name} ({given.source}) is not read: Gunicorn's {name} was given"


def _written(environ: Mapping[str, str], directory: Path) -> tuple[dict[str, Given], list[str]]:
    """What the environment says, and for options that it doesn't name, the file."""
    variables, warnings = from_environment(environ)
    path = settle(variables).values["config"]
    entries = {each.option.name: each for each in from_file(path if isinstance(path, str) else None, directory)}
    entries.update((each.option.name, each) for each in variables)
    entries.pop("config", None)
    return entries, warnings
