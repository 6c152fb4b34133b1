"""How an application wants to be called, told from the callable itself, and the adapters that make it ASGI 3.

Knows callables only: no module names to import, no options, no server. The rule it keeps: nothing is called to find
out. Signatures are read instead, so an exception of the application's own is never taken for an answer.
"""

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

from monoceros.asgi import Application, Receive, Scope, Send
from monoceros.errors import StartupError

INTERFACES = ("auto", "asgi3", "asgi2", "wsgi")

ARGUMENTS = {
    "asgi3": ("scope", "receive", "send"),
    "asgi2": ("scope",),
    "wsgi": ("environ", "start_response"),
}

AnyCallable = Callable[..., Any]


def detect(app: AnyCallable) -> str:
    """Tell whether `app` is an ASGI 3 application (one call) or an ASGI 2 one (two calls): "asgi3" or "asgi2".

    A class is ASGI 3 if its instances can be awaited; any other callable is if calling it gives a coroutine, or if
    its signature leaves no other choice (a plain function that returns an awaitable). A signature that can't be read
    (compiled code) says "asgi3".
    """
    if inspect.isclass(app):
        return "asgi3" if hasattr(app, "__await__") else "asgi2"
    if is_async(app):
        return "asgi3"
    signature = _signature(app)
    if signature is None:
        return "asgi3"
    return "asgi3" if _binds(signature, 3) and not _binds(signature, 1) else "asgi2"


def is_factory(app: AnyCallable, interface: str) -> bool:
    """Tell whether `app`, given as the application, must be a factory: nothing has to be passed to call it.

    Arguments:
        app: a callable.
        interface: what the user said, one of `INTERFACES`. A callable that takes anything (`*args`) is a factory only
            if the user left the interface open.
    """
    signature = _signature(app)
    if signature is None or is_async(app) or not _binds(signature, 0):
        return False
    if inspect.isclass(app):
        return not _stands_for_a_connection(app, signature)
    takes_anything = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in signature.parameters.values())
    return interface == "auto" or not takes_anything


def check(app: AnyCallable, interface: str, name: str) -> None:
    """Refuse a callable that can't be called the way `interface` calls it.

    Arguments:
        app: a callable.
        interface: "asgi3", "asgi2" or "wsgi".
        name: how messages call the application.

    Raises:
        StartupError: what the callable takes, what the interface passes, and what to do about it.
    """
    if interface != "asgi3" and is_async(app):
        raise StartupError(
            f"{name} is asynchronous, which {_title(interface)} applications are not: "
            "start it with --interface asgi3, or leave the option out."
        )
    if interface == "asgi3" and inspect.isclass(app) and not hasattr(app, "__await__"):
        raise StartupError(
            f"{name} is a class whose instances can't be awaited, so it's no ASGI 3 application: "
            "give an instance of it, or add --factory if calling the class makes the application."
        )
    signature = _signature(app)
    if signature is None or _binds(signature, len(ARGUMENTS[interface])):
        return
    wanted = ", ".join(ARGUMENTS[interface])
    raise StartupError(
        f"{name} takes {_parameters(signature)}, but {_title(interface)} applications are called with ({wanted})."
        + _advice(app, signature, interface)
    )


def adapt(app: AnyCallable, interface: str) -> Application:
    """Return `app` as an ASGI 3 application; one that is already comes back as it is.

    Raises:
        StartupError: WSGI was asked for, and the library that adapts it isn't installed.
    """
    if interface == "asgi2":
        return Asgi2Adapter(app)
    if interface == "wsgi":
        return _adapt_wsgi(app)
    return cast(Application, app)


class Asgi2Adapter:
    """An ASGI 2 application, called twice as it asks for, behind one ASGI 3 call."""

    __slots__ = ("application",)

    def __init__(self, application: Callable[[Scope], Callable[[Receive, Send], Awaitable[None]]]) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.application(scope)(receive, send)


def is_async(app: AnyCallable) -> bool:
    """Tell whether calling `app` gives a coroutine: functions, methods, partials, and objects with a `__call__`."""
    while isinstance(app, functools.partial):
        app = app.func
    if inspect.isclass(app):
        return False
    return _is_coroutine_function(app) or _is_coroutine_function(getattr(app, "__call__", None))  # noqa: B004


def takes_nothing(app: object) -> bool:
    """Tell whether `app` is a plain function without parameters, which is what a factory looks like."""
    return inspect.isfunction(app) and not is_async(app) and not inspect.signature(app).parameters


def missing_arguments(app: AnyCallable) -> str:
    """Return the parameters of a callable that can't be called without arguments, "(settings)"; else ""."""
    signature = _signature(app)
    return "" if signature is None or _binds(signature, 0) else _parameters(signature)


def _is_coroutine_function(candidate: object) -> bool:
    if sys.version_info >= (3, 12):
        return inspect.iscoroutinefunction(candidate)
    # Before 3.12 a plain function that returns a coroutine is marked in a way that asyncio alone understands.
    import asyncio

    return asyncio.iscoroutinefunction(candidate)


def _stands_for_a_connection(app: type, constructor: inspect.Signature) -> bool:
    """Tell whether each instance of `app` serves one connection, as both ASGI versions allow, or is the application."""
    if hasattr(app, "__await__"):
        return True
    call = next((vars(base)["__call__"] for base in app.__mro__ if "__call__" in vars(base)), None)
    called = _signature(call) if callable(call) else None
    # ASGI 2: made with (scope), and called with (self, receive, send).
    return called is not None and _binds(constructor, 1) and _binds(called, 3) and not _binds(called, 4)


def _signature(app: AnyCallable) -> inspect.Signature | None:
    try:
        if sys.version_info >= (3, 14):
            # Annotations are evaluated by default there, and may name what exists for type checkers only.
            import annotationlib

            return inspect.signature(app, annotation_format=annotationlib.Format.FORWARDREF)
        return inspect.signature(app)
    except (TypeError, ValueError):
        return None


def _binds(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _parameters(signature: inspect.Signature) -> str:
    return f"({', '.join(signature.parameters)})" if signature.parameters else "no arguments"


def _title(interface: str) -> str:
    return {"asgi3": "ASGI 3", "asgi2": "ASGI 2", "wsgi": "WSGI"}[interface]


def _advice(app: AnyCallable, signature: inspect.Signature, interface: str) -> str:
    if is_async(app):
        if not signature.parameters:
            return " If it's a factory, make it a plain function: a coroutine can't be called before the loop runs."
        return ""
    fitting = [other for other in ARGUMENTS if other != interface and _binds(signature, len(ARGUMENTS[other]))]
    if not fitting or inspect.isclass(app):
        return ""
    return f" It looks like {_title(fitting[0])}: start it with --interface {fitting[0]}."


def _adapt_wsgi(app: AnyCallable) -> Application:
    try:
        from a2wsgi import WSGIMiddleware
    except ImportError:
        raise StartupError(
            "WSGI applications need the package a2wsgi: install it with `pip install 'monoceros[wsgi]'`."
        ) from None
    return cast(Application, WSGIMiddleware(app))
