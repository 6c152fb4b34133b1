"""A Gunicorn configuration for production, with the worker classes of Monoceros; each line says why it is there.

gunicorn --config examples/gunicorn.conf.py examples.hello:app

Settings that aren't named here keep Gunicorn's defaults; docs/gunicorn.md says what becomes of each. What Gunicorn has
no name for is set by MONOCEROS_* variables, by monoceros.toml, or by CONFIG_KWARGS of a subclass of the worker class.
"""

import os
from typing import Any

# uvloop and httptools where they are installed. Or AsyncioWorker, or UvicornH11Worker.
worker_class = "monoceros.workers.UvicornWorker"

# A port of this machine. For more addresses make it a list; "unix:/run/app.sock" is a unix socket.
bind = os.environ.get("BIND", "127.0.0.1:8000")

# Processes, not threads: about one for each CPU. With two or more, a recycled worker leaves while the others serve.
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))

# The file by which a worker shows that it lives is kept in memory: on a disk that stalls, a worker would look dead.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None

# Seconds that an event loop may be blocked before its stacks are logged and the worker is replaced. A slow import or a
# slow start-up doesn't count.
timeout = 30

# Seconds that requests have to finish when a worker leaves, the application's own shutdown included. A container's
# grace period has to be longer, or the container is killed first.
graceful_timeout = 25

# Seconds that an idle connection is kept. Longer than the load balancer in front keeps it (an ALB: 60), or its clients
# see a 502 now and then.
keepalive = 65

# Connections that the kernel holds while all workers are busy or being replaced; net.core.somaxconn limits it, too.
backlog = 4096

# Connections that one worker holds, idle ones too. When there are so many, those that have been idle longest are closed
# for new ones; what comes while all are being served waits in the backlog instead of filling the memory.
worker_connections = 2000

# A worker is replaced after so many requests, which contains leaks of memory. The jitter keeps the workers from getting
# there at the same time; if they do, they leave one after the other.
max_requests = 100_000
max_requests_jitter = 10_000

# What a request may ask for at most: more is answered with 414 or 431, before the application sees it.
limit_request_line = 8190
limit_request_fields = 60
limit_request_field_size = 16_384

# The proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. Peers of a unix socket are believed, too.
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")

# Fields with an underscore in their names, which applications may take for others with a hyphen, aren't passed on.
header_map = "drop"

# What `ps` shows, as "gunicorn: master [service]".
proc_name = "service"

# To standard output and standard error; both are opened again on SIGUSR1 if they are files.
accesslog = "-"
errorlog = "-"

# The access log is not quieter for it, only the other one.
loglevel = "info"

# Without it lines look as Uvicorn writes them, and cost least. With it, what isn't named costs nothing.
access_log_format = '%(h)s "%(r)s" %(s)s %(B)s %(L)ss "%({x-request-id}i)s"'


def worker_abort(worker: Any) -> None:
    """Called when a worker was blocked for longer than `timeout`; its stacks are in the log already."""
    worker.log.critical("worker %s was blocked: alert whoever is on duty", worker.pid)
