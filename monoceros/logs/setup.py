"""Configures Python's `logging` for the server: from a dict, from a file, or not at all.

Knows the standard library's two configurators, the formats they are fed from, and the access log's file. The rules it
keeps: a caller's dict isn't changed, and a file that can't be used is named with what is wrong with it. The one file
that imports PyYAML.
"""

import configparser
import copy
import inspect
import json
import logging
import logging.config
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias

from monoceros.errors import UsageError
from monoceros.logs.atoms import compile_format
from monoceros.logs.formatted import show_lines_alone
from monoceros.logs.formatters import (
    ACCESS_FORMAT,
    DEFAULT_FORMAT,
    TRACE_LOG_LEVEL,
    AccessFormatter,
    ColourizedFormatter,
)

LogConfig: TypeAlias = dict[str, Any] | str | os.PathLike[str] | configparser.RawConfigParser | IO[Any]

LOG_LEVELS: dict[str, int] = {
    "critical": logging.CRITICAL,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": TRACE_LOG_LEVEL,
}

LOGGING_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "default": {"()": "monoceros.logging.DefaultFormatter", "fmt": DEFAULT_FORMAT, "use_colors": None},
        "access": {"()": "monoceros.logging.AccessFormatter", "fmt": ACCESS_FORMAT},
    },
    "handlers": {
        "default": {"formatter": "default", "class": "logging.StreamHandler", "stream": "ext://sys.stderr"},
        "access": {"formatter": "access", "class": "logging.StreamHandler", "stream": "ext://sys.stdout"},
    },
    "loggers": {
        "monoceros": {"handlers": ["default"], "level": "INFO", "propagate": False},
        "monoceros.error": {"level": "INFO"},
        "monoceros.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
    },
}

_ACCESS_LOG_FILE = "access_log_file"  # the name of the handler that the option made

_ACCEPTED = (
    "Accepted are a mapping for logging.config.dictConfig (a dict, or a file that ends in .json, .yaml, .yml or .toml) "
    "and, under any other name, an ini file for logging.config.fileConfig."
)


def configure(
    log_config: LogConfig | None,
    *,
    log_level: str | int | None = None,
    use_colors: bool | None = None,
    access_log: bool = True,
    access_log_file: str | os.PathLike[str] | None = None,
    access_log_format: str | None = None,
) -> None:
    """Configure the process's logging.

    Arguments:
        log_config: a mapping for `dictConfig`, the path of a file with one (.json, .yaml, .yml, .toml), or the path of
            an ini file, a parser or an open file for `fileConfig`. None leaves the logging as it is.
        log_level: for the server's loggers: a name of `LOG_LEVELS` in any case, or a number. None keeps the config's.
        use_colors: for the formatters "default" and "access" of a mapping, if they are there and take it. None keeps
            the config's. An ini file has no place for it.
        access_log: False takes the handlers from the access logger and stops its records from going further up.
        access_log_file: the access logger's lines are appended to this file, and go nowhere else: as its first handler
            formats them, or by `ACCESS_FORMAT`, without colours. A logger that the config left without a level or
            disabled logs at INFO. None leaves its handlers as they are; without an access log nothing is opened.
        access_log_format: the format of the access log's lines, which stand alone then: handlers that have no formatter
            or the default access look lose it. None is that look.

    Raises UsageError for a config that can't be read or applied, for an unknown level, for a file that can't be opened,
    and for a format that can't be compiled.
    """
    if access_log_format is not None:
        compile_format(access_log_format)
    logging.addLevelName(TRACE_LOG_LEVEL, "TRACE")
    level = _level_number(log_level)
    if log_config is not None:
        _apply(log_config, use_colors)
    if level is not None:
        for name in ("monoceros.error", "monoceros.access", "monoceros.asgi"):
            logging.getLogger(name).setLevel(level)
    access_logger = logging.getLogger("monoceros.access")
    if not access_log:
        access_logger.handlers = []
        access_logger.propagate = False
    elif access_log_file is not None:
        _log_to_file(access_logger, access_log_file)
    if access_log_format is not None:
        show_lines_alone(access_logger)


def _log_to_file(access_logger: logging.Logger, path: str | os.PathLike[str]) -> None:
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except (OSError, ValueError) as exc:  # ValueError: a path that no system call takes
        reason = (exc.strerror if isinstance(exc, OSError) else None) or exc
        raise UsageError(
            f"access_log_file (--access-log-file): {os.fspath(path)!r} can't be opened: {reason}. "
            "It has to be a file that this user may write to, in a directory that exists."
        ) from exc
    handler.setFormatter(_without_colors(access_logger.handlers))
    for former in access_logger.handlers:
        if former.name == _ACCESS_LOG_FILE:  # of an earlier call; a handler of the user's may serve other loggers, too
            former.close()
    handler.set_name(_ACCESS_LOG_FILE)
    access_logger.handlers = [handler]
    access_logger.propagate = access_logger.disabled = False
    if access_logger.level == logging.NOTSET and not access_logger.isEnabledFor(logging.INFO):
        access_logger.setLevel(logging.INFO)


def _without_colors(handlers: Sequence[logging.Handler]) -> logging.Formatter:
    """The formatter that the first of the handlers shows its lines by, as a file needs it."""
    formatter = next((handler.formatter for handler in handlers if handler.formatter), None)
    if formatter is None:
        return AccessFormatter(ACCESS_FORMAT, use_colors=False)
    if isinstance(formatter, ColourizedFormatter):
        formatter = copy.copy(formatter)  # the handler may serve other loggers, at a terminal
        formatter.use_colors = False
    return formatter


