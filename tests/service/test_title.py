"""What `ps` shows."""

from collections.abc import Iterator

import pytest

from monoceros.service.title import application_name, current_title, restore_title, set_title


class Application:
    pass


@pytest.fixture
def former() -> Iterator[str]:
    """The title of the process of the tests, which it has again afterwards."""
    title = current_title()
    yield title
    restore_title(title)


def test_an_application_is_called_by_its_import_string_or_its_name() -> None:
    assert application_name("package.module:app") == "package.module:app"
    assert application_name(Application) == "Application"
    assert application_name(Application()) == "Application"


def test_a_process_is_shown_with_its_role_and_application(former: str) -> None:
    set_title("worker 1", "module:app")
    assert current_title() == "monoceros: worker 1 [module:app]"
    restore_title(former)
    assert current_title() == former


def test_a_name_of_the_service_is_shown_instead_of_the_application(former: str) -> None:
    set_title("master", "module:app", "shop")
    assert current_title() == "monoceros: master [shop]"
    set_title("master", "module:app", None)
    assert current_title() == "monoceros: master [module:app]"
