"""How many octets an object keeps alive: its own buffers, and those of whatever it refers to.

Knows nothing of connections. What belongs to others - the loop, the transport, an application at work - is named by
its type, and not entered.
"""

import gc
import types
from typing import Any

_SHARED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CoroutineType)


def octets_held(root: object, *, foreign: tuple[type, ...]) -> int:
    """Return the octets of all bytes, bytearrays and texts that can be reached from an object.

    Arguments:
        root: where to begin.
        foreign: types whose instances aren't entered.
    """
    seen: set[int] = set()
    waiting: list[Any] = [root]
    octets = 0
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, _SHARED + foreign):
            continue
        seen.add(id(each))
        if isinstance(each, (bytes, bytearray, str)):
            octets += len(each)
        else:
            waiting += gc.get_referents(each)
    return octets
