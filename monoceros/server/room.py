"""Room on the interpreter's stack for all that a process will call.

CPython keeps the frames of a thread's calls in chunks of 16 KiB. A call that finds its chunk full has the system map
another one, and gives it back when it returns: a function that is called again and again just there pays two system
calls and a page fault each time. Which function that is depends on how deep it stands, so it is a matter of chance;
importing a FastAPI application met it thousands of times, a tenth of the whole start. Under a frame that has asked for
a chunk large enough for everything, nobody meets it. Of its address space, what no frame has touched takes no memory.
"""

from collections.abc import Callable
from types import FunctionType
from typing import TypeVar, cast

_Function = TypeVar("_Function", bound=Callable[..., object])

SLOTS = 31_800
"""Pointers that a roomy frame asks for. With the 1,000 for which the interpreter wants to have room beside, they are a
little more than 256 KiB hold, so the chunk is of 512 KiB: half of it is left to what is called, about 1,000 frames."""


def roomy(function: _Function) -> _Function:
    """Have all that a function calls find room on the interpreter's stack; a decorator.

    It is for a function that is called once and calls everything else, for its own call costs a mapping; never for a
    coroutine function or a generator, whose frames are elsewhere.

    Arguments:
        function: one written in Python; it is changed, and returned.
    """
    written = cast(FunctionType, function)
    written.__code__ = written.__code__.replace(co_stacksize=SLOTS)
    return function
