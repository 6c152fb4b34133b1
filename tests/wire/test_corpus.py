"""Raw requests, a file per idea, through both parsers: whole, byte by byte, and cut in two at every place.

`accept/NAME.toml` says which requests NAME.http holds; `reject/NAME.toml` which status refuses it, why, and after how
many requests. Text in these files stands for octets (ISO 8859-1).
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.requests import PARSERS, Conversation, Received, bytewise, two_way_cuts

CORPUS = Path(__file__).parent.parent / "corpus" / "http1"
ACCEPTED = sorted(path.stem for path in (CORPUS / "accept").glob("*.http"))
REFUSED = sorted(path.stem for path in (CORPUS / "reject").glob("*.http"))
MANY_CUTS = 2048
"""Octets above which a file is cut at every seventh place only: each place would cost seconds."""


def read(kind: str, name: str) -> tuple[bytes, dict[str, Any]]:
    path = CORPUS / kind / f"{name}.http"
    return path.read_bytes(), tomllib.loads(path.with_suffix(".toml").read_text())


def conversations(data: bytes) -> Iterator[tuple[str, Conversation]]:
    """Yield the conversations that a file is used in, each already held, and how to name it."""
    for name, make in PARSERS.items():
        yield f"{name}, whole", Conversation(make()).send([data])
        yield f"{name}, byte by byte", Conversation(make()).send(bytewise(data))
        for number, pieces in enumerate(two_way_cuts(data), 1):
            if len(data) <= MANY_CUTS or number % 7 == 0:
                yield f"{name}, cut at {number}", Conversation(make()).send(pieces)


def check_request(expected: dict[str, Any], request: Received, how: str) -> None:
    assert request.ended, how
    assert request.method == expected["method"], how
    assert request.target == expected["target"].encode("latin-1"), how
    assert request.traits.http_version == expected["version"], how
    fields = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.fields]
    assert fields == expected["fields"], how
    assert request.body == expected["body"].encode("latin-1"), how
    for trait in ("keep_alive", "expect_continue", "upgrade"):
        if trait in expected:
            assert getattr(request.traits, trait) is expected[trait], (how, trait)


def test_each_file_of_the_corpus_has_its_verdict() -> None:
    for kind, names in (("accept", ACCEPTED), ("reject", REFUSED)):
        assert names == sorted(path.stem for path in (CORPUS / kind).glob("*.toml"))
        for name in names:
            assert read(kind, name)[1]["why"], name


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_good_is_read_alike_however_it_comes(name: str) -> None:
    data, verdict = read("accept", name)
    for how, held in conversations(data):
        assert held.refusal is None, how
        assert len(held.sink.requests) == len(verdict["request"]), how
        for expected, request in zip(verdict["request"], held.sink.requests, strict=True):
            check_request(expected, request, how)
        assert held.reader.idle, how


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_bad_is_refused_alike_however_it_comes(name: str) -> None:
    data, verdict = read("reject", name)
    for how, held in conversations(data):
        assert held.status == verdict["status"], (how, held.refusal)
        assert len(held.sink.requests) == verdict.get("after", 0), how
        held.reader.feed(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert len(held.sink.requests) == verdict.get("after", 0), "a request was read behind a refusal"
