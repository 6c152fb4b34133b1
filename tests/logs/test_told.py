"""A request's CGI variables."""

from monoceros.logs.told import VARIABLES, environ_of, last_value, variable_of
from tests.doubles.told import FakeTold, unknown


def test_a_request_has_the_usual_variables() -> None:
    """RFC 3875, section 4.1."""
    fields = [(b"host", b"a"), (b"content-type", b"text/plain"), (b"content-length", b"4"), (b"x-y", b"1")]
    assert environ_of(FakeTold(fields=fields)) == {
        "REQUEST_METHOD": "GET",
        "RAW_URI": "/items/a%20b?q=1",
        "PATH_INFO": "/items/a b",
        "QUERY_STRING": "q=1",
        "SCRIPT_NAME": "/app",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.2",
        "SERVER_PORT": "8000",
        "SERVER_SOFTWARE": "monoceros",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "5000",
        "wsgi.url_scheme": "https",
        "HTTP_HOST": "a",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "4",
        "HTTP_X_Y": "1",
    }


def test_fields_of_one_name_are_one_variable() -> None:
    assert environ_of(FakeTold(fields=[(b"x-y", b"1"), (b"x-y", b"2")]))["HTTP_X_Y"] == "1,2"


def test_of_a_peer_without_an_address_there_is_none() -> None:
    environ = environ_of(FakeTold(client=None, server=("/run/app.sock", None)))
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("", "")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("/run/app.sock", "")


def test_a_request_of_which_nothing_is_known_has_all_variables_as_well() -> None:
    assert set(environ_of(unknown())) == set(VARIABLES)


def test_octets_become_a_character_each() -> None:
    environ = environ_of(FakeTold(path=b"/%c3%a9%0a", fields=[(b"x", b"\xff")]))
    assert (environ["PATH_INFO"], environ["HTTP_X"]) == ("/\xc3\xa9\n", "\xff")


def test_the_last_of_several_values_counts() -> None:
    fields = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]
    assert last_value(fields, b"a") == "3"
    assert last_value(fields, b"c") is None
    assert variable_of(b"x-forwarded-for") == "HTTP_X_FORWARDED_FOR"
