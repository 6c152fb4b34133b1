"""Gunicorn's settings, and the option of ours that each sets. One table; a line more honours a setting more.

Knows Gunicorn's configuration by its shape only: it is handed in, and settings that a release of Gunicorn doesn't have
are passed over. The rule it keeps: what a user wrote counts, wherever it was written, and what two places say of one
option is settled in this order, the first winning:

    CONFIG_KWARGS of the worker class
    a setting of Gunicorn's that was given
    MONOCEROS_* in the environment
    monoceros.toml, or [tool.monoceros] in pyproject.toml
    Gunicorn's default, where the table says that it counts
    our default
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from monoceros.options.option import Place
from monoceros.options.sources import Given, from_environment, from_file, settle

SKIP: Final = object()
"""What a conversion returns if the option is to stay as it is."""

UNLIMITED = 1 << 30  # octets, or fields: Gunicorn's 0
USUAL_HEAD = 65536  # octets: the default of limit_request_head
SLOWEST_CUT = 3.0  # seconds kept back of a long graceful timeout
SLOWEST_END = 1.0  # seconds of these that are left for the process to end in


def drain_seconds(graceful_timeout: float) -> float:
    """How long requests may run on in a drain, of all the time until the arbiter kills.

    Its clock starts before the worker hears of the stop, and after the requests the lifespan has to end, too.
    """
    return graceful_timeout - min(SLOWEST_CUT, 0.3 * graceful_timeout)


def last_seconds(graceful_timeout: float) -> float:
    """When a drain, lifespan included, is over at the latest."""
    return graceful_timeout - min(SLOWEST_END, 0.15 * graceful_timeout)


def _same(value: Any, cfg: Any) -> Any:
    return value


def _or_unlimited(value: Any, cfg: Any) -> Any:
    return value or UNLIMITED


def _head_with(value: Any, cfg: Any) -> Any:
    """A line or a field that may be long has to fit into the whole head, too."""
    return SKIP if 0 < value <= USUAL_HEAD // 2 else (value or UNLIMITED) + USUAL_HEAD


def _drain_seconds(value: Any, cfg: Any) -> Any:
    return drain_seconds(value)


def _if_tls(value: Any, cfg: Any) -> Any:
    return value if cfg.is_ssl else SKIP


def _context_hook(value: Any, cfg: Any) -> Any:
    """Gunicorn's hook gets Gunicorn's configuration, ours gets ours."""
    return (lambda _config, default: value(cfg, default)) if cfg.is_ssl else SKIP


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table.

    Arguments:
        name: Gunicorn's name.
        option: ours.
        convert: makes our value of Gunicorn's; it is given that value and the whole configuration.
        always: Gunicorn's default counts as well; else only a value that was given.
    """

    name: str
    option: str
    convert: Callable[[Any, Any], Any] = _same
    always: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting("keepalive", "timeout_keep_alive", always=True),
    Setting("backlog", "backlog", always=True),
    Setting("graceful_timeout", "timeout_graceful_shutdown", _drain_seconds, always=True),
    Setting("timeout", "timeout_worker", always=True),
    Setting("max_requests", "limit_max_requests"),
    Setting("max_requests_jitter", "limit_max_requests_jitter"),
    Setting("forwarded_allow_ips", "forwarded_allow_ips"),
    Setting("root_path", "root_path"),
    Setting("limit_request_line", "limit_request_line", _or_unlimited),
    Setting("limit_request_fields", "limit_request_fields", _or_unlimited),
    Setting("limit_request_field_size", "limit_request_field_size", _or_unlimited),
    Setting("limit_request_field_size", "limit_request_head", _head_with),
    Setting("asgi_lifespan", "lifespan"),
    Setting("websocket_max_message_size", "ws_max_size"),
    Setting("certfile", "ssl_certfile", _if_tls),
    Setting("keyfile", "ssl_keyfile", _if_tls),
    Setting("ca_certs", "ssl_ca_certs", _if_tls),
    Setting("cert_reqs", "ssl_cert_reqs", _if_tls),
    Setting("ciphers", "ssl_ciphers", _if_tls),
    Setting("ssl_context", "ssl_context_factory", _context_hook),
)

# Gunicorn decides these: where it listens, how many it forks, what it imports, what it logs to, when it kills.
ARBITERS = frozenset(
    {
        "access_log_file",
        "app",
        "app_dir",
        "bind",
        "chdir",
        "factory",
        "fd",
        "group",
        "host",
        "log_config",
        "pid_file",
        "port",
        "preload",
        "proc_name",
        "reload",
        "reload_delay",
        "reload_dirs",
        "reload_excludes",
        "reload_includes",
        "reuse_port",
        "timeout_worker",
        "timeout_worker_healthcheck",
        "uds",
        "uds_permissions",
        "umask",
        "use_colors",
        "user",
        "workers",
    }
)


def config_options(
    cfg: Any, overrides: Mapping[str, Any], environ: Mapping[str, str], directory: Path
) -> tuple[dict[str, Any], list[str]]:
    """Return the keyword arguments of a worker's Config, and what the user should know about them.

    Arguments:
        cfg: Gunicorn's configuration.
        overrides: `CONFIG_KWARGS` of the worker class.
        environ: the environment.
        directory: where monoceros.toml and pyproject.toml are looked for.

    Raises:
        UsageError: a variable, the file or a key of it can't be used.
    """
    written, warnings = _written(environ, directory)
    options: dict[str, Any] = {"workers": 1, "log_config": None}
    settings = {line: cfg.settings[line.name] for line in SETTINGS if line.name in cfg.settings}
    for line, setting in settings.items():
        if line.always:
            options[line.option] = line.convert(setting.get(), cfg)
    for name, each in written.items():
        if name in ARBITERS or Place.KEYWORD not in each.option.places:
            warnings.append(
                f"{each.source.name} ({each.source}) is not read: under Gunicorn, that is Gunicorn's affair"
            )
        else:
            options[name] = each.value
    for line, setting in settings.items():
        value = line.convert(setting.get(), cfg) if was_given(setting) else SKIP
        if value is SKIP:
            continue
        other = written.get(line.option)
        if other is not None and other.value != value:
            warnings.append(f"{other.source.name} ({other.source}) is not read: Gunicorn's {line.name} was given")
        options[line.option] = value
    options.update(overrides)
    return options, warnings


def was_given(setting: Any) -> bool:
    """Whether a setting of Gunicorn's has another value than its default."""
    return bool(setting.get() != type(setting)().get())


def _written(environ: Mapping[str, str], directory: Path) -> tuple[dict[str, Given], list[str]]:
    """What the environment says, and for options that it doesn't name, the file."""
    variables, warnings = from_environment(environ)
    path = settle(variables).values["config"]
    entries = {each.option.name: each for each in from_file(path if isinstance(path, str) else None, directory)}
    entries.update((each.option.name, each) for each in variables)
    entries.pop("config", None)
    return entries, warnings
