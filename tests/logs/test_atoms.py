"""Formats of the access log: what each atom shows, what it costs, and what is refused."""

import base64
import json
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config as GunicornConfig
from gunicorn.glogging import Logger

from monoceros.errors import UsageError
from monoceros.logs.atoms import compile_format, cuts
from monoceros.logs.told import environ_of
from tests.doubles.told import FakeTold, unknown

NOON = 1_000_000_000.0  # 9 September 2001, 01:46:40 UTC


@pytest.fixture(autouse=True)
def time_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "XXX-05:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def shown(text: str, told: FakeTold | None = None) -> str:
    return compile_format(text, clock=lambda: NOON)(told or FakeTold())


SHOWN = {
    "%(h)s": "127.0.0.1",
    "%(l)s": "-",
    "%(u)s": "-",
    "%(t)s": "[09/Sep/2001:07:16:40 +0530]",
    "%(r)s": "GET /items/a%20b?q=1 HTTP/1.1",
    "%(m)s": "GET",
    "%(U)s": "/items/a b",
    "%(q)s": "q=1",
    "%(H)s": "HTTP/1.1",
    "%(s)s": "200",
    "%(B)s": "13",
    "%(b)s": "13",
    "%(f)s": "http://b.example/",
    "%(a)s": "curl/8.5.0",
    "%(T)s": "1",
    "%(D)s": "1234567",
    "%(M)s": "1234",
    "%(L)s": "1.234567",
    "%(p)s": f"<{os.getpid()}>",
    "%({host}i)s": "a.example",
    "%({Host}i)s": "a.example",
    "%({x-none}i)s": "-",
    "%({x-own}o)s": "a",
    "%({X-None}o)s": "-",
    "%({remote_addr}e)s": "127.0.0.1",
    "%({HTTP_HOST}e)s": "a.example",
    "%({wsgi.url_scheme}e)s": "https",
    "%({NONE}e)s": "-",
    "%(D)d": "1234567",
    "%(s)5d|%(m)-5s|%(a).4s": "  200|GET  |curl",
    "100 %% of\t%(m)s": "100 % of\tGET",
    "é\n": "\\xe9\\x0a",
    "": "",
}


@pytest.mark.parametrize("text", SHOWN)
def test_an_atom_shows_what_it_is_for(text: str) -> None:
    assert shown(text) == SHOWN[text]


NOTHING = {"h": "-", "r": "-", "m": "-", "U": "-", "q": "", "H": "-", "s": "400", "b": "12", "a": "-", "L": "0.000000"}


@pytest.mark.parametrize("name", NOTHING)
def test_what_is_not_known_of_a_refused_head_is_a_dash(name: str) -> None:
    assert shown(f"%({name})s", unknown()) == NOTHING[name]


ATOMS = "hlurmUqHsBbfaTDMLp"


@pytest.mark.parametrize("name", [*ATOMS, "{host}i", "{x-own}o", "{http_host}e", "{x-none}i", "{none}e"])
@pytest.mark.parametrize("parts", [{}, {"octets": 0, "seconds": 0.0}, {"fields": [(b"host", b"a")], "query": b""}])
def test_an_atom_shows_what_gunicorn_shows(name: str, parts: dict[str, Any]) -> None:
    """By its own logger, of the same request."""
    told = FakeTold(**parts)
    response = SimpleNamespace(
        status="200 OK",
        sent=told.octets,
        headers=[(key.decode(), value.decode()) for key, value in told.response_fields],
    )
    headers = [(key.decode().upper(), value.decode()) for key, value in told.fields]
    logger = Logger(GunicornConfig())
    atoms = logger.atoms(response, headers, environ_of(told), timedelta(seconds=told.seconds))
    assert shown(f"%({name})s", told) == f"%({name})s" % logger.atoms_wrapper_class(atoms)


def basic(credentials: bytes) -> FakeTold:
    return FakeTold(fields=[(b"authorization", b"BASIC " + base64.b64encode(credentials))])


@pytest.mark.parametrize(
    ("told", "user"),
    [
        (basic(b"jo:secret:er"), "jo"),
        (basic(b":secret"), "-"),
        (basic(b"j\n\xc3\xa9"), "j\\x0a\\xe9"),
        (basic(b"\xff:"), "-"),
        (basic(b"jo:\xff"), "jo"),
        (FakeTold(fields=[(b"authorization", b"Basic !")]), "-"),
        (FakeTold(fields=[(b"authorization", b"Bearer abc")]), "-"),
    ],
)
def test_the_user_is_that_of_basic_authentication(told: FakeTold, user: str) -> None:
    """RFC 7617."""
    assert shown("%(u)s", told) == user


