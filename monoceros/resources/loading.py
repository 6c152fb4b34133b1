"""From "module:attribute" to an application that can be called.

Knows how things are imported and what can go wrong with it; not what a server does with an application. The rule it
keeps: an error of the application's own code is shown as such. It becomes the `__cause__` of a StartupError, with a
traceback that starts in the application's code, free of the frames of the import system and of this file; no
exception of the application's is swallowed, or read as an answer to a question of ours.
"""

import importlib
import inspect
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType, TracebackType
from typing import Any

from monoceros.asgi import Application
from monoceros.errors import MonocerosError, StartupError, UsageError
from monoceros.resources import interfaces, suggestions

logger = logging.getLogger("monoceros.error")


@dataclass(frozen=True, slots=True)
class Loaded:
    """An application ready to be served.

    Attributes:
        application: the ASGI 3 callable; adapted if the application speaks ASGI 2 or WSGI.
        interface: what it speaks itself: "asgi3", "asgi2" or "wsgi".
    """

    application: Application
    interface: str


def load_application(app: object, *, factory: bool, interface: str) -> Loaded:
    """Import the application, call it if it is a factory, and adapt it to ASGI 3.

    Arguments:
        app: "module:attribute", or the application (or its factory) itself.
        factory: `app` is called without arguments to make the application. Without it, a callable that needs no
            arguments is taken for a factory too, with a warning.
        interface: "asgi3", "asgi2", "wsgi", or "auto", which tells the two ASGI versions apart.

    Raises:
        StartupError: nothing that can be served came of it; `__cause__` is the application's own exception, if any.
        UsageError: `interface` is none of the four.
    """
    if interface not in interfaces.INTERFACES:
        raise UsageError(f"--interface is {interface!r}: it must be one of {', '.join(interfaces.INTERFACES)}.")
    name = f"'{app}'" if isinstance(app, str) else _described(app)
    target = import_object(app) if isinstance(app, str) else app
    if not callable(target):
        raise StartupError(f"{name} can't be served: {_not_callable(target)}")
    guessed = not factory and interfaces.is_factory(target, interface)
    if factory or guessed:
        target = _made_by(target, name, guessed=guessed)
        if guessed:
            logger.warning("%s takes no arguments and was called to make the application: --factory says so.", name)
        name = f"What {name} returned"
    resolved = interfaces.detect(target) if interface == "auto" else interface
    interfaces.check(target, resolved, name)
    return Loaded(interfaces.adapt(target, resolved), resolved)


def import_object(reference: str) -> Any:
    """Import what "module:attribute" names; the attribute may be dotted.

    Raises:
        StartupError: the reference is malformed, the module can't be found or fails while it's imported, or the
            attribute isn't there. `__cause__` is the exception of the imported code, if there was one.
    """
    module_name, _, attributes = reference.partition(":")
    if suggestions.is_path(module_name, _first_directory()):
        raise StartupError(f"'{reference}' is a file's path.{suggestions.for_path(module_name, attributes)}")
    if not module_name or not attributes:
        raise StartupError(f"'{reference}' isn't 'module:attribute'.{suggestions.for_malformed(reference)}")
    found: object = _imported(module_name, attributes)
    for attribute in attributes.split("."):
        with _ApplicationCode(f"'{reference}' can't be read"):
            try:
                found = getattr(found, attribute)
            except AttributeError as error:
                place = f"Module '{module_name}'" if isinstance(found, ModuleType) else f"What '{reference}' leads to"
                hint = suggestions.for_attribute(found, attribute)
                # Without a frame of the application's (a property, a `__getattr__`) it tells nothing more.
                own = _trimmed(error)
                cause = own if own.__traceback__ else None
                raise StartupError(f"{place} has no attribute '{attribute}'.{hint}") from cause
    return found


class _ApplicationCode:
    """A block that runs the application's code: what it raises leaves as the cause of a StartupError.

    SystemExit counts: a script that lacks its __main__ guard would end a worker with the status of success.
    """

    def __init__(self, failure: str, advice: str = "") -> None:
        self._failure = failure
        self._advice = advice

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, (Exception, SystemExit)) and not isinstance(error, MonocerosError):
            trimmed = _trimmed(error)
            raise StartupError(f"{self._failure}: {_line(trimmed)}.{self._advice}") from trimmed


