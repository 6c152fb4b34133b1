"""Installs what the benchmark needs into the Python that runs this: `python -m benchmarks.peers`.

Each requirement by itself, and only those that aren't met yet; what can't be installed is named, and left out.
"""

import re
import subprocess
import sys
from pathlib import Path

from benchmarks.contenders import version_of

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def requirements(text: str) -> dict[str, str]:
    """Return the requirements by the name of their distribution.

    Arguments:
        text: one a line, with comments.
    """
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return {re.split(r"[<>=!~\[; ]", line, maxsplit=1)[0]: line for line in lines if line}


def main() -> None:
    """Install, and say what couldn't be."""
    for name, requirement in requirements(REQUIREMENTS.read_text()).items():
        if version_of(name):
            continue
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
            print(f"Can't be installed, and is left out: {requirement}: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
