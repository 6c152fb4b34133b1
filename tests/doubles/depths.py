"""What calls cost at each depth of the stack, told by page faults: a chunk mapped for a call has at least one."""

import resource

CALLS = 100
"""So many are made at each depth, and as many faults there are where each has a chunk mapped."""

DEPTHS = 400
"""More than the 16 KiB of a chunk hold of these frames."""


def faults() -> int:
    return resource.getrusage(getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)).ru_minflt


def called(a: int = 0, b: int = 0, c: int = 0, d: int = 0, e: int = 0, f: int = 0, g: int = 0, h: int = 0) -> None:
    """A frame that is larger than that of `worst`: no chunk's end is stepped over."""


def worst(depth: int = DEPTHS) -> int:
    """Return how many page faults the calls at the worst depth below here have."""
    before = faults()
    for _ in range(CALLS):
        called()
    here = faults() - before
    return max(here, worst(depth - 1)) if depth else here
