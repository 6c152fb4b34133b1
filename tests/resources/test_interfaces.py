"""How an application is told from a factory, one ASGI version from the other, and a mistake from both."""

import asyncio
import functools
import sys
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest

from monoceros.asgi import Message, Receive, Scope, Send
from monoceros.errors import StartupError
from monoceros.resources import interfaces

AnyCallable = Callable[..., Any]


async def asgi3_function(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": scope["type"]})


async def asgi3_with_prefix(prefix: str, scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": prefix + scope["type"]})


def asgi3_plain_function(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    return asgi3_function(scope, receive, send)


def asgi2_function(scope: Scope) -> Callable[[Receive, Send], Awaitable[None]]:
    return functools.partial(asgi3_function, scope)


def wsgi_function(environ: dict[str, Any], start_response: AnyCallable) -> list[bytes]:
    start_response("200 OK", [("content-type", "text/plain")])
    return [environ["PATH_INFO"].encode()]


def factory_with_defaults(settings: object = None) -> AnyCallable:
    return asgi3_function


def takes_anything(*args: Any, **kwargs: Any) -> Any:
    return None


async def takes_nothing() -> None:
    pass


class Application:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": scope["type"]})

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": scope["type"]})


class PlainApplication:
    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return asgi3_function(scope, receive, send)


class Asgi2Application:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, receive: Receive, send: Send) -> None:
        await send({"type": self.scope["type"]})


class Asgi2ApplicationWithDefault(Asgi2Application):
    def __init__(self, scope: Scope | None = None) -> None:
        super().__init__(scope or {})


class AwaitableApplication:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.receive, self.send = scope, receive, send

    def __await__(self) -> Generator[Any, None, None]:
        return asgi3_function(self.scope, self.receive, self.send).__await__()


class WsgiApplication:
    def __call__(self, environ: dict[str, Any], start_response: AnyCallable) -> list[bytes]:
        return []


class ClassWithThreeArguments:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pass


ASGI3: list[AnyCallable] = [
    asgi3_function,
    asgi3_plain_function,
    functools.partial(asgi3_with_prefix, "x-"),
    functools.partial(Application()),
    Application(),
    Application().serve,
    PlainApplication(),
    AwaitableApplication,
]
ASGI2: list[AnyCallable] = [asgi2_function, Asgi2Application, Asgi2ApplicationWithDefault]


@pytest.mark.parametrize("app", ASGI3)
def test_an_application_that_is_called_once_is_asgi3(app: AnyCallable) -> None:
    assert interfaces.detect(app) == "asgi3"
    interfaces.check(app, "asgi3", "'main:app'")


@pytest.mark.parametrize("app", ASGI2)
def test_an_application_that_is_called_twice_is_asgi2(app: AnyCallable) -> None:
    assert interfaces.detect(app) == "asgi2"
    interfaces.check(app, "asgi2", "'main:app'")


def test_a_function_marked_as_a_coroutine_function_is_asgi3() -> None:
    def app(*args: Any) -> Any:
        return None

    if sys.version_info >= (3, 12):
        import inspect

        inspect.markcoroutinefunction(app)
    else:
        # What asgiref does there.
        vars(app)["_is_coroutine"] = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    assert interfaces.detect(app) == "asgi3"


def test_a_callable_whose_signature_cannot_be_read_is_taken_as_asgi3_and_never_for_a_factory() -> None:
    assert interfaces.detect(dict) == "asgi2"
    assert interfaces.detect(max) == "asgi3"
    assert not interfaces.is_factory(max, "auto")


@pytest.mark.parametrize("app", [*ASGI3, *ASGI2, wsgi_function, WsgiApplication(), takes_nothing])
def test_an_application_is_not_mistaken_for_a_factory(app: AnyCallable) -> None:
    assert not interfaces.is_factory(app, "auto")


@pytest.mark.parametrize(
    "app", [lambda: None, factory_with_defaults, Application, WsgiApplication, functools.partial(asgi2_function, {})]
)
def test_a_callable_that_needs_no_arguments_is_a_factory(app: AnyCallable) -> None:
    assert interfaces.is_factory(app, "auto")
    assert interfaces.is_factory(app, "asgi3")


def test_a_callable_that_takes_anything_is_a_factory_only_while_the_interface_is_open() -> None:
    assert interfaces.is_factory(takes_anything, "auto")
    assert not interfaces.is_factory(takes_anything, "wsgi")


@pytest.mark.parametrize("app", [wsgi_function, WsgiApplication()])
def test_a_wsgi_application_served_as_asgi_is_told_apart(app: AnyCallable) -> None:
    with pytest.raises(StartupError, match="start it with --interface wsgi"):
        interfaces.check(app, interfaces.detect(app), "'main:app'")


@pytest.mark.parametrize("interface", ["asgi2", "wsgi"])
def test_an_asynchronous_application_is_refused_by_the_interfaces_that_have_none(interface: str) -> None:
    with pytest.raises(StartupError, match=r"'main:app' is asynchronous.*--interface asgi3"):
        interfaces.check(Application(), interface, "'main:app'")


def test_an_asgi2_application_served_as_asgi3_is_named_as_such() -> None:
    with pytest.raises(StartupError, match=r"takes \(scope\).*\(scope, receive, send\).*--interface asgi2"):
        interfaces.check(asgi2_function, "asgi3", "'main:app'")


@pytest.mark.parametrize("app", [ClassWithThreeArguments, Asgi2Application])
def test_a_class_whose_instances_cannot_be_awaited_is_no_asgi3_application(app: AnyCallable) -> None:
    with pytest.raises(StartupError, match="can't be awaited"):
        interfaces.check(app, "asgi3", "'main:App'")


def test_an_asynchronous_factory_is_explained() -> None:
    with pytest.raises(StartupError, match="takes no arguments.*make it a plain function"):
        interfaces.check(takes_nothing, "asgi3", "'main:create'")


def test_an_asgi3_application_is_served_as_it_is() -> None:
    assert interfaces.adapt(asgi3_function, "asgi3") is asgi3_function


@pytest.mark.parametrize("app", ASGI2[:2])
def test_an_asgi2_application_answers_through_its_adapter(app: AnyCallable) -> None:
    assert asyncio.run(_answers(interfaces.adapt(app, "asgi2"), {"type": "http"})) == [{"type": "http"}]


def test_a_wsgi_application_answers_through_its_adapter() -> None:
    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/hello",
        "query_string": b"",
        "headers": [],
    }
    messages = asyncio.run(_answers(interfaces.adapt(wsgi_function, "wsgi"), scope))
    assert messages[0]["status"] == 200
    assert b"".join(message.get("body", b"") for message in messages) == b"/hello"


def test_a_missing_wsgi_library_is_named_with_the_extra_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "a2wsgi", None)
    with pytest.raises(StartupError, match=r"a2wsgi.*monoceros\[wsgi\]") as caught:
        interfaces.adapt(wsgi_function, "wsgi")
    assert caught.value.__cause__ is None, "a cause is logged with its traceback, which would be ours"


async def _answers(app: AnyCallable, scope: Scope) -> list[Message]:
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    return messages