def _level_number(log_level: str | int | None) -> int | None:
    if not isinstance(log_level, str):
        return log_level
    try:
        return LOG_LEVELS[log_level.lower()]
    except KeyError:
        raise UsageError(f"log_level: {log_level!r} isn't one of {', '.join(LOG_LEVELS)}.") from None


def _apply(log_config: LogConfig, use_colors: bool | None) -> None:
    if isinstance(log_config, dict):
        _apply_mapping(log_config, use_colors, "the mapping")
    elif isinstance(log_config, str | os.PathLike):
        _apply_file(Path(log_config), use_colors)
    elif isinstance(log_config, configparser.RawConfigParser) or hasattr(log_config, "readline"):
        _apply_ini(log_config, "the ini configuration")
    else:
        raise UsageError(f"log_config: {log_config!r} is neither a dict nor a file. {_ACCEPTED}")


def _apply_file(path: Path, use_colors: bool | None) -> None:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"log_config: {path} can't be read: {exc.strerror or exc}. {_ACCEPTED}") from exc
    except UnicodeDecodeError as exc:
        raise UsageError(f"log_config: {path} isn't UTF-8 text: {exc}. {_ACCEPTED}") from exc
    kind, parse = _PARSERS.get(path.suffix.lower(), ("ini", _parse_ini))
    try:
        parsed = parse(text)
    except ValueError as exc:
        reason = " ".join(str(exc).split())  # a parser may quote the place on lines of their own
        raise UsageError(f"log_config: {path} isn't valid {kind}: {reason}. {_ACCEPTED}") from exc
    if isinstance(parsed, configparser.RawConfigParser):
        _apply_ini(parsed, str(path))
    elif isinstance(parsed, dict):
        _apply_mapping(parsed, use_colors, str(path))
    else:
        raise UsageError(f"log_config: {path} holds a {type(parsed).__name__}, not a mapping. {_ACCEPTED}")


def _parse_yaml(text: str) -> object:
    try:
        import yaml
    except ImportError:
        raise UsageError("log_config: a YAML file needs PyYAML: pip install 'monoceros[yaml]'.") from None
    try:
        parsed: object = yaml.safe_load(text)
    except yaml.MarkedYAMLError as exc:
        # Its text quotes the line, and a handler's password may stand there.
        line = 0 if exc.problem_mark is None else exc.problem_mark.line + 1
        raise ValueError(f"{exc.problem}, in line {line}") from None
    except yaml.YAMLError as exc:
        raise ValueError(exc) from exc
    return parsed


def _parse_ini(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    try:
        parser.read_string(text)
    except configparser.MissingSectionHeaderError as exc:
        # The two quote the line, and a handler's password may stand there.
        raise ValueError(f"no section begins before line {exc.lineno}") from None
    except configparser.ParsingError as exc:
        raise ValueError(f"neither a section nor an option, in line {exc.errors[0][0]}") from None
    except configparser.Error as exc:
        raise ValueError(exc.message) from exc
    return parser


_PARSERS: dict[str, tuple[str, Callable[[str], object]]] = {
    ".json": ("JSON", json.loads),
    ".toml": ("TOML", tomllib.loads),
    ".yaml": ("YAML", _parse_yaml),
    ".yml": ("YAML", _parse_yaml),
}


def _apply_mapping(config: dict[str, Any], use_colors: bool | None, origin: str) -> None:
    try:
        logging.config.dictConfig(config if use_colors is None else _with_colors(config, use_colors))
    except Exception as exc:  # whatever a formatter's or a handler's constructor raises
        raise UsageError(f"log_config: {origin} can't be applied: {_reason(exc)}. {_ACCEPTED}") from exc


def _apply_ini(source: configparser.RawConfigParser | IO[Any], origin: str) -> None:
    try:
        logging.config.fileConfig(source, disable_existing_loggers=False)
    except Exception as exc:  # the same, and what its arguments evaluate to
        raise UsageError(f"log_config: {origin} can't be applied: {_reason(exc)}. {_ACCEPTED}") from exc


def _reason(exc: BaseException) -> str:
    """What went wrong and what caused it: `dictConfig` names the place in one exception and the reason in another."""
    reason = f"{exc} is missing" if isinstance(exc, KeyError) else str(exc) or type(exc).__name__
    return f"{reason}: {_reason(exc.__cause__)}" if exc.__cause__ else reason


def _with_colors(config: dict[str, Any], use_colors: bool) -> dict[str, Any]:
    """The config with `use_colors` for those of the two formatters that take it; the original stays as it is."""
    formatters = config.get("formatters")
    if not isinstance(formatters, Mapping):
        return config
    changed = {
        name: {**formatters[name], "use_colors": use_colors}
        for name in ("default", "access")
        if name in formatters and _takes_colors(formatters[name], config)
    }
    return {**config, "formatters": {**formatters, **changed}}


def _takes_colors(entry: Mapping[str, Any], config: dict[str, Any]) -> bool:
    configurator = logging.config.BaseConfigurator(config)
    factory = configurator.convert(entry.get("()"))
    if isinstance(factory, str):
        factory = configurator.resolve(factory)
    if not callable(factory):
        return False
    try:
        parameters = inspect.signature(factory).parameters
    except ValueError:  # written in C, and silent about itself
        return False
    if "use_colors" in parameters:
        return True
    passes_on = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return passes_on and isinstance(factory, type) and issubclass(factory, ColourizedFormatter)
