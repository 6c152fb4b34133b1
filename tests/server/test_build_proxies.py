"""What only shows when options turn into objects: those of proxies."""

from typing import Any

import pytest

from monoceros.asgi import Receive, Scope, Send
from monoceros.config import Config
from monoceros.errors import UsageError
from monoceros.server.build import build_proxy_headers, check
from tests.doubles.applications import hello
from tests.doubles.served import serving

OWN_CLASS = "uvicorn.protocols.http.h11_impl:H11Protocol"


def loaded(**options: Any) -> Config:
    config = Config(hello, log_config=None, **options)
    config.load()
    return config


def test_there_are_no_proxy_headers_to_read_by_default() -> None:
    config = loaded()
    check(config)
    assert build_proxy_headers(config) is None


def test_a_load_balancer_that_is_no_address_is_an_error_that_names_its_option() -> None:
    config = loaded(proxy_protocol="auto", proxy_allow_ips="10.0.0.1/8")
    with pytest.raises(UsageError, match=r"--proxy-allow-ips has '10\.0\.0\.1/8'"):
        check(config)


def test_a_protocol_class_of_the_users_own_cannot_be_told_the_client() -> None:
    check(loaded(http=OWN_CLASS))
    with pytest.raises(UsageError, match="--proxy-protocol v2: the protocol class of --http"):
        check(loaded(http=OWN_CLASS, proxy_protocol="v2"))


async def tell_fields(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the scheme and the names of the fields, as the scope has them."""
    body = b" ".join([scope["scheme"].encode(), *(name for name, _ in scope["headers"])])
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]}
    )
    await send({"type": "http.response.body", "body": body})


def told(fields: bytes, **options: Any) -> bytes:
    """What a server with options says of a request with fields."""
    with serving(tell_fields, **options) as served:
        return served.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + fields + b"\r\n")


FIELDS = b"X_User: root\r\nScript_Name: /a\r\n"


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({}, b"x_user script_name"),
        ({"header_map": "drop"}, b""),
        ({"header_map": "drop", "forwarder_headers": "SCRIPT_NAME"}, b"script_name"),
        ({"header_map": "drop", "forwarder_headers": "SCRIPT_NAME", "forwarded_allow_ips": "192.0.2.1"}, b""),
        ({"header_map": "drop", "forwarder_headers": ["*"], "proxy_headers": False}, b"x_user script_name"),
    ],
)
def test_fields_with_an_underscore_reach_the_application_as_the_options_say(
    options: dict[str, Any], seen: bytes
) -> None:
    assert told(FIELDS, **options).endswith(b"\r\n\r\nhttp host connection " + seen if seen else b" connection")


def test_a_request_with_an_underscore_can_be_refused() -> None:
    assert told(FIELDS, header_map="refuse").startswith(b"HTTP/1.1 400 ")
    assert told(b"X-User: root\r\n", header_map="refuse").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("fields", "options", "answer"),
    [
        (b"Front-End-Https: on\r\n", {}, b"\r\n\r\nhttps "),
        (b"X-Forwarded-Proto: https\r\n", {}, b"\r\n\r\nhttp "),
        (b"Front-End-Https: on\r\nX-Forwarded-Ssl: off\r\n", {}, b"HTTP/1.1 400 "),
        (b"Front-End-Https: on\r\nX-Forwarded-Ssl: off\r\n", {"forwarded_allow_ips": ""}, b"\r\n\r\nhttp "),
        (b"Front-End-Https: on\r\n", {"proxy_headers": False}, b"\r\n\r\nhttp "),
    ],
)
def test_the_fields_that_tell_the_scheme_are_those_of_the_options(
    fields: bytes, options: dict[str, Any], answer: bytes
) -> None:
    secure = {"FRONT-END-HTTPS": "on", "X-FORWARDED-SSL": "on"}
    assert answer in told(fields, secure_scheme_headers=secure, **options)
