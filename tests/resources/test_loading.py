"""Importing an application: what comes of it, and what a person reads when nothing does."""

import importlib
import logging
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monoceros.errors import StartupError, UsageError
from monoceros.resources.loading import Loaded, import_object, load_application

ASGI3 = "async def app(scope, receive, send): ..."
Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a module into a directory that is searched first; what is imported from there is forgotten at the end."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def write_module(name: str, source: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        importlib.invalidate_caches()
        return path

    yield write_module
    for module in set(sys.modules) - before:
        if (getattr(sys.modules[module], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[module]


def load(app: object, *, factory: bool = False, interface: str = "auto") -> Loaded:
    return load_application(app, factory=factory, interface=interface)


def refusal(app: object, *, factory: bool = False, interface: str = "auto") -> StartupError:
    with pytest.raises(StartupError) as caught:
        load(app, factory=factory, interface=interface)
    return caught.value


def files_in(error: BaseException | None) -> list[str]:
    assert error is not None
    return [Path(frame.filename).name for frame in traceback.extract_tb(error.__traceback__)]


def test_a_reference_is_imported(write: Write) -> None:
    write("main.py", ASGI3)
    loaded = load("main:app")
    assert loaded.interface == "asgi3"
    assert loaded.application is sys.modules["main"].app


def test_an_attribute_may_be_dotted_and_the_module_in_a_package(write: Write) -> None:
    write("pkg/__init__.py", "")
    write("pkg/main.py", "class holder:\n    " + ASGI3)
    assert import_object("pkg.main:holder.app") is sys.modules["pkg.main"].holder.app


def test_an_application_may_be_given_itself() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    assert load(app) == Loaded(app, "asgi3")


def test_an_interface_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(UsageError, match="'asgi4'.*auto, asgi3, asgi2, wsgi"):
        load("main:app", interface="asgi4")


def test_the_interface_that_was_asked_for_is_used(write: Write) -> None:
    write("main.py", "def app(environ, start_response): ...")
    loaded = load("main:app", interface="wsgi")
    assert loaded.interface == "wsgi"
    assert type(loaded.application).__module__.startswith("a2wsgi")


def test_a_missing_module_is_named_with_the_directory_searched(write: Write, tmp_path: Path) -> None:
    error = refusal("nowhere:app")
    assert "Module 'nowhere' can't be found" in str(error)
    assert str(tmp_path) in str(error)
    assert "--app-dir" in str(error)
    assert error.__cause__ is None


def test_a_missing_package_is_named_with_the_module_in_it(write: Write) -> None:
    assert "Module 'nowhere.main' can't be found, as there's no 'nowhere'" in str(refusal("nowhere.main:app"))


def test_a_misspelt_module_is_suggested_correctly(write: Write) -> None:
    write("main.py", ASGI3)
    assert "Did you mean 'main:app'?" in str(refusal("mian:app"))


def test_a_module_in_a_directory_deeper_is_found_for_app_dir(write: Write, tmp_path: Path) -> None:
    write("src/main.py", ASGI3)
    assert f"add --app-dir {tmp_path / 'src'}" in str(refusal("main:app"))


def test_a_module_that_fails_is_told_with_its_line_and_its_own_traceback(write: Write) -> None:
    write("settings.py", "def read():\n    raise ValueError('no DATABASE_URL')\n")
    write("main.py", "import settings\n\nsettings.read()\n")
    error = refusal("main:app")
    assert str(error) == "Module 'main' failed to import: ValueError: no DATABASE_URL (settings.py, line 2)."
    assert isinstance(error.__cause__, ValueError)
    assert files_in(error.__cause__) == ["main.py", "settings.py"]


def test_a_failure_inside_a_library_points_at_the_application_line(write: Write) -> None:
    write("main.py", "import json\n\njson.loads('{')\n")
    assert "(main.py, line 3)" in str(refusal("main:app"))


def test_frames_of_a_nested_import_module_are_trimmed(write: Write) -> None:
    write("plugin.py", "1 / 0")
    write("main.py", "import importlib\nimportlib.import_module('plugin')\n")
    assert files_in(refusal("main:app").__cause__) == ["main.py", "plugin.py"]


def test_a_syntax_error_is_told_with_its_line(write: Write) -> None:
    write("main.py", "x = 1\ndef app(:\n")
    error = refusal("main:app")
    assert "Module 'main' failed to import: SyntaxError" in str(error)
    assert "main.py, line 2" in str(error)
    assert isinstance(error.__cause__, SyntaxError)


def test_a_dependency_that_is_missing_is_told_from_the_application_that_is_missing(write: Write) -> None:
    write("main.py", "\nimport no_such_library.deeper\n")
    error = refusal("main:app")
    assert "Module 'main' needs 'no_such_library', which can't be found" in str(error)
    assert "(main.py, line 2)" in str(error)
    assert f"Install it in {sys.prefix}" in str(error)
    assert files_in(error.__cause__) == ["main.py"]


def test_a_package_that_imports_its_missing_module_is_a_failure_of_its_own(write: Write) -> None:
    write("pkg/__init__.py", "from pkg import main\nimport pkg.main")
    assert "failed to import: ImportError" in str(refusal("pkg.main:app"))


def test_a_module_not_found_error_without_a_name_is_a_failure_like_another(write: Write) -> None:
    write("main.py", "raise ModuleNotFoundError('by hand')")
    assert "failed to import: ModuleNotFoundError: by hand (main.py, line 1)" in str(refusal("main:app"))


def test_a_module_that_ends_the_process_is_a_failure(write: Write) -> None:
    write("main.py", "import sys\nsys.exit(0)\n")
    assert "failed to import: SystemExit: 0 (main.py, line 2)" in str(refusal("main:app"))


def test_an_interrupt_while_importing_is_no_failure(write: Write) -> None:
    write("main.py", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load("main:app")


def test_a_missing_attribute_is_answered_with_what_the_module_has_the_closest_first(write: Write) -> None:
    write(
        "main.py",
        """
        from json import loads
        from pathlib import Path
        LIMIT = 3
        def zip_up(x): ...
        async def application(scope, receive, send): ...
        def create_app(): return application
        """,
    )
    message = str(refusal("main:aplication"))
    assert "Module 'main' has no attribute 'aplication'." in message
    assert "It has 'application', 'create_app' (a factory: add --factory), 'zip_up'." in message


def test_a_missing_attribute_has_a_cause_only_if_the_application_had_a_part_in_it(write: Write) -> None:
    write("main.py", "class Lazy:\n    @property\n    def app(self): return self.missing\nlazy = Lazy()\n")
    assert refusal("main:nothing").__cause__ is None
    assert files_in(refusal("main:lazy.app").__cause__) == ["main.py"]


def test_a_missing_attribute_of_an_object_is_told_of_the_reference(write: Write) -> None:
    write("main.py", ASGI3)
    assert "What 'main:app.inner' leads to has no attribute 'inner'" in str(refusal("main:app.inner"))


def test_an_attribute_whose_reading_fails_keeps_its_traceback(write: Write) -> None:
    write("main.py", "def __getattr__(name):\n    raise RuntimeError('too early')\n")
    error = refusal("main:app")
    assert str(error) == "'main:app' can't be read: RuntimeError: too early (main.py, line 2)."
    assert files_in(error.__cause__) == ["main.py"]


@pytest.mark.parametrize(
    ("source", "kind"),
    [("app = {}", "it's a dict, which can't be called"), ("app = None", "it's None"), ("import json as app", "module")],
)
def test_what_is_not_callable_is_said(write: Write, source: str, kind: str) -> None:
    write("main.py", source)
    assert kind in str(refusal("main:app"))


def test_a_wrong_callable_is_refused_before_the_first_request(write: Write) -> None:
    write("main.py", "def app(environ, start_response): ...")
    assert "'main:app' takes (environ, start_response)" in str(refusal("main:app"))


def test_a_factory_makes_the_application_without_a_warning(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    write("main.py", ASGI3 + "\ndef create(): return app\n")
    assert load("main:create", factory=True).application is sys.modules["main"].app
    assert not caplog.records


def test_a_factory_without_the_flag_is_used_with_a_warning(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    write("main.py", ASGI3 + "\ndef create(settings=None): return app\n")
    with caplog.at_level(logging.WARNING, "monoceros.error"):
        assert load("main:create").interface == "asgi3"
    [record] = caplog.records
    assert "'main:create'" in record.getMessage()
    assert "--factory" in record.getMessage()


@pytest.mark.parametrize("factory", [True, False])
def test_a_type_error_inside_a_factory_is_never_swallowed(write: Write, factory: bool) -> None:
    write("main.py", "def create():\n    return len(3)\n")
    error = refusal("main:create", factory=factory)
    assert "The factory 'main:create' failed: TypeError" in str(error)
    assert "(main.py, line 2)" in str(error)
    assert files_in(error.__cause__) == ["main.py"]
    assert ("was called because" in str(error)) is not factory


def test_a_factory_that_needs_arguments_is_refused_with_them(write: Write) -> None:
    write("main.py", "def create(settings): ...")
    assert "takes (settings), but factories are called without" in str(refusal("main:create", factory=True))


def test_an_application_given_as_a_factory_is_recognised(write: Write) -> None:
    write("main.py", ASGI3)
    assert "served without --factory" in str(refusal("main:app", factory=True))


def test_a_factory_that_returns_nothing_to_call_is_refused(write: Write) -> None:
    write("main.py", "def create(): pass")
    assert "returned no application: it's None" in str(refusal("main:create", factory=True))


def test_an_asynchronous_factory_is_refused_and_its_coroutine_closed(write: Write) -> None:
    write("main.py", "async def create(): ...")
    assert "is asynchronous" in str(refusal("main:create", factory=True))


def test_what_a_factory_returned_is_checked_as_well(write: Write) -> None:
    write("main.py", "def create(): return lambda environ, start_response: []")
    assert "What 'main:create' returned takes (environ, start_response)" in str(refusal("main:create"))


def test_a_class_of_applications_is_instantiated(write: Write) -> None:
    write("main.py", "class App:\n    async def __call__(self, scope, receive, send): ...\n")
    assert type(load("main:App").application).__name__ == "App"


def test_an_object_that_fails_is_named_by_its_type_or_its_qualified_name() -> None:
    assert str(refusal({})).startswith("the dict object can't be served")
    assert str(refusal(load, interface="asgi3")).startswith("'tests.resources.test_loading.load' takes (app, ")
