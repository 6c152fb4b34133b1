"""That the table isn't a list of promises: what it says counts here is given to a running Gunicorn in some test."""

import re
from pathlib import Path

import pytest
from gunicorn.config import Config

from monoceros.workers.settings import SETTINGS, Fate

HERE = Path(__file__)
SHOWN = "".join(path.read_text() for path in sorted(HERE.parent.glob("*.py")) if path != HERE)

# As the command line calls them.
FLAGS = {name: setting.cli or [] for name, setting in Config().settings.items()}

# Parts of others that are shown, or always so.
ALONG = {"do_handshake_on_connect"}


@pytest.mark.parametrize(
    "name", sorted({line.name for line in SETTINGS if line.fate in (Fate.OPTION, Fate.WORKER)} - ALONG)
)
def test_a_setting_that_counts_here_is_shown_under_a_running_gunicorn(name: str) -> None:
    assert re.search(rf"\b{name}\b", SHOWN) or any(f'"{flag}"' in SHOWN for flag in FLAGS.get(name, []))
