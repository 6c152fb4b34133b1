"""What a fuzzer's input says about a connection: what the peer sends, in which pieces, and what else it does between.

An input is cut at each octet 0xFF; the octet behind it says what happens there. So a fuzzer that puts octets in or
takes some out changes one step, and not the meaning of all that follow.
"""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

MARK = b"\xff"
REPEATED = 64
"""How often a piece is sent that is to be repeated: four thousand octets of input become more than a reader holds."""


class Act(Enum):
    """What happens before a piece is sent."""

    NOTHING = "the octets before and behind come in two pieces"
    LITERAL = "the octet 0xFF itself is sent"
    REPEAT = "the piece is sent many times over, as one"
    TICK = "a second passes"
    WAIT = "many seconds pass"
    STOP_READING = "the peer reads no more"
    READ_AGAIN = "the peer reads again"
    END = "the peer ends its side"
    BYTEWISE = "the piece comes byte by byte"
    DRAIN = "the server begins to drain"
    MAKE_WAY = "the server needs room, and takes that of whoever waits"
    TAKE_SOME = "the peer takes some of what was written"


ACTS = tuple(Act)


class Step(NamedTuple):
    """One step of a script: the act, and then the octets that the peer sends."""

    act: Act
    data: bytes


def steps(data: bytes) -> Iterator[Step]:
    """Yield what an input says."""
    first, *rest = data.split(MARK)
    if first:
        yield Step(Act.NOTHING, first)
    for piece in rest:
        act = ACTS[piece[0] % len(ACTS)] if piece else Act.NOTHING
        sent = piece[1:]
        if act is Act.LITERAL:
            sent = MARK + sent
        elif act is Act.REPEAT:
            sent *= REPEATED
        yield Step(act, sent)


def encoded(step: Step) -> bytes:
    """Return what `steps` reads as this step; its data is taken as it is, and may not hold 0xFF."""
    return MARK + bytes([ACTS.index(step.act)]) + step.data
