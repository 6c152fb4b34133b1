"""The house rules that can be read off the source: who imports whom, how large things get, and what there is one of."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import monoceros

PACKAGE = Path(monoceros.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
SOURCES = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]

# Which parts of the package each part may import. Arrows go down only.
LOW = {"errors", "asgi"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "asgi": set(),
    "wire": {"errors"},
    "options": {"errors"},
    "logs": {"errors"},
    "logging": {"logs"},
    "service": {"errors"},
    "resources": LOW | {"wire"},
    "config": {"errors", "options", "resources", "logs", "service"},
    "protocol": LOW | {"wire", "logs"},
    "server": LOW | {"protocol", "wire", "config", "resources", "logs", "service"},
    "workers": {"server", "config", "options", "resources", "logs", "errors"},
    "supervisor": {"config", "options", "logs", "errors", "resources", "service"},
    "cli": {"config", "options", "server", "service", "supervisor", "errors", "__init__"},
    "__init__": {"config", "server", "cli"},
    "__main__": {"cli"},
}
EXCEPTIONS = {"supervisor/worker.py": {"server"}, "supervisor/trial.py": {"server"}}

# What a part may never import from outside, because knowing it would make it something else.
NEVER: dict[str, set[str]] = {
    "wire": {"asyncio", "socket", "ssl", "time", "logging", "contextvars"},
    "options": {"asyncio", "socket"},
    "protocol": {"socket", "gunicorn"},
    "supervisor": {"asyncio", "gunicorn", "uvloop", "httptools", "h11", "websockets"},
}

# Each library behind one file, so that another can take its place.
ONE_FILE = {
    "a2wsgi", "dotenv", "h11", "httptools", "setproctitle", "watchfiles", "websockets", "wsproto", "yaml",
}  # fmt: skip


def part(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Yield the absolute name of every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            yield node.module
            if node.module == "monoceros" or node.module.startswith("monoceros."):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path: Path) -> Iterator[Path]:
    """Yield the files of the package that a file imports."""
    for name in imports(path):
        if name == "monoceros" or not name.startswith("monoceros."):
            continue
        target = PACKAGE.joinpath(*name.split(".")[1:])
        if target.with_suffix(".py").exists():
            yield target.with_suffix(".py")
        elif (target / "__init__.py").exists():
            yield target / "__init__.py"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_its_layer_may(path: Path) -> None:
    """ARCHITECTURE.md has the table."""
    layer = part(path)
    allowed = MAY_IMPORT[layer] | {layer} | EXCEPTIONS.get(str(path.relative_to(PACKAGE)), set())
    found = {part(target) for target in ours(path)}
    assert found <= allowed, f"{layer} may not import {found - allowed}"
    outside = {name.partition(".")[0] for name in imports(path)}
    assert not outside & NEVER.get(layer, set())


def test_no_module_imports_itself_in_a_circle() -> None:
    """Not even under TYPE_CHECKING: the lower layer owns the type it needs."""
    graph = {path: set(ours(path)) for path in MODULES if path.name != "__init__.py"}
    done: set[Path] = set()

    def visit(path: Path, trail: tuple[Path, ...]) -> None:
        assert path not in trail, " -> ".join(step.stem for step in (*trail, path))
        if path in done or path not in graph:
            return
        for target in graph[path]:
            visit(target, (*trail, path))
        done.add(path)

    for path in graph:
        visit(path, ())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_over_400_lines_and_no_function_over_60(path: Path) -> None:
    """What doesn't fit on a page or two has two ideas in it."""
    text = path.read_text()
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, f"{node.name} in {path.name}"


@pytest.mark.parametrize("path", [path for path in SOURCES if path.read_text()], ids=lambda path: path.name)
def test_a_module_opens_with_what_it_is(path: Path) -> None:
    """Its docstring says what it is, what it may not know, and the rule it keeps."""
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("library", sorted(ONE_FILE))
def test_a_library_is_imported_in_one_file_only(library: str) -> None:
    """Whatever else needs it, asks that file."""
    files = {
        path.relative_to(PACKAGE)
        for path in MODULES
        if any(name == library or name.startswith(f"{library}.") for name in imports(path))
    }
    assert len(files) == 1, files


def test_there_is_one_cycle_and_one_session() -> None:
    """One `send` knows http.response.body, one knows websocket.accept; a second would be a second truth."""
    for message, home in (("http.response.body", "cycle.py"), ("websocket.accept", "session.py")):
        homes = {
            path.name
            for path in MODULES
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Compare)
            and any(isinstance(part, ast.Constant) and part.value == message for part in ast.walk(node))
        }
        assert homes == {home}


def test_no_name_says_nothing() -> None:
    """Modules are called for what they are."""
    vague = re.compile(r"(^|_)(utils?|helpers?|common|managers?|misc|impl)($|_)")
    assert [path.name for path in MODULES if vague.search(path.stem)] == []


def test_importing_the_package_is_light() -> None:
    """`import monoceros` loads no codec and no event loop: the names it gives are imported when they are used."""
    top = ast.parse((PACKAGE / "__init__.py").read_text()).body
    eager = [node for node in top if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name for node in eager for alias in node.names}
    assert names <= {"TYPE_CHECKING", "Any", "import_module"}
