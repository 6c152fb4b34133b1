"""What `ps` shows."""

from monoceros.supervisor.title import application_name, current_title, restore_title, set_title


class Application:
    pass


def test_an_application_is_called_by_its_import_string_or_its_name() -> None:
    assert application_name("package.module:app") == "package.module:app"
    assert application_name(Application) == "Application"
    assert application_name(Application()) == "Application"


def test_a_process_is_shown_with_its_role_and_application() -> None:
    former = current_title()
    try:
        set_title("worker 1", "module:app")
        assert current_title() == "monoceros: worker 1 [module:app]"
    finally:
        restore_title(former)
    assert current_title() == former
