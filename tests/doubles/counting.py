"""A profiler that counts calls by whose they are: the measure of work that every machine agrees on.

Knows `sys.setprofile`, and where package and tests lie. The rule it keeps: what the tests do counts for nothing.
"""

import gc
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, Self

import monoceros

PACKAGE = str(Path(monoceros.__file__).parent)
TESTS = str(Path(__file__).parents[1])


class Calls(NamedTuple):
    """Numbers of calls: of the package's own functions, and of everything below it.

    Attributes:
        own: calls of the package's functions.
        own_c: calls that these make of what is written in C.
        below: calls of other functions in Python: the standard library's, an event loop's, a codec's.
        below_c: calls that those make of what is written in C.
    """

    own: int
    own_c: int
    below: int
    below_c: int


class Stretch(Counter[tuple[str, str]]):
    """What was called between two marks: a field of `Calls` and a function's name, and how often."""

    @property
    def calls(self) -> Calls:
        sums = dict.fromkeys(Calls._fields, 0)
        for (field, _), number in self.items():
            sums[field] += number
        return Calls(**sums)

    def beyond(self, budget: Calls) -> "Stretch":
        """Return the part of it whose numbers of calls exceed a budget."""
        exceeded = {
            field for field, number, limit in zip(Calls._fields, self.calls, budget, strict=True) if number > limit
        }
        return Stretch({(field, name): number for (field, name), number in self.items() if field in exceeded})


class CallCounter:
    """Counts from `with` to its end, in the thread that enters it, from each mark to the next.

    The collector rests meanwhile: it calls what others have left behind, and at any time.
    """

    def __init__(self) -> None:
        self._count: dict[tuple[str, str], int] = {}
        self._marked: list[dict[tuple[str, str], int]] = []

    def __enter__(self) -> Self:
        gc.disable()
        sys.setprofile(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        gc.enable()

    def mark(self) -> None:
        """End a stretch, and begin the next."""
        # What a Counter calls is written in Python, and must not be counted: it is made of this when all is over.
        self._marked.append(self._count)
        self._count = {}

    @property
    def stretches(self) -> list[Stretch]:
        """What was called from each mark to the next."""
        return [Stretch(count) for count in self._marked[1:]]

    def _called(self, frame: FrameType, event: str, argument: Any) -> None:
        whose = frame.f_code.co_filename
        if event not in ("call", "c_call") or whose.startswith(TESTS):
            return
        field = "own" if whose.startswith(PACKAGE) else "below"
        key = (field, frame.f_code.co_qualname) if event == "call" else (f"{field}_c", argument.__qualname__)
        self._count[key] = self._count.get(key, 0) + 1
