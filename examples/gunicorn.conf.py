"""A Gunicorn configuration for the worker classes of Monoceros.

gunicorn --config examples/gunicorn.conf.py examples.hello:app

Settings that aren't named here keep Gunicorn's defaults. What Gunicorn has no name for is set by MONOCEROS_* variables,
by monoceros.toml, or by CONFIG_KWARGS of a subclass of the worker class; docs/gunicorn.md tells which wins.
"""

import os

# uvloop and httptools where they are installed. Or AsyncioWorker, or UvicornH11Worker.
worker_class = "monoceros.workers.UvicornWorker"

# A port of this machine. For more addresses make it a list; "unix:/run/app.sock" is a unix socket.
bind = "127.0.0.1:8000"

# Processes, not threads: about one for each CPU. With two or more, a recycled worker leaves while the others serve.
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))

# Seconds that an event loop may be blocked before its stacks are logged and the worker is replaced. A slow import or a
# slow start-up doesn't count.
timeout = 30

# Seconds that requests have to finish when a worker leaves, the application's own shutdown included.
graceful_timeout = 30

# Seconds that an idle connection is kept. Behind a load balancer make it longer than the balancer's own, or its clients
# see a 502 now and then.
keepalive = 5

# A worker is replaced after so many requests, which contains leaks of memory. The jitter keeps the workers from getting
# there at the same time; if they do, they leave one after the other.
max_requests = 100_000
max_requests_jitter = 10_000

# The proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
forwarded_allow_ips = "127.0.0.1,::1"

# To standard output and standard error; both are opened again on SIGUSR1 if they are files.
accesslog = "-"
errorlog = "-"
loglevel = "info"