def test_a_peer_can_neither_break_its_line_nor_end_its_quotes() -> None:
    hostile = b'\x1b[2J\r\n\xff\x00\\" 200 "'
    told = FakeTold(
        method="GET\n",
        path=b"/%0a%22",
        query=hostile,
        fields=[(b"user-agent", hostile), (b"x", hostile)],
        response_fields=[(b"x", hostile)],
    )
    escaped = '\\x1b[2J\\x0d\\x0a\\xff\\x00\\\\\\" 200 \\"'
    for atom in ("%(a)s", "%(q)s", "%({x}i)s", "%({x}o)s", "%({http_x}e)s"):
        assert shown(atom, told) == escaped
    assert shown("%(m)s %(U)s", told) == 'GET\\x0a /\\x0a\\"'


@pytest.mark.parametrize(("text", "expected"), [
    ('"%(a).2s"', '"a\\\\"'),
    ('"%(a).3s"', '"a\\\\\\""'),
    ('"%(a).4s"', '"a\\\\\\"\\x1b"'),
    ('"%(a)6.2s|%(a)-6.2s|%(a).0s"', '"   a\\\\|a\\\\   |"'),
    ("%(s).2s|%(B).4d", "20|0013"),
])  # fmt: skip
def test_a_precision_cuts_no_escape_in_two(text: str, expected: str) -> None:
    """Of a client's backslash before the closing quote, half would let the line go on inside the quotes."""
    assert shown(text, FakeTold(fields=[(b"user-agent", b'a\\"\x1b"')])) == expected


def test_a_format_that_cuts_is_known_by_it() -> None:
    assert cuts('%(h)s "%(a)-9.80s"')
    assert not cuts("%(h)s. %(s)5s %%(a).80s")


def test_a_client_that_an_application_made_up_has_no_port() -> None:
    assert shown("%(h)s:%({remote_port}e)s", FakeTold(client=("somebody",))) == "somebody:"


COSTS = {
    "%(s)s": {"status"},
    "%(h)s %(t)s %(p)s": {"client"},
    "%(D)s": {"seconds"},
    '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"': {
        "client",
        "fields",
        "octets",
        "request_line",
        "status",
    },
    "%({x-own}o)s": {"response_fields"},
    "nothing": set(),
}


@pytest.mark.parametrize("text", COSTS)
def test_what_a_format_does_not_name_is_not_asked_for(text: str) -> None:
    line = compile_format(text)
    told = FakeTold()
    line(told)
    line(told)
    assert set(told.asked) == COSTS[text]


def test_the_date_is_that_of_the_second() -> None:
    times = iter([NOON, NOON + 0.9, NOON + 1.0])
    line = compile_format("%(t)s", clock=lambda: next(times))
    lines = [line(FakeTold()) for _ in range(3)]
    assert [each[-9:-7] for each in lines] == ["40", "40", "41"]


def test_json_is_one_object_a_line_with_keys_that_stay() -> None:
    assert json.loads(shown("json", basic(b"jo:"))) == {
        "time": "2001-09-09T07:16:40.000+05:30",
        "pid": os.getpid(),
        "client": "127.0.0.1",
        "user": "jo",
        "method": "GET",
        "path": "/items/a%20b",
        "query": "q=1",
        "protocol": "HTTP/1.1",
        "scheme": "https",
        "host": None,
        "status": 200,
        "bytes": 13,
        "seconds": 1.234567,
        "complete": True,
        "referer": None,
        "user_agent": None,
    }


def test_json_has_no_control_in_it_and_null_for_what_is_not_known() -> None:
    line = shown("json", FakeTold(fields=[(b"user-agent", b'\x1b\x7f\x9b\xe9"\\\n')], cut_off=True))
    assert line.isascii()
    assert line.isprintable()
    entry = json.loads(line)
    assert entry["user_agent"] == '\x1b\x7f\x9b\xe9"\\\n'
    assert not entry["complete"]
    entry = json.loads(shown("json", unknown()))
    assert {entry[key] for key in ("client", "method", "path", "query", "protocol", "host")} == {None}


MALFORMED = {
    "%(z)s": r"there is no atom %\(z\)s\. There are: a, B, .*, \{name\}e; or the word json",
    "%(st)s": r"there is no atom %\(st\)s",
    "%({host}x)s": r"there is no atom %\(\{host\}x\)s",
    "%({}i)s": r"there is no atom %\(\{\}i\)s",
    "%()s": r"there is no atom %\(\)s",
    "%(h)d": r"%\(h\)d isn't of a kind there is: write %\(h\)s\. Only the numbers s, B, T, D, M may",
    "%(s)x": r"%\(s\)x isn't of a kind",
    "50% of %(m)s": r"'% of %\(m\)s', at character 3, is no atom: write %\(name\)s, or %% for a percent sign",
    "%(h": r"'%\(h', at character 1",
    "%(h)": r"at character 1",
    "%s": r"at character 1",
    "%(h)s %": r"at character 7",
}


@pytest.mark.parametrize("text", MALFORMED)
def test_what_can_not_be_compiled_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(UsageError, match=r"^access_log_format \(--access-log-format\): .*" + MALFORMED[text]):
        compile_format(text)
