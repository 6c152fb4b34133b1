"""The classes that Gunicorn runs: `gunicorn -k monoceros.workers.UvicornWorker app:app`."""

from monoceros.workers.classes import AsyncioWorker, UvicornH11Worker, UvicornWorker

__all__ = ["AsyncioWorker", "UvicornH11Worker", "UvicornWorker"]
