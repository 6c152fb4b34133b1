"""What a person may have meant by a reference to an application that can't be found.

Reads names and directories only and imports nothing, so that guessing never runs an application's code. Each
function returns one sentence that starts with a space, ready to follow a message, or "" where there's nothing to say.
"""

import difflib
import os
from pathlib import Path
from types import ModuleType

from monoceros.resources import interfaces

_CANDIDATES = 5  # names listed: enough to see one's own, few enough for one line
_LIKENESS = 0.6  # difflib's own measure of "close": "mian" for "main" passes, "app" for "application" doesn't


def is_path(module: str, directory: str) -> bool:
    """Tell whether the module part of a reference is a file's path, such as "src/main" or "main.py"."""
    if "/" in module or os.sep in module:
        return True
    return module.endswith(".py") and os.path.isfile(os.path.join(directory, module))


def for_path(module: str, attribute: str) -> str:
    """Say how a file's path is written as a reference: " Write it as 'src.main:app'."."""
    path = Path(os.path.normpath(module)).with_suffix("")
    if path.name == "__init__":
        path = path.parent
    if path.is_absolute() or ".." in path.parts:
        return f" Write it as '{path.name}:{attribute or 'app'}' with --app-dir {path.parent}."
    return f" Write it as '{'.'.join(path.parts)}:{attribute or 'app'}'."


def for_malformed(reference: str) -> str:
    """Say what a reference without a module or without an attribute lacks."""
    module, _, attribute = reference.partition(":")
    if module and not attribute:
        return f" Name the application in it, such as '{module.removesuffix('.py')}:app'."
    return " An example is 'main:app'."


def for_module(module: str, attribute: str, directory: str) -> str:
    """Name the module that was meant: one of a similar name, or the same one a directory deeper (--app-dir)."""
    module = module.removesuffix(".py")
    if module.startswith("."):
        return f" Write it without the leading dots: '{module.lstrip('.')}:{attribute}'."
    relative = os.path.join(*module.split("."))
    elsewhere = _elsewhere(Path(directory), relative)
    if elsewhere:
        return f" There's one in {elsewhere}: add --app-dir {elsewhere}."
    head, _, tail = module.rpartition(".")
    close = difflib.get_close_matches(tail, _modules(Path(directory, *head.split("."))), n=1, cutoff=_LIKENESS)
    if close and close[0] != tail:
        return f" Did you mean '{head + '.' if head else ''}{close[0]}:{attribute}'?"
    return " If it lies in another directory, name that with --app-dir."


def for_attribute(owner: object, attribute: str) -> str:
    """List what `owner` (a module, or an object in it) has that can be called, the closest names first."""
    if attribute.endswith(")"):
        return f" It's a name, not a call: for a factory, write '{attribute.partition('(')[0]}' and add --factory."
    names = [name for name in vars(owner) if _is_candidate(owner, name)] if hasattr(owner, "__dict__") else []
    if not names:
        return ""
    names.sort(key=lambda name: -difflib.SequenceMatcher(None, attribute.lower(), name.lower()).ratio())
    return f" It has {', '.join(_described(owner, name) for name in names[:_CANDIDATES])}."


def _modules(directory: Path) -> list[str]:
    """Return the names of the modules and packages directly in `directory`."""
    try:
        entries = list(directory.iterdir())
    except OSError:
        return []
    files = [entry.stem for entry in entries if entry.suffix == ".py"]
    return files + [entry.name for entry in entries if (entry / "__init__.py").is_file()]


def _elsewhere(directory: Path, relative: str) -> Path | None:
    """Return where the module at `relative` could be imported from: the cwd, or a directory in `directory`."""
    try:
        places = sorted(entry for entry in directory.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        places = []
    for place in (Path.cwd(), *places):
        if (place / f"{relative}.py").is_file() or (place / relative / "__init__.py").is_file():
            return place
    return None


def _is_candidate(owner: object, name: str) -> bool:
    value = vars(owner)[name]
    if name.startswith("_") or not callable(value):
        return False
    # Functions and classes imported from elsewhere are tools of the module, hardly its application.
    origin = getattr(value, "__module__", None) if hasattr(value, "__qualname__") else None
    return not isinstance(owner, ModuleType) or origin in (None, owner.__name__)


def _described(owner: object, name: str) -> str:
    return f"'{name}' (a factory: add --factory)" if interfaces.takes_nothing(vars(owner)[name]) else f"'{name}'"
