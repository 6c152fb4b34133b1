"""Config: what loading makes of the options, and how it fails."""

import logging
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from monoceros.config import Config
from monoceros.errors import UsageError
from tests.options.restored import restored_logging as restored_logging
from tests.test_config import application, quiet


def create_application() -> Any:
    """A factory of it."""
    return application


class Protocol:
    """A protocol of the user's own."""


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """The paths of a certificate and of its key."""
    issued = trustme.CA().issue_cert("localhost")
    paths = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(paths[0])
    issued.private_key_pem.write_to_path(paths[1])
    return str(paths[0]), str(paths[1])


# The application.


def test_loading_gives_the_application_and_its_interface() -> None:
    config = quiet("tests.test_config_loading:application")
    assert config.asgi_version == "3.0"
    config.load()
    assert config.loaded
    assert getattr(config.loaded_app, "__name__", "") == "application"
    assert config.interface == "asgi3"


def test_a_factory_is_called() -> None:
    config = quiet(create_application, factory=True)
    config.load()
    assert config.loaded_app is application


def test_an_application_of_the_older_interface_is_told_apart() -> None:
    def older(scope: Any) -> Any:
        raise AssertionError("not called")

    config = quiet(older)
    config.load()
    assert config.interface == "asgi2"
    assert config.asgi_version == "2.0"


def test_loading_twice_loads_once() -> None:
    made: list[int] = []

    def factory() -> Any:
        made.append(1)
        return application

    config = quiet(factory, factory=True)
    config.load()
    config.load()
    assert made == [1]


def test_an_application_that_cannot_be_loaded_is_logged_once_and_ends_the_program(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(SystemExit) as caught:
        quiet("tests.no_such_module:app").load()
    assert caught.value.code == 3
    assert len(caplog.records) == 1
    assert (caplog.records[0].name, caplog.records[0].levelname) == ("monoceros.error", "ERROR")
    assert "tests.no_such_module" in caplog.text


def test_the_traceback_of_the_applications_own_code_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken_application.py").write_text("import sys\nraise ZeroDivisionError('of mine')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit):
        quiet("broken_application:app").load_app()
    assert "ZeroDivisionError: of mine" in caplog.text
    assert "broken_application.py" in caplog.text


def test_a_class_of_the_users_own_is_found() -> None:
    config = quiet(http="tests.test_config_loading:Protocol", ws=Protocol)
    config.load()
    assert config.http_protocol_class is not None
    assert config.http_protocol_class.__name__ == "Protocol"
    assert config.ws_protocol_class is Protocol


def test_our_own_protocols_are_no_class() -> None:
    config = quiet(http="h11", ws="wsproto")
    config.load()
    assert config.http_protocol_class is None
    assert config.ws_protocol_class is None


def test_a_protocol_that_is_no_class_ends_the_program(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit):
        quiet(http="tests.test_config_loading:application").load()
    assert "not a class" in caplog.text


@pytest.mark.parametrize("name", ["http", "ws"])
def test_a_protocol_that_cannot_be_imported_is_told_with_its_option(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SystemExit):
        quiet(**{name: "no_such_module:Protocol"}).load()
    assert f"{name}: Module 'no_such_module' can't be found" in caplog.text


def test_response_headers_are_encoded_with_the_servers_own_first() -> None:
    config = quiet(headers=[("X-A", "é")])
    config.load()
    assert config.encoded_headers == [(b"server", b"monoceros"), (b"x-a", b"\xe9")]


@pytest.mark.parametrize("options", [{"server_header": False}, {"headers": [("Server", "mine")]}])
def test_the_servers_own_header_can_be_left_out_or_replaced(options: dict[str, Any]) -> None:
    config = quiet(**options)
    config.load()
    assert (b"server", b"monoceros") not in config.encoded_headers


# TLS.


def test_a_certificate_makes_a_context(certificate: tuple[str, str]) -> None:
    config = quiet(ssl_certfile=certificate[0], ssl_keyfile=certificate[1])
    assert config.is_ssl
    config.load()
    assert isinstance(config.ssl, ssl.SSLContext)


def test_a_key_without_a_certificate_is_a_usage_error() -> None:
    config = quiet(ssl_keyfile="key.pem")
    with pytest.raises(UsageError, match="ssl_keyfile is given without ssl_certfile"):
        config.load()


def test_a_certificate_that_is_missing_ends_the_program(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        quiet(ssl_certfile="/nowhere/cert.pem").load()
    assert caught.value.code == 3
    assert "/nowhere/cert.pem" in caplog.text


def test_a_factory_makes_the_context_from_the_config_and_the_usual_one(certificate: tuple[str, str]) -> None:
    seen: list[object] = []

    def factory(config: Config, default: Any) -> ssl.SSLContext:
        context: ssl.SSLContext = default()
        seen.append(config)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context

    config = quiet(ssl_certfile=certificate[0], ssl_keyfile=certificate[1], ssl_context_factory=factory)
    config.load()
    assert seen == [config]
    assert config.ssl is not None
    assert config.ssl.minimum_version is ssl.TLSVersion.TLSv1_3


def test_a_factory_has_to_return_a_context() -> None:
    factory: Any = lambda config, default: None  # noqa: E731
    config = quiet(ssl_context_factory=factory)
    assert config.is_ssl
    with pytest.raises(TypeError, match=r"has to return an ssl\.SSLContext"):
        config.load()


def test_the_usual_context_needs_a_certificate() -> None:
    config = quiet(ssl_context_factory=lambda config, default: default())
    with pytest.raises(RuntimeError, match="needs ssl_certfile"):
        config.load()


# Sockets, loops and logging.


def test_a_socket_is_bound_and_can_be_inherited(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "monoceros.error")
    with quiet(port=0).bind_socket() as bound:
        assert bound.getsockname()[1] != 0
        assert bound.get_inheritable()
        assert f"Monoceros running on http://127.0.0.1:{bound.getsockname()[1]}" in caplog.text


def test_an_address_in_use_ends_the_program(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(SystemExit) as caught:
            quiet(port=taken.getsockname()[1]).bind_socket()
        assert caught.value.code == 3
        assert str(taken.getsockname()[1]) in caplog.text


def test_the_loop_is_made_by_the_factory_of_its_name() -> None:
    assert quiet(loop="none").get_loop_factory() is None
    factory = quiet(loop="asyncio").get_loop_factory()
    assert factory is not None
    factory().close()


def test_a_loop_that_cannot_be_imported_ends_the_program(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        quiet(loop="tests.no_such_module:loop").get_loop_factory()
    assert caught.value.code == 3
    assert "tests.no_such_module" in caplog.text
