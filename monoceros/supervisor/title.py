"""The names under which `ps` and `top` show our processes. The only file that imports setproctitle."""

from typing import Any

from setproctitle import getproctitle, setproctitle


def application_name(app: Any) -> str:
    """What an operator calls the application: the import string, or the name of the object."""
    return app if isinstance(app, str) else getattr(app, "__name__", type(app).__name__)


def set_title(role: str, app: Any) -> None:
    """Show this process as `monoceros: ROLE [APP]`."""
    setproctitle(f"monoceros: {role} [{application_name(app)}]")


def current_title() -> str:
    return getproctitle()


def restore_title(title: str) -> None:
    setproctitle(title)
