"""The names under which `ps` and `top` show our processes. The only file that imports setproctitle."""

from typing import Any

from setproctitle import getproctitle, setproctitle


def application_name(app: Any) -> str:
    """What an operator calls the application: the import string, or the name of the object."""
    return app if isinstance(app, str) else getattr(app, "__name__", type(app).__name__)


def set_title(role: str, app: Any, name: str | None = None) -> None:
    """Show this process as `monoceros: ROLE [NAME]`.

    Arguments:
        role: what the process does, such as "worker 1".
        app: the application, or its import string.
        name: what the service is called (--proc-name); None, or nothing, is the name of the application.
    """
    setproctitle(f"monoceros: {role} [{name or application_name(app)}]")


def current_title() -> str:
    return getproctitle()


def restore_title(title: str) -> None:
    setproctitle(title)
