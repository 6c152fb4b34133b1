"""A configuration of the logging that can't be used is refused without a word of its text."""

import traceback
from pathlib import Path

import pytest

from monoceros.errors import UsageError
from monoceros.logs.setup import configure


@pytest.mark.parametrize(
    ("name", "content", "wrong"),
    [
        ("log.yaml", "a: 1\npassword: 'hunter2", "found unexpected end of stream, in line 2"),
        ("log.yaml", "password: hunter2\x01", "unacceptable character #x0001"),
        ("log.ini", "password: hunter2", "no section begins before line 1"),
        ("log.ini", "[handler_mail]\nhunter2", "neither a section nor an option, in line 2"),
        ("log.ini", "[a]\nb = 1\nb = hunter2", "option 'b' in section 'a' already exists"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_without_its_text(
    name: str, content: str, wrong: str, tmp_path: Path
) -> None:
    """There may be the password of a handler in it."""
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError) as caught:
        configure(tmp_path / name)
    assert wrong in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
