"""The options' types, for type checkers and editors. Generated from the option table by `make docs`: don't edit."""

import os
import ssl
from collections.abc import Awaitable, Callable
from configparser import RawConfigParser
from pathlib import Path
from typing import IO, Any, Literal, TypedDict


class Keywords(TypedDict, total=False):
    """The keyword arguments of `Config` and `run`."""

    host: str
    port: int
    uds: str | None
    fd: int | None
    loop: Literal["auto", "asyncio", "uvloop", "none"] | str
    http: type | Literal["auto", "h11", "httptools"] | str
    http2: bool
    ws: type | Literal["auto", "none", "websockets", "websockets-sansio", "wsproto"] | str | None
    ws_max_size: int
    ws_max_queue: int
    ws_ping_interval: float | None
    ws_ping_timeout: float | None
    ws_per_message_deflate: bool
    lifespan: Literal["auto", "on", "off"]
    env_file: str | os.PathLike[str] | None
    log_config: dict[str, Any] | str | os.PathLike[str] | RawConfigParser | IO[Any] | None
    log_level: str | int | None
    access_log: bool
    use_colors: bool | None
    interface: Literal["auto", "asgi3", "asgi2", "wsgi"]
    reload: bool
    reload_dirs: list[str] | str | None
    reload_delay: float
    reload_includes: list[str] | str | None
    reload_excludes: list[str] | str | None
    workers: int | Literal["auto"] | None
    proxy_headers: bool
    server_header: bool
    date_header: bool
    forwarded_allow_ips: list[str] | str | None
    root_path: str
    limit_concurrency: int | None
    limit_max_requests: int | None
    limit_max_requests_jitter: int
    backlog: int
    timeout_keep_alive: float
    timeout_notify: float
    timeout_graceful_shutdown: float | None
    timeout_worker_healthcheck: float
    callback_notify: Callable[..., Awaitable[None]] | None
    ssl_keyfile: str | os.PathLike[str] | None
    ssl_certfile: str | os.PathLike[str] | None
    ssl_keyfile_password: str | None
    ssl_version: int
    ssl_cert_reqs: int
    ssl_ca_certs: str | os.PathLike[str] | None
    ssl_ciphers: str | None
    ssl_context_factory: Callable[[Any, Callable[[], ssl.SSLContext]], ssl.SSLContext] | None
    headers: list[tuple[str, str]] | None
    factory: bool
    h11_max_incomplete_event_size: int | None
    reset_contextvars: bool
    drain_notice: float
    timeout_worker: float
    timeout_worker_start: float
    timeout_request_header: float
    timeout_request_body: float
    timeout_request: float | None
    timeout_write: float
    timeout_tls_handshake: float
    limit_request_line: int
    limit_request_fields: int
    limit_request_field_size: int
    limit_request_head: int
    limit_request_body: int | None
    limit_connections: int | None
    ws_max_fragments: int
    forwarded_headers: list[str] | str | None
    proxy_protocol: Literal["off", "v1", "v2", "auto"]
    proxy_allow_ips: list[str] | str | None
    secure_scheme_headers: dict[str, str] | None
    header_map: Literal["drop", "refuse", "dangerous"]
    forwarder_headers: list[str] | str | None
    bind: list[str] | str | None
    uds_permissions: int | str | None
    reuse_port: bool
    worker_max_rss: int | None
    worker_lifetime: float | None
    preload: bool
    drain_delay: float
    access_log_file: str | os.PathLike[str] | None
    access_log_format: str | None
    pid_file: str | os.PathLike[str] | None
    user: str | int | None
    group: str | int | None
    umask: int | str | None
    chdir: str | os.PathLike[str] | None
    proc_name: str | None


class Attributes:
    """What a `Config` holds of them."""

    host: str
    port: int
    uds: str | None
    fd: int | None
    loop: Literal["auto", "asyncio", "uvloop", "none"] | str
    http: type | Literal["auto", "h11", "httptools"] | str
    http2: bool
    ws: type | Literal["auto", "none", "websockets", "websockets-sansio", "wsproto"] | str | None
    ws_max_size: int
    ws_max_queue: int
    ws_ping_interval: float | None
    ws_ping_timeout: float | None
    ws_per_message_deflate: bool
    lifespan: Literal["auto", "on", "off"]
    env_file: str | os.PathLike[str] | None
    log_config: dict[str, Any] | str | os.PathLike[str] | RawConfigParser | IO[Any] | None
    log_level: str | int | None
    access_log: bool
    use_colors: bool | None
    interface: Literal["auto", "asgi3", "asgi2", "wsgi"]
    reload: bool
    reload_dirs: list[Path]
    reload_delay: float
    reload_includes: list[str]
    reload_excludes: list[str]
    workers: int
    proxy_headers: bool
    server_header: bool
    date_header: bool
    forwarded_allow_ips: list[str] | str
    root_path: str
    limit_concurrency: int | None
    limit_max_requests: int | None
    limit_max_requests_jitter: int
    backlog: int
    timeout_keep_alive: float
    timeout_notify: float
    timeout_graceful_shutdown: float | None
    timeout_worker_healthcheck: float
    callback_notify: Callable[..., Awaitable[None]] | None
    ssl_keyfile: str | os.PathLike[str] | None
    ssl_certfile: str | os.PathLike[str] | None
    ssl_keyfile_password: str | None
    ssl_version: int
    ssl_cert_reqs: int
    ssl_ca_certs: str | os.PathLike[str] | None
    ssl_ciphers: str | None
    ssl_context_factory: Callable[[Any, Callable[[], ssl.SSLContext]], ssl.SSLContext] | None
    headers: list[tuple[str, str]]
    factory: bool
    h11_max_incomplete_event_size: int | None
    reset_contextvars: bool
    drain_notice: float
    timeout_worker: float
    timeout_worker_start: float
    timeout_request_header: float
    timeout_request_body: float
    timeout_request: float | None
    timeout_write: float
    timeout_tls_handshake: float
    limit_request_line: int
    limit_request_fields: int
    limit_request_field_size: int
    limit_request_head: int
    limit_request_body: int | None
    limit_connections: int | None
    ws_max_fragments: int
    forwarded_headers: list[str]
    proxy_protocol: Literal["off", "v1", "v2", "auto"]
    proxy_allow_ips: list[str] | str
    secure_scheme_headers: dict[str, str] | None
    header_map: Literal["drop", "refuse", "dangerous"]
    forwarder_headers: list[str] | None
    bind: list[Any]
    uds_permissions: int | None
    reuse_port: bool
    worker_max_rss: int | None
    worker_lifetime: float | None
    preload: bool
    drain_delay: float
    access_log_file: str | os.PathLike[str] | None
    access_log_format: str | None
    pid_file: str | os.PathLike[str] | None
    user: str | int | None
    group: str | int | None
    umask: int | None
    chdir: str | os.PathLike[str] | None
    proc_name: str | None
