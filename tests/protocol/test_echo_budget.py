"""How many Python calls of ours one small message of a WebSocket costs that comes alone and is answered.

The budget may shrink, never grow.
"""

import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import pytest

import monoceros
from tests.doubles.applications import echo
from tests.doubles.stage import Stage
from tests.doubles.websocket_client import BINARY, TEXT, frame

PACKAGE = str(Path(monoceros.__file__).parent)

OWN = {TEXT: 11, BINARY: 13}
"""As measured. Three of them are coroutines that go on: `run`, and `receive` twice."""


@pytest.mark.parametrize("opcode", OWN)
def test_an_echo_stays_within_its_budget(opcode: int) -> None:
    stage = Stage(app=echo)
    peer = stage.connect()
    peer.upgrade()
    peer.take()
    message = frame(opcode, b"sixteen octets..")
    peer.send(message)
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            calls[frame.f_code.co_qualname] += 1

    sys.setprofile(count)
    try:
        peer.send(message)
    finally:
        sys.setprofile(None)
    assert [each.payload for each in peer.frames()] == [b"sixteen octets.."] * 2
    assert calls.total() <= OWN[opcode], calls
    stage.close()
