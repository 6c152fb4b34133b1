"""A real nginx in front of a server, in a directory of its own, for as long as a context lasts.

It may not know which server stands behind it. The rules it keeps: nothing is retried and nothing is cached, so that
what the server loses is lost; and no process of it is left, however the context ends.
"""

import contextlib
import grp
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE = 15.0
"""Seconds to start or to end: only a failing test waits that long."""

PORTS = 3
"""Ports to try: somebody else may take the one that was free a moment ago."""

CONFIGURATION = """
daemon off;
master_process on;
worker_processes 1;
pid nginx.pid;
error_log error.log error;
{user}
events {{
    worker_connections 1024;
}}

http {{
    access_log off;
    client_max_body_size 8m;
    client_body_temp_path client;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;

    upstream app {{
        server {upstream} max_fails=0;
        keepalive 32;
        # Less than the 5 s of the server: of two that may end an idle connection, the one who sends has to do it.
        keepalive_timeout 2s;
    }}

    server {{
        listen 127.0.0.1:{port};

        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_next_upstream off;
            {location}
        }}
    }}
}}
"""


class NginxError(AssertionError):
    """nginx isn't there, or doesn't do what it should."""


def executable() -> str:
    """Return the path of nginx.

    Raises:
        NginxError: it isn't installed.
    """
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise NginxError("nginx isn't installed: `make test` installs it as root, else `apt-get install nginx-light`.")
    return found


@contextlib.contextmanager
def nginx(directory: Path, upstream: str, *, location: str = "") -> Iterator[int]:
    """Run nginx in front of a server, and give the port that it listens on, on 127.0.0.1.

    Arguments:
        directory: for its files; `error.log` in it says what it wasn't content with. It is made if it isn't there.
        upstream: "HOST:PORT" or "unix:PATH" of the server.
        location: more directives for what is passed on, such as `proxy_set_header X-Real-IP $remote_addr;`.

    Raises:
        NginxError: it isn't installed, or doesn't start.
    """
    program = executable()
    directory.mkdir(parents=True, exist_ok=True)
    process, port = _start(program, directory, upstream, location)
    try:
        yield port
    finally:
        _end(process)


def errors(directory: Path) -> str:
    """Return what nginx has complained of so far."""
    log = directory / "error.log"
    return log.read_text(errors="replace") if log.exists() else ""


def _start(program: str, directory: Path, upstream: str, location: str) -> "tuple[subprocess.Popen[bytes], int]":
    complaint = ""
    for _ in range(PORTS):
        port = _free_port()
        text = CONFIGURATION.format(user=_user(), upstream=upstream, port=port, location=location)
        (directory / "nginx.conf").write_text(text)
        # `-e`: what it says before it has read its configuration would go to a file of the system.
        command = [program, "-p", str(directory), "-e", "error.log", "-c", "nginx.conf"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory)
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            if _listens(port):
                return process, port
            time.sleep(0.01)
        _end(process)
        complaint = errors(directory)
        if "Address already in use" not in complaint:
            break
    raise NginxError(f"nginx didn't start; it said:\n{complaint}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the master, which ends its workers; if it doesn't, end them all."""
    workers = _children(process.pid)
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        raise NginxError("nginx didn't end when it was told to.") from None


def _children(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _user() -> str:
    """Name whoever runs this: the workers of a root's nginx would otherwise be somebody who may not see the sockets."""
    if os.geteuid() != 0:
        return ""  # which nginx wouldn't heed, and complain of
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(os.getegid()).gr_name};"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
