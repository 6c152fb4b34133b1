"""What the tests of the worker classes share."""

from pathlib import Path

import pytest

from tests.gunicorn.running import APP


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with the application in it."""
    (tmp_path / "app.py").write_text(APP)
    return tmp_path
