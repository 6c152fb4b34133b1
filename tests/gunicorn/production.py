"""A configuration as production has it, with everything at another value than its default, and what it serves.

Each test reads one effect of it off the running Gunicorn: what the application sees, what the files hold.
"""

import json
import os
import socket
from pathlib import Path
from typing import Any

from tests.process.asking import ask

ELSEWHERE = "10.9.8.7"  # whose forwarded headers are believed; clients of the tests come from 127.0.0.1

APPLICATION = """
import asyncio, gc, json, os
import library

print(f"imported by {os.getpid()} as {os.getuid()}", flush=True)

def parsers():
    return {type(thing).__name__ for thing in gc.get_objects()} & {"H11Parser", "HttptoolsParser"}

async def service(scope, receive, send):
    if scope["type"] == "lifespan":
        print("the lifespan is spoken", flush=True)
        raise RuntimeError("no lifespan here")
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    seen = {
        "pid": os.getpid(), "parent": os.getppid(), "user": os.getuid(), "group": os.getgid(), "groups": os.getgroups(),
        "directory": os.getcwd(), "raw_env": os.environ.get("FROM_RAW_ENV"),
        "loop": type(asyncio.get_running_loop()).__module__, "parsers": list(parsers()),
        "title": open("/proc/self/cmdline").read().replace("\\0", " ").strip(),
        "scheme": scope["scheme"], "client": scope["client"], "root_path": scope["root_path"],
        "headers": [name.decode() for name, _ in scope["headers"]],
    }
    body = json.dumps(seen).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
"""

CONFIGURATION = """
import os
from pathlib import Path

# Where the Python of a test lies, only its user may be able to read: the workers find all they need in memory.
import httptools, uvloop
from monoceros.config import Config
from monoceros.server.build import check

async def nothing(scope, receive, send): pass

for parser in ("h11", "httptools"):
    check(Config(nothing, http=parser, log_config=None))

top = Path({top!r})

def note(text):
    with open(top / "hooks.log", "a") as file:
        file.write(text + "\\n")

wsgi_app = "application:service"
chdir = str(top / "code")
pythonpath = str(top / "library")
raw_env = ["FROM_RAW_ENV=yes"]
worker_tmp_dir = str(top / "tmp")
umask = 0o027
user, group, initgroups = {user}, {group}, os.getuid() == 0
pidfile = str(top / "gunicorn.pid")
proc_name = "production"
workers = 2
preload_app = True
timeout = 17
graceful_timeout = 9
keepalive = 1
max_requests, max_requests_jitter = 5000, 500
limit_request_line, limit_request_fields, limit_request_field_size = 200, 8, 300
forwarded_allow_ips = {elsewhere!r}
root_path = "/api"
asgi_loop, asgi_lifespan, http_parser, websocket_max_message_size = "asyncio", "off", "python", 1000
loglevel = "debug"
errorlog = str(top / "error.log")
accesslog = str(top / "access.log")
capture_output = True
syslog, syslog_prefix, syslog_facility = True, "shop", "local3"
syslog_addr = "udp://127.0.0.1:{syslog}"

threads = 4
tmp_upload_dir = str(top)
permit_obsolete_folding = True
asgi_disconnect_grace_period = 60

def on_starting(server): note("on_starting")
def when_ready(server): note("when_ready")
def pre_fork(server, worker): note("pre_fork")
def post_fork(server, worker): note(f"post_fork {{worker.pid}}")
def post_worker_init(worker): note(f"post_worker_init {{worker.pid}} {{os.getpid()}}")
def worker_int(worker): note(f"worker_int {{worker.pid}}"); raise RuntimeError("worker_int is broken")
def worker_exit(server, worker): note(f"worker_exit {{worker.pid}}")
def child_exit(server, worker): note("child_exit")
def nworkers_changed(server, new, old): note(f"nworkers_changed {{new}}")
def on_reload(server): note("on_reload")
def on_exit(server): note("on_exit")
"""


def account() -> tuple[int, int]:
    """Return who the workers are to be: another user, if this is root."""
    return (65534, 65534) if os.getuid() == 0 else (os.getuid(), os.getgid())


def write_production(top: Path, syslog: int) -> Path:
    """Write the application and the configuration into a directory that everybody may read; return the latter's path.

    Arguments:
        top: the directory.
        syslog: the UDP port of the system's log.
    """
    user, group = account()
    for name in ("code", "library", "tmp"):
        (top / name).mkdir()
    (top / "code" / "application.py").write_text(APPLICATION)
    (top / "library" / "library.py").write_text("")
    configuration = top / "gunicorn.conf.py"
    configuration.write_text(
        CONFIGURATION.format(top=str(top), user=user, group=group, elsewhere=ELSEWHERE, syslog=syslog)
    )
    # The hooks of the workers write there.
    (top / "hooks.log").write_text("")
    os.chmod(top / "hooks.log", 0o666)
    os.chmod(top, 0o777)
    return configuration


def seen_by_application(port: int) -> dict[str, Any]:
    """Ask over TCP, and return what the application saw."""
    found: dict[str, Any] = json.loads(ask(port, "/api/"))
    return found


def exchange(address: int | str, request: bytes) -> str:
    """Send a request that ends its connection, and return all that is answered.

    Arguments:
        address: a port of 127.0.0.1, or the path of a unix socket.
        request: the whole request.
    """
    family, target = (socket.AF_INET, ("127.0.0.1", address)) if isinstance(address, int) else (socket.AF_UNIX, address)
    with socket.socket(family) as client:
        client.settimeout(30)
        client.connect(target)
        client.sendall(request)
        data = b""
        while chunk := client.recv(65536):
            data += chunk
    return data.decode("latin-1")