def _imported(name: str, attributes: str) -> ModuleType:
    """Import a module, telling apart: it isn't there; it fails; something it imports isn't there."""
    directory = _first_directory()
    if name.startswith("."):
        raise StartupError(f"Module '{name}' is relative.{suggestions.for_module(name, attributes, directory)}")
    with _ApplicationCode(f"Module '{name}' failed to import"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if not error.name:
                raise
            missing, trimmed = error.name, _trimmed(error)
            if trimmed.__traceback__ is not None:
                raise StartupError(
                    f"Module '{name}' needs '{missing}', which can't be found: {_line(trimmed)}. "
                    f"Install it in {sys.prefix}, or correct the import."
                ) from trimmed
    # No frame was the application's: it is the module itself that wasn't found, or a package it is in.
    why = "" if missing == name else f", as there's no '{missing}'"
    hint = suggestions.for_module(name, attributes, directory)
    raise StartupError(f"Module '{name}' can't be found{why}; the first directory searched was {directory}.{hint}")


def _made_by(factory: Callable[..., Any], name: str, *, guessed: bool) -> Callable[..., Any]:
    """Call a factory and return the application that it made."""
    arguments = interfaces.missing_arguments(factory)
    if arguments:
        hint = " An application is served without --factory." if interfaces.is_async(factory) else ""
        raise StartupError(f"The factory {name} takes {arguments}, but factories are called without arguments.{hint}")
    why = " It was called because it takes no arguments, as a factory does." if guessed else ""
    with _ApplicationCode(f"The factory {name} failed", why):
        made = factory()
    if inspect.iscoroutine(made):
        made.close()
        raise StartupError(f"The factory {name} is asynchronous: make it a plain function that returns the app.")
    if not callable(made):
        raise StartupError(f"The factory {name} returned no application: {_not_callable(made)}{why}")
    checked: Callable[..., Any] = made
    return checked


def _first_directory() -> str:
    """Return where modules are searched first: --app-dir, or what Python began with."""
    return os.path.abspath(sys.path[0] if sys.path else "")


def _not_callable(target: object) -> str:
    if isinstance(target, ModuleType):
        return f"it's a module. Name the application in it, such as '{target.__name__}:app'."
    if target is None:
        return "it's None."
    kind = type(target).__qualname__
    return f"it's {'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}, which can't be called."


def _described(app: object) -> str:
    """Name an application given as an object: "'main.create_app'", or "the Starlette object"."""
    qualified = getattr(app, "__qualname__", None)
    if qualified is None:
        return f"the {type(app).__qualname__} object"
    return f"'{getattr(app, '__module__', None) or '?'}.{qualified}'"


def _line(error: BaseException) -> str:
    """Return an exception as one would read it last in a traceback, and where the application raised it."""
    directory = _first_directory() + os.sep
    text = str(error)
    line = type(error).__qualname__ + (f": {text}" if text else "")
    # The innermost frame of the application's own; where all are a library's, the one the trouble began in.
    place: tuple[str, int] | None = None
    traceback = error.__traceback__
    while traceback is not None:
        filename = traceback.tb_frame.f_code.co_filename
        if place is None or (filename.startswith(directory) and "site-packages" not in filename):
            place = (filename, traceback.tb_lineno)
        traceback = traceback.tb_next
    if place is None:
        return line
    filename = place[0].removeprefix(directory)
    return f"{line} ({filename}, line {place[1]})"


def _trimmed(error: BaseException) -> BaseException:
    """Take the frames of the import system and of this file out of an exception's traceback, and return it."""
    frames: list[TracebackType] = []
    traceback = error.__traceback__
    while traceback is not None:
        filename = traceback.tb_frame.f_code.co_filename
        if not filename.startswith("<frozen importlib") and filename not in _MACHINERY:
            frames.append(traceback)
        traceback = traceback.tb_next
    kept: TracebackType | None = None
    for frame in reversed(frames):
        kept = TracebackType(kept, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return error.with_traceback(kept)


_MACHINERY = frozenset({importlib.import_module.__code__.co_filename, _trimmed.__code__.co_filename})
